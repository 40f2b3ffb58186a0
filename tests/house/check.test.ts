/**
 * The check is itself checked: a small house in order passes `npm run check`, and a seeded violation of each rule is
 * found under that rule's name. One run per tool, all its seeds at once.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { RULE_NAMES } from './rules.ts';

const run = promisify(execFile);
const REPOSITORY = resolve(import.meta.dirname, '../..');
const houses: string[] = [];

afterAll(() => {
  for (const house of houses) rmSync(house, { recursive: true, force: true });
});

const PREAMBLE = '/** What this wing owns, what it promises, what it never does. */\n';

/** The smallest house that breaks no rule. */
const CLEAN: Record<string, string> = {
  'src/main.ts': `import Koa from 'koa';\nimport { greet } from './modules.ts';\n\nnew Koa().use(greet).listen(0);\n`,
  'src/modules.ts': `export { greet } from './chat/index.ts';\n`,
  'src/platform/text/index.ts': `/** Words, and what is done to them; knows no chat word. */\nexport { shout } from './shout.ts';\n`,
  'src/platform/text/shout.ts': `/** The text in capitals. */\nexport function shout(text: string): string {\n  return text.toUpperCase();\n}\n`,
  'src/messaging/index.ts': `${PREAMBLE}export { say } from './say.ts';\n`,
  'src/messaging/say.ts': `import { shout } from '../platform/text/index.ts';\n\n/** What is said, loudly. */\nexport function say(text: string): string {\n  return shout(text);\n}\n`,
  'src/chat/index.ts': `${PREAMBLE}export { greet } from './greet.routes.ts';\n`,
  'src/chat/greet.routes.ts': `import { say } from '../messaging/index.ts';\n\n/** Answers every request with a greeting. */\nexport function greet(ctx: { body: unknown }): void {\n  ctx.body = say('hello');\n}\n`,
  'migrations/Migration1.ts': `/** The first table. */\nexport class Migration1 {\n  up(): string {\n    return 'create table message (id uuid primary key)';\n  }\n\n  down(): string {\n    return 'drop table message';\n  }\n}\n`,
  'views/layouts/page.eta': '<% /* Page */ %>\n<main><%~ it.body %></main>\n',
  'views/chat/_greeting.eta': '<% /* GreetingView */ %>\n<p id="greeting"><%= it.text %></p>\n',
  'views/chat/page.eta': `<% layout('/layouts/page', it) %>\n<%~ include('/chat/_greeting', it.greeting) %>\n`,
  'public/css/app.css': 'p {\n  color: red;\n}\n',
};

/** Makes a house in a folder of its own: the clean one with the seeds put over it, under this repository's rules. */
function makeHouse(seeds: Record<string, string> = {}, dependencies: Record<string, string> = {}): string {
  const house = mkdtempSync(join(tmpdir(), 'house-'));
  houses.push(house);
  // The scripts are the ones under test; the dependencies are those of the small house.
  const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { scripts: object };
  const manifest = {
    name: 'house',
    version: '1.0.0',
    private: true,
    type: 'module',
    scripts: Object.fromEntries(Object.entries(scripts).filter(([name]) => name.startsWith('check'))),
    dependencies: { koa: '*', ...dependencies },
    devDependencies: {
      '@biomejs/biome': '*',
      'dependency-cruiser': '*',
      knip: '*',
      typescript: '*',
      '@types/node': '*',
    },
  };
  for (const folder of ['.config', 'tsconfig.json', 'tests/house/rules.ts']) {
    cpSync(join(REPOSITORY, folder), join(house, folder), { recursive: true });
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(house, 'node_modules'));
  const files = { 'package.json': `${JSON.stringify(manifest, null, 2)}\n`, ...CLEAN, ...seeds };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(house, path)), { recursive: true });
    writeFileSync(join(house, path), text);
  }
  return house;
}

/** Runs one of the check scripts in a house; `output` is what both streams said. */
async function check(house: string, script: string): Promise<{ failed: boolean; output: string }> {
  const bin = join(REPOSITORY, 'node_modules/.bin');
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, NO_COLOR: '1', FORCE_COLOR: '0' };
  try {
    const { stdout, stderr } = await run('npm', ['run', '--silent', script], { cwd: house, env, maxBuffer: 1e7 });
    return { failed: false, output: stdout + stderr };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }; // What execFile rejects with.
    return { failed: true, output: stdout + stderr };
  }
}

describe('npm run check', () => {
  it('passes a house that is in order', { timeout: 120_000 }, async () => {
    const { failed, output } = await check(makeHouse(), 'check');
    expect(output).toContain('architecture: 10 modules, 0 problems');
    expect(output).toContain('0 violations');
    expect(failed, output).toBe(false);
  });

  it('finds what the types forbid', { timeout: 60_000 }, async () => {
    const seeds: Record<string, [code: string, text: string]> = {
      'src/desk/a.ts': ['TS1294', 'export enum Colour {\n  Red,\n}\n'],
      'src/desk/b.ts': ['TS7006', 'export function f(x) {\n  return x;\n}\n'],
      'src/desk/c.ts': ['TS2322', 'export function first(list: string[]): string {\n  return list[0];\n}\n'],
      'src/desk/d.ts': ['TS1484', `import { Context } from 'koa';\nexport type C = Context;\n`],
      'src/desk/e.ts': ['TS2835', `export { say } from '../messaging/index';\n`],
      'src/desk/f.ts': ['TS1294', 'export class P {\n  constructor(readonly x: number) {}\n}\n'],
      'src/desk/g.ts': ['TS4114', 'export class E extends Error {\n  message = "no";\n}\n'],
      'tests/h.ts': ['TS18047', 'export function n(x: string | null): number {\n  return x.length;\n}\n'],
      'migrations/i.ts': ['TS7030', 'export function m(x: boolean) {\n  if (x) return 1;\n}\n'],
    };
    const house = makeHouse(Object.fromEntries(Object.entries(seeds).map(([path, [, text]]) => [path, text])));
    const { failed, output } = await check(house, 'check:types');
    expect(failed).toBe(true);
    for (const [path, [code]] of Object.entries(seeds)) expect(output).toMatch(line(path, code));
  });

  it('finds what the linter and the formatter forbid', { timeout: 60_000 }, async () => {
    const load = 'async function load(): Promise<number> {\n  return 1;\n}\n';
    const seeds: Record<string, [rule: string, text: string]> = {
      'src/desk/a.ts': ['lint/suspicious/noExplicitAny', 'export const x: any = 1;\n'],
      'src/desk/b.ts': ['lint/suspicious/noExplicitAny', 'export const x = 1 as any;\n'],
      'src/desk/c.ts': ['lint/nursery/noFloatingPromises', `${load}export function go(): void {\n  load();\n}\n`],
      'src/desk/d.ts': ['lint/nursery/noMisusedPromises', `${load}export const yes = load() ? 1 : 2;\n`],
      'src/desk/e.ts': ['lint/style/noDefaultExport', 'export default 1;\n'],
      'src/desk/f.ts': ['lint/suspicious/noConsole', "console.log('x');\n"],
      'src/desk/g.ts': ['lint/style/noNonNullAssertion', 'export const f = (x?: string) => x!.length;\n'],
      'src/desk/h.ts': ['lint/style/noEnum', 'export enum C {\n  A = 1,\n}\n'],
      'src/desk/i.ts': ['lint/correctness/noUnusedVariables', 'const x = 1;\n'],
      'src/desk/j.ts': ['lint/correctness/noUnusedImports', "import { say } from '../messaging/index.ts';\n"],
      'src/desk/k.ts': ['lint/style/useNodejsImportProtocol', "export { join } from 'path';\n"],
      'src/desk/l.ts': ['lint/suspicious/noTsIgnore', '// @ts-ignore\nexport const x: number = 1;\n'],
      'src/desk/m.ts': ['lint/style/useThrowOnlyError', "export function f(): void {\n  throw 'x';\n}\n"],
      'src/desk/n.ts': ['format', 'export const x   = "1"\n'],
      'tests/o.test.ts': [
        'lint/suspicious/noFocusedTests',
        "import { it } from 'vitest';\n\nit.only('x', () => {});\n",
      ],
      'tests/p.test.ts': [
        'lint/suspicious/noSkippedTests',
        "import { it } from 'vitest';\n\nit.skip('x', () => {});\n",
      ],
    };
    const house = makeHouse(Object.fromEntries(Object.entries(seeds).map(([path, [, text]]) => [path, text])));
    const { failed, output } = await check(house, 'check:code');
    expect(failed).toBe(true);
    for (const [path, [rule]] of Object.entries(seeds)) expect(output).toMatch(line(path, rule));
  });

  it('finds what the architecture forbids', { timeout: 60_000 }, async () => {
    const seeds: Record<string, [rule: string, text: string]> = {
      'src/platform/text/up.ts': ['platform-knows-no-wing', "import '../../messaging/index.ts';\n"],
      'src/messaging/up.ts': ['wing-messaging-imports-downwards', "import '../chat/index.ts';\n"],
      'src/dashboard/beside.ts': ['wing-dashboard-imports-downwards', "import '../chat/index.ts';\n"],
      'src/desk/window.ts': ['wing-door', "import '../messaging/say.ts';\n"],
      'src/entities.ts': ['wing-door', "import './messaging/say.ts';\n"],
      'src/desk/cellar.ts': ['platform-door', "import '../platform/text/shout.ts';\n"],
      'src/platform/http/wall.ts': ['platform-room-door', "import '../text/shout.ts';\n"],
      'src/desk/roof.ts': ['roots-are-not-imported', "import '../modules.ts';\n"],
      'src/chat/orm.routes.ts': ['routes-do-not-touch-the-orm', "import '@mikro-orm/core';\n"],
      'src/api/pool.ts': ['routes-do-not-touch-the-orm', "import type { Pool } from 'pg';\nexport type P = Pool;\n"],
      'src/desk/egg.ts': ['no-cycles', "import './hen.ts';\n"],
      'src/desk/debt.ts': ['declared-dependencies', "import 'pino';\n"],
      'src/desk/tool.ts': ['declared-dependencies', "import 'knip';\n"],
      'src/desk/nowhere.ts': ['resolvable', "import './gone.ts';\n"],
      'src/desk/exam.ts': ['no-tests-in-the-house', "import '../../tests/house/rules.ts';\n"],
    };
    const files = Object.fromEntries(Object.entries(seeds).map(([path, [, text]]) => [path, text]));
    const house = makeHouse(
      { ...files, 'src/desk/hen.ts': "import './egg.ts';\n" },
      { '@mikro-orm/core': '*', pg: '*' },
    );
    const { failed, output } = await check(house, 'check:architecture');
    expect(failed).toBe(true);
    for (const [path, [rule]] of Object.entries(seeds)) expect(output).toContain(`${rule}: ${path} ->`);
  });

  it('does not take a house for a good one because it read nothing of it', { timeout: 60_000 }, async () => {
    const house = makeHouse();
    rmSync(join(house, 'src'), { recursive: true });
    rmSync(join(house, 'migrations'), { recursive: true });
    expect(await check(house, 'check:architecture')).toMatchObject({
      failed: true,
      output: expect.stringContaining('nothing-read'),
    });
    expect(await check(house, 'check:rules')).toMatchObject({
      failed: true,
      output: expect.stringContaining('nothing-read: src'),
    });
  });

  it('finds what nobody uses', { timeout: 60_000 }, async () => {
    const house = makeHouse(
      {
        'src/desk/index.ts': `${PREAMBLE}export const forgotten = 1;\n`,
        'src/messaging/say.ts': `import 'undici';\nimport { shout } from '../platform/text/index.ts';\n\nexport const unused = 1;\n\n/** x */\nexport function say(text: string): string {\n  return shout(text);\n}\n`,
      },
      { pino: '*' },
    );
    const { failed, output } = await check(house, 'check:dead');
    expect(failed).toBe(true);
    expect(output).toMatch(/Unused files[\s\S]*src\/desk\/index\.ts/);
    expect(output).toMatch(/Unused exports[\s\S]*unused[\s\S]*src\/messaging\/say\.ts/);
    expect(output).toMatch(/Unused dependencies[\s\S]*pino/);
    expect(output).toMatch(/Unlisted dependencies[\s\S]*undici/);
  });

  it("finds what the house's own rules forbid", { timeout: 60_000 }, async () => {
    const say = 'export { say as x } from ';
    const seeds: Record<string, [rule: string, text: string]> = {
      'views/chat/raw.eta': ['raw-output', '<p><%~ it.text %></p>\n'],
      'views/chat/raw-trimmed.eta': ['raw-output', '<p><%-~ it.text %></p>\n'],
      'views/chat/handler.eta': ['inline-code', '<button class="<%= a > b %>" onclick="go()">Go</button>\n'],
      'views/chat/hx-on.eta': ['inline-code', '<form hx-on:submit="go()"></form>\n'],
      'views/chat/style.eta': ['inline-code', '<p style="color: red">Red</p>\n'],
      'views/chat/sheet.eta': ['inline-code', '<style>p {}</style>\n'],
      'views/chat/script.eta': ['inline-code', '<script type="module">go()</script>\n'],
      'views/chat/link.eta': ['inline-code', '<a href="javascript:go()">Go</a>\n'],
      'views/chat/_nameless.eta': ['partial-view', '<p></p>\n'],
      'views/chat/smile.eta': ['no-emoji', '<p>\u{1F600}</p>\n'],
      'src/chat/rocket.ts': ['no-emoji', '/** x */\nexport const x = "\u{1F680}";\n'],
      'public/js/flag.js': ['no-emoji', '// \u{1F1E7}\u{1F1E9}\n'],
      'src/desk/note-service.ts': ['file-name', `${say}'../messaging/index.ts';\n`],
      'src/desk/noteUtils.ts': ['file-name', `${say}'../messaging/index.ts';\n`],
      'src/desk/helper.ts': ['file-name', `${say}'../messaging/index.ts';\n`],
      'src/desk/now.ts': ['clock', '/** x */\nexport const x = () => Date.now();\n'],
      'src/messaging/new.ts': ['clock', '/** x */\nexport const x = () => new Date();\n'],
      'src/reach/index.ts': ['index-preamble', '\n'],
      'src/platform/views/index.ts': ['index-preamble', '// short\n'],
      'src/reports': ['index-preamble', ''],
      'src/reports/a.ts': ['docstring', 'export function sum(): number {\n  return 1;\n}\n'],
      'src/desk/counter.ts': ['module-state', 'let count = 0;\n\n/** x */\nexport const up = () => ++count;\n'],
      'src/desk/cache.ts': ['module-state', 'const cache = new Map<string, string>();\ncache.clear();\n'],
      'src/desk/desk.ts': ['no-class', '/** x */\nexport class Desk {}\n'],
      'src/desk/note.entity.ts': ['', '/** A note. */\nexport class Note {}\n'],
      'src/dashboard/n.ts': ['routes-know-no-entities', "import { Note } from '../desk/index.ts';\nNote;\n"],
      'src/dashboard/t.ts': ['', "import type { Note } from '../desk/index.ts';\n\n/** x */\nexport type N = Note;\n"],
      'src/identity/look.ts': ['system-pool-calls-functions', "db.systemPool.query('select * from message');\n"],
      'src/identity/call.ts': ['', "db.systemPool.query('select * from find_session($1)', [1]);\n"],
      'migrations/Migration2.ts': [
        'additive-migration',
        '/** x */\nexport class Migration2 {\n  up() {\n    return "alter table message drop column body";\n  }\n}\n',
      ],
      'notes.txt': ['top-level', 'x\n'],
    };
    const house = makeHouse(
      Object.fromEntries(
        Object.entries(seeds)
          .filter(([, [, text]]) => text !== '')
          .map(([path, [, text]]) => [path, text]),
      ),
    );
    const { failed, output } = await check(house, 'check:rules');
    expect(failed).toBe(true);
    for (const [path, [rule]] of Object.entries(seeds)) {
      if (rule) expect(output).toMatch(new RegExp(`^${rule}: ${literally(path)}[: ]`, 'm'));
      // What is allowed beside it is not found.
      else expect(output).not.toContain(path);
    }
    const seeded = new Set(Object.values(seeds).map(([rule]) => rule));
    const unseeded = RULE_NAMES.filter((rule) => !seeded.has(rule));
    expect(unseeded, 'each rule has a seed here or in the test above').toEqual(['nothing-read']);
  });
});

/** A line of a tool's output that names the file and the rule, in this order. */
function line(path: string, rule: string): RegExp {
  return new RegExp(`^${literally(path)}\\b.*\\b${literally(rule)}\\b`, 'm');
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
