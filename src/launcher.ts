import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getRawAsset, isSea } from 'node:sea';
import { Script } from 'node:vm';
import { beFast, beFrugal } from './common/engine.ts';

/*
 * Starts the program. Node takes longer to compile it than most commands take, so the build leaves beside it what V8
 * made of it (a code cache). Where that is missing, or of another Node, the program is compiled as ever. Where MARPLE is one
 * file (docs/binary.md), both are in it.
 */

const PROGRAM = join(__dirname, 'program.cjs');
// V8 does not tell whether it is for another processor, and would crash.
const CACHE_NAME = `program.${process.arch}.cache`;
const CODE_CACHE = join(__dirname, CACHE_NAME);

function asset(name: string): Buffer {
  return Buffer.from(getRawAsset(name) as ArrayBuffer);
}

function readCache(): Buffer | undefined {
  try {
    return isSea() ? asset(CACHE_NAME) : readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}

// The build makes it ASCII, and a function that is given what a module is: put together here, it would be in memory twice.
const source = isSea() ? asset('program.cjs').toString('latin1') : readFileSync(PROGRAM, 'latin1');
const cachedData = readCache();
const script = new Script(source, {
  filename: PROGRAM,
  ...(cachedData === undefined ? {} : { cachedData }),
});
// For the build: with what has been compiled when a command is done.
if (process.env['MARPLE_WRITE_CODE_CACHE'] !== undefined) {
  process.once('exit', () => {
    // V8 takes it only under the flags that it was made with.
    beFast();
    writeFileSync(CODE_CACHE, script.createCachedData());
  });
}
// It runs on a machine that is looked at.
if (process.argv[2] === 'collect') beFrugal();
script.runInThisContext()(exports, require, module, PROGRAM, __dirname);
