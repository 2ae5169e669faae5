import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cp, open, readdir, rename, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inputs } from '../inputs.ts';
import { type Command, runCommand } from '../process.ts';
import type { Programs } from '../programs.ts';

/*
 * What a run of MARPLE had recorded when it was killed, before anything of it was decoded: recorded here, as root. Addresses
 * mean something only until the next boot, so the boot is part of the name.
 */

const BOOT = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
/** Until everything is recording. */
const START_MS = 4000;

/** Path of a partial folder; `load` runs for about `seconds`. */
export function recording(
  inputs: Inputs,
  programs: Programs,
  name: string,
  flags: readonly string[],
  load: (seconds: number) => Command,
  seconds: number,
): Promise<string> {
  return inputs.get(`${name}-${seconds}s-${BOOT}`, async (path) => {
    const [program = '', ...args] = programs.marple('collect', ...flags, '-a', '-q', '-t', '3600', '-o', path);
    const marple = spawn(program, args, { stdio: 'ignore' });
    const ended = once(marple, 'exit');
    await sleep(START_MS);
    await runCommand(load(seconds));
    marple.kill('SIGKILL');
    await ended;
    await unchanging(`${path}.partial`);
    await rename(`${path}.partial`, path);
    // Clears what the killed one has left in the kernel.
    await runCommand(programs.marple('collect', '--system', '-t', '0.1', '-q', '--force', '-o', `${path}.cleared`));
  });
}

/** Waits until the tools, which end by themselves, have completed their files. */
async function unchanging(folder: string): Promise<void> {
  for (let before = -1, size = await bytesIn(folder); size !== before; [before, size] = [size, await bytesIn(folder)]) {
    await sleep(1000);
  }
}

export async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder, { recursive: true })) {
    const found = await stat(join(folder, name));
    if (found.isFile()) bytes += found.size;
  }
  return bytes;
}

/** The beginning of a recording by ftrace: of the pages of each CPU as many as make `bytes` in all. */
export function beginning(inputs: Inputs, name: string, whole: string, bytes: number): Promise<string> {
  return inputs.get(`${name}-${bytes}-${BOOT}`, async (path) => {
    await cp(whole, path, { recursive: true });
    const share = Math.min(1, bytes / (await bytesIn(whole)));
    for (const file of await readdir(path, { recursive: true })) {
      if (file.endsWith('.raw')) await cut(join(path, file), share);
    }
  });
}

const PAGE = 4096;

async function cut(path: string, share: number): Promise<void> {
  const handle = await open(path);
  const { size } = await handle.stat();
  await handle.close();
  await truncate(path, Math.floor((size * share) / PAGE) * PAGE);
}
