import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, openPostOffice, type PostOffice, type Worker } from './post-office.ts';

let office: PostOffice;
let worker: Worker;

beforeAll(async () => {
  office = await openPostOffice();
  worker = await office.startWorker();
});
afterAll(async () => {
  await worker?.stop();
  await office?.close();
});

/** Long enough for a look, a claim and a send. */
const SETTLED_MS = 3_000;

describe('a user who went away before the answer', () => {
  it('gets one mail for several answers, and another one only for another answer', async () => {
    const rahim = await office.answered('rahim', [
      'We found it.',
      'It comes <b>today</b> & tomorrow:\nhttps://a.example/?x=1&y=2',
    ]);
    const [first] = await office.mailsTo(rahim.address);
    const { parsed, messageId, raw } = first!;
    const { rows } = await office.admin.query(
      'select id, state, up_to_seq from answer_mails where conversation_id = $1',
      [rahim.conversationId],
    );
    expect(rows).toHaveLength(1);
    expect(messageId).toBe(`<${rows[0].id}@support.example.com>`);
    expect(parsed.subject).toBe(`Test ${office.home.tenant.slug} has new answers for you`);
    expect(parsed.from).toMatchObject({
      name: `Test ${office.home.tenant.slug}`,
      address: 'no-reply@support.example.com',
    });
    expect(parsed.to).toMatchObject([{ address: rahim.address }]);
    expect(raw).toMatch(/^Auto-Submitted: auto-generated\r$/m);
    expect(raw).toMatch(/^Content-Type: multipart\/alternative/m);

    const [link = ''] = /https:\/\/support\.example\.com\/enter\/sgl_[\w-]{43}/.exec(parsed.text ?? '') ?? [];
    expect(link).not.toBe('');
    expect(parsed.text).toContain('We found it.');
    expect(parsed.text).toContain('It comes <b>today</b> & tomorrow:');
    expect(parsed.text).toContain(link);
    expect(parsed.html).toContain('It comes &lt;b&gt;today&lt;/b&gt; &amp; tomorrow:<br />');
    expect(parsed.html).toContain(`href="${link}"`);
    expect(parsed.html).not.toMatch(/<script|<img|onerror|<b>today/);
    expect(parsed.html).toContain('Nusrat Jahan');
    // their own words are not news to them
    expect(parsed.text).not.toContain('Where is my order?');

    await new Promise((done) => setTimeout(done, SETTLED_MS));
    expect(office.smtp.to(rahim.address)).toHaveLength(1);
    // what staff write for each other stays in the house
    const agent = await office.home.signIn('agent');
    const noted = await fetch(`${office.app.base}/api/admin/support/conversations/${rahim.conversationId}/notes`, {
      method: 'POST',
      headers: { ...agent.bearer, 'content-type': 'application/json' },
      body: JSON.stringify({ body: 'canary-note' }),
    });
    expect(noted.status).toBe(201);
    await rahim.answer('One more thing.');
    await office.goQuiet(rahim.conversationId);
    const mails = await office.mailsTo(rahim.address, 2);
    expect(JSON.stringify(mails)).not.toContain('canary-note');
    expect(mails[1]?.parsed.text).toContain('One more thing.');
    expect(mails[1]?.parsed.text).not.toContain('We found it.');
    expect(mails[1]?.messageId).not.toBe(messageId);
  });

  it('gets it in their language', async () => {
    await office.admin.query(`update users set locale = 'bn-BD' where id = $1`, [office.home.people.ayesha.id]);
    const ayesha = await office.answered('ayesha', ['আপনার অর্ডার আসছে।']);
    const [mail] = await office.mailsTo(ayesha.address);
    expect(mail?.parsed.subject).toBe(`Test ${office.home.tenant.slug} আপনার বার্তার উত্তর দিয়েছে`);
    expect(mail?.parsed.text).toContain('আপনার অর্ডার আসছে।');
    expect(mail?.parsed.html).toContain('lang="bn"');
    expect(mail?.raw).toMatch(/^Content-Language: bn\r$/m);
  });

  it('gets none when the answer was read, is too fresh, or there is no address; and the others do', async () => {
    const read = await office.answered('driver-2', ['Read in time.'], true);
    await read.read();
    await office.goQuiet(read.conversationId);
    const fresh = await office.answered('customer-2', ['Just now.'], true);
    const person = office.home.people['kacchi-house'];
    await office.admin.query('update users set email = null where id = $1', [person.id]);
    const nowhere = await office.answered('kacchi-house', ['Nobody reads this.']);
    // a control: the look goes over all of them
    const told = await office.answered('restaurant-2', ['You are told.']);
    await office.mailsTo(told.address);
    await new Promise((done) => setTimeout(done, SETTLED_MS));
    expect(office.smtp.to(read.address)).toEqual([]);
    expect(office.smtp.to(fresh.address)).toEqual([]);
    expect(office.smtp.to(nowhere.address)).toEqual([]);
    expect(office.smtp.taken.every((mail) => mail.to.every((to) => to.includes('@')))).toBe(true);
  });
});

describe('between owing and sending', () => {
  it('asks again: what was read meanwhile is not mailed, nor what somebody may no longer read', async () => {
    const tenant = await office.app.newTenant();
    office.home = tenant;
    await office.smtp.down();
    const reader = await office.answered('rahim', ['Read while the mail server was down.']);
    const gone = await office.answered('ayesha', ['Their account was closed.']);
    const stays = await office.answered('driver-2', ['Still waiting.']);
    const owed = async () => {
      const { rows } = await office.admin.query(`select state from answer_mails where tenant_id = $1`, [
        tenant.tenant.id,
      ]);
      return rows.length === 3 ? rows : null;
    };
    expect((await eventually(owed)).every((row) => row.state === 'owed')).toBe(true);
    await reader.read();
    await office.admin.query(`update users set status = 'deactivated' where id = $1`, [tenant.people.ayesha.id]);
    // a try that asked before all this would find the mail server there after it
    await office.triesEnded();
    await office.smtp.up();
    await office.mailsTo(stays.address);
    const settled = await eventually(async () => {
      const { rows } = await office.admin.query(
        `select user_id, state from answer_mails where tenant_id = $1 and state <> 'owed'`,
        [tenant.tenant.id],
      );
      return rows.length === 3 ? rows : null;
    });
    const stateOf = (id: string) => settled.find((row) => row.user_id === id)?.state;
    expect(stateOf(tenant.people.rahim.id)).toBe('cancelled');
    expect(stateOf(tenant.people.ayesha.id)).toBe('cancelled');
    expect(stateOf(tenant.people['driver-2'].id)).toBe('sent');
    expect(office.smtp.to(reader.address)).toEqual([]);
    expect(office.smtp.to(gone.address)).toEqual([]);
  });
});
