import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Handle } from '../support/people.ts';
import { type Answered, eventually, openPostOffice, type PostOffice, type Worker } from './post-office.ts';

let office: PostOffice;
let worker: Worker;

beforeAll(async () => {
  office = await openPostOffice();
  worker = await office.startWorker();
});
beforeEach(async () => {
  office.home = await office.app.newTenant();
});
afterAll(async () => {
  await worker?.stop();
  await office?.close();
});

const SETTLED_MS = 3_000;
const OWN_PAGE = { 'sec-fetch-site': 'same-origin' };

/** Somebody was mailed; the paths of the two links in the mail, and the mail. */
async function mailed(handle: Handle = 'rahim') {
  const about = await office.answered(handle, ['An answer.', 'And another one.']);
  const [mail] = await office.mailsTo(about.address);
  const text = mail?.parsed.text ?? '';
  const path = (name: string) => new RegExp(`https://support\\.example\\.com(/${name}/[\\w-]+)`).exec(text)?.[1] ?? '';
  return { about, mail: mail!, enter: path('enter'), stop: path('unsubscribe') };
}

const get = (path: string, cookie = '') =>
  fetch(office.app.base + path, { redirect: 'manual', headers: cookie ? { cookie } : {} });
const post = (path: string, values: Record<string, string> = {}, headers: Record<string, string> = OWN_PAGE) =>
  fetch(office.app.base + path, {
    method: 'POST',
    redirect: 'manual',
    headers,
    body: new URLSearchParams(values),
  });
const cookieOf = (answer: Response) =>
  answer.headers
    .getSetCookie()
    .map((one) => one.split(';')[0] ?? '')
    .find((one) => one.startsWith('safego=')) ?? '';
const conversationOf = ({ user, conversationId }: Answered) =>
  `/${user.person.userType}/support/conversations/${conversationId}`;

describe('the link in a mail', () => {
  it('signs in once, by a button, in a browser that knows nobody, and leads to the conversation', async () => {
    const { about, enter } = await mailed();
    // a scanner opens it, several times
    for (let n = 0; n < 3; n++) {
      const looked = await get(enter);
      expect([looked.status, looked.headers.get('set-cookie')]).toEqual([200, null]);
      expect(looked.headers.get('referrer-policy')).toBe('strict-origin');
      expect(looked.headers.get('cache-control')).toBe('no-store');
      const html = await looked.text();
      expect(html).toContain(`action="${enter}"`);
      // of its person nothing is told to whoever holds it
      expect(html).not.toContain('Rahim');
    }
    const entered = await post(enter);
    expect([entered.status, entered.headers.get('location')]).toEqual([303, conversationOf(about)]);
    expect(entered.headers.get('set-cookie')).toMatch(/HttpOnly; SameSite=Lax/);
    const cookie = cookieOf(entered);
    const page = await get(conversationOf(about), cookie);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('An answer.')]);

    // spent: nobody comes in by it again, but its person goes on
    const again = await post(enter);
    expect([again.status, cookieOf(again)]).toEqual([404, '']);
    expect(await again.text()).toContain('used already');
    expect((await get(enter)).status).toBe(404);
    const back = await get(enter, cookie);
    expect([back.status, back.headers.get('location')]).toEqual([303, conversationOf(about)]);

    // the session is a user's, for a day; it is audited, and no token is kept or told
    expect((await get('/admin/support-chat', cookie)).status).not.toBe(200);
    const { rows } = await office.admin.query(
      `select extract(epoch from expires_at - created_at)::int as seconds from sessions
       where user_id = $1 and kind = 'browser'`,
      [about.user.person.id],
    );
    expect(rows).toEqual([{ seconds: 86_400 }]);
    const { rows: audit } = await office.admin.query(
      `select metadata from audit_log where tenant_id = $1 and action = 'SUPPORT_SIGNED_IN'`,
      [office.home.tenant.id],
    );
    expect(audit).toEqual([{ metadata: { userType: 'driver', by: 'mail', session: 'browser' } }]);
    const token = enter.split('/').at(-1) ?? '';
    const { rows: kept } = await office.admin.query(`select l::text from sign_in_links l`);
    expect(JSON.stringify(kept)).not.toContain(token);
    expect(worker.said()).not.toContain(token);
  }, 40_000);

  it('of many who press at once, one comes in', async () => {
    const { enter } = await mailed();
    const answers = await Promise.all(Array.from({ length: 12 }, () => post(enter)));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array.from({ length: 11 }, () => 404)]);
  }, 40_000);

  it('cannot be pressed by another site', async () => {
    const { enter } = await mailed();
    expect((await post(enter, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await post(enter)).status).toBe(303);
  }, 40_000);

  it('is dead when it is too old, and when its person was signed out everywhere, deactivated or erased', async () => {
    const alive = async (path: string) => (await get(path)).status === 200;
    const old = await mailed('rahim');
    expect(await alive(old.enter)).toBe(true);
    await office.admin.query(`update sign_in_links set expires_at = now() where tenant_id = $1`, [
      office.home.tenant.id,
    ]);
    expect(await alive(old.enter)).toBe(false);
    expect((await post(old.enter)).status).toBe(404);

    const { setUserStatus } = await import('../../src/identity/index.ts');
    const out = await mailed('ayesha');
    expect(await alive(out.enter)).toBe(true);
    await office.home.asPerson('system', (scope) => setUserStatus(scope, out.about.user.person.id, 'deactivated'));
    expect(await alive(out.enter)).toBe(false);
    await office.home.asPerson('system', (scope) => setUserStatus(scope, out.about.user.person.id, 'active'));
    expect(await alive(out.enter)).toBe(false);

    const gone = await mailed('driver-2');
    expect(await alive(gone.enter)).toBe(true);
    const owner = await office.home.signIn('owner', 'browser');
    const { rows } = await office.admin.query('select sub from users where id = $1', [gone.about.user.person.id]);
    const erased = await post(
      `/admin/privacy/persons/${gone.about.user.person.id}/erase`,
      { confirm: rows[0].sub },
      { ...OWN_PAGE, ...owner.cookie },
    );
    expect(erased.status).toBe(303);
    expect(await alive(gone.enter)).toBe(false);
  });

  it('says so when somebody else is signed in, and ends their session only by the button', async () => {
    const { about, enter } = await mailed();
    const other = await office.home.signIn('driver-2', 'browser');
    const looked = await (await get(enter, other.cookie.cookie)).text();
    expect(looked).toContain('Marcus Reed');
    expect((await get('/driver', other.cookie.cookie)).status).toBe(200);
    const entered = await post(enter, {}, { ...OWN_PAGE, ...other.cookie });
    expect(entered.headers.get('location')).toBe(conversationOf(about));
    await eventually(async () => (await get('/driver', other.cookie.cookie)).status === 401);
  }, 40_000);

  it.each(['x', 'sgl_', `sgl_${'x'.repeat(43)}`, `sgp_${'x'.repeat(43)}`])(
    'made up (%s) leads nowhere',
    async (token) => {
      expect((await get(`/enter/${token}`)).status).toBe(404);
      expect((await post(`/enter/${token}`)).status).toBe(404);
    },
  );
});

describe('the way out of mails', () => {
  it('stops them by one click of the mail program (RFC 8058), in either kind of form, and not by a GET', async () => {
    for (const handle of ['rahim', 'ayesha'] as const) {
      const { about, mail, stop } = await mailed(handle);
      const header = (key: string) => mail.parsed.headers.find((one) => one.key === key)?.value;
      expect(header('list-unsubscribe')).toBe(`<https://support.example.com${stop}>`);
      expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
      expect((await get(stop)).status).toBe(200);
      const choices = () =>
        office.admin.query('select no_mail_at from notice_choices where user_id = $1', [about.user.person.id]);
      expect((await choices()).rows).toEqual([]);
      const form = new FormData();
      form.set('List-Unsubscribe', 'One-Click');
      const body = handle === 'rahim' ? new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) : form;
      const clicked = await fetch(office.app.base + stop, { method: 'POST', redirect: 'manual', body });
      expect([clicked.status, clicked.headers.get('set-cookie')]).toEqual([200, null]);
      expect((await choices()).rows[0]?.no_mail_at).not.toBeNull();
      const before = office.smtp.to(about.address).length;
      await about.answer('Nobody is mailed.');
      await office.goQuiet(about.conversationId);
      await new Promise((done) => setTimeout(done, SETTLED_MS));
      expect(office.smtp.to(about.address)).toHaveLength(before);
    }
  });

  it('is a page with a button, and back again; the same choice stands in the user’s own page', async () => {
    const { about, stop } = await mailed();
    expect(await (await get(stop)).text()).toContain('value="off"');
    const stopped = await post(`${stop}/choice`, { want: 'off' });
    expect([stopped.status, await stopped.text()]).toEqual([200, expect.stringContaining('value="on"')]);
    expect((await post(`${stop}/choice`, { want: 'on' })).status).toBe(200);
    await about.answer('Mailed again.');
    await office.goQuiet(about.conversationId);
    const mails = await office.mailsTo(about.address, 2);
    expect(mails[1]?.parsed.text).toContain('Mailed again.');
  }, 40_000);

  it('says nothing of whom it is about, and a made up one is none', async () => {
    const { stop, about } = await mailed();
    const html = await (await get(stop)).text();
    expect(html).not.toContain('Rahim');
    expect(html).not.toContain(about.address);
    const token = stop.split('/').at(-1) ?? '';
    for (const wrong of [
      'x',
      token.slice(1),
      // the last character carries bits that count for nothing
      `${token.slice(0, -2)}${token.at(-2) === 'A' ? 'B' : 'A'}A`,
      `${token.startsWith('B') ? 'C' : 'B'}${token.slice(1)}`,
    ]) {
      expect((await get(`/unsubscribe/${wrong}`)).status).toBe(404);
      expect((await post(`/unsubscribe/${wrong}`)).status).toBe(404);
    }
  }, 40_000);

  it('speaks Bengali to whoever does', async () => {
    await office.admin.query(`update users set locale = 'bn-BD' where id = $1`, [office.home.people.ayesha.id]);
    const { mail, enter, stop } = await mailed('ayesha');
    expect(mail.parsed.text).toContain('লিংকটি এক দিন পর্যন্ত একবারই কাজ করে।');
    expect(mail.parsed.text).toContain('এমন মেইল আর চাই না');
    const bengali = (path: string) =>
      fetch(office.app.base + path, { headers: { 'accept-language': 'bn' } }).then((one) => one.text());
    expect(await bengali(enter)).toContain('কথোপকথন খুলুন');
    expect(await bengali(stop)).toContain('এই মেইল বন্ধ করুন');
  }, 40_000);
});
