import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from '../contestants.ts';
import { mixedFile } from '../inputs/data-files.ts';
import { type Inputs, sizeOf } from '../inputs.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';
import { runPipeline } from '../process.ts';
import type { Programs } from '../programs.ts';

/** What the summaries of many hosts cost where they come together. */
export const fleet: Measurement = {
  name: 'fleet',
  summary: 'time and memory of adding up, counting and drawing the summaries of 1 to 1,000 hosts',
  races,
};

const HOSTS = [1, 10, 100, 1000];
/** Hosts that differ; there are as many copies of each as it takes. */
const DIFFERENT = 20;
/** Of each host, a part of the same file: 50 s with so many samples, scheduler events, I/Os and points of memory each. */
const RECORDS = 100_000;
const SECONDS = 50;

async function* races({ inputs, programs, scratch }: Bench): AsyncGenerator<Race> {
  const output = (name: string) => ['-o', join(scratch, name), '--force'];
  for (const count of HOSTS) {
    const folder = await summaries(inputs, programs, count);
    const names = await readdir(folder);
    const sizes = await Promise.all(names.map((name) => sizeOf(join(folder, name))));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const one = (work: string, ...args: string[]): Race => ({
      title: `${work} of ${count} ${count === 1 ? 'host' : 'hosts'}`,
      series: work,
      bytes,
      contestants: [program('marple', programs.marple(...args))],
    });
    yield one('sum', 'export', '-i', folder, '--format', 'summary', ...output('sum.marple'));
    yield one('stats of the sum', 'stats', '-i', join(scratch, 'sum.marple'));
    yield one(
      'report of the sum',
      'display',
      '-i',
      join(scratch, 'sum.marple'),
      '-r',
      '--no-open',
      ...output('r.html'),
    );
  }
}

/** A folder with the summaries of so many hosts. */
async function summaries(inputs: Inputs, programs: Programs, hosts: number): Promise<string> {
  const whole = await mixedFile(inputs, DIFFERENT * RECORDS);
  const hostOf = (number: number) =>
    inputs.get(`summary-${number}.marple`, async (path) => {
      const part = ['--from', String(number * SECONDS), '--to', String((number + 1) * SECONDS)];
      const command = programs.marple('export', '-i', whole, '--format', 'summary', ...part, '-o', path);
      await runPipeline([command]);
    });
  return inputs.get(`summaries-${hosts}`, async (folder) => {
    await mkdir(folder);
    for (let i = 0; i < hosts; i++) await copyFile(await hostOf(i % DIFFERENT), join(folder, `host${i}.marple`));
  });
}
