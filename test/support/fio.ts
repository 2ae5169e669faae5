import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { lastingFolder } from './folder.ts';

/** What fio itself measured: latencies in nanoseconds, from the submission of an I/O to its completion. */
export interface FioResult {
  readonly reads: number;
  readonly longest: number;
  readonly median: number;
}

/** fio with a file of its own on a real disk, under a process name of its own. */
export interface Fio {
  readonly file: string;
  /** Path of fio under the name; the names of its processes are the last part. */
  readonly program: string;
  /** Arguments for direct 4 KiB reads of the file, one at a time unless `more` says otherwise. */
  args(...more: readonly string[]): string[];
  /** Where fio writes its result where it was given `args`. */
  result(): FioResult;
  /** Starts it; it ends with the test at the latest. */
  start(...more: readonly string[]): Promise<FioResult>;
  /** Has three processes read at random until the test ends: what others want meanwhile, they issue now and then. */
  startLoad(...more: readonly string[]): void;
}

interface FioOutput {
  readonly jobs: readonly {
    readonly error: number;
    readonly read: {
      readonly total_ios: number;
      readonly clat_ns: { readonly max: number; readonly percentile: Readonly<Record<string, number>> };
    };
  }[];
}

/** Lays out a file of `mib` in /var/tmp, which is seldom a tmpfs. */
export function prepareFio(name: string, mib: number): Fio {
  const folder = lastingFolder('/var/tmp');
  const file = join(folder, 'data');
  const program = join(folder, name);
  symlinkSync(execFileSync('sh', ['-c', 'command -v fio'], { encoding: 'utf8' }).trim(), program);
  const layout = ['--name=layout', `--filename=${file}`, `--size=${mib}m`, '--rw=write', '--bs=1m', '--end_fsync=1'];
  execFileSync('fio', [...layout, '--output-format=terse']);
  const output = join(folder, 'result.json');
  const args = (...more: readonly string[]): string[] => [
    '--name=job',
    `--filename=${file}`,
    '--rw=randread',
    '--bs=4k',
    '--direct=1',
    '--ioengine=psync',
    '--output-format=json',
    `--output=${output}`,
    ...(more.some((arg) => arg.startsWith('--size=')) ? [] : [`--size=${mib}m`]),
    ...more,
  ];
  const result = (): FioResult => {
    const [job] = (JSON.parse(readFileSync(output, 'utf8')) as FioOutput).jobs;
    if (job === undefined || job.error !== 0) throw new Error('fio failed');
    const { total_ios: reads, clat_ns: latency } = job.read;
    return { reads, longest: latency.max, median: latency.percentile['50.000000'] ?? 0 };
  };
  const start = (...more: readonly string[]): Promise<FioResult> => {
    const child = spawn(program, args(...more), { cwd: folder, stdio: 'ignore' });
    onTestFinished(() => void child.kill());
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => {
        try {
          resolve(result());
        } catch (error) {
          reject(error);
        }
      });
    });
  };
  const startLoad = (...more: readonly string[]): void => {
    const forever = ['--time_based', '--runtime=600', '--norandommap', '--numjobs=3'];
    const child = spawn(program, args(...forever, ...more), { cwd: folder, stdio: 'ignore' });
    onTestFinished(() => void child.kill());
  };
  return { file, program, args, result, start, startLoad };
}

/** Name of the disk that a file lies on, and the sector where its partition begins. */
export function diskOf(file: string): { readonly name: string; readonly start: number } {
  const { dev } = statSync(file);
  // Linux: 12 bits of major and 20 of minor number, as gnu_dev_major(3) takes them apart.
  const major = (dev >>> 8) & 0xfff;
  const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
  const link = readlinkSync(`/sys/dev/block/${major}:${minor}`);
  const folder = join('/sys/dev/block', link);
  if (!existsSync(join(folder, 'partition'))) return { name: basename(link), start: 0 };
  return { name: basename(dirname(link)), start: Number(readFileSync(join(folder, 'start'), 'utf8')) };
}

//    0:        0..    2047:   50870272..  50872319:   2048:             last,eof
/** Where a file lies on its disk, in sectors: `[first, last]` of each extent, from filefrag(8). */
export function extentsOf(file: string): [number, number][] {
  const { start } = diskOf(file);
  const text = execFileSync('filefrag', ['-v', '-b512', file], { encoding: 'utf8' });
  return [...text.matchAll(/^ *\d+: +\d+\.\. *\d+: +(\d+)\.\. *(\d+):/gmu)].map(([, first, last]) => [
    Number(first) + start,
    Number(last) + start,
  ]);
}
