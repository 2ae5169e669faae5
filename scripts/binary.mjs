// Makes MARPLE one file that needs no Node on the machine where it runs: dist/marple-linux-ARCH, Node's single executable
// application. `npm run binary -- --node PATH` takes another Node than the one that runs this, of any architecture.
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import postject from 'postject';

/** e_machine of an ELF file (elf(5)), as Node calls it. */
const ARCHITECTURES = new Map([
  [62, 'x64'],
  [183, 'arm64'],
]);
/** What Node looks for in itself. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

const { values } = parseArgs({ options: { node: { type: 'string', default: process.execPath } } });
const node = values.node;
const arch = await architectureOf(node);
const outfile = `dist/marple-linux-${arch}`;

/** The code cache that the build made: for this processor. */
const cache = `program.${process.arch}.cache`;
const assets = {
  'program.cjs': 'dist/program.cjs',
  ...(arch === process.arch ? { [cache]: `dist/${cache}` } : {}),
};
const config = { main: 'dist/marple.cjs', output: 'dist/marple.blob', disableExperimentalSEAWarning: true, assets };
await writeFile('dist/binary.json', JSON.stringify(config));
execFileSync(process.execPath, ['--experimental-sea-config', 'dist/binary.json'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});

await copyFile(node, outfile);
await chmod(outfile, 0o755);
strip(outfile);
await postject.inject(outfile, 'NODE_SEA_BLOB', await readFile('dist/marple.blob'), { sentinelFuse: FUSE });
for (const path of ['dist/binary.json', 'dist/marple.blob']) await rm(path);
const { size } = await stat(outfile);
process.stdout.write(`${outfile}: ${(size / 1e6).toFixed(1)} MB\n`);

/** Symbols are a tenth of Node. */
function strip(path) {
  const program = arch === process.arch ? 'strip' : `${arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu-strip`;
  try {
    execFileSync(program, ['--strip-all', path], { stdio: ['ignore', 'inherit', 'inherit'] });
  } catch (error) {
    process.stderr.write(
      `the file is larger than it need be: ${program} failed (${error.message}); it is in the package binutils\n`,
    );
  }
}

async function architectureOf(path) {
  const file = await open(path);
  try {
    const { buffer } = await file.read({ buffer: Buffer.alloc(20), position: 0 });
    const found =
      buffer.subarray(0, 4).toString('latin1') === '\x7fELF' ? ARCHITECTURES.get(buffer.readUInt16LE(18)) : undefined;
    if (found === undefined) throw new Error(`${path} is no Node for Linux on x64 or arm64`);
    return found;
  } finally {
    await file.close();
  }
}
