import { rewrite } from './rewrite.ts';

/** Does not look for what was sent before, and nothing in the table forbids a double. */
rewrite('no-repeat-check', [
  {
    file: 'migrations/Migration20261121000022_append_plans.ts',
    find: 'create unique index messages_by_client_id',
    put: 'create index messages_by_client_id',
  },
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: 'and m.client_id = i.client_id limit 1) s on true',
    put: 'and m.client_id = i.client_id limit 1) s on false',
  },
]);
