import { rewrite } from './rewrite.ts';

/** Takes numbers without holding the conversation. */
rewrite('no-row-lock', [
  {
    file: 'migrations/Migration20261121000004_messaging.ts',
    find: 'create unique index messages_by_seq',
    put: 'create index messages_by_seq',
  },
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: 'order by c.id for no key update skip locked) held;',
    put: 'order by c.id) held;',
  },
  {
    file: 'migrations/Migration20261121000084_by_id.ts',
    find: '  at := clock_timestamp();',
    put: '  at := clock_timestamp();\n  perform pg_sleep(0.002);',
  },
]);
