import { transform } from 'esbuild';
import { defineConfig, type Plugin } from 'vitest/config';
import { viteVirtualModules } from './scripts/virtual-modules.mjs';

/**
 * TypeScript goes through esbuild, as it does for the bundle: vitest's own compiler leaves decorators as they are, and
 * Node 20 does not know them.
 */
function compileTypeScript(): Plugin {
  return {
    name: 'compile-typescript',
    enforce: 'pre',
    async transform(code, id) {
      const [path = id] = id.split('?');
      if (!/\.tsx?$/.test(path) || path.includes('/node_modules/')) return null;
      const compiled = await transform(code, {
        loader: path.endsWith('x') ? 'tsx' : 'ts',
        jsx: 'automatic',
        jsxImportSource: 'preact',
        sourcefile: path,
        sourcemap: 'external',
        target: 'es2022',
      });
      return { code: compiled.code, map: compiled.map };
    },
  };
}

/** Tests of the built command and of real tools: they load the machine, and some count its processes. */
const MACHINE = ['test/e2e/**/*.test.ts', 'test/real/**/*.test.ts'];
/** `npm run test:binary`: it installs whole systems, which takes minutes. */
const BINARY = ['test/binary/**/*.test.ts'];

/** Real tools on a real machine that does other things too: what fails for that does not fail three times in a row. */
const RETRIES = 2;

export default defineConfig({
  plugins: [viteVirtualModules, compileTypeScript()],
  oxc: false,
  test: {
    env: { LC_ALL: 'C', TZ: 'UTC' },
    // Only against a test that hangs: a busy machine is many times slower.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      include: ['src/**'],
      reportsDirectory: 'reports/coverage',
      reporter: ['text-summary', 'html', 'lcov'],
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...MACHINE, ...BINARY],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'machine',
          include: MACHINE,
          globalSetup: 'test/support/kernel-mounts.ts',
          retry: RETRIES,
          // One file at a time, when the unit tests are done.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'binary',
          include: BINARY,
          retry: RETRIES,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 1_200_000,
        },
      },
    ],
  },
});
