import { describe, expect } from 'vitest';
import { reviveDeadLetters } from '../../src/platform/jobs/index.ts';
import { eventually, inOwnOffice as it } from './post-office.ts';

describe.concurrent('a mail server (F29)', () => {
  it.for([
    ['says "later" (451)', { refuse: 451 }],
    ['says "never" (554)', { refuse: 554 }],
  ] as const)(
    'that %s is asked again, and gets each mail once',
    { timeout: 60_000 },
    async ([_what, mood], { office }) => {
      const worker = await office.startWorker();
      office.smtp.mood = mood;
      const before = office.smtp.tries;
      const rahim = await office.somebody();
      await eventually(() => office.smtp.tries >= before + 2);
      expect(office.smtp.to(rahim.address)).toEqual([]);
      office.smtp.mood = null;
      const { id } = await office.settled(rahim);
      await new Promise((done) => setTimeout(done, 2_000));
      expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${id}@support.example.com>`]);
      await worker.stop();
    },
  );

  it('that is slow gets each mail once; one that never answers is asked again', async ({ office }) => {
    const worker = await office.startWorker(2_500);
    office.smtp.mood = { slowMs: 1_500 };
    const slow = await office.somebody();
    await office.settled(slow);
    expect(office.smtp.to(slow.address)).toHaveLength(1);
    office.smtp.mood = { hang: true };
    const hung = await office.somebody('ayesha');
    await office.mailsTo(hung.address, 1);
    office.smtp.mood = null;
    const { id, state } = await office.settled(hung);
    expect(state).toBe('sent');
    // its answer was lost: twice is allowed, another id is not
    expect(new Set(office.smtp.to(hung.address).map((mail) => mail.messageId))).toEqual(
      new Set([`<${id}@support.example.com>`]),
    );
    await worker.stop();
  });

  it('that does not come back: the mail ends as a dead letter, is told as an error, and keeps nobody else waiting', async ({
    office,
  }) => {
    const worker = await office.startWorker();
    const tenant = office.home.tenant.id;
    const poison = await office.somebody();
    await office.smtp.down();
    const owed = await eventually(() => office.mailOf(poison));
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
    const next = await office.somebody('ayesha');
    await office.settled(next);
    expect(office.smtp.to(next.address)).toHaveLength(1);

    // when the trouble is over, somebody may try the dead ones again: still the same mail
    const log = { info() {}, debug() {}, warn() {}, error() {} };
    expect(await reviveDeadLetters(office.app.database, log)).toBe(1);
    await office.settled(poison);
    expect(office.smtp.to(poison.address).map((mail) => mail.messageId)).toEqual([`<${owed.id}@support.example.com>`]);
    await worker.stop();
  });

  it('is not left in the middle of a mail at SIGTERM', async ({ office }) => {
    const worker = await office.startWorker();
    office.smtp.mood = { slowMs: 1_500 };
    const rahim = await office.somebody();
    const before = office.smtp.tries;
    await eventually(() => office.smtp.tries > before);
    expect(await worker.stop()).toBe(0);
    expect((await office.mailOf(rahim))?.state).toBe('sent');
    const { rows } = await office.admin.query('select state from jobs.job where id = $1', [
      (await office.mailOf(rahim))?.id,
    ]);
    expect(rows[0]?.state).toBe('completed');
  });
});
