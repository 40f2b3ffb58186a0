import { describe, expect } from 'vitest';
import { type Answered, eventually, inOwnOffice as it, type PostOffice } from './post-office.ts';
import type { TestBrowser } from './push-service.ts';

/** A worker looks for unread answers five times a second; what it owes is a job at once. */
const LOOKS_MS = 1_200;
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Rahim was answered, wants to be told and is away, and so is the node: whatever happens now, workers do. */
async function somebody(office: PostOffice): Promise<{ browser: TestBrowser; rahim: Answered }> {
  const browser = office.service.newBrowser();
  const session = await office.home.signIn('rahim', 'browser');
  const added = await fetch(`${office.app.base}/notices/device`, {
    method: 'POST',
    headers: { ...session.cookie, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ endpoint: browser.endpoint, ...browser.keys }),
  });
  expect(added.status).toBe(204);
  const rahim = await office.answered('rahim', ['An answer.', 'And another one.'], true);
  await office.leave();
  return { browser, rahim };
}

const deliveries = async (office: PostOffice) =>
  (await office.admin.query('select * from push_deliveries where tenant_id = $1', [office.home.tenant.id])).rows;
const devices = async (office: PostOffice) =>
  (await office.admin.query('select * from push_subscriptions where tenant_id = $1', [office.home.tenant.id])).rows;
const isIn = (office: PostOffice, state: string) => async () => (await deliveries(office))[0]?.state === state;

describe.concurrent('a worker that is killed (F29)', () => {
  it('between the commit and the send: the next one sends, once, under the same id', async ({ office }) => {
    const { browser } = await somebody(office);
    const victim = await office.startWorker();
    await eventually(async () => (await deliveries(office)).length === 1);
    await victim.kill();
    const before = browser.taken.length;
    const next = await office.startWorker();
    await eventually(isIn(office, 'sent'));
    await office.emptied(LOOKS_MS);
    expect(new Set(browser.taken.map(({ notice }) => notice.id)).size).toBe(1);
    expect(browser.taken.length).toBe(before === 0 ? 1 : 2);
    await next.stop();
  });

  it('in the middle of the send: the next one sends, once', async ({ office }) => {
    const { browser } = await somebody(office);
    const victim = await office.startWorker();
    office.service.mood = { hang: true };
    const killed = new Promise<void>((done) => {
      office.service.onPush = () => void victim.kill().then(done);
    });
    await killed;
    office.service.onPush = null;
    office.service.mood = null;
    expect(browser.taken).toEqual([]);
    const next = await office.startWorker();
    await eventually(isIn(office, 'sent'));
    await office.emptied(LOOKS_MS);
    expect(browser.taken).toHaveLength(1);
    await next.stop();
  });

  it('after the service took it and before it said so: it goes out again under the same id and topic', async ({
    office,
  }) => {
    const { browser } = await somebody(office);
    const victim = await office.startWorker();
    office.service.mood = { takeAndHang: true };
    const killed = new Promise<void>((done) => {
      office.service.onPush = (stage) => {
        if (stage === 'taken') void victim.kill().then(done);
      };
    });
    await killed;
    office.service.onPush = null;
    office.service.mood = null;
    const next = await office.startWorker();
    await eventually(isIn(office, 'sent'));
    expect(browser.taken).toHaveLength(2);
    expect(browser.taken[0]?.notice).toEqual(browser.taken[1]?.notice);
    expect(browser.taken[0]?.headers['topic']).toBe(browser.taken[1]?.headers['topic']);
    await next.stop();
  });

  it('again and again at any moment: at least once, always under one id', async ({ office }) => {
    const { browser } = await somebody(office);
    let worker = await office.startWorker();
    for (const afterMs of [100, 400, 700, 1_000]) {
      await pause(afterMs);
      await worker.kill();
      worker = await office.startWorker();
    }
    await eventually(isIn(office, 'sent'), 30_000);
    expect(new Set(browser.taken.map(({ notice }) => notice.id)).size).toBe(1);
    await worker.stop();
  }, 90_000);
});

describe.concurrent('a push service', () => {
  it.for([404, 410])(
    'that says %s has no such browser any more: it is forgotten, and nothing is tried again',
    { timeout: 40_000 },
    async (answer, { office }) => {
      await somebody(office);
      office.service.mood = { answer };
      const before = office.service.tries;
      const worker = await office.startWorker();
      await eventually(async () => (await devices(office)).length === 0);
      await office.emptied(LOOKS_MS);
      expect(office.service.tries - before).toBe(1);
      expect(worker.said()).not.toMatch(/error/);
      await worker.stop();
    },
  );

  it('that is busy (429) is left alone for as long as it says, and then gets the notice once', async ({ office }) => {
    const { browser } = await somebody(office);
    office.service.mood = { answer: 429, headers: { 'Retry-After': '5' } };
    const worker = await office.startWorker();
    const before = office.service.tries;
    await eventually(() => office.service.tries > before);
    const toldAt = office.service.triedAt.at(-1) ?? 0;
    office.service.mood = null;
    await eventually(() => browser.taken.length === 1, 25_000);
    expect((office.service.triedAt.at(-1) ?? 0) - toldAt).toBeGreaterThan(4_900);
    await eventually(isIn(office, 'sent'));
    expect(office.service.tries - before).toBe(2);
    await worker.stop();
  }, 40_000);

  it('that is broken (500), or hangs, is asked again, and gets the notice once', async ({ office }) => {
    const { browser } = await somebody(office);
    office.service.mood = { answer: 500 };
    const worker = await office.startWorker(1_500);
    const before = office.service.tries;
    await eventually(() => office.service.tries >= before + 2);
    office.service.mood = { hang: true };
    const hung = office.service.tries;
    await eventually(() => office.service.tries >= hung + 2);
    office.service.mood = null;
    await eventually(isIn(office, 'sent'));
    await office.emptied(LOOKS_MS);
    expect(browser.taken).toHaveLength(1);
    // what is secret stands in no log
    expect(worker.said()).not.toContain(browser.endpoint);
    expect(worker.said()).toContain('HTTP_500');
    await worker.stop();
  });

  it('that will never take this one (413) is not asked again', async ({ office }) => {
    await somebody(office);
    office.service.mood = { answer: 413 };
    const worker = await office.startWorker();
    const before = office.service.tries;
    await eventually(isIn(office, 'refused'));
    await office.emptied(LOOKS_MS);
    expect(office.service.tries - before).toBe(1);
    expect(await devices(office)).toHaveLength(1);
    await worker.stop();
  }, 40_000);

  it('that sends us somewhere else (307) is not followed', async ({ office }) => {
    await somebody(office);
    office.service.mood = { answer: 307, headers: { Location: `${office.service.origin}/elsewhere` } };
    const worker = await office.startWorker();
    const before = office.service.tries;
    await eventually(isIn(office, 'refused'));
    expect(office.service.tries - before).toBe(1);
    await worker.stop();
  }, 40_000);

  it('that was down while more answers came gets the last notice only', async ({ office }) => {
    const { browser, rahim } = await somebody(office);
    office.service.mood = { answer: 503 };
    const worker = await office.startWorker();
    await eventually(async () => (await deliveries(office)).length === 1);
    await office.come();
    await rahim.answer('A third one.');
    await eventually(async () => (await deliveries(office)).length === 2);
    office.service.mood = null;
    await eventually(async () => (await deliveries(office)).every(({ state }) => state !== 'owed'), 30_000);
    expect((await deliveries(office)).map(({ state }) => state).sort()).toEqual(['cancelled', 'sent']);
    expect(browser.taken).toHaveLength(1);
    await worker.stop();
  });
});

describe.concurrent('the keys', () => {
  it('are one pair for every node and every start, and the private one lies sealed', async ({ office }) => {
    const { rows } = await office.admin.query('select public_key, sealed_private_key from push_keys');
    expect(rows).toHaveLength(1);
    expect(rows[0].sealed_private_key.length).toBeGreaterThan(43);
    const rahim = await office.home.signIn('rahim', 'browser');
    const offered = await fetch(`${office.app.base}/driver/support/notices/offer`, { headers: rahim.cookie });
    expect(await offered.text()).toContain(`data-key="${rows[0].public_key}"`);
    await office.leave();
    await office.come();
    const { rows: after } = await office.admin.query('select public_key from push_keys');
    expect(after[0].public_key).toBe(rows[0].public_key);
  });
});
