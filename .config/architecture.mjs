/**
 * `npm run check:architecture`: dependency-cruiser with the rules of dependency-cruiser.cjs.
 *
 * A wrapper, because a cruise that read nothing says that all is well (it does so with a TypeScript that it does not
 * know): every TypeScript file of src must have been read, or the check fails.
 *
 * Exit code 0 when the house is in order, 1 when a rule is broken or not all files were read.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { cruise } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const root = resolve(process.argv[2] ?? '.');
process.chdir(root);
const config = createRequire(import.meta.url)('./dependency-cruiser.cjs');

const folders = ['src', 'migrations'].filter((folder) => filesOf(folder).length > 0);
const expected = folders.flatMap(filesOf);
const { output } = await cruise(
  folders.length > 0 ? folders : ['src'],
  { ...config.options, ruleSet: { forbidden: config.forbidden }, validate: true },
  { extensions: config.options.enhancedResolveOptions.extensions },
  { tsConfig: extractTSConfig(resolve('tsconfig.json')) },
).catch((error) => ({ output: { modules: [], summary: { violations: [], error: String(error) } } }));

const read = new Set(output.modules.map((module) => module.source));
const unread = expected.filter((file) => !read.has(file));
const problems = [
  ...(expected.length === 0 || read.size === 0
    ? [`nothing-read: ${output.summary.error ?? 'no module was read'}`]
    : []),
  ...unread.map((file) => `not-read: ${file}`),
  ...output.summary.violations.map(
    ({ rule, from, to, cycle }) =>
      `${rule.name}: ${from} -> ${cycle ? cycle.map((step) => step.name ?? step).join(' -> ') : to}`,
  ),
];
for (const problem of problems) console.error(problem);
console.log(`architecture: ${read.size} modules, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** The TypeScript files below a folder, as paths from the root; none when the folder is missing. */
function filesOf(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
      .map((entry) => `${entry.parentPath}/${entry.name}`.replaceAll('\\', '/'));
  } catch {
    return [];
  }
}
