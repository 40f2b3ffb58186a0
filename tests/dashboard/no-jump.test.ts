import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { manyConversations, postForm, say, userWrites, visit } from './desk-browser.ts';

let app: RunningApp;
let browser: Browser;
let tenant: TestTenant;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchBrowser()]);
  tenant = await app.newTenant();
});
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

/** Looks at every frame where things stand and how large they are; keeps each place that a thing was ever at. */
async function watch(page: Page, selectors: readonly string[]): Promise<() => Promise<Record<string, string[]>>> {
  await page.evaluate(`(() => {
    const seen = (window.seen = {});
    const selectors = ${JSON.stringify(selectors)};
    (function look() {
      for (const selector of selectors) {
        const box = document.querySelector(selector)?.getBoundingClientRect();
        const place = box ? [box.x, box.y, box.width, box.height].map(Math.round).join(' ') : 'gone';
        const places = (seen[selector] ??= []);
        if (places.at(-1) !== place) places.push(place);
      }
      requestAnimationFrame(look);
    })();
  })()`);
  return () => page.evaluate('seen');
}

/** A row that is seen whole, and is none of those that are about to move. */
function rowInSight(page: Page, moving: readonly string[]): Promise<string> {
  return page.evaluate(`(() => {
    const list = document.querySelector('#list').getBoundingClientRect();
    const isSeen = (box) => box.top >= list.top && box.bottom <= list.bottom;
    const rows = [...document.querySelectorAll('#conversations > .item')];
    const moving = ${JSON.stringify(moving)};
    return rows.find((row) => isSeen(row.getBoundingClientRect()) && !moving.includes(row.id.slice(2))).id;
  })()`);
}

/** A pixel is how fractions are rounded. */
function isElsewhere([first = '', ...later]: readonly string[]): boolean {
  const start = first.split(' ').map(Number);
  return later.some((place) => {
    const now = place.split(' ').map(Number);
    return place === 'gone' || now.some((value, at) => Math.abs(value - (start[at] ?? Number.NaN)) > 1);
  });
}

test('list, selection, thread and composer stay where they are while messages arrive here and elsewhere', {
  timeout: 120_000,
}, async () => {
  const ids = await manyConversations(app, tenant, 30);
  const open = ids[12] ?? '';
  for (let line = 0; line < 25; line += 1) await say(app, tenant, open, 'guest-12', `Line ${line} of a long story`);
  await postForm(app, tenant, 'agent', `/admin/support-chat/${open}/messages`, {
    body: 'I am looking into it',
    clientId: crypto.randomUUID(),
  });
  for (const [width, height] of [
    [1280, 800],
    [900, 700],
    [360, 640],
  ] as const) {
    const { page, complaints } = await visit(browser, app, tenant, 'agent', {
      width,
      height,
    });
    await page.goto(`/admin/support-chat/${open}`);
    await page.locator('#body').fill('half a sentence');
    const isNarrow = width < 720;
    if (!isNarrow) {
      // below those near the top that are about to move: one that leaves its place in sight leaves a gap to close
      await page.evaluate(`(() => {
        const list = document.querySelector('#list');
        list.scrollTop = 200;
        const near = [...document.querySelectorAll('#conversations > .item')].slice(0, 8);
        const moving = ${JSON.stringify([open, ...ids.slice(2, 5)])}.map((id) => 'c-' + id);
        const bottoms = near.filter(({ id }) => moving.includes(id)).map((row) => row.getBoundingClientRect().bottom);
        const lowest = Math.max(0, ...bottoms) - list.getBoundingClientRect().top;
        if (lowest > 0) list.scrollTop += lowest;
      })()`);
    }
    // an older message in the middle of the log: who reads there is not at the end
    await page.locator('.log').evaluate((log) => {
      (log as { scrollTop: number }).scrollTop = -400; // the end is 0, as the column is reversed
    });
    await page.locator('#latest:not([hidden])').waitFor();
    const anchor = await page.evaluate(`(() => {
      const log = document.querySelector('.log').getBoundingClientRect();
      return [...document.querySelectorAll('#messages > .message')].find((one) => one.getBoundingClientRect().top > log.top).id;
    })()`);
    const still = ['#conversation-state', '#thread-name', '.log', '#composer', '#body', `#${anchor}`];
    if (!isNarrow) still.push('.list-head', '#list', `#${await rowInSight(page, [open, ...ids.slice(2, 5)])}`);
    if (width >= 1100) still.push('#details', '.details-head', '#notes-region');
    const places = await watch(page, still);
    await page.mouse.move(width / 2, 300);

    for (let round = 0; round < 3; round += 1) {
      await say(app, tenant, open, 'guest-12', `Hello? ${width} ${round}`);
      await say(app, tenant, ids[2 + round] ?? '', `guest-${2 + round}`, `Me too ${width} ${round}`);
      await page.locator('#messages', { hasText: `Hello? ${width} ${round}` }).waitFor();
    }
    // a colleague looks in, and a new customer comes
    const colleague = await visit(browser, app, tenant, 'agent-2');
    await colleague.page.goto(`/admin/support-chat/${open}`);
    await page.locator('#looking li').first().waitFor();
    await colleague.context.close();
    await userWrites(app, tenant, width === 1280 ? 'rahim' : width === 900 ? 'ayesha' : 'customer-2', 'I am new');
    await page.waitForTimeout(1_500);
    const moved = Object.entries(await places()).filter(([, at]) => isElsewhere(at));
    expect(moved, `${width}x${height}`).toEqual([]);
    expect(await page.locator('#body').inputValue()).toBe('half a sentence');
    expect(await page.evaluate('document.activeElement.id')).toBe('body');
    expect(complaints).toEqual([]);
    await page.context().close();
  }
});
