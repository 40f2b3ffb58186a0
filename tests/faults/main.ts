/**
 * `npm run faults -- --rounds N [--only F1,F5] [--seed S] [--out folder]`: the long form of the fault suite. Each story
 * runs N rounds on a PostgreSQL of its own; what came of it is written to tests/faults/results/, one file a story.
 * Exit code 0 when nothing was found.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CATALOGUE, type Entry } from './catalogue.ts';
import { type Anomaly, summary } from './lab/checker.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    only: { type: 'string' },
    seed: { type: 'string' },
    out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  },
});
const rounds = Number(values.rounds);
const seed = chooseSeed(values.seed === undefined ? undefined : Number(values.seed));
const wanted = values.only?.split(',');
process.once('SIGTERM', () => {
  killNodes();
  process.exit(143);
});
process.once('SIGINT', () => {
  killNodes();
  process.exit(130);
});

let failures = 0;
for (const entry of CATALOGUE) {
  if (wanted && !wanted.includes(entry.row)) continue;
  failures += await run(entry);
}
process.exit(failures > 0 ? 1 : 0);

async function run(entry: Entry): Promise<number> {
  const began = Date.now();
  console.log(`${entry.row} ${entry.title}: ${rounds} rounds, seed ${seed}`);
  let error: string | undefined;
  let anomalies: readonly Anomaly[] = [];
  let facts: Readonly<Record<string, number | string>> = {};
  let done = 0;
  try {
    const result = await entry.story({
      seed,
      rounds,
      isLong: true,
      onRound(round, found) {
        done = round;
        console.log(`  ${round} rounds, ${found.length} anomalies, ${Math.round((Date.now() - began) / 1_000)} s`);
        save();
      },
    });
    ({ anomalies, facts } = result);
    done = result.rounds;
  } catch (thrown) {
    error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    console.error(error);
  }
  save();
  console.log(`  ${JSON.stringify({ ...summary(anomalies), ...facts })}`);
  for (const { kind, what } of anomalies.slice(0, 10)) console.log(`  ${kind}: ${what}`);
  return anomalies.length > 0 || error ? 1 : 0;

  /** After each chapter too, so that a run that is stopped leaves what it has shown. */
  function save(): void {
    mkdirSync(values.out, { recursive: true });
    const file = join(
      values.out,
      `${entry.row.toLowerCase()}-${new Date(began).toISOString().slice(0, 16).replaceAll(':', '')}.json`,
    );
    const result = {
      row: entry.row,
      title: entry.title,
      rounds: done,
      asked: rounds,
      seed,
      commit: commit(),
      began: new Date(began).toISOString(),
      seconds: Math.round((Date.now() - began) / 1_000),
      failures: anomalies.length + (error ? 1 : 0),
      anomalies: summary(anomalies),
      examples: anomalies.slice(0, 20),
      ...(error ? { error } : {}),
      facts,
      machine: {
        cpus: cpus().length,
        model: cpus()[0]?.model ?? '',
        memoryGb: Math.round(totalmem() / 2 ** 30),
        load: loadavg()[0],
        node: process.version,
      },
    };
    writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  }
}

/** What was tested; `+` when the tree held changes that are in no commit. */
function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: fileURLToPath(new URL('.', import.meta.url)), encoding: 'utf8' }).trim();
    const isChanged = git('status', '--porcelain', '--untracked-files=no', '--', ':/src', ':/migrations') !== '';
    return `${git('rev-parse', 'HEAD')}${isChanged ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}
