import { afterAll, beforeAll, expect, it } from 'vitest';
import { call, type LiveNode, program, startConversation, startNode, type TestSocket } from '../live/live-app.ts';
import { newTenant, type TestSession, type TestTenant } from '../support/people.ts';

/** The desk through its real doors, on two nodes, with nobody pressing anything. */

let nodes: LiveNode[];
let home: TestTenant;
let owner: TestSession;
const sockets: TestSocket[] = [];

beforeAll(async () => {
  nodes = await Promise.all([startNode(), startNode()]);
  home = await newTenant(nodes[0]!.database);
  owner = await home.signIn('owner');
});
afterAll(async () => {
  for (const socket of sockets) await socket.close();
  await Promise.all(nodes.map((node) => node.stop()));
});

const settingsPath = '/api/admin/support/settings';

async function set(changed: object): Promise<void> {
  const { settings, version } = await call(nodes[0]!, owner, 'GET', settingsPath);
  const saved = await call(nodes[0]!, owner, 'PUT', settingsPath, { version, settings: { ...settings, ...changed } });
  expect(saved.status).toBe(200);
}

async function holderOf(id: string): Promise<string | null> {
  return (await call(nodes[1]!, owner, 'GET', `/api/support/conversations/${id}`)).conversation.assignedAdminId;
}

it('gives what waits to whoever comes, says why, and takes no for an answer', async () => {
  const [rahim, ayesha, nusrat, daniel] = [
    await home.signIn('rahim'),
    await home.signIn('ayesha'),
    await home.signIn('agent'),
    await home.signIn('agent-2'),
  ];
  await set({ autoAssignMode: 'balanced', agentLimit: 1 });
  const first = await startConversation(nodes[0]!, rahim);
  const second = await startConversation(nodes[1]!, ayesha);
  const queue = (id: string, who: TestSession) => call(nodes[0]!, who, 'GET', `/api/support/conversations/${id}/queue`);
  expect(await queue(second, ayesha)).toMatchObject({ position: 2, expectedWaitSeconds: null });
  expect((await queue(second, rahim)).status).toBe(404);
  expect(await holderOf(first)).toBeNull();

  // Nusrat opens the desk: the oldest is hers, and no more than her limit
  sockets.push(await program(nodes[1]!, nusrat));
  await expect.poll(() => holderOf(first), { timeout: 10_000 }).toBe(nusrat.person.id);
  expect(await holderOf(second)).toBeNull();
  expect(await queue(second, ayesha)).toMatchObject({ position: 1 });
  const why = await call(nodes[0]!, nusrat, 'GET', `/api/admin/support/conversations/${first}/decisions`);
  expect(why.items).toMatchObject([
    {
      mode: 'balanced',
      reason: 'only_one_available',
      chosen: { id: nusrat.person.id, name: nusrat.person.name },
      from: null,
      candidates: [{ adminId: nusrat.person.id, open: 0, verdict: 'chosen' }],
    },
  ]);
  expect((await call(nodes[0]!, rahim, 'GET', `/api/admin/support/conversations/${first}/decisions`)).status).toBe(403);

  // Daniel is here and does not want any; then he does
  const availability = '/api/admin/support/availability';
  expect((await call(nodes[0]!, daniel, 'PUT', availability, { choice: 'away' })).choice).toBe('away');
  sockets.push(await program(nodes[0]!, daniel));
  await new Promise((done) => setTimeout(done, 2_500));
  expect(await holderOf(second)).toBeNull();
  await call(nodes[0]!, daniel, 'PUT', availability, { choice: 'available' });
  await expect.poll(() => holderOf(second)).toBe(daniel.person.id);
  expect((await call(nodes[1]!, daniel, 'GET', availability)).choice).toBe('available');

  // whoever closes has room for the next one; a greater limit is room too
  const kacchi = await startConversation(nodes[0]!, await home.signIn('kacchi-house'));
  expect(await holderOf(kacchi)).toBeNull();
  await call(nodes[1]!, nusrat, 'POST', `/api/admin/support/conversations/${first}/close`);
  await expect.poll(() => holderOf(kacchi)).toBe(nusrat.person.id);
  const other = await startConversation(nodes[0]!, await home.signIn('restaurant-2'));
  expect(await holderOf(other)).toBeNull();
  await set({ agentLimit: 2 });
  await expect.poll(() => holderOf(other)).not.toBeNull();
  expect(nodes.flatMap((node) => node.errors)).toEqual([]);
});

it('tells users whether it is open, and what it says while it is not', async () => {
  const rahim = await home.signIn('rahim');
  const state = () => call(nodes[0]!, rahim, 'GET', '/api/support/state');
  expect(await state()).toMatchObject({ enabled: true, isOpen: true, opensAt: null, awayMessage: null });
  const today = new Date().toISOString().slice(0, 10);
  const { settings } = await call(nodes[0]!, owner, 'GET', settingsPath);
  const businessHours = { ...settings.businessHours, timeZone: 'UTC', holidays: [today] };
  await set({ awayMessage: 'Back tomorrow.', businessHours });
  const tomorrow = new Date(Date.parse(today) + 86_400_000).toISOString();
  expect(await state()).toMatchObject({
    isOpen: false,
    opensAt: tomorrow,
    closesAt: null,
    awayMessage: 'Back tomorrow.',
  });
});
