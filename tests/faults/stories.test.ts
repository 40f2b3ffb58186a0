import { afterAll, describe, expect, test } from 'vitest';
import { adminUrl, databaseUrl, freshDatabase } from '../support/database.ts';
import { CATALOGUE, type Entry } from './catalogue.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';
import { hasRedis } from './lab/redis.ts';
import type { StoryOptions } from './stories/story.ts';

/** The short form of every fault story: seconds each. `npm run faults` is the long one. */

const seed = chooseSeed();
const overRedis = CATALOGUE.filter((entry) => entry.overRedis);
if (!hasRedis()) {
  process.stderr.write(
    'tests/faults: redis-server is not installed (apt-get install redis-server); skipped over Redis\n',
  );
}

afterAll(killNodes);

describe(`faults survived (FAULTS_SEED=${seed})`, () => {
  const busy = CATALOGUE.filter((entry) => !entry.waits && entry.short > 0);
  test.each(busy)('$row $title', { timeout: 120_000 }, (entry) => tell(entry, { rounds: entry.short }));
});

describe.concurrent(`faults survived, with patience (FAULTS_SEED=${seed})`, () => {
  const patient = CATALOGUE.filter((entry) => entry.waits && entry.short > 0);
  test.each(patient)('$row $title', { timeout: 120_000 }, (entry) => tell(entry, { rounds: entry.short }));
});

describe.skipIf(!hasRedis())(`three nodes with Redis between them (FAULTS_SEED=${seed})`, { concurrent: true }, () => {
  test.each(overRedis)('$row $title', { timeout: 120_000 }, (entry) =>
    tell(entry, { rounds: entry.overRedis ?? 1, backplane: 'redis', nodes: 3 }),
  );
});

async function tell({ story, database }: Entry, options: Partial<StoryOptions>): Promise<void> {
  const fresh = database === 'fresh' ? await freshDatabase() : null;
  try {
    const shared = database === 'own' ? {} : { database: fresh ?? { url: databaseUrl(), adminUrl: adminUrl() } };
    const { anomalies, rounds } = await story({ seed, ...shared, ...options });
    expect(anomalies).toEqual([]);
    expect(rounds).toBeGreaterThan(0);
  } finally {
    await fresh?.drop();
  }
}
