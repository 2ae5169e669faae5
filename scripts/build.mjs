// Bundles the command line into one file, dist/marple.cjs.
import { chmod, readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { webAppPlugin } from './web-app.mjs';

const outfile = 'dist/marple.cjs';
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

await build({
  entryPoints: ['src/cli.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  define: { MARPLE_VERSION: JSON.stringify(version) },
  banner: { js: '#!/usr/bin/env node' },
  // What only some views need stays outside, and is loaded when such a view draws: canvas is native, and what opens
  // pictures finds its own script by its path.
  external: ['canvas', 'chart.js', 'chartjs-node-canvas', 'open'],
  // Node has to read all of it at every start. Names are kept, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  plugins: [webAppPlugin],
  logLevel: 'warning',
});
await chmod(outfile, 0o755);
