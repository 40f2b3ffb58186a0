/**
 * Runs before `npm start`, `npm test` and the like, on whatever Node the machine has (20 or newer), hence plain
 * JavaScript: installs when `node_modules` is not what `package-lock.json` says, and sees to it that the Node that comes
 * next is new enough. Silent on stdout, for `npm run --silent task …`; says on stderr what it does.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** In production only what runs there is installed; the check and the tests always need everything. */
const withoutDev =
  process.env.NODE_ENV === 'production' && /^pre(start|task)$/.test(process.env.npm_lifecycle_event ?? 'prestart');

if (!isInstalled()) install();
const problem = nodeProblem();
if (problem) fail(problem);

/** Compares the lock file with the record that npm keeps of what it has installed (written last, when all went well). */
function isInstalled() {
  const wanted = readJson('package-lock.json')?.packages;
  const found = readJson('node_modules/.package-lock.json')?.packages;
  if (!wanted) fail('package-lock.json is missing: this is not a whole clone');
  if (!found) return false;
  const known = new Set(Object.keys(wanted));
  return (
    Object.keys(found).every((path) => known.has(path)) &&
    Object.entries(wanted).every(([path, entry]) => {
      if (path === '' || (withoutDev && entry.dev)) return true;
      // Packages for other platforms are optional and not there.
      if (!found[path]) return entry.optional === true || entry.devOptional === true || entry.peer === true;
      return found[path].version === entry.version && found[path].integrity === entry.integrity;
    })
  );
}

function install() {
  process.stderr.write('Installing packages (npm ci) ...\n');
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', withoutDev ? '--omit=dev' : '--include=dev'];
  const npm = process.env.npm_execpath;
  const [command, ...first] = npm?.endsWith('.js') ? [process.execPath, npm] : ['npm'];
  // Its stdout goes to our stderr.
  const { status, error } = spawnSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) fail(`npm ci failed${error ? `: ${error.message}` : ''}; nothing was started`);
}

/** What is wrong with the `node` that npm's scripts will find first, in a sentence; undefined when nothing is. */
function nodeProblem() {
  const { devDependencies, engines } = readJson('package.json');
  const own = spawnSync(join(root, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' });
  const version = (own.status === 0 ? own.stdout.trim() : process.version).slice(1);
  if (own.status === 0 && version !== devDependencies.node && !withoutDev) {
    return `node_modules brings Node ${version} instead of ${devDependencies.node}: remove node_modules and try again`;
  }
  const least = engines.node.replace('>=', '');
  const [major, minor] = version.split('.').map(Number);
  const [leastMajor, leastMinor] = least.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return `Node ${least} or newer is needed, this is ${version}`;
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8'));
  } catch {
    return undefined;
  }
}

function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}
