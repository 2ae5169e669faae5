// Runs commands, so that the code cache holds what V8 compiles for them.
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const COMMANDS = [
  ['collect', '--mem', '--system', '-t', '0.2', '-o', 'data.marple'],
  ['collect', '--mem', '--dry-run'],
  ['import', 'stacks.folded', '--format', 'folded', '-o', 'stacks.marple'],
  ['import', 'samples.txt', '-o', 'samples.marple'],
  ['export', '-i', 'samples.txt', '--format', 'folded', '-o', 'samples.folded'],
  ['stats', '-i', 'data.marple'],
  ['stats', '-i', 'stacks.marple'],
  ['display', '-i', 'stacks.marple', '--no-open', '-o', 'stacks.svg'],
  ['display', '-i', 'data.marple', '-r', '--no-open', '-o', 'report.html'],
  ['display', '-l', '-i', 'data.marple'],
  ['--help'],
  ['--version'],
];

/** As perf script prints it. */
const SAMPLES = `main 1/1 [000]     1.000000: cpu-clock:ppp: 
\tffffffff82201015 work ([kernel.kallsyms])
\t    55d8c5c4a2f1 main+0x1 (/usr/bin/main)

main 1/1 [000]     1.010000:          1 cpu-clock:ppp: 
\t    55d8c5c4a2f1 main+0x1 (/usr/bin/main)

`;

/** @param {string} program the path of what starts MARPLE; a command that cannot be run here adds nothing. */
export async function writeCodeCache(program) {
  const folder = await mkdtemp(join(tmpdir(), 'marple-build-'));
  await writeFile(join(folder, 'stacks.folded'), 'main;work 2\nmain;rest 1\n');
  await writeFile(join(folder, 'samples.txt'), SAMPLES);
  const env = {
    ...process.env,
    MARPLE_WRITE_CODE_CACHE: '1',
    XDG_STATE_HOME: folder,
    XDG_CONFIG_HOME: folder,
  };
  for (const command of COMMANDS) {
    spawnSync(process.execPath, [resolve(program), ...command], { cwd: folder, env, stdio: 'ignore' });
  }
  await rm(folder, { recursive: true, force: true });
}
