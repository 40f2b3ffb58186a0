import { describe, expect } from 'vitest';
import { eventually, inOwnOffice as it, type Worker } from './post-office.ts';

/** A worker looks for unread answers five times a second; what it owes is a job at once. */
const LOOKS_MS = 1_200;

describe.concurrent('a worker that is killed (kill -9)', () => {
  it('between the commit and the send: the next one sends, once, under the same id', async ({ office }) => {
    const victim = await office.startWorker();
    const rahim = await office.somebody();
    const owed = await eventually(() => office.mailOf(rahim));
    await victim.kill();
    expect(office.smtp.to(rahim.address)).toEqual([]);
    const next = await office.startWorker();
    await office.settled(rahim);
    await office.emptied(LOOKS_MS);
    expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${owed.id}@support.example.com>`]);
    expect(await next.stop()).toBe(0);
  });

  it('in the middle of the send: the next one sends, once', async ({ office }) => {
    const victim = await office.startWorker();
    const killed = new Promise<void>((done) => {
      office.smtp.onMail = (stage) => {
        if (stage === 'rcpt') void victim.kill().then(done);
      };
    });
    const rahim = await office.somebody();
    await killed;
    office.smtp.onMail = null;
    expect(office.smtp.to(rahim.address)).toEqual([]);
    const next = await office.startWorker();
    const { id, state } = await office.settled(rahim);
    expect(state).toBe('sent');
    await office.emptied(LOOKS_MS);
    expect(office.smtp.to(rahim.address).map((mail) => mail.messageId)).toEqual([`<${id}@support.example.com>`]);
    await next.stop();
  });

  it('after the server took the mail and before it said so: it goes out again under the same id, which is allowed', async ({
    office,
  }) => {
    const victim = await office.startWorker();
    const killed = new Promise<void>((done) => {
      office.smtp.onMail = (stage) => {
        if (stage === 'data') void victim.kill().then(done);
      };
    });
    office.smtp.mood = { hang: true };
    const rahim = await office.somebody();
    await killed;
    office.smtp.mood = null;
    office.smtp.onMail = null;
    const next = await office.startWorker();
    const { id } = await office.settled(rahim);
    const ids = office.smtp.to(rahim.address).map((mail) => mail.messageId);
    expect(ids).toEqual([`<${id}@support.example.com>`, `<${id}@support.example.com>`]);
    await next.stop();
  });

  it('again and again at any moment: each event at least once, always under its own id', async ({ office }) => {
    const people = await Promise.all(
      (['rahim', 'ayesha', 'driver-2', 'customer-2'] as const).map((handle) => office.somebody(handle)),
    );
    let worker: Worker = await office.startWorker();
    for (const afterMs of [100, 300, 500, 700, 900]) {
      await new Promise((done) => setTimeout(done, afterMs));
      await worker.kill();
      worker = await office.startWorker();
    }
    for (const one of people) {
      const { id, state } = await office.settled(one);
      expect(state).toBe('sent');
      const mails = office.smtp.to(one.address);
      expect(new Set(mails.map((mail) => mail.messageId))).toEqual(new Set([`<${id}@support.example.com>`]));
    }
    await worker.stop();
  }, 90_000);
});
