import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reviveDeadLetters } from '../../src/platform/jobs/index.ts';
import type { Handle } from '../support/people.ts';
import { type Answered, eventually, openPostOffice, type PostOffice, type Worker } from './post-office.ts';

let office: PostOffice;

beforeAll(async () => {
  office = await openPostOffice();
});
afterAll(() => office?.close());
beforeEach(async () => {
  office.home = await office.app.newTenant();
  office.smtp.mood = null;
  office.smtp.onMail = null;
});

/** A user nobody has mailed yet; each test has a tenant of its own. */
function somebody(handle: Handle = 'rahim'): Promise<Answered> {
  return office.answered(handle, ['An answer.', 'And another one.']);
}

async function mailOf(about: Answered): Promise<{ id: string; state: string } | undefined> {
  const { rows } = await office.admin.query('select id, state from answer_mails where conversation_id = $1', [
    about.conversationId,
  ]);
  expect(rows.length).toBeLessThanOrEqual(1);
  return rows[0];
}

function settled(about: Answered): Promise<{ id: string; state: string }> {
  return eventually(async () => {
    const mail = await mailOf(about);
    return mail && mail.state !== 'owed' ? mail : null;
  }, 25_000);
}

/** Waits until a second mail would have come. */
const NO_MORE_MS = 6_000;

describe('a worker that is killed (kill -9)', () => {
  it('between the commit and the send: the next one sends, once, under the same id', async () => {
    const victim = await office.startWorker();
    const rahim = await somebody();
    const owed = await eventually(() => mailOf(rahim));
    await victim.kill();
    expect(office.smtp.to(rahim.address)).toEqual([]);
    const next = await office.startWorker();
    await settled(rahim);
    await new Promise((done) => setTimeout(done, NO_MORE_MS));
    expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${owed.id}@support.example.com>`]);
    expect(await next.stop()).toBe(0);
  }, 60_000);

  it('in the middle of the send: the next one sends, once', async () => {
    const victim = await office.startWorker();
    const killed = new Promise<void>((done) => {
      office.smtp.onMail = (stage) => {
        if (stage === 'rcpt') void victim.kill().then(done);
      };
    });
    const rahim = await somebody();
    await killed;
    office.smtp.onMail = null;
    expect(office.smtp.to(rahim.address)).toEqual([]);
    const next = await office.startWorker();
    const { id, state } = await settled(rahim);
    expect(state).toBe('sent');
    await new Promise((done) => setTimeout(done, NO_MORE_MS));
    expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${id}@support.example.com>`]);
    await next.stop();
  }, 60_000);

  it('after the server took the mail and before it said so: it goes out again under the same id, which is allowed', async () => {
    const victim = await office.startWorker();
    const killed = new Promise<void>((done) => {
      office.smtp.onMail = (stage) => {
        if (stage === 'data') void victim.kill().then(done);
      };
    });
    office.smtp.mood = { hang: true };
    const rahim = await somebody();
    await killed;
    office.smtp.mood = null;
    office.smtp.onMail = null;
    const next = await office.startWorker();
    const { id } = await settled(rahim);
    const ids = office.smtp.to(rahim.address).map((mail) => mail.messageId);
    expect(ids).toEqual([`<${id}@support.example.com>`, `<${id}@support.example.com>`]);
    await next.stop();
  }, 60_000);

  it('again and again at any moment: each event at least once, always under its own id', async () => {
    const people = await Promise.all((['rahim', 'ayesha', 'driver-2', 'customer-2'] as const).map(somebody));
    let worker: Worker = await office.startWorker();
    for (const afterMs of [100, 300, 500, 700, 900]) {
      await new Promise((done) => setTimeout(done, afterMs));
      await worker.kill();
      worker = await office.startWorker();
    }
    for (const one of people) {
      const { id, state } = await settled(one);
      expect(state).toBe('sent');
      const mails = office.smtp.to(one.address);
      expect(new Set(mails.map((mail) => mail.messageId))).toEqual(new Set([`<${id}@support.example.com>`]));
    }
    await worker.stop();
  }, 90_000);
});

describe('a mail server (F29)', () => {
  it.each([
    ['says "later" (451)', { refuse: 451 }],
    ['says "never" (554)', { refuse: 554 }],
  ])(
    'that %s is asked again, and gets each mail once',
    async (_what, mood) => {
      const worker = await office.startWorker();
      office.smtp.mood = mood;
      const before = office.smtp.tries;
      const rahim = await somebody();
      await eventually(() => office.smtp.tries >= before + 2);
      expect(office.smtp.to(rahim.address)).toEqual([]);
      office.smtp.mood = null;
      const { id } = await settled(rahim);
      await new Promise((done) => setTimeout(done, 2_000));
      expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${id}@support.example.com>`]);
      await worker.stop();
    },
    60_000,
  );

  it('that is slow gets each mail once; one that never answers is asked again', async () => {
    const worker = await office.startWorker(2_500);
    office.smtp.mood = { slowMs: 1_500 };
    const slow = await somebody();
    await settled(slow);
    expect(office.smtp.to(slow.address)).toHaveLength(1);
    office.smtp.mood = { hang: true };
    const hung = await somebody('ayesha');
    await office.mailsTo(hung.address, 1);
    office.smtp.mood = null;
    const { id, state } = await settled(hung);
    expect(state).toBe('sent');
    // its answer was lost: twice is allowed, another id is not
    expect(new Set(office.smtp.to(hung.address).map((mail) => mail.messageId))).toEqual(
      new Set([`<${id}@support.example.com>`]),
    );
    await worker.stop();
  }, 60_000);

  it('that does not come back: the mail ends as a dead letter, is told as an error, and keeps nobody else waiting', async () => {
    const worker = await office.startWorker();
    const tenant = office.home.tenant.id;
    const poison = await somebody();
    await office.smtp.down();
    const owed = await eventually(() => mailOf(poison));
    // as if it had failed so often already
    await office.admin.query(`update jobs.job set retry_limit = 1 where id = $1`, [owed.id]);
    const dead = await eventually(async () => {
      const { rows } = await office.admin.query(
        `select data from jobs.job where name = 'reach.answer-mail.dead' and data -> 'tenant' ->> 'id' = $1`,
        [tenant],
      );
      return rows.length > 0 ? rows : null;
    }, 25_000);
    expect(dead).toHaveLength(1);
    expect(worker.said()).toMatch(/error .*dead letter/);
    // ids, nothing else: the queue has no fence between tenants
    expect(Object.keys(dead[0].data.data)).toEqual(['mailId']);
    expect(worker.said()).not.toContain(poison.address);
    await office.smtp.up();
    const next = await somebody('ayesha');
    await settled(next);
    expect(office.smtp.to(next.address)).toHaveLength(1);

    // when the trouble is over, somebody may try the dead ones again: still the same mail
    const log = { info() {}, debug() {}, warn() {}, error() {} };
    expect(await reviveDeadLetters(office.app.database, log)).toBe(1);
    await settled(poison);
    expect(office.smtp.to(poison.address).map((mail) => mail.messageId)).toEqual([`<${owed.id}@support.example.com>`]);
    await worker.stop();
  }, 60_000);

  it('is not left in the middle of a mail at SIGTERM', async () => {
    const worker = await office.startWorker();
    office.smtp.mood = { slowMs: 1_500 };
    const rahim = await somebody();
    const before = office.smtp.tries;
    await eventually(() => office.smtp.tries > before);
    expect(await worker.stop()).toBe(0);
    expect((await mailOf(rahim))?.state).toBe('sent');
    const { rows } = await office.admin.query('select state from jobs.job where id = $1', [(await mailOf(rahim))?.id]);
    expect(rows[0]?.state).toBe('completed');
  }, 60_000);
});
