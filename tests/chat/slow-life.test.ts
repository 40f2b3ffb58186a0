/**
 * The whole life of a conversation on a 2G line in the rain: 50 kbit/s, 400 ms there and back, and connections that are cut in
 * the middle of what they carry. On the wire itself, so the socket suffers too, which no browser imitates. At 360x640.
 */
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type FaultProxy, openFaultProxy } from '../faults/lab/proxy.ts';
import type { Handle } from '../support/people.ts';
import { answer, closeConversation, type Stage, say, setStage, smallestScript, type Window } from './windows.ts';

const WAIT = { timeout: 40_000 };

let stage: Stage;
beforeAll(async () => {
  stage = await setStage({}, { compress: true });
  await smallestScript(stage.app.base);
});
afterAll(() => stage?.stop());

/** Each life has a line of its own: they wait side by side. */
const it = test.extend('line', async ({ task: _task }, { onCleanup }) => {
  const line = await openFaultProxy(Number(new URL(stage.app.base).port));
  onCleanup(() => line.close());
  for (const direction of ['up', 'down'] as const)
    line.poison(direction, { latencyMs: 50, bytesPerSecond: 50_000 / 8 });
  return line;
});
const baseOf = ({ port }: FaultProxy) => `http://127.0.0.1:${port}`;

/** A window on that line: what pages load shares 50 kbit/s, as the browser imitates it; the socket is slowed by the proxy. */
async function onTheRoad(who: Handle, options: Parameters<Stage['open']>[1] = {}): Promise<Window> {
  const window = await stage.open(who, options);
  const session = await window.context.newCDPSession(window.page);
  await session.send('Network.enable');
  const throughput = 50_000 / 8;
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 350,
    downloadThroughput: throughput,
    uploadThroughput: throughput,
  });
  window.page.setDefaultTimeout(40_000);
  return window;
}

/** What the server holds, by its own list. */
async function stored(who: Handle, path: string): Promise<string[]> {
  const { bearer } = await stage.tenant.signIn(who);
  const url = `${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/messages?limit=100`;
  const { items } = (await (await fetch(url, { headers: bearer })).json()) as { items: { body: string | null }[] }; // contract.md, REST
  return items.flatMap(({ body }) => body ?? []);
}

/** Resets the connection that carries an answer to a POST, once, as it begins: the server has stored, and nobody heard it. */
function cutNextAnswer(line: FaultProxy): void {
  const posts = new Set<number>();
  line.watch((direction, chunk, link) => {
    if (direction === 'up' && chunk.toString('latin1', 0, 5) === 'POST ') posts.add(link);
    if (direction !== 'down' || !posts.has(link)) return false;
    line.watch(null);
    return true;
  });
}

describe.concurrent('on 50 kbit/s with 400 ms and a line that breaks', () => {
  it('with JavaScript, in Bengali: starts, waits, is answered, is cut off three times, is closed, rates, goes on', async ({
    line,
    expect,
  }) => {
    const base = baseOf(line);
    const begun = performance.now();
    const { page, context } = await onTheRoad('rahim');
    await context.addCookies([{ name: 'lang', value: 'bn', url: base }]);
    const bodies = () => page.locator('#messages .body').allTextContents();
    await page.goto(`${base}/driver`);
    await page.getByText('সাপোর্ট চ্যাট', { exact: true }).click();
    await page.waitForURL(/\/support$/);
    await page.waitForFunction(() => 'safego' in globalThis);
    await page.locator('#topic').selectOption({ label: 'আয় ও বোনাস' });
    await page.fill('#body', 'আমার বোনাস কোথায়?');
    await page.click('#new button.primary');
    await page.waitForURL(/\/conversations\//);
    const path = new URL(page.url()).pathname;
    await expect
      .poll(
        () =>
          page
            .locator('.queue')
            .textContent()
            .catch(() => ''),
        WAIT,
      )
      .toMatch(/এরপর আপনার পালা/);

    await expect.poll(() => page.locator('#live').getAttribute('data-mean'), WAIT).toBe('ws');
    await answer(stage, path, 'একটু দেখছি।');
    await expect.poll(bodies, WAIT).toContain('একটু দেখছি।');

    // the answer to the POST never comes: sent again, stored once
    cutNextAnswer(line);
    await say(page, 'ধন্যবাদ');
    await expect.poll(bodies, WAIT).toContain('ধন্যবাদ');
    await expect.poll(() => page.locator('#pending > li').count(), WAIT).toBe(0);

    // no line at all for a while: it waits, says so, and what was answered meanwhile is there with it
    line.door = 'refuse';
    line.reset();
    await say(page, 'অন্ধকারে লেখা');
    await answer(stage, path, 'এর মধ্যে উত্তর');
    await page.locator('#pending [data-state="waiting"], #pending .again').first().waitFor();
    await page.fill('#composer textarea', 'আধা বাক্য');
    line.door = 'pass';
    await expect.poll(bodies, { timeout: 40_000 }).toEqual(expect.arrayContaining(['অন্ধকারে লেখা', 'এর মধ্যে উত্তর']));
    expect(await page.inputValue('#composer textarea')).toBe('আধা বাক্য');

    // cut in the middle of a page
    await page.reload({ waitUntil: 'commit' });
    line.reset();
    await page.goto(base + path).catch(() => page.goto(base + path));
    await expect.poll(() => page.inputValue('#composer textarea').catch(() => ''), WAIT).toBe('আধা বাক্য');
    await page.click('#composer button.primary');
    await expect.poll(bodies, WAIT).toContain('আধা বাক্য');

    await closeConversation(stage, path);
    await page.getByText('এই কথোপকথন বন্ধ। তবে আপনি পড়তে পারবেন।').waitFor();
    await page.getByLabel('ভালো', { exact: true }).check();
    await page.locator('.rating button').click();
    await page.getByText('আপনি বলেছেন: ভালো। ধন্যবাদ।').waitFor();
    await page.getByRole('button', { name: 'আবার খুলুন' }).click();
    await expect
      .poll(
        () =>
          page
            .locator('#composer textarea')
            .isVisible()
            .catch(() => false),
        WAIT,
      )
      .toBe(true);
    await say(page, 'আরেকটি কথা');
    await expect.poll(bodies, WAIT).toContain('আরেকটি কথা');

    await expect
      .poll(() => stored('rahim', path), WAIT)
      .toEqual([
        'আমার বোনাস কোথায়?',
        'একটু দেখছি।',
        'ধন্যবাদ',
        expect.stringMatching(/অন্ধকারে লেখা|এর মধ্যে উত্তর/),
        expect.stringMatching(/অন্ধকারে লেখা|এর মধ্যে উত্তর/),
        'আধা বাক্য',
        'আরেকটি কথা',
      ]);
    process.stdout.write(`2G, a whole life with script: ${Math.round(performance.now() - begun)} ms\n`);
    await context.close();
  }, 240_000);

  it('without JavaScript: the same by links and forms; a send whose answer is lost is sent again and is one message', async ({
    line,
    expect,
  }) => {
    const base = baseOf(line);
    const begun = performance.now();
    const { page, context } = await onTheRoad('ayesha', { javaScriptEnabled: false });
    const bodies = () => page.locator('#messages .body').allTextContents();
    await page.goto(`${base}/customer`);
    await page.getByText('Chat Support', { exact: true }).click();
    await page.fill('#body', 'My food is cold');
    await page.click('#new button.primary');
    await page.waitForURL(/\/conversations\//);
    const path = new URL(page.url()).pathname;
    await answer(stage, path, 'We are sorry.');
    await page.getByRole('button', { name: 'Check for new messages' }).click();
    await expect.poll(bodies, WAIT).toContain('We are sorry.');

    // the browser says that there was no answer; one step back the message stands, or the form with its text and its id
    await page.fill('#composer textarea', 'It was 40 minutes late');
    cutNextAnswer(line);
    const next = page.waitForEvent('framenavigated');
    await page.click('#composer button.primary').catch(() => {});
    await expect.poll(() => stored('ayesha', path), WAIT).toContain('It was 40 minutes late');
    await next;
    if ((await page.locator('#composer textarea').count()) === 0) await page.goBack();
    await page.locator('#composer textarea').waitFor();
    if (await page.inputValue('#composer textarea')) await page.click('#composer button.primary');
    await expect.poll(bodies, WAIT).toContain('It was 40 minutes late');

    await closeConversation(stage, path);
    await page.fill('#composer textarea', 'One more thing');
    await page.click('#composer button.primary');
    await page.getByText('This conversation is closed. You can still read it.').waitFor();
    expect(await page.inputValue('#composer textarea')).toBe('One more thing');
    await page.getByRole('button', { name: 'Open again and send' }).click();
    await expect.poll(bodies, WAIT).toContain('One more thing');
    await closeConversation(stage, path);
    await page.goto(base + path);
    await page.getByLabel('Good', { exact: true }).check();
    await page.locator('.rating button').click();
    await page.getByText('You said: Good. Thank you.').waitFor();
    expect((await stored('ayesha', path)).filter((text) => text === 'It was 40 minutes late')).toHaveLength(1);
    process.stdout.write(`2G, a whole life without: ${Math.round(performance.now() - begun)} ms\n`);
    await context.close();
  }, 240_000);
});
