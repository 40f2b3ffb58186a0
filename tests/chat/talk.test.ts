import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DESK, type Stage, say, setStage, shown, startConversation, type Window } from './windows.ts';

let stage: Stage;
const open: Window[] = [];
const window = async (...args: Parameters<Stage['open']>) => {
  const opened = await stage.open(...args);
  open.push(opened);
  return opened;
};

beforeAll(async () => {
  stage = await setStage();
});
afterEach(async () => {
  for (const { context } of open.splice(0)) await context.close();
});
afterAll(() => stage.stop());

describe('Rahim and the agent talk in two windows', () => {
  it('by themselves: messages, typing, seen marks; only fragments travel', async () => {
    const rahim = await window('rahim');
    const path = await startConversation(rahim.page, stage.app.base, 'Where is my bonus?');
    const id = path.split('/').at(-1);
    const agent = await window('agent', { viewport: DESK });
    await agent.page.goto(`${stage.app.base}/admin/support-chat/${id}`);
    await expect.poll(() => shown(agent.page)).toContain('Where is my bonus?');
    // looked at on the desk: the driver's window shows it as seen
    await expect.poll(() => rahim.page.locator('[data-seq="1"][data-read]').count()).toBe(1);
    expect(await rahim.page.locator('[data-seq="1"] .mark').textContent()).toBe('Seen');

    await agent.page.locator('#composer textarea').pressSequentially('Let');
    await expect.poll(() => rahim.page.locator('#typing').textContent()).toBe('Nusrat Jahan is typing');
    await say(agent.page, 'Let me look.');
    await expect
      .poll(() => shown(rahim.page))
      .toEqual([
        '[Today]',
        'Where is my bonus?',
        expect.stringMatching(/^\[Nusrat Jahan is looking after this conversation/),
        'Let me look.',
      ]);
    expect(await rahim.page.locator('#typing').textContent()).toBe('');

    for (const text of ['one', 'two', 'three', 'four']) await say(rahim.page, text);
    await expect.poll(async () => (await shown(agent.page)).slice(-4)).toEqual(['one', 'two', 'three', 'four']);
    expect((await shown(rahim.page)).slice(-4)).toEqual(['one', 'two', 'three', 'four']);
    await expect.poll(() => rahim.page.locator('#pending > li').count()).toBe(0);

    const posts = rahim.fragments.filter(({ method, path }) => method === 'POST' && path.endsWith('/messages'));
    expect(posts).toHaveLength(4);
    for (const { text } of posts) {
      expect(text).toMatch(/^<hx-upsert/);
      expect(text).not.toMatch(/<html|<body|<head/);
    }
    expect(rahim.complaints).toEqual([]);
    expect(agent.complaints).toEqual([]);
  });

  it('shows a bubble at once from the same partial, and says that it waits when the line is gone', async () => {
    const { page, context } = await window('ayesha');
    await startConversation(page, stage.app.base, 'My food is cold', 'customer');
    await page.waitForFunction(() => 'safego' in globalThis);

    await context.route('**/messages', (route) => route.abort());
    await say(page, 'Here is the photo');
    const bubble = page.locator('#pending > li');
    await bubble.waitFor();
    expect(await bubble.locator('.body').textContent()).toBe('Here is the photo');
    expect(await page.locator('#composer textarea').inputValue()).toBe('');
    await bubble.getByText('Waiting for the connection.').waitFor();
    // same partial: the same parts in the same order as the stored one
    const parts = (selector: string) =>
      page
        .locator(selector)
        .evaluate((item) => [...item.querySelectorAll('.who, .bubble *')].map((part) => part.className));
    expect(await parts('#pending > li')).toEqual(await parts('#messages > li.message'));
  });

  it('keeps a half-written message over a reload, and an edit takes a waiting one back', async () => {
    const { page, context } = await window('driver-2');
    await startConversation(page, stage.app.base, 'Hello');
    await page.fill('#composer textarea', 'half a sen');
    await page.reload();
    await expect.poll(() => page.locator('#composer textarea').inputValue()).toBe('half a sen');

    await context.route('**/messages', (route) => route.abort());
    await say(page, 'a mistake');
    await page.click('[data-edit]');
    await expect.poll(() => page.locator('#composer textarea').inputValue()).toBe('a mistake');
    await expect.poll(() => page.locator('#pending > li').count()).toBe(0);
  });

  it('says in a sentence why a message is not taken, and keeps the text', async () => {
    const { page } = await window('customer-2');
    const path = await startConversation(page, stage.app.base, 'Hello', 'customer');
    const id = path.split('/').at(-1);
    const lead = await stage.tenant.signIn('lead');
    const closed = await fetch(`${stage.app.base}/api/admin/support/conversations/${id}/close`, {
      method: 'POST',
      headers: { ...lead.bearer, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(closed.status).toBe(200);
    // the page hears of it: the field gives way to what can be done now
    await page.getByText('This conversation is closed. You can still read it.').waitFor();
    await expect.poll(() => page.locator('#composer').isVisible()).toBe(false);
    expect(await page.getByRole('link', { name: 'Start a new one' }).isVisible()).toBe(true);

    // one that was under way when it closed
    await page.evaluate(() => {
      document.querySelector<HTMLTextAreaElement>('#composer textarea')!.value = 'too late';
      document.querySelector<HTMLFormElement>('#composer')!.requestSubmit();
    });
    await page.locator('#pending > li[data-state="held"]').waitFor();
    await page.getByText('Your text is kept; open the conversation again').waitFor();

    await page.getByRole('button', { name: 'Open it again' }).click();
    await expect.poll(() => page.locator('#composer').isVisible()).toBe(true);
    await page.click('[data-again]');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('too late');
  });

  it('while support is switched off: reading goes on, writing says why not, and the text is kept', async () => {
    const { page } = await window('kacchi-house');
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await page.waitForFunction(() => 'safego' in globalThis);
    const owner = await stage.tenant.signIn('owner');
    const settings = `${stage.app.base}/api/admin/support/settings`;
    const turn = async (enabled: boolean) => {
      const now = (await (await fetch(settings, { headers: owner.bearer })).json()) as {
        version: number;
        settings: object;
      }; // its answer
      const saved = await fetch(settings, {
        method: 'PUT',
        headers: { ...owner.bearer, 'content-type': 'application/json' },
        body: JSON.stringify({ ...now, settings: { ...now.settings, enabled } }),
      });
      expect(saved.status).toBe(200);
    };
    await turn(false);
    try {
      await say(page, 'Is anybody there?');
      await page.locator('#pending > li[data-state="held"]').waitFor();
      await page.getByText('Support chat is switched off at the moment. Your text is kept.').waitFor();
      await page.goto(`${stage.app.base}/restaurant`);
      expect(await page.locator('.entry').textContent()).toContain('Closed at the moment');
      await page.goto(stage.app.base + path);
      await page.getByText('You can read, but not write.').waitFor();
      expect(await page.locator('#composer').isVisible()).toBe(false);
      expect(await page.locator('#pending .body').textContent()).toBe('Is anybody there?');
    } finally {
      await turn(true);
    }
    await page.reload();
    await page.click('[data-again]');
    await expect.poll(async () => (await shown(page)).at(-1)).toBe('Is anybody there?');
  });
});
