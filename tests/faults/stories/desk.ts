import { setTimeout as sleep } from 'node:timers/promises';
import { assignConversation } from '../../../src/desk/index.ts';
import { migrate } from '../../../src/platform/database/index.ts';
import { type DeskTest, startDesk } from '../../desk/desk-node.ts';
import type { PersonRow } from '../../support/rows.ts';
import type { Anomaly } from '../lab/checker.ts';
import { openLabPostgres } from '../lab/postgres.ts';
import { createRandom } from '../lab/random.ts';
import type { Story, StoryOptions, StoryResult } from './story.ts';

/**
 * The desk races with itself and with people, on two nodes that share a database: what is handed out, claimed, closed
 * and written at one moment. The time is an argument, so that hours pass in milliseconds.
 */

const HOUR = 3_600_000;
// a Wednesday; before every message that is written here, as messages have the database's time
const NOON = new Date('2025-01-08T12:00:00Z');
const LATER = new Date(NOON.getTime() + 6 * HOUR);
const silent = { info() {}, debug() {}, warn() {}, error() {} };
/** A long run tells of itself this often. */
const CHAPTER = 500;

/** Opens two nodes, tells the story, and closes them whatever happens. */
async function onDesk(options: StoryOptions, tell: (desk: DeskTest) => Promise<StoryResult>): Promise<StoryResult> {
  const postgres = options.database ? null : await openLabPostgres();
  const on = options.database ?? postgres;
  if (!on) throw new Error('a desk needs a database');
  if (postgres) await migrate({ url: postgres.url, entities: [], log: silent });
  const desk = await startDesk(2, on);
  try {
    return await tell(desk);
  } finally {
    await desk.stop();
    await postgres?.close();
  }
}

/** A message that comes while two nodes close: it is refused, or the conversation stays open; closed once. */
export const closingRaces: Story = (options) =>
  onDesk(options, async (desk) => {
    const random = createRandom(options.seed);
    const rounds = options.rounds ?? 40;
    const anomalies: Anomaly[] = [];
    const tenantId = desk.home.tenant.id;
    const close = (node: number, now: Date) => desk.nodes[node]?.desk.closeIdle(tenantId, now);
    await desk.set({ autoCloseAfterHours: 24 });
    let refused = 0;
    for (let round = 0; round < rounds; round += 10) {
      const ids = await Promise.all(
        Array.from({ length: 10 }, async () => {
          const id = await desk.conversation();
          await desk.write(id);
          await desk.silentSince(id, new Date(NOON.getTime() - 24 * HOUR));
          return id;
        }),
      );
      await close(0, NOON);
      const [verdicts] = await Promise.all([
        Promise.all(
          ids.map(async (id, at) => {
            await sleep(at * random.between(4, 20));
            return desk.write(id);
          }),
        ),
        close(0, LATER),
        close(1, LATER),
      ]);
      for (const [at, id] of ids.entries()) {
        const { status, last_seq: lastSeq } = await desk.row(id);
        const closings = (await desk.lines(id)).filter((line) => line === 'closed').length;
        const isRefused = verdicts[at] === 'closed';
        if (isRefused) refused++;
        if (isRefused !== (status === 'closed')) {
          anomalies.push({ kind: 'divergence', what: `${id}: the message was ${verdicts[at]}, and it is ${status}` });
        }
        if (closings !== (isRefused ? 1 : 0))
          anomalies.push({ kind: 'duplicate', what: `${id}: ${closings} closings` });
        // the first message, the warning, and one of the two
        if (lastSeq !== 3) anomalies.push({ kind: 'gap', what: `${id}: ends with ${lastSeq}` });
      }
      // nothing is left for the next round
      await desk.admin.query(
        `update conversations set status = 'closed', closed_at = now() where id = any ($1) and status = 'open'`,
        [ids],
      );
      if ((round + 10) % CHAPTER === 0) options.onRound?.(round + 10, anomalies);
    }
    if (refused === 0 || refused === rounds) {
      anomalies.push({ kind: 'unanswered', what: `no race: ${refused} of ${rounds} messages were refused` });
    }
    return { anomalies, rounds, facts: { refused, stayedOpen: rounds - refused } };
  });

/** Conversations come while two nodes hand out, each node twice at once: each to one agent, once, and fairly. */
export const assignmentRaces: Story = (options) =>
  onDesk(options, async (desk) => {
    const total = options.rounds ?? 110;
    const tenantId = desk.home.tenant.id;
    const anomalies: Anomaly[] = [];
    await desk.set({ autoAssignMode: 'round_robin', agentLimit: 1_000 });
    const agents: PersonRow[] = [];
    for (let at = 0; at < 20; at++) agents.push(await desk.agent(NOON));
    // on a machine that is busy with other things one may run out of time; the next goes on
    const together = () =>
      Promise.allSettled(desk.nodes.flatMap(({ desk: one }) => [one, one]).map((one) => one.assign(tenantId, NOON)));
    for (let made = 0; made < total; made += 10) {
      const more = Array.from({ length: Math.min(10, total - made) }, () => desk.conversation(NOON));
      await Promise.all([...more, together()]);
      if ((made + 10) % CHAPTER === 0) options.onRound?.(made + 10, anomalies);
    }
    for (let look = 0; look < 100; look++) {
      await together();
      const { rowCount } = await desk.admin.query(
        `select 1 from conversations where tenant_id = $1 and status = 'open' and assigned_admin_id is null limit 1`,
        [tenantId],
      );
      if (rowCount === 0) break;
    }
    const { rows: held } = await desk.admin.query<{ count: number }>(
      `select count(*)::int as count from conversations
       where tenant_id = $1 and status = 'open' and assigned_admin_id = any ($2) group by assigned_admin_id`,
      [tenantId, agents.map((agent) => agent.id)],
    );
    const counts = held.map((row) => row.count);
    const given = counts.reduce((sum, count) => sum + count, 0);
    const [fewest, most] = [Math.min(...counts), Math.max(...counts)];
    if (given !== total) anomalies.push({ kind: 'lost', what: `${given} of ${total} were given` });
    if (counts.length !== Math.min(total, agents.length) || most - fewest > 1) {
      anomalies.push({ kind: 'divergence', what: `unfair: ${fewest} to ${most} among ${counts.length}` });
    }
    const { rows: twice } = await desk.admin.query<{ id: string }>(
      `select c.id from conversations c where c.tenant_id = $1 and (
         (select count(*) from messages m where m.conversation_id = c.id and m.event is not null) <> 1
         or (select count(*) from assignment_decisions d where d.conversation_id = c.id) <> 1)`,
      [tenantId],
    );
    anomalies.push(...twice.map(({ id }) => ({ kind: 'duplicate' as const, what: `${id} was not given once` })));
    return { anomalies, rounds: total, facts: { agents: agents.length, fewest, most } };
  });

/** An agent claims what two nodes hand out at that moment: one of them has it, and nobody more than the limit. */
export const claimRaces: Story = (options) =>
  onDesk(options, async (desk) => {
    const rounds = options.rounds ?? 40;
    const { home, admin } = desk;
    const random = createRandom(options.seed);
    const anomalies: Anomaly[] = [];
    let claims = 0;
    await desk.set({ autoAssignMode: 'balanced', agentLimit: 1 });
    for (let round = 1; round <= rounds; round++) {
      // somebody comes each round, so that there is room for one more
      await desk.agent(NOON);
      const id = await desk.conversation(NOON);
      // at another moment of what the nodes do each time
      const claim = sleep(random.between(0, 12)).then(() =>
        home.asPerson('lead', (scope) => assignConversation(scope, id, {})),
      );
      const [claimed] = await Promise.allSettled([
        claim,
        ...desk.nodes.map(({ desk: one }) => one.assign(home.tenant.id, NOON)),
      ]);
      const holder = (await desk.row(id)).assigned_admin_id;
      const isClaimed = holder === home.people.lead.id;
      if (isClaimed) claims++;
      if (isClaimed !== (claimed.status === 'fulfilled')) {
        anomalies.push({ kind: 'divergence', what: `${id}: the claim was ${claimed.status}, and ${holder} holds it` });
      }
      const lines = (await desk.lines(id)).filter((line) => line === 'assigned' || line === 'transferred');
      if (lines.length !== 1) anomalies.push({ kind: 'duplicate', what: `${id}: ${lines.join(', ')}` });
      if (round % CHAPTER === 0) options.onRound?.(round, anomalies);
      if (round % 20 === 0) {
        await admin.query(
          `update conversations set status = 'closed', closed_at = now() where tenant_id = $1 and status = 'open'
           and assigned_admin_id = $2`,
          [home.tenant.id, home.people.lead.id],
        );
      }
    }
    const { rows } = await admin.query<{ count: number }>(
      `select count(*)::int as count from conversations where tenant_id = $1 and status = 'open'
       and assigned_admin_id is not null and assigned_admin_id <> $2 group by assigned_admin_id having count(*) > 1`,
      [home.tenant.id, home.people.lead.id],
    );
    for (const { count } of rows) anomalies.push({ kind: 'divergence', what: `an agent was given ${count}, limit 1` });
    return { anomalies, rounds, facts: { claims, given: rounds - claims } };
  });
