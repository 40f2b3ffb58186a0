import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Handle, TestSession } from '../support/people.ts';
import { eventually, openPostOffice, type PostOffice } from './post-office.ts';
import type { TestBrowser } from './push-service.ts';

let house: PostOffice;

beforeAll(async () => {
  house = await openPostOffice();
});
afterAll(async () => {
  expect(house?.service.complaints).toEqual([]);
  await house?.close();
});

/** Each case has a tenant of its own, because they wait side by side for what must not come. */
const it = test.extend('office', () => house.guest());

/** A node looks 2.7 s after an answer; what it owes is a job at once. */
const LOOK_MS = 3_300;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Posts a form as a browser's page does. */
async function post(
  office: PostOffice,
  session: TestSession,
  path: string,
  values: Record<string, string>,
): Promise<Response> {
  return fetch(office.app.base + path, {
    method: 'POST',
    redirect: 'manual',
    headers: { ...session.cookie, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams(values),
  });
}

/** Somebody's browser, which wants to be told. */
async function device(office: PostOffice, handle: Handle, language = 'en'): Promise<[TestBrowser, TestSession]> {
  const browser = office.service.newBrowser();
  const session = await office.home.signIn(handle, 'browser');
  const answer = await fetch(`${office.app.base}/notices/device`, {
    method: 'POST',
    headers: { cookie: `${session.cookie.cookie}; lang=${language}`, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ endpoint: browser.endpoint, ...browser.keys }),
  });
  expect([answer.status, await answer.text()]).toEqual([204, '']);
  return [browser, session];
}

const settings = async (office: PostOffice, values: Record<string, unknown>) => {
  const owner = await office.home.signIn('owner');
  const url = `${office.app.base}/api/admin/support/settings`;
  const { settings: now, version } = (await (await fetch(url, { headers: owner.bearer })).json()) as {
    settings: object;
    version: number;
  }; // contract.md, REST
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { ...owner.bearer, 'content-type': 'application/json' },
    body: JSON.stringify({ settings: { ...now, ...values }, version }),
  });
  expect(answer.status).toBe(200);
};

const rowsOf = async (office: PostOffice, table: string) =>
  (await office.admin.query(`select * from ${table} where tenant_id = $1`, [office.home.tenant.id])).rows;

describe.concurrent('an answer to somebody who is not there', () => {
  it('reaches their device within seconds, signed for the service and readable by the browser alone', async ({
    office,
  }) => {
    const [browser] = await device(office, 'rahim');
    const begun = Date.now();
    const rahim = await office.answered('rahim', ['Your bonus comes tomorrow. canary-text'], true);
    const taken = await eventually(() => browser.taken[0]);
    expect(Date.now() - begun).toBeLessThan(10_000);
    expect(taken?.notice).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tag: expect.stringMatching(/^[\w-]{32}$/),
      title: `Test ${office.home.tenant.slug}`,
      body: 'You have a new answer',
      url: `/driver/support/conversations/${rahim.conversationId}`,
      lang: 'en',
      dir: 'ltr',
    });
    expect(taken?.headers).toMatchObject({ urgency: 'normal', topic: taken?.notice.tag });
    expect(Number(taken?.headers['ttl'])).toBeGreaterThan(86_000);
    expect(taken?.raw.toString('latin1')).not.toContain('answer');
    // several tries of the same event would bear the same id
    await office.emptied(LOOK_MS);
    expect(browser.taken).toHaveLength(1);
  }, 30_000);

  it('is one notice for several answers, on every device, and another one only for another answer', async ({
    office,
  }) => {
    const [[phone], [tablet]] = [await device(office, 'rahim'), await device(office, 'rahim')];
    const rahim = await office.answered('rahim', ['First.', 'Second.', 'Third.'], true);
    await eventually(() => phone.taken.length > 0 && tablet.taken.length > 0);
    await office.emptied(LOOK_MS);
    expect([phone.taken.length, tablet.taken.length]).toEqual([1, 1]);
    expect(phone.taken[0]?.notice.id).toBe(tablet.taken[0]?.notice.id);
    await rahim.answer('Fourth.');
    await eventually(() => phone.taken.length > 1);
    expect(phone.taken[1]?.notice.tag).toBe(phone.taken[0]?.notice.tag);
    expect(phone.taken[1]?.notice.id).not.toBe(phone.taken[0]?.notice.id);
  }, 40_000);

  it('says what the tenant allows and no more, in the language of the device', async ({ office }) => {
    const [english] = await device(office, 'rahim');
    const [bengali] = await device(office, 'rahim', 'bn');
    const rahim = await office.answered('rahim', ['canary-one\nsecond line'], true);
    const bodies = async (count: number) => {
      await eventually(() => english.taken.length === count && bengali.taken.length === count);
      return [english.taken.at(-1)?.notice.body, bengali.taken.at(-1)?.notice.body];
    };
    expect(await bodies(1)).toEqual(['You have a new answer', 'আপনার জন্য একটি নতুন উত্তর এসেছে']);
    await settings(office, { pushShowsName: true });
    await rahim.answer('canary-two');
    expect(await bodies(2)).toEqual(['Nusrat Jahan has answered', 'Nusrat Jahan উত্তর দিয়েছেন']);
    await settings(office, { pushShowsName: false, pushShowsText: true });
    await rahim.answer('canary-three\nsecond line');
    expect(await bodies(3)).toEqual(['canary-three', 'canary-three']);
    await settings(office, { pushShowsName: true });
    await rahim.answer(`canary-four ${'x'.repeat(300)}`);
    const [last] = await bodies(4);
    expect(last).toMatch(/^Nusrat Jahan: canary-four x+…$/);
    expect(last?.length).toBeLessThan(160);
  });

  it('is told to nobody when it was read, or the conversation is open on any page or program of theirs', async ({
    office,
  }) => {
    const [browser, session] = await device(office, 'rahim');
    const rahim = await office.answered('rahim', [], true);
    const socket = new WebSocket(`${office.app.base.replace('http', 'ws')}/ws`, 'support.v1.json', {
      headers: rahim.user.bearer,
    });
    await new Promise((done) => socket.once('open', done));
    socket.send(JSON.stringify({ type: 'subscribe', room: `conversation_${rahim.conversationId}` }));
    await new Promise((done) => socket.once('message', done));
    await rahim.answer('They look at it.');
    await eventually(async () => (await rowsOf(office, 'push_deliveries'))[0]?.state === 'cancelled');
    socket.close();
    await pause(300);
    await rahim.answer('They left.');
    await eventually(() => browser.taken.length === 1);
    await rahim.answer('Read at once.');
    await rahim.read();
    await office.emptied(LOOK_MS);
    expect(browser.taken).toHaveLength(1);
    expect(session.person.handle).toBe('rahim');
  }, 40_000);

  it('a private note never is', async ({ office }) => {
    const [browser] = await device(office, 'rahim');
    const rahim = await office.answered('rahim', [], true);
    const agent = await office.home.signIn('agent');
    const noted = await fetch(`${office.app.base}/api/admin/support/conversations/${rahim.conversationId}/notes`, {
      method: 'POST',
      headers: { ...agent.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ body: 'canary-note', clientId: randomUUID() }),
    });
    expect(noted.status).toBe(201);
    await office.emptied(LOOK_MS);
    expect(browser.taken).toEqual([]);
    expect(await rowsOf(office, 'push_deliveries')).toEqual([]);
    await settings(office, { pushShowsText: true });
    await rahim.answer('An answer, so that it could have been.');
    await eventually(() => browser.taken.length === 1);
    expect(JSON.stringify(browser.taken[0]?.notice)).not.toContain('canary-note');
  }, 40_000);
});

describe.concurrent('a device belongs to one person and one session', () => {
  it('and is told nothing more when the session ends, in whatever way', async ({ office }) => {
    const [out, session] = await device(office, 'rahim');
    const [revoked, second] = await device(office, 'rahim');
    const [stays] = await device(office, 'rahim');
    expect(await rowsOf(office, 'push_subscriptions')).toHaveLength(3);
    expect((await post(office, session, '/sign-out', {})).status).toBe(303);
    await office.admin.query('update sessions set revoked_at = now() where id = $1', [second.sessionId]);
    expect(await rowsOf(office, 'push_subscriptions')).toHaveLength(1);
    await office.answered('rahim', ['An answer.'], true);
    await eventually(() => stays.taken.length === 1);
    expect([out.taken, revoked.taken]).toEqual([[], []]);
    await office.admin.query(`update sessions set expires_at = now() where tenant_id = $1 and kind = 'browser'`, [
      office.home.tenant.id,
    ]);
    await office.answered('rahim', ['Nobody is signed in.'], true);
    await office.emptied(LOOK_MS);
    expect(stays.taken).toHaveLength(1);
  }, 40_000);

  it('goes over to whoever subscribes next in that browser, of whatever tenant', async ({ office }) => {
    const [browser] = await device(office, 'rahim');
    const before = office.home;
    const next = await office.app.newTenant();
    office.home = next;
    const ayesha = await next.signIn('ayesha', 'browser');
    const taken = await post(office, ayesha, '/notices/device', { endpoint: browser.endpoint, ...browser.keys });
    expect(taken.status).toBe(204);
    const told = await office.answered('ayesha', ['For Ayesha.'], true);
    await eventually(() => browser.taken.length === 1);
    office.home = before;
    await office.answered('rahim', ['For Rahim, who has this browser no longer.'], true);
    await office.emptied(LOOK_MS);
    expect(browser.taken.map(({ notice }) => notice.url)).toEqual([
      `/customer/support/conversations/${told.conversationId}`,
    ]);
  }, 40_000);

  it('stays when the same person comes from the host’s app again, and goes when it is somebody else', async ({
    office,
  }) => {
    const [browser, session] = await device(office, 'rahim');
    const enter = async (cookie: string, who: Handle) => {
      const answer = await fetch(`${office.app.base}/sso`, {
        method: 'POST',
        redirect: 'manual',
        headers: { cookie, 'sec-fetch-site': 'same-origin' },
        body: new URLSearchParams({ token: await office.home.hostToken(who), to: '/driver' }),
      });
      expect(answer.status).toBe(303);
      return (
        answer.headers
          .getSetCookie()
          .map((one) => one.split(';')[0])
          .find((one) => one?.startsWith('safego=')) ?? ''
      );
    };
    const cookie = await enter(session.cookie.cookie, 'rahim');
    const [row] = await rowsOf(office, 'push_subscriptions');
    expect(row?.session_id).not.toBe(session.sessionId);
    await office.answered('rahim', ['Still told.'], true);
    await eventually(() => browser.taken.length === 1);
    const pending = await fetch(`${office.app.base}/sso`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ token: await office.home.hostToken('driver-2'), to: '/driver' }),
    });
    const waiting = pending.headers
      .getSetCookie()
      .map((one) => one.split(';')[0])
      .join('; ');
    const switched = await fetch(`${office.app.base}/sso/switch`, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie: `${cookie}; ${waiting}`, 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams({ answer: 'switch', to: '/driver' }),
    });
    expect(switched.status).toBe(303);
    expect(await rowsOf(office, 'push_subscriptions')).toEqual([]);
  }, 40_000);

  it('is nobody’s when its person is erased', async ({ office }) => {
    await device(office, 'rahim');
    const owner = await office.home.signIn('owner', 'browser');
    const rahim = office.home.people.rahim.id;
    const { rows } = await office.admin.query('select 1 from push_subscriptions where user_id = $1', [rahim]);
    expect(rows).toHaveLength(1);
    const { rows: people } = await office.admin.query('select sub from users where id = $1', [rahim]);
    const erased = await post(office, owner, `/admin/privacy/persons/${rahim}/erase`, { confirm: people[0].sub });
    expect(erased.status).toBe(303);
    const { rows: left } = await office.admin.query('select 1 from push_subscriptions where user_id = $1', [rahim]);
    expect(left).toEqual([]);
  }, 40_000);
});

describe.concurrent('whoever says no', () => {
  it('is not asked again, until they say yes', async ({ office }) => {
    const rahim = await office.home.signIn('rahim', 'browser');
    const offer = async () =>
      (await fetch(`${office.app.base}/driver/support/notices/offer`, { headers: rahim.cookie })).text();
    expect(await offer()).toContain('data-may-ask');
    expect((await post(office, rahim, '/driver/support/notices', { what: 'push-no' })).status).toBe(303);
    expect(await offer()).not.toContain('data-may-ask');
    const browser = office.service.newBrowser();
    await post(office, rahim, '/notices/device', { endpoint: browser.endpoint, ...browser.keys });
    expect(await offer()).toContain('data-may-ask');
    // and without a script all devices can be switched off
    expect((await post(office, rahim, '/driver/support/notices', { what: 'push-off' })).status).toBe(303);
    expect(await rowsOf(office, 'push_subscriptions')).toEqual([]);
  });
});

describe.concurrent('an address that a browser gives us (T-WH4)', () => {
  it.for([
    ['another host', 'https://evil.example/push'],
    ['a name that only ends alike', 'https://evilfcm.googleapis.com/x'],
    ['a name below one that has none below', 'https://x.fcm.googleapis.com/x'],
    ['no TLS', 'http://fcm.googleapis.com/x'],
    ['another port', 'https://fcm.googleapis.com:8443/x'],
    ['credentials', 'https://a:b@fcm.googleapis.com/x'],
    ['this machine', 'http://127.0.0.1:5432/'],
    ['metadata of a cloud', 'http://169.254.169.254/latest/meta-data'],
    ['an IPv6 address', 'https://[::1]/'],
    ['a number as an address', 'https://2130706433/'],
    ['another scheme', 'file:///etc/passwd'],
    ['no address', 'nothing'],
  ] as const)('%s is refused', async ([_what, endpoint], { office }) => {
    const rahim = await office.home.signIn('rahim', 'browser');
    const { keys } = office.service.newBrowser();
    const answer = await post(office, rahim, '/notices/device', { endpoint, ...keys });
    expect(answer.status).toBe(422);
    expect(await rowsOf(office, 'push_subscriptions')).toEqual([]);
  });

  it('and so are keys that are none', async ({ office }) => {
    const rahim = await office.home.signIn('rahim', 'browser');
    const { endpoint, keys } = office.service.newBrowser();
    for (const wrong of [
      { ...keys, p256dh: 'AAAA' },
      { ...keys, auth: 'AAAA' },
      { p256dh: '', auth: '' },
    ]) {
      expect((await post(office, rahim, '/notices/device', { endpoint, ...wrong })).status).toBe(422);
    }
    expect((await post(office, rahim, '/notices/device', { endpoint, ...keys })).status).toBe(204);
  });

  it.for([
    'https://fcm.googleapis.com/fcm/send/abc',
    'https://updates.push.services.mozilla.com/wpush/v2/abc',
    'https://web.push.apple.com/abc',
    'https://wns2-par02p.notify.windows.com/w/?token=abc',
  ])('%s is taken', async (endpoint, { office }) => {
    const rahim = await office.home.signIn('rahim', 'browser');
    const { keys } = office.service.newBrowser();
    expect((await post(office, rahim, '/notices/device', { endpoint, ...keys })).status).toBe(204);
  });
});
