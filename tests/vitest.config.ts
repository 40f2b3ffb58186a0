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
    // two cores would give one worker, which waits most of the time; three make what measures a second flake
    maxWorkers: 2,
    // what measures a second may meet a machine that is busy with something else; the report says `retry` where it was needed
    retry: 1,
    sequence: { sequencer: SideBySide },
    // tests of one file that are side by side start processes of their own, and mostly wait
    maxConcurrency: 3,
    testTimeout: 30_000,
    // the machine may be busy; what is there at once is found at once
    expect: { poll: { timeout: 8_000 } },
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
