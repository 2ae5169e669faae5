// What the command line holds as text, programs and config.txt: put into its bundle as modules of their own.
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';

/** What each module exports. */
const MODULES = {
  'virtual:web-app': bundleWebApp,
  'virtual:worker': bundleWorker,
  'virtual:shipped-config': async () => ({ text: await readFile('config.txt', 'utf8') }),
};

/** The app behind every HTML view. */
async function bundleWebApp() {
  const { outputFiles } = await build({
    entryPoints: ['src/display/web/main.tsx'],
    outdir: 'web',
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
  });
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
  // What would end the script element cannot stand in it.
  return { script: textOf('.js').replaceAll('</script', '<\\/script'), style: textOf('.css') };
}

/** What threads run. */
async function bundleWorker() {
  const { outputFiles } = await build({
    entryPoints: ['src/worker.ts'],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    minifyWhitespace: true,
    minifySyntax: true,
    charset: 'ascii',
    logLevel: 'warning',
  });
  return { source: outputFiles[0].text };
}

/** For esbuild: makes them when they are imported. */
export const virtualModules = {
  name: 'virtual-modules',
  setup(bundler) {
    bundler.onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: 'virtual' }));
    bundler.onLoad({ filter: /.*/, namespace: 'virtual' }, async ({ path }) => ({
      contents: `module.exports = ${JSON.stringify(await MODULES[path]())}`,
      loader: 'js',
    }));
  },
};

/** For vite and vitest: the same. */
export const viteVirtualModules = {
  name: 'virtual-modules',
  resolveId: (id) => (Object.hasOwn(MODULES, id) ? `\0${id}` : undefined),
  async load(id) {
    const make = MODULES[id.slice(1)];
    if (!id.startsWith('\0') || make === undefined) return undefined;
    return Object.entries(await make())
      .map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};`)
      .join('\n');
  },
};
