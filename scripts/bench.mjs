// The benchmarks, bundled and run: npm run bench -- [NAME ...]
import { spawnSync } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { build } from 'esbuild';
import { virtualModules } from './virtual-modules.mjs';

const parts = (await readdir('bench/parts')).map((name) => `bench/parts/${name}`);
await build({
  entryPoints: ['bench/main.ts', 'bench/plot.ts', ...parts],
  outdir: 'dist/bench',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  packages: 'external',
  plugins: [virtualModules],
  logLevel: 'warning',
});
const { status } = spawnSync(process.execPath, ['dist/bench/main.cjs', ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(status ?? 1);
