import { setTimeout as sleep } from 'node:timers/promises';
import type { Anomaly } from '../lab/checker.ts';
import type { Saved, VirtualClient } from '../lab/client.ts';
import { http } from '../lab/client.ts';
import { type Lab, type LabConversation, textOf } from '../lab/lab.ts';
import { connected, inLab, type Story, until } from './story.ts';

/** What each writes while there is no line. */
const WRITTEN_OFFLINE = 50;
/** Sent just before the line went silent: stored, and nobody was told. */
const UNKNOWN = 3;

/**
 * F3, and a day offline: the line goes silent under sends, the program is killed, is opened without a line, writes, is
 * killed again. A day later, with the session over and much said meanwhile, it is opened with a line: everything that
 * was said is there, and everything that was written, in order, once.
 *
 * The day is not waited for: every time in the tenant's rows is made 25 hours older and the node is started anew, so
 * that it remembers nothing. Tests of Chromium with a killed profile: tests/chat/outbox.test.ts.
 */
export const dayOffline: Story = (options) =>
  inLab(options, {}, async (lab) => {
    const [seat] = lab.seats;
    if (!seat) throw new Error('no node');
    const saidMeanwhile = options.isLong ? 2_000 : 120;
    const tenant = await lab.newTenant();
    const conversations = await lab.converse(tenant, options.rounds ?? 4);
    const anomalies: Anomaly[] = [];
    let number = 0;
    const write = (client: VirtualClient | undefined, { id, user }: LabConversation, count: number) => {
      for (let each = 0; each < count; each++) void client?.send(id, textOf(user, number++));
    };
    const phone = (at: number, conversation: LabConversation, saved?: Saved, token = conversation.user.token) =>
      lab.client({
        name: `phone-${at}`,
        person: { ...conversation.user, token },
        rooms: [conversation.id],
        ...(saved ? { saved } : {}),
      });

    const first = conversations.map((conversation, at) => phone(at, conversation));
    await connected(first);
    for (const [at, conversation] of conversations.entries()) write(first[at], conversation, 5);
    await until('the first are acknowledged', () => first.every(({ waiting }) => waiting === 0));
    const stored = await countOf(lab, conversations);
    seat.front.poison('down', { isBlackHole: true });
    for (const [at, conversation] of conversations.entries()) write(first[at], conversation, UNKNOWN);
    await until(
      'what nobody was told of is stored',
      async () => (await countOf(lab, conversations)) === stored + UNKNOWN * conversations.length,
    );
    const disks = first.map((client) => client.kill());
    seat.front.reset();
    seat.front.heal();

    // opened and closed without a line
    const second = conversations.map((conversation, at) => {
      const client = phone(at, conversation, disks[at]);
      client.offline();
      write(client, conversation, WRITTEN_OFFLINE);
      return client;
    });
    await sleep(100);
    const later = second.map((client) => client.kill());

    const tablets = conversations.map((conversation, at) =>
      lab.client({ name: `tablet-${at}`, person: conversation.user, rooms: [conversation.id], window: 64 }),
    );
    for (const [at, conversation] of conversations.entries()) write(tablets[at], conversation, saidMeanwhile);
    await until('much is said meanwhile', () => tablets.every(({ waiting }) => waiting === 0), 120_000);
    for (const tablet of tablets) tablet.close();
    await seat.kill();
    await ageByADay(lab, tenant.tenant.id);
    await seat.start();

    const opened = performance.now();
    const third = await Promise.all(
      conversations.map(async (conversation, at) => {
        const { user } = conversation;
        const path = `/api/support/conversations/${conversation.id}`;
        const old = await http({ port: seat.front.port, method: 'GET', path, token: user.token });
        if (old.status !== 401)
          anomalies.push({ kind: 'cut-off', what: `yesterday's session was answered ${old.status}` });
        const again = await lab.signIn(tenant, { sub: user.sub });
        return phone(at, conversation, later[at], again.token);
      }),
    );
    await connected(third);
    const resumed = third.filter((client, at) => client.states.get(conversations[at]?.id ?? '')?.status === 'resumed');
    if (resumed.length < third.length) {
      anomalies.push({
        kind: 'cursor',
        what: `${third.length - resumed.length} of yesterday's cursors were not resumed`,
      });
    }
    await until('all of it went out', () => third.every(({ waiting }) => waiting === 0), 60_000).catch(() => {});
    anomalies.push(...(await lab.judge(60_000)));
    const settledMs = Math.round(performance.now() - opened);
    return {
      anomalies,
      rounds: conversations.length,
      facts: {
        hoursOffline: 25,
        simulatedBy: 'times in the rows moved back, node started anew',
        writtenOffline: WRITTEN_OFFLINE,
        storedAndNotTold: UNKNOWN,
        saidMeanwhile,
        settledMs,
      },
    };
  });

async function countOf(lab: Lab, conversations: readonly LabConversation[]): Promise<number> {
  const { rows } = await lab.admin.query<{ count: number }>(
    'select count(*)::int as count from messages where conversation_id = any ($1)',
    [conversations.map(({ id }) => id)],
  );
  return rows[0]?.count ?? 0;
}

/** Everything of the tenant that has a time lies 25 hours further back. The audit log may not be changed by anybody. */
async function ageByADay(lab: Lab, tenantId: string): Promise<void> {
  const { rows } = await lab.admin.query<{ table: string; columns: string[] }>(
    `select c.table_name as table, array_agg(c.column_name::text) as columns
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where c.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.data_type = 'timestamp with time zone'
       and c.is_generated = 'NEVER'
       and c.table_name in (select table_name from information_schema.columns
                            where table_schema = 'public' and column_name = 'tenant_id')
       and c.table_name not like 'audit%'
     group by 1`,
  );
  for (const { table, columns } of rows) {
    const set = columns.map((column) => `"${column}" = "${column}" - interval '25 hours'`).join();
    await lab.admin.query(`update "${table}" set ${set} where tenant_id = $1`, [tenantId]);
  }
}
