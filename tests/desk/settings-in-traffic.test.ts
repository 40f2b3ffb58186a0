import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTenancy, type SupportSettings, type Tenancy } from '../../src/tenancy/index.ts';
import { call, type LiveNode, startConversation, startNode } from '../live/live-app.ts';
import { collectedLog } from '../support/collected-log.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';

/** Every setting is changed while people write on two nodes: within a second it holds on both, and nothing is lost. */

const A_SECOND_MS = 1_000;
/** The machine of the tests may be busy with other things. */
const BUSY_MS = 1_500;

let nodes: LiveNode[];
/** What a node holds in memory: two more of them, which hear of changes as every node does. */
let memories: Tenancy[];
let home: TestTenant;
let owner: TestSession;
beforeAll(async () => {
  nodes = await Promise.all([startNode(), startNode()]);
  memories = await Promise.all(nodes.map(({ database }) => openTenancy({ database, log: collectedLog() })));
  home = await newTenant(nodes[0]!.database);
  await Promise.all(memories.map((one) => one.refresh()));
  owner = await home.signIn('owner');
});
afterAll(async () => {
  await Promise.all(memories?.map((one) => one.close()) ?? []);
  await Promise.all(nodes?.map((node) => node.stop()) ?? []);
});

const path = '/api/admin/support/settings';

/** Saves through the first node; gives when it was answered. */
async function set(changed: Partial<SupportSettings>): Promise<number> {
  const { settings, version } = await call(nodes[0]!, owner, 'GET', path);
  const saved = await call(nodes[0]!, owner, 'PUT', path, { version, settings: { ...settings, ...changed } });
  expect(saved.status).toBe(200);
  return performance.now();
}

/** Milliseconds until it is so. */
async function until(since: number, isSo: () => boolean | Promise<boolean>): Promise<number> {
  while (!(await isSo())) {
    if (performance.now() - since > 8_000) throw new Error('it does not hold after eight seconds');
    await new Promise((done) => setTimeout(done, 20));
  }
  return performance.now() - since;
}

const OTHERS: { readonly [Name in keyof SupportSettings]: SupportSettings[Name] } = {
  awayMessage: 'Back on Sunday.',
  businessHours: {
    timeZone: 'America/New_York',
    weekly: { monday: [], tuesday: [], wednesday: [], thursday: [], friday: [], saturday: [], sunday: [] },
    holidays: ['2026-12-16'],
  },
  autoAssignMode: 'round_robin',
  agentLimit: 3,
  autoCloseAfterHours: 48,
  reopenWithinHours: 1,
  reopenOnMessage: true,
  firstResponseTargetMinutes: 7,
  nextResponseTargetMinutes: 9,
  resolutionTargetHours: 11,
  maxMessageLength: 50,
  maxAttachmentSizeMb: 1,
  allowedAttachmentTypes: ['image/png'],
  emailAfterMinutes: 3,
  pushShowsName: true,
  pushShowsText: true,
  frameOrigins: ['https://app.example.com'],
  retentionDays: 400,
  sendLimit: { messages: 500, seconds: 60 },
  enabled: false,
};

it('holds on every node within a second, each setting for itself, and keeps every message', {
  timeout: 120_000,
}, async () => {
  const people = await Promise.all(
    (['rahim', 'ayesha', 'kacchi-house', 'driver-2'] as const).map((who) => home.signIn(who)),
  );
  const talks = await Promise.all(people.map((who, at) => startConversation(nodes[at % 2]!, who)));
  let isGoingOn = true;
  const sent: { id: string; status: number; code?: string; at: number }[] = [];
  const traffic = people.map(async (who, at) => {
    for (let number = 0; isGoingOn; number++) {
      const clientId = crypto.randomUUID();
      const id = talks[at]!;
      const answer = await call(nodes[(at + number) % 2]!, who, 'POST', `/api/support/conversations/${id}/messages`, {
        body: `${at}: ${number}`,
        clientId,
      });
      sent.push({ id: clientId, status: answer.status, code: answer.error?.code, at: performance.now() });
      await new Promise((done) => setTimeout(done, 60));
    }
  });

  const heldAfter: Record<string, number> = {};
  // switched off last: until then everybody may write
  for (const [name, value] of Object.entries(OTHERS)) {
    const since = await set({ [name]: value });
    const times = await Promise.all(
      memories.map((memory) =>
        until(since, () => {
          const held = memory.supportSettings(home.tenant.id)[name as keyof SupportSettings]; // a name of that very record
          return JSON.stringify(held) === JSON.stringify(value);
        }),
      ),
    );
    heldAfter[name] = Math.round(Math.max(...times));
  }
  // what users see of it, at both doors
  const disabledAt = performance.now();
  const refusedBy = await Promise.all(
    nodes.map((node) =>
      until(disabledAt, async () => {
        const { status } = await call(node, people[0]!, 'POST', `/api/support/conversations/${talks[0]}/messages`, {
          body: 'x',
          clientId: crypto.randomUUID(),
        });
        return status === 403;
      }),
    ),
  );
  for (const node of nodes) {
    expect(await call(node, people[1]!, 'GET', '/api/support/state')).toMatchObject({
      enabled: false,
      isOpen: false,
      awayMessage: 'Back on Sunday.',
    });
  }
  const since = await set({ enabled: true });
  // a node that still holds it as switched off refuses with 403, whatever the text
  await Promise.all(
    nodes.map((node) =>
      until(since, async () => {
        const long = { body: 'x'.repeat(51), clientId: crypto.randomUUID() };
        const path = `/api/support/conversations/${talks[2]}/messages`;
        const { status, error } = await call(node, people[2]!, 'POST', path, long);
        expect([403, 422]).toContain(status);
        if (status === 422) expect(error?.fields).toEqual({ body: 'too_long' });
        return status === 422;
      }),
    ),
  );
  isGoingOn = false;
  await Promise.all(traffic);

  if (process.env['FIGURES']) console.log(heldAfter, refusedBy);
  for (const [name, ms] of [...Object.entries(heldAfter), ...refusedBy.map((ms) => ['refused', ms] as const)]) {
    expect([name, ms < BUSY_MS]).toEqual([name, true]);
  }
  const middle = Object.values(heldAfter).sort((a, b) => a - b)[Math.floor(Object.keys(heldAfter).length / 2)];
  expect(middle).toBeLessThan(A_SECOND_MS);

  // every message was answered, by being stored or by the one refusal that was asked for; none twice, none lost
  expect(sent.length).toBeGreaterThan(40);
  expect(new Set(sent.map(({ status, code }) => `${status} ${code ?? ''}`))).toEqual(
    new Set(['201 ', '403 support_disabled']),
  );
  const stored = (
    await home.asPerson('system', ({ em }) =>
      em.execute<{ id: string }[]>(
        `select client_id as id from messages where tenant_id = ? and sender_type = 'user'`,
        [home.tenant.id],
      ),
    )
  ).map(({ id }) => id);
  for (const { id, status } of sent) expect(stored.filter((one) => one === id)).toHaveLength(status === 201 ? 1 : 0);
  expect(nodes.flatMap((node) => node.errors)).toEqual([]);
});
