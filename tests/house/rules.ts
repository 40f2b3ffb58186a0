/**
 * `npm run check:rules`: the house rules that no bought tool knows. Each is a function from the tree to violations;
 * `check.test.ts` seeds a violation of every one and sees it found.
 *
 * Reads the source with the TypeScript 6 API, syntax only: the whole house takes about a second.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import ts from 'typescript';

/** One broken rule: which, where, and what stands there. */
export interface Violation {
  readonly rule: string;
  /** Path from the root, with the line where there is one: `src/desk/notes.ts:12`. */
  readonly place: string;
  readonly found: string;
}

/** A TypeScript file of the tree. */
interface Source {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

/** A template, style sheet, script or locale file. */
interface Asset {
  readonly path: string;
  readonly text: string;
}

/** What the rules look at. */
interface House {
  readonly root: string;
  /** `src/**`. */
  readonly sources: readonly Source[];
  readonly migrations: readonly Source[];
  readonly views: readonly Asset[];
  /** `public/**`, text only. */
  readonly assets: readonly Asset[];
}

const WINGS = [
  'tenancy',
  'identity',
  'messaging',
  'desk',
  'reach',
  'reports',
  'chat',
  'dashboard',
  'api',
  'imports',
] as const;

/** Wings whose code reads no clock: the time is `scope.now`. */
const DOMAIN_WINGS = ['tenancy', 'identity', 'messaging', 'desk', 'reach', 'reports'] as const;

/**
 * The places where a template may print HTML that it did not make: the layouts print the page that they surround, the
 * one partial prints text that `platform/text` has made safe.
 */
const RAW_OUTPUT = /^views\/(layouts\/[^/]+|shared\/_safe-html)\.eta$/;

/** What each rule is called and how it looks. */
const RULES: Record<string, (house: House) => Violation[]> = {
  'nothing-read': ({ sources }) => (sources.length > 0 ? [] : [{ rule: '', place: 'src', found: 'no file was read' }]),
  'raw-output': rawOutput,
  'inline-code': inlineCode,
  'no-emoji': emojis,
  'file-name': fileNames,
  'partial-view': partialViews,
  clock: clocks,
  'index-preamble': preambles,
  docstring: docstrings,
  'module-state': moduleState,
  'no-class': classes,
  'routes-know-no-entities': routesAndEntities,
  'system-pool-calls-functions': systemPool,
  'additive-migration': migrations,
  'top-level': topLevel,
};

/** Runs every rule over the tree below `root`. */
export function findViolations(root: string): Violation[] {
  const house: House = {
    root,
    sources: sourcesBelow(root, 'src'),
    migrations: sourcesBelow(root, 'migrations'),
    views: assetsBelow(root, 'views', /\.eta$/),
    assets: assetsBelow(root, 'public', /\.(js|css|svg|html|json|txt|webmanifest)$/),
  };
  return Object.entries(RULES).flatMap(([rule, look]) => look(house).map((found) => ({ ...found, rule })));
}

/** The names of all rules, for the test that seeds each. */
export const RULE_NAMES: readonly string[] = Object.keys(RULES);

/** `<%~` prints without escaping: only for including another template, or in the allow-listed places. */
function rawOutput({ views }: House): Violation[] {
  return views.flatMap(({ path, text }) =>
    matches(text, /<%[-_]?~(?!\s*include\()([^%]*)%>/g)
      .filter(() => !RAW_OUTPUT.test(path))
      .map(({ line, found }) => violation(path, line, found)),
  );
}

const STYLE_ATTRIBUTE = /<[a-z][^<>]*?\sstyle\s*=/gi;

/** Nothing inline: the Content-Security-Policy allows none of it. */
function inlineCode({ views, assets }: House): Violation[] {
  const patterns = [
    /<[a-z][^<>]*?\s(on[a-z]+|hx-on[\w:-]*)\s*=/gi,
    STYLE_ATTRIBUTE,
    /<style\b/gi,
    /<script\b(?![^>]*\ssrc\s*=)[^>]*>/gi,
    /\b(?:href|src|action)\s*=\s*["']?\s*javascript:/gi,
  ];
  const pages = [...views, ...assets.filter(({ path }) => /\.(html|svg)$/.test(path))];
  return pages.flatMap(({ path, text }) => {
    // Template code holds `>` and `=`; it is blanked so that a tag ends where the reader sees it end.
    const markup = text.replace(/<%[\s\S]*?%>/g, (code) => code.replace(/[^\n]/g, ' '));
    // A mail has no stylesheet and no policy of ours: styles stand on its elements, and only there.
    const held = path.startsWith('views/reach/') ? patterns.filter((pattern) => pattern !== STYLE_ATTRIBUTE) : patterns;
    return held.flatMap((pattern) => matches(markup, pattern).map(({ line, found }) => violation(path, line, found)));
  });
}

/** No pictographs anywhere in what we ship. */
function emojis({ sources, views, assets, migrations: files }: House): Violation[] {
  const pictograph =
    /(?![©®™↔↕\u2195])(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\u{FE0F})/gu;
  return [...sources, ...views, ...assets, ...files].flatMap(({ path, text }) =>
    matches(text, pictograph).map(({ line, found }) => violation(path, line, found)),
  );
}

/** kebab-case, and named after what is in it. */
function fileNames({ sources, views, assets }: House): Violation[] {
  const empty = /(^|[-.])(services?|managers?|helpers?|utils?|misc|common)([-.]|$)/;
  const kebab = /^_?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
  return [...sources, ...views, ...assets]
    .filter(({ path }) => empty.test(basename(path)) || !kebab.test(basename(path)))
    .map(({ path }) => violation(path, null, basename(path)));
}

/** The first line of a partial names the view it takes: `<%/* MessageView, audience *\/%>`. */
function partialViews({ views }: House): Violation[] {
  return views
    .filter(({ path, text }) => basename(path).startsWith('_') && !/^<%[-_]?\s*(\/\*|\/\/)/.test(text))
    .map(({ path, text }) => violation(path, 1, text.split('\n')[0] ?? ''));
}

/** Domain code reads no clock. */
function clocks({ sources }: House): Violation[] {
  return sources
    .filter(({ path }) => DOMAIN_WINGS.some((wing) => path.startsWith(`src/${wing}/`)))
    .flatMap((source) =>
      nodes(source.tree)
        .filter(
          (node) =>
            (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) ||
            (ts.isCallExpression(node) && /^(Date\.now|Date)$/.test(node.expression.getText())),
        )
        .map((node) => at(source, node)),
    );
}

/** Every wing, and every room of the platform, opens with a few lines on what it owns. */
function preambles({ root, sources }: House): Violation[] {
  const rooms = [
    ...WINGS.map((wing) => `src/${wing}`),
    ...folders(join(root, 'src/platform')).map((room) => `src/platform/${room}`),
  ].filter((room) => sources.some(({ path }) => path.startsWith(`${room}/`)));
  return rooms.flatMap((room) => {
    const index = sources.find(({ path }) => path === `${room}/index.ts`);
    if (!index) return [violation(room, null, 'has no index.ts')];
    return /^\s*(\/\*\*[\s\S]{40,}?\*\/|(\/\/[^\n]*\n){2,})/.test(index.text)
      ? []
      : [violation(index.path, 1, 'has no preamble')];
  });
}

/** What is exported says its shapes, units and errors. */
function docstrings({ sources }: House): Violation[] {
  return sources.flatMap((source) =>
    source.tree.statements
      .filter((node) => isExported(node) && !ts.isExportDeclaration(node) && !ts.isExportAssignment(node))
      .filter((node) => !isNamedAfterValue(node) && !hasDocstring(source, node))
      .map((node) => at(source, node)),
  );
}

/** No state in modules: nothing that could differ between two requests, tests or tenants. */
function moduleState({ sources }: House): Violation[] {
  // main and cli are the process; what they hold lives as long as it does.
  const rooms = sources.filter(({ path }) => !/^src\/(main|cli)\.ts$/.test(path));
  return rooms.flatMap((source) =>
    source.tree.statements
      .filter(ts.isVariableStatement)
      .flatMap((statement) =>
        statement.declarationList.declarations
          .filter(
            ({ initializer }) =>
              !(statement.declarationList.flags & ts.NodeFlags.Const) || (initializer && startsEmpty(initializer)),
          )
          .map((declaration) => at(source, declaration)),
      ),
  );
}

/** Classes are for entities, repositories, errors and the hub; everything else is functions. */
function classes({ sources }: House): Violation[] {
  const allowed = /(\.entity|\.repository|(^|\/|-)hub|(^|\/|-)errors?)\.ts$|^src\/platform\/errors\//;
  return sources
    .filter(({ path }) => !allowed.test(path))
    .flatMap((source) =>
      nodes(source.tree)
        .filter(ts.isClassLike)
        .filter((node) => !node.heritageClauses?.some((clause) => /Error\b/.test(clause.getText(source.tree))))
        .map((node) => at(source, node)),
    );
}

/** Handlers may name an entity's type, never hold the class: queries are the use cases' business. */
function routesAndEntities({ sources }: House): Violation[] {
  const entities = new Set(
    sources
      .filter(({ path }) => /\.(entity|repository)\.ts$/.test(path))
      .flatMap(({ tree }) => tree.statements.filter(isExported).flatMap(classNameOf)),
  );
  return sources
    .filter(({ path }) => /^src\/(chat|dashboard|api)\/|\.routes\.ts$/.test(path))
    .flatMap((source) =>
      source.tree.statements.filter(ts.isImportDeclaration).flatMap((node) => {
        const bindings = node.importClause?.namedBindings;
        // Entities come through the doors of the wings below; a schema beside the route may carry the same name.
        if (!/index\.ts.$/.test(node.moduleSpecifier.getText(source.tree))) return [];
        if (!bindings || !ts.isNamedImports(bindings) || isTypeOnly(node.importClause)) return [];
        return bindings.elements
          .filter((name) => !name.isTypeOnly && entities.has((name.propertyName ?? name.name).text))
          .map((name) => at(source, name));
      }),
    );
}

/** The pool that knows no tenant calls named functions; it never reads or writes a table itself. */
function systemPool({ sources, migrations: files }: House): Violation[] {
  const tables = files.flatMap(({ text }) =>
    [...text.matchAll(/create\s+table\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?/gi)].map(([, name]) => name ?? ''),
  );
  if (tables.length === 0) return [];
  const touches = new RegExp(`\\b(from|join|into|update)\\s+"?(${tables.join('|')})"?\\b`, 'i');
  return sources
    .filter(({ path }) => !path.startsWith('src/platform/database/'))
    .flatMap((source) =>
      nodes(source.tree)
        .filter(ts.isCallExpression)
        .filter((call) => /\bsystemPool\b/.test(call.expression.getText(source.tree)))
        .filter((call) => touches.test(call.getText(source.tree)))
        .map((call) => at(source, call)),
    );
}

/** Migrations only add: the version before still runs while they do. */
function migrations({ migrations: files }: House): Violation[] {
  const destructive =
    /\b(drop\s+(table|column|schema|database)|truncate\b|rename\s+(to|column)|alter\s+column\s+\S+\s+(set\s+data\s+)?type)\b/gi;
  return files.flatMap((source) => {
    const ups = nodes(source.tree).filter(
      (node): node is ts.MethodDeclaration => ts.isMethodDeclaration(node) && node.name.getText(source.tree) !== 'down',
    );
    return ups.flatMap((node) =>
      [...node.getText(source.tree).matchAll(destructive)].map((match) =>
        violation(source.path, lineOf(source.text, node.getStart(source.tree) + match.index), match[0]),
      ),
    );
  });
}

/** The top of the repository holds what the plan names and nothing else. */
function topLevel({ root }: House): Violation[] {
  const known = new Set(
    'src views public migrations tests node_modules package.json package-lock.json tsconfig.json mikro-orm.config.ts replit.md README.md'.split(
      ' ',
    ),
  );
  return readdirSync(root)
    .filter((name) => !name.startsWith('.') && !known.has(name) && name !== 'coverage')
    .map((name) => violation(name, null, 'is not part of the plan'));
}

function violation(path: string, line: number | null, found: string): Violation {
  const short = found.replace(/\s+/g, ' ').trim().slice(0, 80);
  return { rule: '', place: line === null ? path : `${path}:${line}`, found: short };
}

function at(source: Source, node: ts.Node): Violation {
  const start = node.getStart(source.tree);
  return violation(source.path, lineOf(source.text, start), source.text.slice(start, start + 80).split('\n')[0] ?? '');
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function matches(text: string, pattern: RegExp): { line: number; found: string }[] {
  return [...text.matchAll(pattern)].map((match) => ({ line: lineOf(text, match.index), found: match[0] }));
}

/** All nodes of a tree, parents first. */
function nodes(tree: ts.Node): ts.Node[] {
  const all: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    all.push(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return all;
}

function isExported(node: ts.Statement): boolean {
  return ts.canHaveModifiers(node) && !!ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
}

function classNameOf(node: ts.Statement): string[] {
  return ts.isClassDeclaration(node) && node.name ? [node.name.text] : [];
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** `type Status = (typeof STATUSES)[number]`: the value says what it is. */
function isNamedAfterValue(node: ts.Statement): boolean {
  return ts.isTypeAliasDeclaration(node) && /\btypeof\b/.test(node.type.getText());
}

/** Documented itself, as the next line of one that is, or an overload or a declaration merged with one that is. */
function hasDocstring(source: Source, node: ts.Statement): boolean {
  const before = ts.getLeadingCommentRanges(source.text, node.getFullStart()) ?? [];
  if (before.some(({ pos }) => source.text.startsWith('/**', pos))) return true;
  const above = source.tree.statements[source.tree.statements.indexOf(node) - 1];
  if (above && isExported(above) && !/\n\s*\n/.test(source.text.slice(above.end, node.getStart(source.tree)))) {
    return hasDocstring(source, above);
  }
  const name = (node as { name?: ts.Identifier }).name?.text; // Not every statement has a name.
  return (
    name !== undefined &&
    source.tree.statements.some(
      (other) =>
        other !== node &&
        (other as { name?: ts.Identifier }).name?.text === name &&
        (ts.getLeadingCommentRanges(source.text, other.getFullStart()) ?? []).some(({ pos }) =>
          source.text.startsWith('/**', pos),
        ),
    )
  );
}

/** `[]`, `{}`, `new Map()`, `new Set()`: a container that can only be there to be filled. */
function startsEmpty(value: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(value)) return value.elements.length === 0;
  if (ts.isObjectLiteralExpression(value)) return value.properties.length === 0;
  return ts.isNewExpression(value) && /^(Map|Set)$/.test(value.expression.getText()) && !value.arguments?.length;
}

function sourcesBelow(root: string, folder: string): Source[] {
  return assetsBelow(root, folder, /\.(ts|mjs)$/).map(({ path, text }) => ({
    path,
    text,
    tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS),
  }));
}

function assetsBelow(root: string, folder: string, kind: RegExp): Asset[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && kind.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\/(node_modules|vendor)\//.test(path))
    .map((path) => ({ path: path.slice(root.length + 1).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }));
}

function folders(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

if (import.meta.main) {
  const violations = findViolations(resolve(process.argv[2] ?? '.'));
  for (const { rule, place, found } of violations) console.error(`${rule}: ${place} ${found}`);
  console.log(`rules: ${RULE_NAMES.length} rules, ${violations.length} violations`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
