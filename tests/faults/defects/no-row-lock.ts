import { rewrite } from './rewrite.ts';

/** Takes numbers without holding the conversation. */
rewrite('no-row-lock', [
  {
    file: 'migrations/Migration20261121000004_messaging.ts',
    find: 'create unique index messages_by_seq',
    put: 'create index messages_by_seq',
  },
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: 'order by c.id for no key update skip locked);',
    put: 'order by c.id);',
  },
  {
    file: 'migrations/Migration20261121000086_slim_append.ts',
    find: '  at := clock_timestamp();',
    put: '  at := clock_timestamp();\n  perform pg_sleep(0.01);',
  },
]);
