import { readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One fragment of one file and what stands in its place. */
export interface Rewrite {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Must stand there exactly once. */
  readonly find: string;
  readonly put: string;
}

const ROOT = new URL('../../../', import.meta.url);

/**
 * The one way in which the fault suite changes the product: source fragments are replaced while Node loads them, in a
 * process of its own (`node --import tests/faults/defects/<name>.ts src/main.ts`). Nothing of it is in the product.
 * A fragment that is not there, or not once, ends the process: a defect that was not applied proves nothing.
 */
export function rewrite(name: string, rewrites: readonly Rewrite[]): void {
  const files = new Map<string, Rewrite[]>();
  for (const one of rewrites) {
    const url = new URL(one.file, ROOT).href;
    const text = readFileSync(fileURLToPath(url), 'utf8');
    const times = text.split(one.find).length - 1;
    if (times !== 1) fail(`${name}: the fragment stands ${times} times in ${one.file}: ${one.find}`);
    files.set(url, [...(files.get(url) ?? []), one]);
  }
  // a migration runs on the first node only, the others find it done
  const isMigrated = process.env['FAULTS_MIGRATED'] === '1';
  const left = new Set([...files.keys()].filter((url) => !(isMigrated && url.includes('/migrations/'))));
  if (left.size === 0) say(`[${name}] applied`);
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const wanted = files.get(url.split('?', 1)[0] ?? url);
      if (!wanted) return loaded;
      let text = loaded.source?.toString() ?? '';
      for (const { find, put } of wanted) text = text.replace(find, () => put);
      if (left.delete(url) && left.size === 0) {
        say(`[${name}] applied`);
        hooks.deregister();
      }
      return { ...loaded, source: text };
    },
  });
}

function fail(message: string): never {
  say(message);
  process.exit(70);
}

function say(line: string): void {
  writeSync(2, `${line}\n`);
}
