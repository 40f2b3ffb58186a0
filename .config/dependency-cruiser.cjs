/**
 * The wings, by number: a wing imports only wings with a smaller number, through their index.ts.
 * Read by `npm run check:architecture` (.config/architecture.mjs), which also fails when nothing was read.
 */
const WINGS = [
  ['platform'],
  ['tenancy'],
  ['identity'],
  ['messaging'],
  ['desk'],
  ['reach'],
  ['reports'],
  ['chat', 'dashboard', 'api', 'imports'],
];

/** One rule a wing: it may not import a wing with the same or a greater number. */
const upwards = WINGS.flatMap((level, number) =>
  level.map((wing) => ({
    name: number === 0 ? 'platform-knows-no-wing' : `wing-${wing}-imports-downwards`,
    comment: `${wing} is number ${number}: it may import only wings with a smaller number; upwards there are events`,
    severity: 'error',
    from: { path: `^src/${wing}/` },
    to: {
      path: WINGS.slice(number)
        .flat()
        .filter((other) => other !== wing)
        .map((other) => `^src/${other}/`),
    },
  })),
);

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: 'wing-door',
      comment: 'A wing is entered through its index.ts',
      severity: 'error',
      from: { path: '^src/([^/]+)(?:/|\\.ts$)' },
      to: { path: '^src/(?!platform/)([^/]+)/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'platform-door',
      comment: "The platform is entered through its sub-folders' index.ts",
      severity: 'error',
      from: { path: '^src/(?!platform/)' },
      to: { path: '^src/platform/', pathNot: '^src/platform/[^/]+/index\\.ts$' },
    },
    {
      name: 'platform-room-door',
      comment: 'Inside the platform, a sub-folder is entered through its index.ts too',
      severity: 'error',
      from: { path: '^src/platform/([^/]+)/' },
      to: { path: '^src/platform/', pathNot: ['^src/platform/$1/', '^src/platform/[^/]+/index\\.ts$'] },
    },
    {
      name: 'roots-are-not-imported',
      comment: 'main, app, cli and modules put the house together; no room knows them',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(main|app|cli|modules)\\.ts$' },
      to: { path: '^src/(main|app|cli|modules)\\.ts$' },
    },
    {
      name: 'routes-do-not-touch-the-orm',
      comment: 'A handler parses, calls a use case and replies; entities and queries stay in the wings below',
      severity: 'error',
      from: { path: ['^src/(chat|dashboard|api)/', '\\.routes\\.ts$'] },
      to: {
        path: ['node_modules/@mikro-orm/', 'node_modules/pg/', 'node_modules/kysely/', '\\.(entity|repository)\\.ts$'],
      },
    },
    {
      name: 'no-cycles',
      comment: 'Modules that need each other are one module or have a third one below them',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'declared-dependencies',
      comment: 'What is imported stands in package.json',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-tests-in-the-house',
      comment: 'The product does not know its tests',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { path: '^tests/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      mainFields: ['module', 'main'],
      extensions: ['.ts', '.mjs', '.js', '.json'],
    },
    moduleSystems: ['es6', 'cjs'],
  },
};
