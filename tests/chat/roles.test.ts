/**
 * The whole life of a conversation as each kind of user, in a real browser at 360x640: in Bengali with script, in English
 * without. axe looks in both themes at the states that states.test.ts has not; `PICTURES=<folder>` keeps a picture of each.
 */
import { mkdirSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultsOf } from '../support/axe.ts';
import { turn } from '../support/browser.ts';
import type { Handle } from '../support/people.ts';
import { PIXEL } from '../support/pixel.ts';
import { answer, changeSettings, closeConversation, type Stage, say, setStage } from './windows.ts';

const PICTURES = process.env['PICTURES'];

/** What somebody looks for, in the words of their language. */
const WORDS = {
  en: {
    menu: { driver: ['Menu', 'Support Chat'], other: ['Help', 'Chat Support'] },
    topic: { driver: 'Earnings and bonus', customer: 'An order', restaurant: 'Payouts' },
    next: /You are next|You are number \d/,
    closed: 'This conversation is closed. You can still read it.',
    good: 'Good',
    comment: 'What could be better?',
    rated: 'You said: Good. Thank you.',
    reopen: 'Open it again',
    startNew: 'Start a new one',
    off: 'Support chat is switched off at the moment.',
    offEntry: 'Closed at the moment',
    save: 'Save as text',
    signIn: 'Please sign in',
    again: 'Send again',
    reopenAndSend: 'Open again and send',
    move: 'Send in a new conversation',
  },
  bn: {
    menu: { driver: ['মেনু', 'সাপোর্ট চ্যাট'], other: ['সাহায্য', 'চ্যাট সাপোর্ট'] },
    topic: { driver: 'আয় ও বোনাস', customer: 'একটি অর্ডার', restaurant: 'পাওনা টাকা' },
    next: /এরপর আপনার পালা|সারিতে আপনার অবস্থান [০-৯]+/,
    closed: 'এই কথোপকথন বন্ধ। তবে আপনি পড়তে পারবেন।',
    good: 'ভালো',
    comment: 'কী আরও ভালো হতে পারত?',
    rated: 'আপনি বলেছেন: ভালো। ধন্যবাদ।',
    reopen: 'আবার খুলুন',
    startNew: 'নতুন শুরু করুন',
    off: 'সাপোর্ট চ্যাট এই মুহূর্তে বন্ধ।',
    offEntry: 'এই মুহূর্তে বন্ধ',
    save: 'লেখা হিসেবে রাখুন',
    signIn: 'সাইন ইন করুন',
    again: 'আবার পাঠান',
    reopenAndSend: 'আবার খুলে পাঠান',
    move: 'নতুন কথোপকথনে পাঠান',
  },
} as const;

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
  if (PICTURES) mkdirSync(PICTURES, { recursive: true });
});
afterAll(() => stage?.stop());

type Role = 'driver' | 'customer' | 'restaurant';
type Language = keyof typeof WORDS;

const LIVES: [role: Role, who: Handle, language: Language, javaScriptEnabled: boolean][] = [
  ['driver', 'rahim', 'bn', true],
  ['customer', 'ayesha', 'bn', true],
  ['restaurant', 'kacchi-house', 'bn', true],
  ['driver', 'driver-2', 'en', false],
  ['customer', 'customer-2', 'en', false],
  ['restaurant', 'restaurant-2', 'en', false],
];

/** States that only this life comes through; states.test.ts shows the others to axe, in both sizes, themes and languages. */
const BY_AXE = ['5-attached', '6-file', '9-signed-out'];

/** Looks at a state of the page: what axe finds in either theme, and whether anything runs out at the side. */
async function look(page: Page, life: string, state: string, withScript: boolean): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // axe is a script of its own; a theme changes colours and nothing else
    const isOurs = withScript && BY_AXE.includes(state);
    const faults = isOurs ? await faultsOf(page, colorScheme === 'light' ? 'everything' : 'colours') : [];
    expect([life, state, colorScheme, faults]).toEqual([life, state, colorScheme, []]);
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${life}-${state}-${colorScheme}.png` });
  }
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect([life, state, sideways]).toEqual([life, state, 0]);
}

/** No Western digit and no English word of ours where the page is in Bengali; what people wrote stays theirs. */
async function isBengali(page: Page, state: string): Promise<void> {
  const own = await page.evaluate(() => {
    const page_ = document.body.cloneNode(true) as HTMLElement;
    for (const theirs of page_.querySelectorAll(
      'bdi, .body, textarea, noscript, template, script, style, .hint, [lang="en"], code',
    ))
      theirs.remove();
    return page_.textContent ?? '';
  });
  expect([state, own.match(/[0-9]+|\b[a-z]{4,}\b/g) ?? []]).toEqual([state, []]);
}

describe.each(LIVES)('a %s (%s, %s, script: %s)', (role, who, language, withScript) => {
  it('starts, waits, is answered, sends a file, is cut off, comes back, is closed, rates, reopens, begins anew', async () => {
    const words = WORDS[language];
    const life = `${role}-${language}-${withScript ? 'script' : 'plain'}`;
    const { page, context } = await stage.open(who, { javaScriptEnabled: withScript });
    await context.addCookies([{ name: 'lang', value: language, url: stage.app.base }]);
    const seen = async (state: string) => {
      await look(page, life, state, withScript);
      if (language === 'bn') await isBengali(page, state);
    };
    const bodies = () => page.locator('#messages .body').allTextContents();
    const send = async (text: string) => {
      await say(page, text);
      await expect.poll(bodies).toContain(text);
    };
    const home = `${stage.app.base}/${role}`;

    await page.goto(home);
    const [menu, entry] = words.menu[role === 'driver' ? 'driver' : 'other'];
    await page.getByText(menu, { exact: true }).waitFor();
    await seen('1-home');
    await page.getByText(entry, { exact: true }).click();
    await page.waitForURL(/\/support$/);
    await page.locator('#topic').selectOption({ label: words.topic[role] });
    await seen('2-start');
    await page.fill('#body', 'First words');
    await page.click('#new button.primary');
    await page.waitForURL(/\/conversations\//);
    const path = new URL(page.url()).pathname;
    expect(await page.locator('.top-title').textContent()).toContain(words.topic[role]);
    if (!withScript) await page.reload();
    await expect
      .poll(() =>
        page
          .locator('.queue')
          .textContent()
          .catch(() => ''),
      )
      .toMatch(words.next);
    await seen('3-waiting');

    await answer(stage, path, 'Hello, let me look.');
    if (!withScript) await page.reload();
    await expect.poll(bodies).toContain('Hello, let me look.');
    await send('Thank you, there are 2 of them');
    await seen('4-answered');

    if (withScript) {
      await page.setInputFiles('.attach-button input[multiple]', {
        name: 'receipt.png',
        mimeType: 'image/png',
        buffer: PIXEL,
      });
      await page.locator('#attached [data-state="ready"], #attached li:not([data-state="sending"])').first().waitFor();
      await seen('5-attached');
      await page.click('#composer button:not([type="button"])');
    } else {
      await page.setInputFiles('[name=file]', { name: 'receipt.png', mimeType: 'image/png', buffer: PIXEL });
      await page.click('#composer .primary');
    }
    await expect.poll(() => page.locator('#messages img').count()).toBe(1);
    await seen('6-file');

    // switched off in mid-sentence
    await page.fill('#composer textarea', 'In the middle of');
    const turnOn = await changeSettings(stage, { enabled: false });
    await page.click('#composer button:not([type="button"])');
    await page.getByText(words.off).first().waitFor();
    expect(await textsAnywhere(page)).toContain('In the middle of');
    await seen('7-off');
    const other = await context.newPage();
    await other.goto(home);
    expect(await other.locator('.entry').textContent()).toContain(words.offEntry);
    await look(other, life, '8-off-home', withScript);
    await other.close();
    await turnOn();
    // on the same page, where the text still is
    if (withScript) await page.click('[data-again]');
    else await page.click('#composer button:not([type="button"])');
    await expect.poll(bodies).toContain('In the middle of');

    // the session ends while somebody writes
    await page.fill('#composer textarea', 'Still here');
    await context.clearCookies({ name: 'safego' });
    if (withScript) await askBehind(page);
    await page.click('#composer button:not([type="button"])');
    if (withScript) await page.locator('#pending [data-again]').waitFor();
    else await page.getByRole('heading', { name: words.signIn }).waitFor();
    expect(await textsAnywhere(page)).toContain('Still here');
    await seen('9-signed-out');
    const { token } = await stage.tenant.signIn(who, 'browser');
    await context.addCookies([{ name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' }]);
    if (withScript) await page.reload();
    else await page.getByRole('button', { name: words.again }).click();
    await expect.poll(bodies).toContain('Still here');

    // closed while writing
    await page.fill('#composer textarea', 'Too late');
    await closeConversation(stage, path);
    if (withScript) {
      await page.getByText(words.closed).waitFor();
      await page.reload();
    } else {
      await turn(page, () => page.click('#composer button:not([type="button"])'));
      expect(await textsAnywhere(page)).toContain('Too late');
      await seen('10-kept');
      if (role !== 'driver') {
        await page.getByRole('button', { name: role === 'customer' ? words.reopenAndSend : words.move }).click();
        await page.waitForURL((url) => (url.pathname === path) === (role === 'customer'));
        await expect.poll(bodies).toContain('Too late');
        await closeConversation(stage, new URL(page.url()).pathname);
      }
      await page.goto(stage.app.base + path);
    }
    await page.getByText(words.closed).waitFor();
    await seen('10-closed');
    await page.getByLabel(words.good, { exact: true }).check();
    await page.getByLabel(words.comment).fill('Faster');
    await page.locator('.rating button').click();
    await page.getByText(words.rated).waitFor();
    await seen('11-rated');
    const saved = await context.request.get(`${stage.app.base}${path}/transcript`, {
      headers: { 'accept-language': language },
    });
    const [firstLine] = (await saved.text()).split('\n');
    expect(saved.headers()['content-disposition']).toContain('attachment');
    if (language === 'bn') expect(firstLine).not.toMatch(/[0-9]/);
    expect(await page.getByRole('link', { name: words.save }).getAttribute('href')).toBe(`${path}/transcript`);

    await page.getByRole('button', { name: words.reopen }).click();
    await page.locator('#composer textarea').waitFor();
    if (withScript) expect(await page.inputValue('#composer textarea')).toBe('Too late');
    await send('Too late');
    await closeConversation(stage, path);
    await page.goto(stage.app.base + path);
    await page.getByRole('link', { name: words.startNew }).click();
    await page.waitForURL(/\/support#new$/);
    await seen('12-list');
    await page.fill('#body', 'Another matter');
    await page.click('#new button.primary');
    await page.waitForURL((url) => url.pathname.includes('/conversations/') && url.pathname !== path);
    await expect.poll(bodies).toContain('Another matter');
    await closeConversation(stage, new URL(page.url()).pathname);
    await context.close();
  }, 90_000);
});

/** The page asks for something by itself, and is told why not: on a phone the notice lies over the button that sends. */
async function askBehind(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { htmx } = globalThis as unknown as { htmx: { ajax(method: string, url: string, how: object): void } }; // htmx 4
    const list = document.querySelector<HTMLElement>('#messages');
    htmx.ajax('POST', list?.dataset['readUrl'] ?? '', { source: list, swap: 'none', values: { seq: 1 } });
  });
  await page.locator('#notice [role=alert]').waitFor();
}

/** Wherever a text may have been kept for its writer: the field, the bubbles on their way. */
function textsAnywhere(page: Page): Promise<string> {
  return page.evaluate(() => {
    const fields = [...document.querySelectorAll('textarea')]
      .filter((field) => field.checkVisibility())
      .map((field) => field.value);
    return [...fields, document.querySelector('#pending')?.textContent ?? ''].join('\n');
  });
}
