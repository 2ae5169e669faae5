// The long run of the fuzz tests: one bundle, so that what of it is reached can be told. npm run fuzz -- [TARGET ...] [--seconds N] [--seed N]
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { virtualModules } from './virtual-modules.mjs';

const folder = await mkdtemp(join(tmpdir(), 'marple-fuzz-'));
const outfile = join(folder, 'fuzz.cjs');
await build({
  entryPoints: ['test/fuzz/fuzz.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { 'import.meta.url': 'undefined', 'import.meta.dirname': '""', MARPLE_VERSION: '"fuzz"' },
  external: ['canvas', 'chart.js', 'chartjs-node-canvas'],
  plugins: [virtualModules],
  logLevel: 'warning',
});
const env = {
  ...process.env,
  MARPLE_FUZZ_ROOT: process.cwd(),
  TMPDIR: folder,
  NODE_PATH: join(process.cwd(), 'node_modules'),
};
const child = spawn(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: 'inherit', env });
child.on('exit', async (code) => {
  await rm(folder, { recursive: true, force: true });
  process.exit(code ?? 1);
});
