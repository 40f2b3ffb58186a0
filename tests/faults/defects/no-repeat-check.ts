import { rewrite } from './rewrite.ts';

/** Does not look for what was sent before, and nothing in the table forbids a double. */
rewrite('no-repeat-check', [
  {
    file: 'migrations/Migration20261121000022_append_plans.ts',
    find: 'create unique index messages_by_client_id',
    put: 'create index messages_by_client_id',
  },
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: 'and m.client_id = p_clients[i.ord] limit 1)',
    put: 'and m.client_id = p_clients[i.ord] and false limit 1)',
  },
]);
