import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';

/*
 * Starts the program. Node takes longer to compile it than most commands take, so the build leaves beside it what V8
 * made of it (a code cache). Where that is missing, or of another Node, the program is compiled as ever.
 */

const PROGRAM = join(__dirname, 'program.cjs');
const CODE_CACHE = join(__dirname, 'program.cache');

function readCache(): Buffer | undefined {
  try {
    return readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}

// The bundler writes ASCII.
const source = readFileSync(PROGRAM, 'latin1');
const cachedData = readCache();
const script = new Script(`(function (exports, require, module, __filename, __dirname) { ${source}\n})`, {
  filename: PROGRAM,
  ...(cachedData === undefined ? {} : { cachedData }),
});
// For the build: with what has been compiled when a command is done.
if (process.env['MARPLE_WRITE_CODE_CACHE'] !== undefined) {
  process.once('exit', () => writeFileSync(CODE_CACHE, script.createCachedData()));
}
script.runInThisContext()(exports, require, module, PROGRAM, __dirname);
