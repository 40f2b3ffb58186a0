/**
 * `npm run faults -- --rounds N [--only F1,F5] …`: the long form of the fault suite (`--help`). Each story runs N rounds
 * on a PostgreSQL of its own; what came of it is written to tests/faults/results/, one file a story.
 * Exit code 0 when nothing was found.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CATALOGUE, type Entry } from './catalogue.ts';
import { type Anomaly, summary } from './lab/checker.ts';
import { killNodes } from './lab/node.ts';
import { chooseSeed } from './lab/random.ts';
import { hasRedis } from './lab/redis.ts';

const HELP = `npm run faults -- [options]

Kills, cuts, stalls and delays processes, lines and the database while clients send, and judges what they saw:
nothing acknowledged may be lost, nothing doubled, out of order, missing or seen by the wrong eyes.

  --rounds N        how often each fault strikes (20); stories that last rather than repeat ignore it
  --only F1,F9      these rows; without it all of them:
ROWS
  --backplane WHAT  postgres (default), redis or both: what carries hints between nodes, for rows that speak of
                    several nodes (*); redis-server must be installed
  --nodes N         how many nodes these have (2)
  --seed S          repeats the choices of an earlier run
  --defect NAME     puts a seeded defect of tests/faults/defects into the program: the run must find something
  --out FOLDER      where results go (tests/faults/results), one file a story, written after each chapter too
  --sum             runs nothing: adds up by row what is kept there (several runs of a row are pieces of one)

A result names rounds, seed, commit (with + when src or migrations hold changes), date and what was found.
The short forms run with the tests (npm test -- tests/faults); FAULTS_SEED=S repeats one.
Exit code: 0 nothing found, 1 something found or not finished.`;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    backplane: { type: 'string', default: 'postgres' },
    nodes: { type: 'string' },
    defect: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    only: { type: 'string' },
    seed: { type: 'string' },
    sum: { type: 'boolean', default: false },
    out: { type: 'string', default: fileURLToPath(new URL('results', import.meta.url)) },
  },
});
if (values.help) {
  const rows = CATALOGUE.map(({ row, title, overRedis }) => {
    return `      ${row.padEnd(11)}${overRedis === undefined ? ' ' : '*'} ${title}`;
  });
  console.log(HELP.replace('ROWS', rows.join('\n')));
  process.exit(0);
}
if (values.sum) {
  for (const line of sums(values.out)) console.log(line);
  process.exit(0);
}
const rounds = Number(values.rounds);
if (!['postgres', 'redis', 'both'].includes(values.backplane) || !(rounds > 0)) {
  console.error('--backplane is postgres, redis or both; --rounds a number from 1 on. See --help.');
  process.exit(2);
}
if (values.backplane !== 'postgres' && !hasRedis()) {
  console.error('redis-server is not installed (Debian: apt-get install redis-server): over PostgreSQL only');
}
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
  if (values.backplane !== 'redis' || entry.overRedis === undefined) failures += await run(entry);
  if (values.backplane !== 'postgres' && entry.overRedis !== undefined && hasRedis())
    failures += await run(entry, 'redis');
}
process.exit(failures > 0 ? 1 : 0);

async function run(entry: Entry, backplane?: 'redis'): Promise<number> {
  const began = Date.now();
  console.log(`${entry.row} ${entry.title}: ${rounds} rounds, seed ${seed}${backplane ? ', over Redis' : ''}`);
  let error: string | undefined;
  let anomalies: readonly Anomaly[] = [];
  let facts: Readonly<Record<string, number | string>> = {};
  let done = 0;
  try {
    const result = await entry.story({
      seed,
      rounds,
      isLong: true,
      ...(backplane ? { backplane } : {}),
      ...(values.nodes ? { nodes: Number(values.nodes) } : {}),
      ...(values.defect ? { defects: [values.defect] } : {}),
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
    const name = [entry.row.toLowerCase(), ...(backplane ? [backplane] : []), ...(values.nodes ? [values.nodes] : [])];
    const at = new Date(began).toISOString().slice(0, 19).replaceAll(':', '');
    const file = join(values.out, `${name.join('-')}-${at}.json`);
    const result = {
      row: entry.row,
      title: entry.title,
      ...(entry.overRedis === undefined
        ? {}
        : { backplane: backplane ?? 'postgres', nodes: Number(values.nodes ?? 2) }),
      ...(values.defect ? { defect: values.defect } : {}),
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

/** One line a row: rounds and failures of all that is kept, and the runs that they are the sum of. */
function sums(folder: string): string[] {
  interface Kept {
    readonly row: string;
    readonly title: string;
    readonly backplane?: string;
    readonly nodes?: number;
    readonly defect?: string;
    readonly rounds: number;
    readonly failures: number;
    readonly seed: number;
    readonly commit: string;
  }
  const rows = new Map<string, Kept[]>();
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith('.json')) continue;
    const kept = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Kept;
    if (kept.defect) continue;
    const where = kept.backplane ? ` (${kept.backplane}, ${kept.nodes} nodes)` : '';
    const key = `${kept.row} ${kept.title}${where}`;
    rows.set(key, [...(rows.get(key) ?? []), kept]);
  }
  return [...rows].map(([key, runs]) => {
    const sum = (of: 'rounds' | 'failures') => runs.reduce((all, run) => all + run[of], 0);
    const pieces = runs.map(({ rounds, seed, commit }) => `${rounds} (${commit.slice(0, 7)}, seed ${seed})`);
    return `${key}: ${sum('rounds')} rounds, ${sum('failures')} failures: ${pieces.join(', ')}`;
  });
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
