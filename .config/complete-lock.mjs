/**
 * `node .config/complete-lock.mjs`, after every `npm install`: names in package-lock.json the optional packages for
 * other platforms that npm left out. npm drops what the registry could not show it, and `npm ci` then refuses the whole
 * lock file, although it would never install those packages here.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const added = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`].some((place) => lock.packages[place]);
    if (!known) added[`node_modules/${name}`] = elsewhere(name, version, entry.dev);
  }
}
lock.packages = Object.fromEntries(
  Object.entries({ ...lock.packages, ...added }).sort(([a], [b]) => (a < b ? -1 : Number(a > b))),
);
if (Object.keys(added).length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);

/** The entry of a package whose name tells its platform, e.g. `@biomejs/cli-linux-arm64-musl`. */
function elsewhere(name, version, dev) {
  const parts = name.split(/[/-]/);
  const os = parts.find((part) => /^(aix|android|darwin|freebsd|linux|openharmony|sunos|win32)$/.test(part));
  const cpu = parts.find((part) => /^(arm|arm64|ia32|loong64|ppc64|riscv64|s390x|x64)$/.test(part));
  if (!os || !cpu) throw new Error(`Which platform is ${name} for? Add it to package-lock.json by hand.`);
  const libc = os === 'linux' ? [/musl/.test(name) ? 'musl' : 'glibc'] : undefined;
  return { version, cpu: [cpu], ...(dev ? { dev } : {}), ...(libc ? { libc } : {}), optional: true, os: [os] };
}
