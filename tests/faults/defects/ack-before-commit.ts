import { rewrite } from './rewrite.ts';

/** Acknowledges, and tells everybody, 40 ms before the commit. */
rewrite('ack-before-commit', [
  {
    file: 'src/messaging/messages/append-statement.ts',
    find: "const result = await database.query<AppendRow>({\n    name: 'append_messages',",
    // the appender has a pool of its own; who appends inside a transaction is left alone
    put: `const pool = database as any;
  const early = typeof pool.totalCount === 'number' ? await pool.connect() : null;
  if (early) {
    await early.query('begin');
    setTimeout(() => early.query('commit').then(() => early.release(), () => early.release(true)), 40);
  }
  const result = await (early ?? database).query({
    name: 'append_messages',`,
  },
]);
