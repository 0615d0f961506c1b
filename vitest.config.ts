import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // Most of the time tests wait for programs and for the database: two files at a time, be there only two processors.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Many tests start programs and cut connections on a machine that others use: one that fails there is told, and tried once more.
    retry: process.env.CI === undefined ? 0 : 1,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['{pooler,shared,worker,test,examples}/**/*.test.ts'],
          exclude: ['**/*.workerd.test.ts', '**/node_modules/**'],
          globalSetup: 'test/global-setup.ts',
          // The programs that tests start, several at a time, are compiled once.
          env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('./node_modules/.cache/edgerest', import.meta.url)) },
        },
      },
      {
        extends: true,
        plugins: [cloudflareTest({ miniflare: { compatibilityDate: '2026-07-30' } })],
        test: {
          name: 'workerd',
          include: ['{shared,worker,test}/**/*.workerd.test.ts'],
        },
      },
    ],
  },
});
