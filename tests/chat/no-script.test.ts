import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { turn } from '../support/browser.ts';
import { PIXEL } from '../support/pixel.ts';
import { closeConversation, type Stage, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage.stop());

const WITHOUT = { javaScriptEnabled: false };

describe('without JavaScript', () => {
  it('a driver finds support, starts, reads the answer, answers, and reopens: by links and forms', async () => {
    const { page } = await stage.open('rahim', WITHOUT);
    await page.goto(`${stage.app.base}/driver`);
    expect(await page.getByRole('heading', { level: 2 }).textContent()).toBe('Menu');
    await turn(page, () => page.getByRole('link', { name: 'Support Chat' }).click());
    await page.getByLabel('Your message').fill('Where is my bonus?\nTwo lines <b>and</b> a tag');
    await turn(page, () => page.getByRole('button', { name: 'Start the conversation' }).click());
    const path = new URL(page.url()).pathname;
    expect(path).toMatch(/^\/driver\/support\/conversations\//);
    expect(await page.locator('#messages .body').textContent()).toBe('Where is my bonus?Two lines <b>and</b> a tag');
    expect(await page.locator('#messages .body br').count()).toBe(1);

    const agent = await stage.open('agent', { ...WITHOUT, viewport: { width: 1280, height: 800 } });
    await agent.page.goto(`${stage.app.base}/admin/support-chat/${path.split('/').at(-1)}`);
    expect(await shown(agent.page)).toContain('Where is my bonus?Two lines <b>and</b> a tag');
    await agent.page.fill('#composer textarea', 'It was paid yesterday.');
    await turn(agent.page, () => agent.page.click('#composer button'));
    expect((await shown(agent.page)).at(-1)).toBe('It was paid yesterday.');

    await turn(page, () => page.getByRole('button', { name: 'Check for new messages' }).click());
    expect((await shown(page)).at(-1)).toBe('It was paid yesterday.');
    await page.fill('#composer textarea', 'Thank you');
    await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
    expect(new URL(page.url()).hash).toBe('#m4');
    expect((await shown(page)).at(-1)).toBe('Thank you');
    // sending moved the mark of what the page showed
    await agent.page.reload();
    expect(await agent.page.locator('[data-seq="3"][data-read]').count()).toBe(1);

    const lead = await stage.tenant.signIn('lead');
    await fetch(`${stage.app.base}/api/admin/support/conversations/${path.split('/').at(-1)}/close`, {
      method: 'POST',
      headers: { ...lead.bearer, 'content-type': 'application/json' },
      body: '{}',
    });
    // it closes while the driver writes: what was typed is shown again, with the reason
    await page.fill('#composer textarea', 'One more thing');
    await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
    expect(await page.getByRole('alert').textContent()).toContain('This conversation is closed');
    expect(await page.locator('#composer textarea').inputValue()).toBe('One more thing');
    await turn(page, () => page.getByRole('button', { name: 'Open it again' }).click());
    expect(await page.locator('#composer').isVisible()).toBe(true);
  });

  it('the same form sent twice is one message, and one conversation', async () => {
    const { page } = await stage.open('ayesha', WITHOUT);
    await page.goto(`${stage.app.base}/customer/support`);
    const clientId = await page.locator('input[name="clientId"]').inputValue();
    const { token } = await stage.tenant.signIn('ayesha', 'browser');
    const post = () =>
      fetch(`${stage.app.base}/customer/support`, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          cookie: `safego=${token}`,
          'sec-fetch-site': 'same-origin',
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({ body: 'My food is cold', clientId }),
      });
    const answers = await Promise.all([post(), post()]);
    expect(answers.map(({ status }) => status)).toEqual([303, 303]);
    expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1);
    await page.goto(new URL(answers[0]!.headers.get('location')!, stage.app.base).href);
    expect(await page.locator('#messages .body').count()).toBe(1);
  });

  it('going back and sending again does not double; other words under the same id are kept and offered as new', async () => {
    const { page } = await stage.open('kacchi-house', WITHOUT);
    await page.goto(`${stage.app.base}/restaurant/support`);
    await page.getByLabel('Your message').fill('The order is wrong');
    await turn(page, () => page.getByRole('button', { name: 'Start the conversation' }).click());
    const path = new URL(page.url()).pathname;
    const clientId = await page.locator('#composer input[name="clientId"]').inputValue();
    await page.fill('#composer textarea', 'Two burgers, not one');
    await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
    await page.waitForURL(/#m2$/);
    await page.goBack();
    // as it was left where the browser kept it, otherwise a fresh page that shows the message already
    const isSame = (await page.locator('#composer input[name="clientId"]').inputValue()) === clientId;
    if (!isSame) expect(await shown(page)).toContain('Two burgers, not one');
    expect(await page.locator('#composer textarea').inputValue()).toBe(isSame ? 'Two burgers, not one' : '');
    await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
    await page.goto(stage.app.base + path);
    expect((await shown(page)).filter((text) => text === 'Two burgers, not one')).toHaveLength(1);

    // the page of before, with other words in it: here and in the form that starts a conversation
    for (const form of [`${path}/messages`, '/restaurant/support']) {
      await page.goto(stage.app.base + path);
      const text = `Three burgers, by ${form === '/restaurant/support' ? 'the start' : 'the form'}`;
      await page.locator('#composer').evaluate(
        (element, given) => {
          element.setAttribute('action', given.form);
          element.querySelector('input')!.value = given.clientId;
        },
        { form, clientId },
      );
      await page.fill('#composer textarea', text);
      const answer = page.waitForResponse((response) => response.request().method() === 'POST');
      await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
      expect((await answer).status()).toBe(409);
      expect(await page.getByRole('alert').textContent()).toContain('already sent this message with other words');
      expect(await page.locator('#composer textarea').inputValue()).toBe(text);
      await turn(page, () => page.getByRole('button', { name: 'Send as a new message' }).click());
      await page.waitForURL(/#m\d+$/);
      expect((await shown(page)).at(-1)).toBe(text);
    }
  });

  it('a session that ends while somebody writes: the text comes back, and is sent once they are back', async () => {
    const { page, context } = await stage.open('customer-2', WITHOUT);
    const signIn = async () => {
      const { token } = await stage.tenant.signIn('customer-2', 'browser');
      await context.addCookies([
        { name: 'safego', value: token, url: stage.app.base, httpOnly: true, sameSite: 'Lax' },
      ]);
    };
    await page.goto(`${stage.app.base}/customer/support`);
    for (const text of ['My food is <cold>', 'And late']) {
      await page.fill('#body', text);
      await context.clearCookies();
      await turn(page, () => page.click('form:has(#body) button'));
      expect(await page.locator('h1').textContent()).toBe('Please sign in');
      expect(await page.locator('#body').inputValue()).toBe(text);
      await signIn();
      await turn(page, () => page.getByRole('button', { name: 'Send again' }).click());
      await page.waitForURL(/\/conversations\//);
      expect((await shown(page)).at(-1)).toBe(text);
    }
  });

  it('goes back page by page through a long conversation', async () => {
    const { token } = await stage.tenant.signIn('driver-2');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const api = `${stage.app.base}/api/support/conversations`;
    const started = await fetch(api, { method: 'POST', headers, body: '{}' });
    const { conversation } = (await started.json()) as {
      conversation: { id: string };
    }; // the contract's answer
    for (let n = 1; n <= 120; n++) {
      const body = JSON.stringify({ body: `line ${n}`, clientId: crypto.randomUUID() });
      await fetch(`${api}/${conversation.id}/messages`, { method: 'POST', headers, body });
    }
    const { page } = await stage.open('driver-2', WITHOUT);
    await page.goto(`${stage.app.base}/driver/support/conversations/${conversation.id}`);
    const texts = async () => (await shown(page)).filter((text) => text.startsWith('line'));
    expect(await texts()).toEqual(Array.from({ length: 50 }, (_, n) => `line ${n + 71}`));
    // the newest is in sight without any script
    expect(
      await page.getByText('line 120', { exact: true }).evaluate((item) => item.getBoundingClientRect().bottom),
    ).toBeLessThan(640);
    await turn(page, () => page.getByRole('link', { name: 'Earlier messages' }).click());
    expect(await texts()).toEqual(Array.from({ length: 50 }, (_, n) => `line ${n + 21}`));
    await turn(page, () => page.getByRole('link', { name: 'Earlier messages' }).click());
    expect((await texts())[0]).toBe('line 1');
    expect(await page.getByRole('link', { name: 'Earlier messages' }).count()).toBe(0);

    // with script the same link brings a piece, placed above what is there
    const scripted = await stage.open('driver-2');
    await scripted.page.goto(`${stage.app.base}/driver/support/conversations/${conversation.id}`);
    await scripted.page.waitForFunction(() => 'safego' in globalThis);
    await scripted.page.getByRole('link', { name: 'Earlier messages' }).click();
    await expect.poll(() => scripted.page.locator('#messages .body').count()).toBe(100);
    expect((await shown(scripted.page)).filter((text) => text.startsWith('line'))).toEqual(
      Array.from({ length: 100 }, (_, n) => `line ${n + 21}`),
    );
    expect(await scripted.page.locator('#messages .day').count()).toBe(1);
    expect(scripted.fragments.at(-1)?.text).not.toContain('<html');
    expect(scripted.complaints).toEqual([]);
  });

  it('is 404 for what is not theirs, and for the pages of another kind of user', async () => {
    const mine = await stage.open('restaurant-2', WITHOUT);
    await mine.page.goto(`${stage.app.base}/restaurant/support`);
    await mine.page.getByLabel('Your message').fill('Hello');
    await turn(mine.page, () => mine.page.getByRole('button', { name: 'Start the conversation' }).click());
    const path = new URL(mine.page.url()).pathname;
    // the one who may can
    expect((await mine.page.goto(stage.app.base + path))?.status()).toBe(200);

    const other = await stage.open('kacchi-house', WITHOUT);
    expect((await other.page.goto(stage.app.base + path))?.status()).toBe(404);
    expect(await other.page.getByRole('heading').textContent()).toBe('There is nothing here');
    expect((await other.page.goto(`${stage.app.base}/driver`))?.status()).toBe(404);
    expect((await other.page.goto(`${stage.app.base}/restaurant`))?.status()).toBe(200);
    expect((await other.page.goto(`${stage.app.base}/restaurant/support/conversations/1`))?.status()).toBe(404);
    const nobody = await stage.open(null, WITHOUT);
    expect((await nobody.page.goto(stage.app.base + path))?.status()).toBe(401);
    expect(await nobody.page.getByRole('heading').textContent()).toBe('Please sign in');
  });

  it('a file of a conversation that was closed meanwhile does not keep its text from going on', async () => {
    const { page, context } = await stage.open('customer-2', WITHOUT);
    const path = await startConversation(page, stage.app.base, 'Hello', 'customer');
    const { bearer } = await stage.tenant.signIn('customer-2');
    const form = new FormData();
    form.set('clientId', crypto.randomUUID());
    form.set('file', new Blob([PIXEL], { type: 'image/png' }), 'good.png');
    const url = `${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/attachments`;
    const uploaded = await fetch(url, {
      method: 'POST',
      headers: bearer,
      body: form,
    });
    const { attachment } = (await uploaded.json()) as {
      attachment: { id: string };
    }; // contract.md, REST
    await closeConversation(stage, path);
    await page.goto(`${stage.app.base}/customer/support`);
    await page.fill('#body', 'Look at these');
    // as the page of the closed one hands it on
    await page.locator('#start').evaluate((start, id) => {
      start.insertAdjacentHTML('beforeend', `<input type="hidden" name="attachmentIds" value="${id}">`);
    }, attachment.id);
    await turn(page, () => page.click('#start .primary'));
    // it says why, once, and lets the file go
    expect(await page.getByRole('alert').count()).toBe(1);
    expect(await page.locator('#body').inputValue()).toBe('Look at these');
    expect(await page.locator('[name=attachmentIds]').count()).toBe(0);
    await turn(page, () => page.click('#start .primary'));
    await page.waitForURL((url) => url.pathname.includes('/conversations/') && url.pathname !== path);
    expect(await shown(page)).toContain('Look at these');
    await context.close();
  });

  it('nothing on the page empties a field: it does not load itself again, and the transcript is a download', async () => {
    const { page, context } = await stage.open('ayesha', WITHOUT);
    const path = await startConversation(page, stage.app.base, 'Hello', 'customer');
    await page.goto(stage.app.base + path);
    await page.fill('#body', 'half a sentence');
    expect(await page.locator('meta[http-equiv="refresh"]').count()).toBe(0);
    const download = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Save as text' }).click();
    await download;
    expect(await page.locator('#body').inputValue()).toBe('half a sentence');
    // what would lead away from it waits until it is sent
    const follow = page.getByRole('link', { name: 'Keep checking by itself' });
    expect(await follow.isVisible()).toBe(false);
    await page.fill('#body', '');
    expect(await follow.isVisible()).toBe(true);
    await context.close();
  });

  it('looking whether something is new keeps the text, its id and its file', async () => {
    const { page, context } = await stage.open('kacchi-house', WITHOUT);
    const path = await startConversation(page, stage.app.base, 'Hello', 'restaurant');
    await page.goto(stage.app.base + path);
    const check = page.getByRole('button', { name: 'Check for new messages' });
    const clientId = await page.locator('#composer [name=clientId]').inputValue();
    await page.fill('#body', 'half a <b>sentence');
    await page.setInputFiles('#composer [name=file]', {
      name: 'bill.png',
      mimeType: 'image/png',
      buffer: PIXEL,
    });
    const { bearer } = await stage.tenant.signIn('agent');
    const answered = await fetch(`${stage.app.base}/api/support/conversations/${path.split('/').at(-1)}/messages`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body: JSON.stringify({
        body: 'What was wrong?',
        clientId: crypto.randomUUID(),
      }),
    });
    expect(answered.status).toBe(201);
    for (let n = 0; n < 2; n++) {
      await turn(page, () => check.click());
      expect(await shown(page)).toContain('What was wrong?');
      expect(await shown(page)).not.toContain('half a <b>sentence');
      expect(await page.getByRole('alert').count()).toBe(0);
      expect(await page.locator('#body').inputValue()).toBe('half a <b>sentence');
      expect(await page.locator('#composer [name=clientId]').inputValue()).toBe(clientId);
      expect(await page.locator('#composer [name=attachmentIds]').count()).toBe(1);
    }
    await turn(page, () => page.getByRole('button', { name: 'Send', exact: true }).click());
    await page.waitForURL(/#m\d+$/);
    expect((await shown(page)).filter((text) => text === 'half a <b>sentence')).toHaveLength(1);
    expect(await page.locator('#messages').locator('img').count()).toBe(1);
    // with nothing typed it is the page's own address again
    await turn(page, () => check.click());
    expect(new URL(page.url()).pathname).toBe(path);
    await context.close();
  });
});

describe('an old browser', () => {
  it('that cannot read the script, nor the style, gets the plain page: it reads, starts, writes, rates', async () => {
    const { page, context } = await stage.open('restaurant-2');
    // what Chrome 79 makes of `a ??= b`, and Chrome 98 of `@layer`
    await context.route(/\/assets\/app\.[^/]*\.js$/, (route) =>
      route.fulfill({ contentType: 'text/javascript', body: 'this is ( no script of its time' }),
    );
    await context.route(/\/assets\/app\.[^/]*\.css$/, (route) => route.fulfill({ contentType: 'text/css', body: '' }));
    const path = await startConversation(page, stage.app.base, 'From an old phone', 'restaurant');
    await page.fill('#body', 'And once more');
    await turn(page, () => page.click('#composer .primary'));
    await page.waitForURL(/#m\d+$/);
    expect(await shown(page)).toEqual(expect.arrayContaining(['From an old phone', 'And once more']));
    // nothing that needs a script stands there and does nothing
    for (const button of await page.locator('button[type="button"]:visible, input[type="file"]:visible').all()) {
      expect(await button.evaluate((one) => one.outerHTML)).toBe('');
    }
    await closeConversation(stage, path);
    await page.goto(stage.app.base + path);
    await page.getByLabel('Good', { exact: true }).check();
    await turn(page, () => page.locator('.rating button').click());
    await page.getByText('You said: Good. Thank you.').waitFor();
    await context.close();
  });
});
