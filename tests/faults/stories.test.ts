import { afterAll, describe, expect, test } from 'vitest';
import { adminUrl, databaseUrl } from '../support/database.ts';
import { CATALOGUE } from './catalogue.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';

/** The short form of every fault story: seconds each. `npm run faults` is the long one. */

const seed = chooseSeed();
const shared = () => ({ url: databaseUrl(), adminUrl: adminUrl() });

afterAll(killNodes);

describe(`faults survived (FAULTS_SEED=${seed})`, () => {
  test.each(CATALOGUE)('$row $title', { timeout: 120_000 }, async ({ story, short, needsOwnDatabase }) => {
    const { anomalies, rounds } = await story({
      seed,
      rounds: short,
      ...(needsOwnDatabase ? {} : { database: shared() }),
    });
    expect(anomalies).toEqual([]);
    expect(rounds).toBeGreaterThan(0);
  });
});
