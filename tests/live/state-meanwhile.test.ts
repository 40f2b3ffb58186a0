import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fill } from '../faults/stories/cursors.ts';
import { adminUrl } from '../support/database.ts';
import { newTenant, type TestTenant } from '../support/people.ts';
import { call, type LiveNode, page, program, startConversation, startNode } from './live-app.ts';

/** More than the buffers of a line take, in pieces that nobody is cut for. */
const BEHIND = 6_000;
const TEXT = 'A long story. '.repeat(150);

let node: LiveNode;
let home: TestTenant;
let admin: pg.Client;

beforeAll(async () => {
  node = await startNode();
  home = await newTenant(node.database);
  admin = new pg.Client({ connectionString: adminUrl() });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  expect(node.errors).toEqual([]);
  await node.stop();
});

describe('who is let in while a conversation changes', () => {
  it.each(['program', 'page'] as const)('hears as a %s how it stands by then', { timeout: 60_000 }, async (kind) => {
    const [user, lead] = await Promise.all([
      home.signIn('rahim', kind === 'page' ? 'browser' : 'api'),
      home.signIn('lead'),
    ]);
    const id = await startConversation(node, await home.signIn('rahim'));
    const room = `conversation_${id}`;
    await fill(admin, id, BEHIND, () => TEXT, 1);
    const colleague = await program(node, lead);
    await colleague.join(room);

    const reader = kind === 'program' ? await program(node, user) : await page(node, user, `room=${room}&after=1`);
    if (kind === 'program') {
      const welcome = await reader.join(room, 1);
      expect([welcome.status, welcome.conversation.status]).toEqual(['resumed', 'open']);
    } else await reader.next((frame) => String(frame).includes('A long story'));
    // it knows how things stood, and stops reading on its way through the log
    reader.ws.pause();
    const before = reader.frames.length;
    const read = await call(node, lead, 'POST', `/api/support/conversations/${id}/read`, { seq: BEHIND + 1 });
    const closed = await call(node, lead, 'POST', `/api/admin/support/conversations/${id}/close`, {});
    expect([read.status, closed.status]).toEqual([200, 200]);
    await colleague.next((frame) => frame.type === 'message:read');
    await colleague.next((frame) => frame.type === 'conversation:close');
    reader.ws.resume();

    await vi.waitFor(
      () => {
        const heard = reader.frames.slice(before);
        const types = heard.map((frame) => frame.type ?? /^<hx-(seen|reload)/.exec(frame)?.[1]).filter(Boolean);
        expect(types).toEqual(
          expect.arrayContaining(kind === 'program' ? ['message:read', 'conversation:close'] : ['seen', 'reload']),
        );
        if (kind === 'page') return;
        // the line of the log that says so came before it
        const line = heard.findIndex((frame) => frame.message?.event === 'closed');
        const end = heard.findIndex((frame) => frame.type === 'conversation:close');
        expect(line).toBeGreaterThanOrEqual(0);
        expect(end).toBeGreaterThan(line);
        expect(heard[end].conversation.status).toBe('closed');
        expect(heard.find((frame) => frame.type === 'message:read').seq).toBe(BEHIND + 1);
      },
      { timeout: 20_000, interval: 50 },
    );
    await Promise.all([reader.close(), colleague.close()]);
  });
});
