import { rewrite } from './rewrite.ts';

/** A message that is refused takes a number all the same. */
rewrite('number-for-refused', [
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: "from firsts f\n    where f.verdict = 'new' and f.twin_no = 1",
    put: "from firsts f\n    where f.verdict in ('new', 'closed') and f.twin_no = 1",
  },
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: 'f.client_id, f.content_hash, f.created_at\n    from fresh f',
    put: "f.client_id, f.content_hash, f.created_at\n    from fresh f where f.verdict = 'new'",
  },
]);
