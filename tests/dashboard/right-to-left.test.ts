import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { manyConversations, postForm, userWrites, visit } from './desk-browser.ts';

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

/** No text of ours is from right to left yet: the page is told that it is, as a translation would by `shared.direction`. */
async function fromRightToLeft(page: Page): Promise<void> {
  await page.route('**/admin/**', async (route) => {
    if (route.request().resourceType() !== 'document') return route.fallback();
    const answer = await route.fetch();
    return route.fulfill({
      response: answer,
      body: (await answer.text()).replace('dir="ltr"', 'dir="rtl"'),
    });
  });
}

/** What reaches beyond the window, or makes it scroll sideways. */
function beyond(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const width = document.documentElement.clientWidth;
    const found = document.documentElement.scrollWidth > width ? ['the page'] : [];
    for (const one of document.querySelectorAll('body *')) {
      if (one.closest('.visually-hidden, .skip') || one.closest('svg') || !one.checkVisibility()) continue;
      const box = one.getBoundingClientRect();
      if (!box.width || !box.height || (box.left >= -1 && box.right <= width + 1)) continue;
      // what its own box clips is cut with dots, or scrolls there
      let clips = one.parentElement;
      while (clips && getComputedStyle(clips).overflowX === 'visible') clips = clips.parentElement;
      const clip = clips?.getBoundingClientRect();
      if (clip && clips !== document.body && clip.left >= -1 && clip.right <= width + 1) continue;
      found.push(one.tagName + '.' + one.className + ' ' + Math.round(box.left) + '..' + Math.round(box.right));
    }
    return found;
  })()`);
}

/** The horizontal middle of something. */
async function middle(page: Page, selector: string): Promise<number> {
  const box = await page.locator(selector).first().boundingBox();
  if (!box) throw new Error(`${selector} is not to be seen`);
  return box.x + box.width / 2;
}

test('a language from right to left: the desk stands the other way round, and nothing reaches beyond the window', {
  timeout: 120_000,
}, async () => {
  await manyConversations(app, tenant, 12);
  const id = await userWrites(app, tenant, 'rahim', 'أين مكافأتي؟ لم تصل بعد رغم مرور أسبوعين على انتهاء الشهر.');
  await postForm(app, tenant, 'lead', '/admin/saved-replies', {
    title: 'تحية',
    shortcut: 'salam',
    body: 'مرحبا {{customer}}',
  });
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/messages`, {
    body: 'مرحبا، سأتحقق من ذلك. Order #4711, https://example.com/a/very/long/address/that/has/no/place/to/break',
    clientId: crypto.randomUUID(),
  });
  await postForm(app, tenant, 'lead', `/admin/support-chat/${id}/notes`, {
    body: 'Ask @Farhana Rahman',
  });
  const driver = tenant.people.rahim.id;
  for (const [width, height] of [
    [1280, 800],
    [900, 700],
    [360, 640],
  ] as const) {
    const { page, complaints } = await visit(browser, app, tenant, 'lead', {
      width,
      height,
    });
    const look = async (what: string) => expect(await beyond(page), `${what}, ${width}x${height}`).toEqual([]);
    await fromRightToLeft(page);
    await page.goto('/admin/support-chat');
    await page.locator('.item').first().waitFor();
    expect(await page.evaluate('getComputedStyle(document.body).direction')).toBe('rtl');
    await look('list');
    await page.goto(`/admin/support-chat/${id}`);
    await page.locator('#messages .note').waitFor();
    await look('conversation');
    // one's own side is the end of the line: here it is on the left
    const [own, theirs] = ['[data-side="admin"]', '[data-side="user"]'];
    expect(await middle(page, `#messages > ${own}`)).toBeLessThan(await middle(page, `#messages > ${theirs}`));
    expect(await middle(page, '#composer .primary')).toBeLessThan(await middle(page, '#body'));
    if (width >= 720) expect(await middle(page, '.pane-list')).toBeGreaterThan(await middle(page, '#thread'));
    if (width >= 1100) expect(await middle(page, '#details')).toBeLessThan(await middle(page, '#thread'));
    else {
      await page.locator('.details-button').click();
      await page.locator('#details').waitFor();
      await look('details');
      await page.keyboard.press('Escape');
    }
    await page.locator('#body').fill('/');
    await page.locator('#replies [role="option"]').waitFor();
    await look('saved replies in the composer');
    await page.locator('#body').fill('');
    await page.locator('#m1 .line-link').click();
    await page.locator('#tools .button').first().waitFor();
    await look('tools');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.locator('#palette [role="option"]').first().waitFor();
    await look('palette');
    for (const path of ['/admin/saved-replies', `/admin/drivers/${driver}`, '/admin/support-chat?q=zzzz']) {
      await page.goto(path);
      await look(path);
    }
    expect(complaints).toEqual([]);
    await page.context().close();
  }
});
