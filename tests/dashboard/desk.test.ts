import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { faultsOf } from '../support/axe.ts';
import { launchBrowser, stepBack, turn } from '../support/browser.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { manyConversations, postForm, say, userWrites, visit, watchFragments } from './desk-browser.ts';

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

test('a driver writes and the desk shows it, the agent answers and the driver sees it, nobody reloads', async () => {
  const agent = await visit(browser, app, tenant, 'agent');
  await agent.page.goto('/admin/support-chat');
  await agent.page.getByText('No conversations yet').waitFor();
  const driver = await visit(browser, app, tenant, 'rahim');
  await driver.page.goto('/driver/support');

  await driver.page.locator('textarea').fill('Where is my bonus?');
  await driver.page.locator('form:has(textarea) button').last().click();
  const row = agent.page.locator('.item', { hasText: 'Rahim Uddin' });
  await row.waitFor();
  expect(await row.textContent()).toContain('Where is my bonus?');

  await row.getByRole('link').click();
  await agent.page.getByRole('textbox', { name: 'Write a message' }).fill('Let me look.');
  await agent.page.keyboard.press('Enter');
  await driver.page.locator('#messages').getByText('Let me look.').waitFor();
  // the answer assigned it
  await agent.page.locator('#conversation-state').getByText('With you').waitFor();

  await driver.page.locator('#body').fill('Thank you');
  await driver.page.locator('#composer button').click();
  await agent.page.locator('#messages').getByText('Thank you').waitFor();
  await agent.page.locator('.item-line', { hasText: 'Thank you' }).waitFor();

  await agent.page.getByRole('button', { name: 'Close conversation' }).click();
  await agent.page.getByText('This conversation is closed.').waitFor();
  await driver.page.locator('#messages [data-event="closed"]').waitFor();
  await agent.page.locator('.item-status', { hasText: 'Closed' }).waitFor();
  await agent.page.getByRole('button', { name: 'Reopen conversation' }).click();
  await agent.page.getByRole('button', { name: 'Close conversation' }).waitFor();
  expect([...agent.complaints, ...driver.complaints]).toEqual([]);
});

test('filters, opening and answering bring fragments, never pages, and stand in the address', async () => {
  await userWrites(app, tenant, 'ayesha', 'My food is cold');
  const agent = await visit(browser, app, tenant, 'agent-2');
  await agent.page.goto('/admin/support-chat');
  const fragments = watchFragments(agent.page);

  await agent.page.getByLabel('User type').selectOption('customer');
  await expect.poll(() => agent.page.locator('.item').count()).toBe(1);
  await expect.poll(() => new URL(agent.page.url()).search).toBe('?userType=customer');
  await agent.page.getByLabel('Search conversations').fill('nobody of that name');
  await agent.page.getByText('Nothing matches').waitFor();
  await agent.page.getByLabel('Search conversations').fill('Ayesha');
  await agent.page.locator('.item-link').click();
  await agent.page.waitForURL(/support-chat\/[0-9a-f-]{36}\?userType=customer&q=Ayesha$/);
  await agent.page.locator('#body').fill('On its way');
  await agent.page.keyboard.press('Enter');
  await agent.page.locator('#messages').getByText('On its way').waitFor();

  await expect.poll(() => fragments.map((one) => one.asked)).toContainEqual(expect.stringMatching(/^POST .*messages/));
  expect(fragments.filter((one) => one.isPage || one.status >= 300)).toEqual([]);
  const targets = new Set(fragments.map((one) => one.target));
  // that the answer assigned it may have been told by now
  targets.delete('header#conversation-state');
  // and that it is answered: it is late no more
  targets.delete('label#late');
  expect(targets).toEqual(new Set(['div#list', 'section#thread', '']));

  // the address is the whole state
  await agent.page.reload();
  expect(await agent.page.getByLabel('Search conversations').inputValue()).toBe('Ayesha');
  expect(await agent.page.locator('.item-link[aria-current="true"]').textContent()).toContain('Ayesha');
  await stepBack(agent.page);
  await expect.poll(() => agent.page.locator('#thread[data-conversation]').count()).toBe(0);
  expect(agent.complaints).toEqual([]);
});

test('a new message moves its row up, and neither scroll, selection nor focus is lost', async () => {
  const other = await app.newTenant();
  const first = await userWrites(app, other, 'rahim', 'one');
  await userWrites(app, other, 'ayesha', 'two');
  await userWrites(app, other, 'kacchi-house', 'three');
  const agent = await visit(browser, app, other, 'agent');
  await agent.page.goto('/admin/support-chat');
  await agent.page.locator('.item-link', { hasText: 'Ayesha' }).click();
  await agent.page.waitForURL(/support-chat\/./);
  await agent.page.locator('#body').fill('half a sent');
  const names = () => agent.page.locator('.item-name').allTextContents();
  expect(await names()).toEqual(['Kacchi House', 'Ayesha Siddika', 'Rahim Uddin']);
  await agent.page.mouse.move(900, 400);

  await userWrites(app, other, 'rahim', 'and four');
  await expect.poll(names).toEqual(['Rahim Uddin', 'Kacchi House', 'Ayesha Siddika']);
  expect(await agent.page.locator(`#c-${first} .item-line`).textContent()).toContain('and four');
  expect(await agent.page.locator('.item-link[aria-current="true"] .item-name').textContent()).toBe('Ayesha Siddika');
  expect(await agent.page.evaluate('document.activeElement.id')).toBe('body');
  expect(await agent.page.locator('#body').inputValue()).toBe('half a sent');
  expect(agent.complaints).toEqual([]);
});

test('the list goes on by itself, and what arrives neither moves it under the eye nor is lost', async () => {
  const other = await app.newTenant();
  const ids = await manyConversations(app, other, 95);
  const agent = await visit(browser, app, other, 'agent');
  const { page } = agent;
  await page.goto('/admin/support-chat');
  expect(await page.locator('.item').count()).toBe(40);
  for (const count of [80, 95]) {
    await page.locator('.more').scrollIntoViewIfNeeded();
    await expect.poll(() => page.locator('.item').count()).toBe(count);
  }
  const shown = await page.locator('.item').evaluateAll((items) => items.map((item) => (item as { id: string }).id));
  expect(new Set(shown).size).toBe(95);

  // in the middle of it: rows above and below change places, the one that is looked at stays where it is
  await page.mouse.move(900, 400);
  const looked = page.locator(`#c-${ids[50]}`);
  await looked.evaluate((item) =>
    (item as { scrollIntoView(options: object): void }).scrollIntoView({ block: 'center' }),
  );
  const before = (await looked.boundingBox())?.y ?? 0;
  await say(app, other, ids[3] ?? '', 'guest-3', 'from far below');
  await expect.poll(() => page.locator('.item').first().getAttribute('id')).toBe(`c-${ids[3]}`);
  expect((await looked.boundingBox())?.y).toBeCloseTo(before, 0);

  // at work in the list: a new one waits above, and comes when it is called
  await page.locator('#list').evaluate((list) => {
    (list as { scrollTop: number }).scrollTop = 0;
  });
  await page.mouse.move(200, 400);
  await page.mouse.move(202, 402);
  await userWrites(app, other, 'rahim', 'I am new here');
  await page.getByRole('button', { name: '1 new above' }).click();
  await expect.poll(() => page.locator('.item-name').first().textContent()).toBe('Rahim Uddin');
  expect(agent.complaints).toEqual([]);
});

test('a viewer reads and has no place to answer, and the server refuses what the page does not offer', async () => {
  const id = await userWrites(app, tenant, 'kacchi-house', 'The tablet is silent');
  const viewer = await visit(browser, app, tenant, 'viewer');
  await viewer.page.goto(`/admin/support-chat/${id}`);
  await viewer.page.locator('#messages').getByText('The tablet is silent').waitFor();
  expect(await viewer.page.locator('#composer, form[action*="assign"], form[action*="close"]').count()).toBe(0);

  const base = `/admin/support-chat/${id}`;
  const message = { body: 'I may not', clientId: crypto.randomUUID() };
  for (const [path, fields] of [
    ['messages', message],
    ['assign', {}],
    ['close', {}],
    ['reopen', {}],
  ] as const) {
    expect((await postForm(app, tenant, 'viewer', `${base}/${path}`, fields)).status, path).toBe(403);
  }
  // the same requests are good ones: an agent's are taken
  expect((await postForm(app, tenant, 'agent', `${base}/messages`, message)).status).toBe(303);
  expect((await postForm(app, tenant, 'agent', `${base}/close`, {})).status).toBe(303);
  expect((await postForm(app, tenant, 'agent', `${base}/reopen`, {})).status).toBe(303);
  // a user has no desk
  expect((await postForm(app, tenant, 'rahim', `${base}/close`, {})).status).toBe(403);
});

test('contacts are whole only for those who may see them, also in live rows', async () => {
  const email = tenant.people['customer-2'].email;
  const id = await userWrites(app, tenant, 'customer-2', 'Hello');
  const [agent, lead] = await Promise.all([visit(browser, app, tenant, 'agent'), visit(browser, app, tenant, 'lead')]);
  await Promise.all([agent.page.goto(`/admin/support-chat/${id}`), lead.page.goto(`/admin/support-chat/${id}`)]);
  expect(await lead.page.content()).toContain(email);
  await userWrites(app, tenant, 'customer-2', 'Are you there?');
  await agent.page.locator('.item-line', { hasText: 'Are you there?' }).waitFor();
  const seen = await agent.page.content();
  expect(seen).not.toContain(email);
  expect(seen).not.toContain('1712345678');
  expect(seen).toContain('c•••@');
  const profile = `/admin/customers/${tenant.people['customer-2'].id}`;
  await agent.page.goto(profile);
  await agent.page.getByRole('heading', { name: 'Emily Carter' }).waitFor();
  expect(await agent.page.content()).not.toContain(email);
  expect((await agent.page.goto(profile.replace('customers', 'drivers')))?.status()).toBe(404);
});

test('everything works without JavaScript', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'driver-2', 'Airport fares are wrong');
  const { page } = await visit(browser, app, other, 'agent', { script: false });
  await page.goto('/admin/support-chat');
  await page.getByLabel('Status').selectOption('open');
  await page.getByRole('button', { name: 'Show' }).click();
  await page.getByRole('link', { name: /Marcus Reed/ }).click();
  await page.waitForURL(`**/${id}?status=open`);
  await page.getByRole('button', { name: 'Assign to me' }).click();
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await page.locator('#body').fill('We look into it');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('#messages').getByText('We look into it').waitFor();
  await page.getByRole('button', { name: 'Close conversation' }).click();
  await page.getByText('This conversation is closed.').waitFor();
  await turn(page, () => page.getByRole('button', { name: 'Hide this line' }).click());
  expect(await page.getByText('Handle live support conversations').count()).toBe(0);
});

test('a colleague’s conversation is asked for before it is answered', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Hello');
  expect((await postForm(app, other, 'agent', `/admin/support-chat/${id}/assign`, {})).status).toBe(303);
  expect((await postForm(app, other, 'agent-2', `/admin/support-chat/${id}/assign`, {})).status).toBe(409);
  const { page, complaints } = await visit(browser, app, other, 'agent-2');
  await page.goto(`/admin/support-chat/${id}`);
  await page.locator('#body').fill('I will do it');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  // not sent: the question stands open
  expect(await page.locator('#body').inputValue()).toBe('I will do it');
  await page.getByLabel(/Nusrat Jahan holds this conversation/).check();
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('#messages').getByText('I will do it').waitFor();
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await expect.poll(() => page.locator('.take-over').count()).toBe(0);
  expect(complaints).toEqual([]);
});

test('keys walk the list, open, write, search and press the buttons', async () => {
  const other = await app.newTenant();
  await userWrites(app, other, 'rahim', 'one');
  await userWrites(app, other, 'ayesha', 'two');
  const { page } = await visit(browser, app, other, 'agent');
  await page.goto('/admin/support-chat');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('#thread-name', { hasText: 'Rahim' }).waitFor();
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('body');
  await page.keyboard.press('Escape');
  await page.keyboard.press('a');
  await page.locator('#conversation-state').getByText('With you').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('e');
  await page.getByText('This conversation is closed.').waitFor();
  await page.keyboard.press('f');
  expect(await page.evaluate('document.activeElement.id')).toBe('q');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await page.getByRole('dialog').getByText('Next conversation').waitFor();
});

test('axe finds nothing, wide and narrow, light and dark, in both languages', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Where is my bonus?\nhttps://safego.example/bonus');
  await postForm(app, other, 'agent', `/admin/support-chat/${id}/messages`, {
    body: 'Look at https://safego.example/bonus',
    clientId: crypto.randomUUID(),
  });
  await userWrites(app, other, 'rahim', 'Thanks');
  const driver = other.people.rahim.id;
  for (const [language, dark, width] of [
    ['en', false, 1280],
    ['en', true, 1280],
    ['bn', false, 360],
    ['bn', true, 900],
  ] as const) {
    const height = width === 360 ? 640 : 800;
    const { page, context } = await visit(browser, app, other, 'agent', { language, dark, width, height });
    // the dear half of the looks is taken at what differs most
    const paths = [
      `/admin/support-chat/${id}`,
      '/admin/support-chat?q=nobody',
      '/admin/support-chat',
      `/admin/drivers/${driver}`,
    ];
    for (const path of language === 'en' && !dark ? paths : paths.slice(0, 2)) {
      await page.goto(path);
      expect(await faultsOf(page), `${path} ${language} ${width}${dark ? ' dark' : ''}`).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), `${path} ${width}`).toBe(true);
    }
    await context.close();
  }
});

test('a conversation is handed to a colleague, who sees it under "Me", and put back again', async () => {
  const other = await app.newTenant();
  const id = await userWrites(app, other, 'rahim', 'Hello');
  await postForm(app, other, 'agent', `/admin/support-chat/${id}/close`, {});
  const again = await userWrites(app, other, 'rahim', 'Hello again');
  const colleague = await visit(browser, app, other, 'agent-2');
  await colleague.page.goto('/admin/support-chat?assignedAdminId=me');
  await colleague.page.getByText('Nothing matches').waitFor();

  const { page, complaints } = await visit(browser, app, other, 'agent');
  await page.goto(`/admin/support-chat/${again}`);
  await page.locator('.earlier-list').getByText('Hello', { exact: true }).waitFor();
  const names = await page.getByLabel('Hand over to').locator('option').allTextContents();
  // who may not answer is not offered
  expect(names).toEqual(['Nobody (unassigned)', 'Daniel Kim', 'Farhana Rahman', 'Nusrat Jahan', 'Tanvir Ahmed']);
  await page.getByLabel('Hand over to').selectOption('Daniel Kim');
  await page.getByRole('button', { name: 'Hand over' }).click();
  await page.locator('#conversation-state').getByText('With Daniel Kim').waitFor();
  await colleague.page.locator('.item-name', { hasText: 'Rahim Uddin' }).waitFor();

  await page.getByLabel('Hand over to').selectOption('none');
  await page.getByRole('button', { name: 'Hand over' }).click();
  await page.locator('#conversation-state').getByText('Unassigned').waitFor();
  await colleague.page.getByText('Nothing matches').waitFor();
  const viewers = { adminId: other.people.viewer.id };
  expect((await postForm(app, other, 'agent', `/admin/support-chat/${again}/assign`, viewers)).status).toBe(422);
  expect([...complaints, ...colleague.complaints]).toEqual([]);
});

test('days narrow the list, and nonsense in the address is refused', async () => {
  const other = await app.newTenant();
  await userWrites(app, other, 'rahim', 'Hello');
  const { page } = await visit(browser, app, other, 'agent');
  await page.goto('/admin/support-chat');
  await page.getByText('Dates').click();
  await page.getByLabel('To', { exact: true }).fill('2020-01-01');
  await page.getByText('Nothing matches').waitFor();
  expect(new URL(page.url()).search).toBe('?dateTo=2020-01-01');
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await page.locator('.item').waitFor();
  for (const query of [
    'status=none',
    'userType=%27',
    'dateTo=2020-13-01',
    'assignedAdminId=1',
    'status=open&status=closed',
    'x=1',
  ]) {
    expect((await page.goto(`/admin/support-chat?${query}`))?.status(), query).toBeGreaterThanOrEqual(400);
  }
});

test('on a phone list and messages are two pages, and the details are a sheet', async () => {
  const other = await app.newTenant();
  await userWrites(app, other, 'rahim', 'Hello');
  const { page } = await visit(browser, app, other, 'agent', { width: 360, height: 640 });
  await page.goto('/admin/support-chat');
  expect(await page.locator('#thread').isVisible()).toBe(false);
  await page.locator('.item-link').click();
  await page.locator('#composer').waitFor();
  expect(await page.locator('#list').isVisible()).toBe(false);
  const dock = await page.locator('.dock').boundingBox();
  expect((dock?.y ?? 0) + (dock?.height ?? 0)).toBe(640);
  expect(await page.locator('#details').isVisible()).toBe(false);
  await page.getByRole('button', { name: 'Details', exact: true }).click();
  await page.locator('#details').getByText('completed trips').waitFor();
  await page.keyboard.press('Escape');
  expect(await page.locator('#details').isVisible()).toBe(false);
  await page.getByRole('link', { name: 'Back to the list' }).click();
  await page.locator('#list').waitFor();
});
