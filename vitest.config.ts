import { transform } from 'esbuild';
import { defineConfig, type Plugin } from 'vitest/config';

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
      if (!path.endsWith('.ts') || path.includes('/node_modules/')) return null;
      const compiled = await transform(code, {
        loader: 'ts',
        sourcefile: path,
        sourcemap: 'external',
        target: 'es2022',
      });
      return { code: compiled.code, map: compiled.map };
    },
  };
}

export default defineConfig({
  plugins: [compileTypeScript()],
  oxc: false,
});
