// The app behind every HTML view, as text: bundled here, and put into the command line's bundle as `virtual:web-app`.
import { build } from 'esbuild';

/** @returns {Promise<{ script: string, style: string }>} */
export async function bundleWebApp() {
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

const NAME = 'virtual:web-app';

/** For esbuild: makes the app when it is imported. */
export const webAppPlugin = {
  name: 'web-app',
  setup(bundler) {
    bundler.onResolve({ filter: /^virtual:web-app$/ }, ({ path }) => ({ path, namespace: 'web-app' }));
    bundler.onLoad({ filter: /.*/, namespace: 'web-app' }, async () => ({
      contents: `module.exports = ${JSON.stringify(await bundleWebApp())}`,
      loader: 'js',
    }));
  },
};

/** For vite and vitest: the same. */
export const webAppVitePlugin = {
  name: 'web-app',
  resolveId: (id) => (id === NAME ? `\0${NAME}` : undefined),
  async load(id) {
    if (id !== `\0${NAME}`) return undefined;
    const { script, style } = await bundleWebApp();
    return `export const script = ${JSON.stringify(script)}; export const style = ${JSON.stringify(style)};`;
  },
};
