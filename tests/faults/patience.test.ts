import { afterAll, describe, test } from 'vitest';
import { CATALOGUE } from './catalogue.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';
import { hasRedis } from './lab/redis.ts';
import { tellShort } from './short-form.ts';

/** The short form of the fault stories that mostly wait, for leases, silences and what must not come: told side by side. */

const seed = chooseSeed();
const overRedis = CATALOGUE.filter((entry) => entry.overRedis);
if (!hasRedis()) {
  process.stderr.write(
    'tests/faults: redis-server is not installed (apt-get install redis-server); skipped over Redis\n',
  );
}

afterAll(killNodes);

describe.concurrent(`faults survived, with patience (FAULTS_SEED=${seed})`, () => {
  const patient = CATALOGUE.filter((entry) => entry.waits && entry.short > 0);
  test.each(patient)('$row $title', { timeout: 120_000 }, (entry) => tellShort(entry, { seed, rounds: entry.short }));
});

describe.skipIf(!hasRedis())(`three nodes with Redis between them (FAULTS_SEED=${seed})`, { concurrent: true }, () => {
  test.each(overRedis)('$row $title', { timeout: 120_000 }, (entry) =>
    tellShort(entry, { seed, rounds: entry.overRedis ?? 1, backplane: 'redis', nodes: 3 }),
  );
});
