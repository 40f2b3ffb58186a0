import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filledReply } from '../../src/desk/index.ts';
import { launchBrowser } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { postForm, userWrites, visit } from './desk-browser.ts';

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

const keep = (title: string, shortcut: string, body: string, who: 'lead' | 'agent' | 'viewer' | 'rahim' = 'lead') =>
  postForm(app, tenant, who, '/admin/saved-replies', { title, shortcut, body });

test('a lead keeps replies without JavaScript; wrong ones are shown again with the reason', async () => {
  const { page } = await visit(browser, app, tenant, 'lead', { script: false });
  await page.goto('/admin/saved-replies');
  await page.getByText('No saved replies yet').waitFor();
  await page.getByRole('link', { name: 'New saved reply' }).click();
  await page.getByLabel('Title').fill('Bonus');
  await page.getByLabel('Shortcut').fill('Not A Word');
  await page.getByLabel('Text').fill('\nHello {{customer}},\nit is paid.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Use small letters, digits and hyphens only').waitFor();
  expect(await page.getByLabel('Text').inputValue()).toBe('\nHello {{customer}},\nit is paid.');
  await page.getByLabel('Shortcut').fill('/bonus');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('link', { name: /Bonus/ }).click();
  await page.getByLabel('Title').fill('Bonus paid');
  await page.getByRole('button', { name: 'Save' }).click();
  expect((await keep('Again', 'bonus', 'x')).status).toBe(422);
  await page.getByRole('link', { name: /Bonus paid/ }).click();
  await page.getByText('Delete this reply').click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No saved replies yet').waitFor();
  for (const who of ['agent', 'viewer', 'rahim'] as const) expect((await keep('No', 'no', 'no', who)).status).toBe(403);
});

test('the list goes on page by page', async () => {
  const other = await app.newTenant();
  for (let index = 0; index < 51; index += 1) {
    const fields = { title: `Reply ${index}`, shortcut: `r${String(index).padStart(3, '0')}`, body: 'x' };
    expect((await postForm(app, other, 'owner', '/admin/saved-replies', fields)).status).toBe(303);
  }
  const { page } = await visit(browser, app, other, 'owner');
  await page.goto('/admin/saved-replies');
  expect(await page.locator('.rows .row').count()).toBe(50);
  await page.getByRole('link', { name: 'More saved replies' }).click();
  await page.getByRole('link', { name: /Reply 50/ }).waitFor();
  expect(await page.locator('.rows .row').count()).toBe(1);
});

test('a slash offers them while one types, and the one that is taken stands in the field, filled in', async () => {
  await keep('Greeting', 'hello', 'Hello {{customer}}, this is {{agent}} about {{conversation}}.');
  await keep('Goodbye', 'bye', 'Goodbye!');
  const id = await userWrites(app, tenant, 'rahim', 'Where is my bonus?');
  const { page, complaints } = await visit(browser, app, tenant, 'agent');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('.log').focus();
  await page.keyboard.press('/');
  await expect.poll(() => page.locator('#replies [role="option"]').count()).toBe(2);
  await page.keyboard.type('hel');
  await expect.poll(() => page.locator('#replies [role="option"]').count()).toBe(1);
  await page.keyboard.press('Enter');
  const filled = `Hello Rahim Uddin, this is Nusrat Jahan about ${id.slice(-8).toUpperCase()}.`;
  expect(await page.locator('#body').inputValue()).toBe(filled);
  // taken is not sent
  expect(await page.locator('#messages [data-side="admin"]').count()).toBe(0);
  await page.keyboard.press('Enter');
  await page.locator('#messages').getByText(filled).waitFor();
  // a path in a sentence is none, and Escape leaves the text alone
  await page.locator('#body').fill('');
  await page.keyboard.type('and/or /bye');
  await page.locator('#replies [role="option"]').waitFor();
  await page.keyboard.press('Escape');
  expect(await page.locator('#replies').isHidden()).toBe(true);
  expect(await page.locator('#body').inputValue()).toBe('and/or /bye');
  expect(complaints).toEqual([]);
});

/** T-RN8: what other template languages would act on is text here. */
test('nothing between braces is a language: three hundred injections come back as they were typed', () => {
  const values = { customer: 'Rahim', agent: '{{customer}} $& $1 $`', conversation: 'A1B2C3D4' };
  const inner = [
    '7*7',
    "7*'7'",
    'self',
    'config',
    'request',
    'this',
    'constructor',
    'constructor.constructor("return process")()',
    '__proto__',
    'customer.constructor',
    'customer|upper',
    'customer()',
    'customer["x"]',
    ' customer ',
    'customer }',
    'customer customer',
    '#each this',
    '/if',
    '> partial',
    '!-- --',
    '= it.x',
    "''.__class__.__mro__[2].__subclasses__()",
    'lookup this "constructor"',
    '#with "s" as |string|',
    'cycler.__init__.__globals__',
    'range(1,9)',
    'dump(app)',
    'include("/etc/passwd")',
    'system("id")',
    'CUSTOMER',
    'agent\n',
    '',
    'tenant',
    'conversationId',
    'user.email',
    'process.env.SECRET_KEY',
    'toString',
  ];
  const around = [
    (text: string) => `{{${text}}}`,
    (text: string) => `{{=${text}}}`,
    (text: string) => `\${${text}}`,
    (text: string) => `<%= ${text} %>`,
    (text: string) => `#{${text}}`,
    (text: string) => `{%${text}%}`,
    (text: string) => `[[${text}]]`,
    (text: string) => `@(${text})`,
    (text: string) => `{${text}}`,
  ];
  const corpus = inner.flatMap((text) => around.map((wrap) => wrap(text)));
  expect(corpus.length).toBeGreaterThan(300);
  for (const text of corpus) expect(filledReply(text, values), text).toBe(text);
  // and the three words do work, once: what was put in is not looked at again
  expect(filledReply('{{customer}}/{{agent}}/{{conversation}}/{{customer}}', values)).toBe(
    'Rahim/{{customer}} $& $1 $`/A1B2C3D4/Rahim',
  );
});

test('a reply that is markup is text on every page', async () => {
  const evil = '<img src=x onerror=alert(1)>"><script>alert(1)</script>{{7*7}}';
  await keep(evil.slice(0, 100), 'evil', evil);
  const { page, complaints } = await visit(browser, app, tenant, 'lead');
  await page.goto('/admin/saved-replies');
  await page.getByText('{{7*7}}').first().waitFor();
  const id = await userWrites(app, tenant, 'ayesha', 'Hello');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#body').fill('/evil');
  await page.locator('#replies [role="option"]').waitFor();
  await page.keyboard.press('Tab');
  expect(await page.locator('#body').inputValue()).toBe(evil);
  expect(await page.locator('img').count()).toBe(0);
  expect(complaints).toEqual([]);
});
