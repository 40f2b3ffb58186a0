import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createIntake, type IntakePlace } from '../../src/platform/storage/index.ts';

/** The gate of a process through which bytes of files come: how fast, in which order, and how many at once. */

const MEGABYTE = 1024 * 1024;
const CHUNK = 64 * 1024;
const one = (lane: string, owner = lane) => ({ lane, owner });

test('bytes come at the rate, however many bodies there are', async () => {
  const intake = createIntake({ bytesPerSecond: 4 * MEGABYTE });
  const places = await Promise.all(Array.from({ length: 10 }, (_, n) => intake.enter(one('a', String(n)))));
  const startedAt = performance.now();
  await Promise.all(
    places.map(async (place) => {
      for (let n = 0; n < 4; n += 1) await place.turn(CHUNK);
      place.leave();
    }),
  );
  // 2.5 MB; the last of them may go at once
  expect(performance.now() - startedAt).toBeGreaterThan(590);
});

test('tenants take turns; of one, what has brought little goes first, then the oldest', async () => {
  const intake = createIntake({ bytesPerSecond: 100 * MEGABYTE });
  const [old, young, other] = await Promise.all([
    intake.enter(one('a', '1')),
    intake.enter(one('a', '2')),
    intake.enter(one('b', '3')),
  ]);
  await old.turn(2 * MEGABYTE);
  const order: string[] = [];
  const ask = (place: IntakePlace, name: string) => place.turn(CHUNK).then(() => order.push(name));
  await Promise.all([ask(old, 'old'), ask(old, 'old'), ask(young, 'young'), ask(other, 'other'), ask(other, 'other')]);
  expect(order).toEqual(['young', 'other', 'old', 'other', 'old']);
});

test('who brings too many is told to come back, and somebody who leaves makes room', async () => {
  const intake = createIntake({ places: 3, placesPerLane: 2, placesPerOwner: 1 });
  const first = await intake.enter(one('a', '1'));
  await expect(intake.enter(one('a', '1'))).rejects.toMatchObject({ status: 503, code: 'uploads_busy' });
  await intake.enter(one('a', '2'));
  await expect(intake.enter(one('a', '3'))).rejects.toMatchObject({ status: 503, retryAfterSeconds: 5 });
  await intake.enter(one('b', '4'));
  await expect(intake.enter(one('c', '5'))).rejects.toMatchObject({ status: 503 });
  first.leave();
  await intake.enter(one('c', '5'));
});

test('many that come fast are not all read at once; slow ones hold up nobody', async () => {
  const intake = createIntake({ bytesPerSecond: 10 * MEGABYTE });
  let inside = 0;
  const enter = async (owner: string) => {
    const place = await intake.enter(one('a', owner));
    inside += 1;
    return place;
  };
  // slow: inside, and nothing comes
  await Promise.all(Array.from({ length: 40 }, (_, n) => enter(`slow ${n}`)));
  await sleep(300);
  inside = 0;
  const fast = Array.from({ length: 60 }, async (_, n) => {
    const place = await enter(`fast ${n}`);
    for (let bytes = 0; bytes < MEGABYTE / 4; bytes += CHUNK) await place.turn(CHUNK);
    place.leave();
  });
  await sleep(20);
  expect(inside).toBeLessThanOrEqual(48);
  expect(inside).toBeGreaterThan(40);
  await Promise.all(fast);
  expect(inside).toBe(60);
});

test('what has passed the gate is thrown away without looking through the whole heap', async () => {
  const collections = async (how: string) => {
    const script = join(import.meta.dirname, 'gate-garbage.ts');
    return Number((await promisify(execFile)(process.execPath, [script, how])).stdout);
  };
  const past = await collections('past the gate');
  expect(past).toBeGreaterThan(3);
  expect(await collections('through the gate')).toBeLessThan(past / 2);
});
