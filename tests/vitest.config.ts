import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SideBySide } from './support/side-by-side.ts';

/** One private PostgreSQL per run (global-database.ts); every test file lives in tenants of its own on it. */
export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/global-database.ts'],
    reporters: ['default', './tests/support/closing-line.ts'],
    pool: 'forks',
    // a file finds everything loaded and warm that the ones before it needed: nothing of ours keeps a state in a module,
    // and every file has tenants of its own
    isolate: false,
    // one that waits beside two that work: SideBySide sees to it
    maxWorkers: 3,
    sequence: { sequencer: SideBySide },
    // tests of one file that are side by side start processes of their own, and mostly wait
    maxConcurrency: 3,
    testTimeout: 90_000,
    // the machine may be busy; what is there at once is found at once
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 60_000,
    // the search for what must not stand in logs comes last, and a run without it is worth nothing
    teardownTimeout: 90_000,
  },
});
