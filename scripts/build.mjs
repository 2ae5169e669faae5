// Bundles the command line into one file, dist/program.cjs, with its code cache and what starts it, dist/marple.cjs.
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { writeCodeCache } from './code-cache.mjs';
import { lazyModules } from './lazy-modules.mjs';
import { virtualModules } from './virtual-modules.mjs';

const { version } = JSON.parse(await readFile('package.json', 'utf8'));

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // Node has to read all of it at every start. Names are kept, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
};

// V8 tells by its length alone whether a cache belongs to a program.
await rm(`dist/program.${process.arch}.cache`, { force: true });
await build({
  ...common,
  entryPoints: ['src/cli.ts'],
  outfile: 'dist/program.cjs',
  // A function, as Node makes one of a module.
  banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
  footer: { js: '})' },
  // What opens pictures looks for a script beside itself, which is not used.
  define: { MARPLE_VERSION: JSON.stringify(version), 'import.meta.url': 'undefined' },
  // What only some views need stays outside, and is loaded when such a view draws: canvas is native.
  // What sketches could be written with in another format is not used.
  external: ['canvas', 'chart.js', 'chartjs-node-canvas', 'protobufjs/minimal'],
  // A program from a code cache cannot import; what it would is loaded by require() when it comes to that.
  supported: { 'dynamic-import': false },
  plugins: [lazyModules, virtualModules],
});
// It is read as latin1, which is fast, and the bundler leaves other characters in regular expressions.
const program = await readFile('dist/program.cjs', 'utf8');
const escaped = program.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
await writeFile('dist/program.cjs', escaped);

const outfile = 'dist/marple.cjs';
await build({
  ...common,
  entryPoints: ['src/launcher.ts'],
  outfile,
  banner: { js: '#!/usr/bin/env node' },
});
await chmod(outfile, 0o755);
await writeCodeCache(outfile);
