import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { User } from '../../src/identity/index.ts';
import { type Scope, transact } from '../../src/platform/database/index.ts';
import { type DurableQueue, type Effect, openDurableQueue } from '../../src/platform/jobs/index.ts';
import { newId } from '../../src/platform/text/index.ts';
import { systemActor } from '../../src/tenancy/index.ts';
import { type FreshDatabase, freshDatabase } from '../support/database.ts';
import type { TestTenant } from '../support/people.ts';
import { type RunningApp, startApp } from '../support/running-app.ts';
import { HURRY } from './hurry.ts';
import { eventually } from './post-office.ts';

interface Seen {
  readonly eventId: string;
  readonly attempt: number;
  readonly people: readonly string[];
}

let database: FreshDatabase;
let app: RunningApp;
let queue: DurableQueue;
let ours: TestTenant;
let theirs: TestTenant;
const seen: Seen[] = [];
let failures = new Map<string, number>();

/** Looks for a person, with nothing but what the job's scope lets it see. */
const look: Effect<{ personId: string }> = {
  name: 'test.look',
  data: z.object({ personId: z.uuid() }),
  async run(scope, { personId }, { eventId, attempt }) {
    expect(scope.actor.can('MANAGE_PRIVACY')).toBe(false);
    const left = failures.get(eventId) ?? 0;
    failures.set(eventId, left - 1);
    if (left > 0) throw new Error('not this time');
    const found = await scope.em.find(User, { id: personId });
    seen.push({ eventId, attempt, people: found.map((one) => one.name) });
  },
};

beforeAll(async () => {
  database = await freshDatabase();
  app = await startApp({ DATABASE_URL: database.url });
  const log = { info() {}, debug() {}, warn() {}, error() {} };
  queue = await openDurableQueue({ database: app.database, log, effects: [look as unknown as Effect], timing: HURRY }); // only `run` narrows it
  [ours, theirs] = [await app.newTenant(), await app.newTenant()];
});
afterAll(async () => {
  await queue?.close();
  await app?.stop();
  await database?.drop();
});

function within<T>(tenant: TestTenant, work: (scope: Scope) => Promise<T>): Promise<T> {
  return app.database.withScope(tenant.tenant, systemActor(tenant.tenant.id), (scope) => transact(scope, work));
}

function arrived(eventId: string): Promise<Seen> {
  return eventually(() => seen.find((one) => one.eventId === eventId));
}

describe('an event in the outbox', () => {
  it('is there exactly if its transaction committed', async () => {
    const [kept, lost] = [newId(), newId()];
    const data = { personId: ours.people.rahim.id };
    await expect(
      within(ours, async (scope) => {
        await queue.enqueue(scope, look, { id: lost, data });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await within(ours, (scope) => queue.enqueue(scope, look, { id: kept, data }));
    expect(await arrived(kept)).toMatchObject({ attempt: 1, people: ['Rahim Uddin'] });
    await new Promise((done) => setTimeout(done, 1_500));
    expect(seen.some((one) => one.eventId === lost)).toBe(false);
    const outside = app.database.withScope(ours.tenant, systemActor(ours.tenant.id), (scope) =>
      queue.enqueue(scope, look, { id: newId(), data }),
    );
    await expect(outside).rejects.toThrow('outside of a transaction');
  });

  it('is one event however often it is written', async () => {
    const id = newId();
    const event = { id, data: { personId: ours.people.rahim.id } };
    await within(ours, (scope) => queue.enqueue(scope, look, event));
    await within(ours, (scope) => queue.enqueue(scope, look, event));
    await arrived(id);
    await new Promise((done) => setTimeout(done, 1_500));
    expect(seen.filter((one) => one.eventId === id)).toHaveLength(1);
  });

  it('comes again under the same id until it is done', async () => {
    const id = newId();
    failures = new Map([[id, 2]]);
    await within(ours, (scope) => queue.enqueue(scope, look, { id, data: { personId: ours.people.rahim.id } }));
    expect(await arrived(id)).toMatchObject({ attempt: 3 });
  });

  it('is done in its own tenant and sees no other (T-JB3)', async () => {
    const [own, foreign] = [newId(), newId()];
    const personId = theirs.people.rahim.id;
    await within(theirs, (scope) => queue.enqueue(scope, look, { id: own, data: { personId } }));
    await within(ours, (scope) => queue.enqueue(scope, look, { id: foreign, data: { personId } }));
    expect((await arrived(own)).people).toEqual(['Rahim Uddin']);
    expect((await arrived(foreign)).people).toEqual([]);
  });
});
