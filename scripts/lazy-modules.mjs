// What the bundle does without, as long as nothing of it is called: to load it takes longer than many a command.
import { isBuiltin } from 'node:module';
import { join, sep } from 'node:path';

const LAZY = [
  'cli-progress',
  'execa',
  'node:child_process',
  'node:crypto',
  'node:http',
  'node:net',
  'node:readline/promises',
  'node:worker_threads',
  'node:zlib',
];
/** Who gets them so: our own modules, and commander, which starts no programs here. Other libraries use at once what they load. */
const USERS = [join(process.cwd(), 'src') + sep, join(process.cwd(), 'node_modules', 'commander') + sep];

/** What the logging library writes about itself, where it is asked to: never here, and it brings tables of colours. */
const UNUSED = '@dabh/diagnostics';

/**
 * A module with the functions and classes of another, which is loaded when one of them is called. Something else of it (a constant) is
 * missing, and the bundler refuses whoever imports that.
 */
async function lazily(path) {
  const loaded = await import(path);
  const callable = Object.keys(loaded).filter((name) => typeof loaded[name] === 'function' && name !== 'default');
  const forward = (name) => `export function ${name}(...given) {
    const { ${name}: real } = require(${JSON.stringify(path)});
    return new.target === undefined ? real(...given) : Reflect.construct(real, given);
  }`;
  return callable.map(forward).join('\n');
}

/** For esbuild. */
export const lazyModules = {
  name: 'lazy-modules',
  setup(bundler) {
    bundler.onResolve({ filter: /^[@a-z]/ }, ({ path, importer }) => {
      if (path === UNUSED) return { path, namespace: 'unused' };
      const isLazy = LAZY.includes(path) && USERS.some((folder) => importer.startsWith(folder));
      return isLazy ? { path, namespace: 'lazy' } : undefined;
    });
    bundler.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
      contents: 'module.exports = () => () => undefined',
    }));
    bundler.onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path }) => ({
      contents: await lazily(path),
      ...(isBuiltin(path) ? {} : { resolveDir: process.cwd() }),
    }));
  },
};
