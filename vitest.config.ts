import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // Loading LibTorch costs 0.4 s a process, so one worker thread is reused for all files of a core.
    pool: 'threads',
    isolate: false,
    maxWorkers: 2,
    // Two workers with one LibTorch thread each: two with two each would wait for one another at every operator.
    // Nothing of a test stays in the cache of who runs it.
    env: {
      OMP_NUM_THREADS: '1',
      XDG_CACHE_HOME: fileURLToPath(new URL('node_modules/.cache/anatomy-tests', import.meta.url)),
    },
    // Nothing is timed here: these end a test that hangs. The slowest takes a minute on a busy machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './tests/reporter.ts'],
  },
});
