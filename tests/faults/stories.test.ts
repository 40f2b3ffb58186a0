import { afterAll, describe, test } from 'vitest';
import { CATALOGUE } from './catalogue.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';
import { tellShort } from './short-form.ts';

/**
 * The short form of every fault story that keeps its nodes busy: seconds each. patience.test.ts has those that wait;
 * `npm run faults` is the long form of all.
 */

const seed = chooseSeed();

afterAll(killNodes);

describe(`faults survived (FAULTS_SEED=${seed})`, () => {
  const busy = CATALOGUE.filter((entry) => !entry.waits && entry.short > 0);
  test.each(busy)('$row $title', { timeout: 120_000 }, (entry) => tellShort(entry, { seed, rounds: entry.short }));
});
