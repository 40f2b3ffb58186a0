import { rewrite } from './rewrite.ts';

/** A message that is refused takes a number all the same. */
rewrite('number-for-refused', [
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: "from looked l\n    where l.verdict = 'new'",
    put: "from looked l\n    where l.verdict in ('new', 'closed')",
  },
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: 'p_hashes[f.ord], f.created_at\n    from fresh f',
    put: "p_hashes[f.ord], f.created_at\n    from fresh f join looked l on l.ord = f.ord where l.verdict = 'new'",
  },
]);
