import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { EventData, StackData } from '../../src/common/datatypes.ts';
import { findPerf } from '../../src/formats/perf-tool.ts';
import { ROOT, testFolder } from '../support/folder.ts';
import { foldedExport, importBytes, importPath } from '../support/imports.ts';
import { compileProgram } from '../support/programs.ts';
import { slowFold } from '../support/slow-folding.ts';

let perf = '';
beforeAll(async () => {
  perf = (await findPerf()).path;
});
const names = compileProgram('names');
const tasks = compileProgram('tasks', '-pthread');
const jit = compileProgram('jit');

function record(options: readonly string[], command: readonly string[]): string {
  const cwd = testFolder();
  const path = join(cwd, 'perf.data');
  execFileSync(perf, ['record', '-q', '-N', '-o', path, ...options, '--', ...command], { cwd, stdio: 'ignore' });
  return path;
}

function script(path: string, ...options: readonly string[]): string {
  const argv = ['script', '-i', path, '--no-inline', ...options];
  const text = execFileSync(perf, argv, {
    encoding: 'latin1',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // The file knows where a command ends, and its text does not.
  return text.replaceAll('(sd 12 3)', '(sd_12_3)');
}

const COMMANDS: readonly (readonly [string, readonly string[], () => readonly string[]])[] = [
  ['frame pointers', ['-g', '-F', '499'], () => [names, '0.3']],
  [
    'threads, forks, execs and odd names',
    ['-g', '-F', '499', '-k', 'CLOCK_MONOTONIC'],
    () => [tasks, '0.1', names, '0.2'],
  ],
  ['copies of stacks', ['--call-graph', 'dwarf,4096', '-F', '199'], () => [names, '0.3']],
  ['compressed records', ['-g', '-z', '-F', '499'], () => [names, '0.3']],
  ['several events', ['-g', '-e', 'cpu-clock', '-e', 'page-faults', '-c', '5000000'], () => [names, '0.3']],
  ['tracepoints', ['-g', '-e', 'sched:sched_switch'], () => [tasks, '0.1', names, '0.1']],
  ['no call chains', ['-F', '499', '--sample-cpu'], () => [names, '0.2']],
  ['code that was compiled at run time', ['-g', '-F', '499'], () => [jit, '0.4', 'jit', 'a b(c)', 'net/http.(*C).Do']],
];

describe.skipIf(!ROOT)('perf.data', () => {
  test.each(COMMANDS)('%s: the same as its text', async (_, options, command) => {
    const path = record(options, command());
    const text = script(path);
    const [fromFile, fromText] = [await importPath(path), await importBytes(Buffer.from(text, 'latin1'))];
    expect(fromFile.result.format).toBe('perf-data');
    expect(fromText.result).toMatchObject({ format: 'perf-script', skipped: 0 });
    const folded = await foldedExport(fromFile.path);
    expect(folded.split('\n').length).toBeGreaterThan(1);
    expect(folded).toBe(await foldedExport(fromText.path));
    expect(folded).toBe(slowFold(text));
    // What jit tells perf of its code.
    const pids = new Set(
      fromFile.sections.flatMap(({ records }) => (records as EventData[]).map(({ datum }) => datum?.[2])),
    );
    for (const pid of pids) rmSync(`/tmp/perf-${pid}.map`, { force: true });
    const kinds = (sections: typeof fromFile.sections) =>
      sections.map(({ header, records }) => `${header.datatype} ${header.options?.['event']} ${records.length}`);
    expect(kinds(fromFile.sections)).toEqual(kinds(fromText.sections));
  });

  test('with the pids, and with every annotation, as its text with the pids', async () => {
    const path = record(['-g', '-F', '999'], [tasks, '0.1', names, '0.2']);
    const text = script(path, '-F', '+pid');
    for (const annotate of [['tid'], ['pid', 'kernel', 'jit', 'addrs']]) {
      const { path: imported } = await importPath(path, { annotate });
      expect(await foldedExport(imported)).toBe(slowFold(text, { annotate }));
    }
  });

  test('times: from the first sample, with the moment of it where the clock is known', async () => {
    const before = Date.now();
    const path = record(['-g', '-F', '499', '-k', 'CLOCK_MONOTONIC'], [names, '0.2']);
    const times = script(path, '--ns', '-F', 'time')
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map((line) => BigInt(line.replace(/[^\d]/g, '')));
    const { sections } = await importPath(path);
    const [, events] = sections;
    expect((events!.records as EventData[]).map(({ time }) => BigInt(time))).toEqual(
      times.map((time) => time - times[0]!),
    );
    expect(events!.header).toMatchObject({
      host: hostname(),
      kernel: release(),
      tool: { name: 'perf', command: expect.arrayContaining(['record', names]) },
      clock: { name: 'CLOCK_MONOTONIC', origin: String(times[0]) },
    });
    expect(Date.parse(events!.header.start)).toBeGreaterThanOrEqual(before);
    expect(Date.parse(events!.header.end!)).toBeLessThanOrEqual(Date.now());
  });

  test('compressed by gzip, and on stdin', async () => {
    const path = record(['-g', '-F', '499'], [names, '0.2']);
    const { path: plain } = await importPath(path);
    const { path: zipped } = await importBytes(gzipSync(readFileSync(path)));
    expect(await foldedExport(zipped)).toBe(await foldedExport(plain));
  });

  test('cut off, it gives what is there, the file stays as it is, and whose names are missing is said', async () => {
    const path = record(['-g', '-F', '999'], [names, '0.3']);
    const whole = await importPath(path);
    const cut = join(testFolder(), 'cut.data');
    copyFileSync(path, cut);
    // In the middle of the samples: what perf knows of the machine stands behind them.
    truncateSync(cut, Math.floor(statSync(path).size / 2));
    const bytes = readFileSync(cut);
    const { result, sections } = await importPath(cut);
    expect(readFileSync(cut)).toEqual(bytes);
    expect(result.warnings.join()).toMatch(/the file is cut off: \d+ bytes/);
    expect(result.warnings.join()).toMatch(/names of functions are missing .*does not say which machine/);
    const weight = (records: readonly unknown[]): number =>
      (records as StackData[]).reduce((sum, stack) => sum + stack.weight, 0);
    expect(weight(sections[0]!.records)).toBeGreaterThan(0);
    expect(weight(sections[0]!.records)).toBeLessThan(weight(whole.sections[0]!.records));
  });
});

/** The same file as if another machine had recorded it: the names in its features have the same length. */
function disguised(path: string, from: string, to: string): string {
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf(`${from}\0`, undefined, 'latin1');
  bytes.write(to.padEnd(from.length, 'x').slice(0, from.length), at, 'latin1');
  const copy = join(testFolder(), 'perf.data');
  writeFileSync(copy, bytes);
  return copy;
}

describe.skipIf(!ROOT)('perf.data of elsewhere', () => {
  const kernelNames = (records: readonly unknown[]): string[] =>
    (records as StackData[]).flatMap(({ stack }) =>
      stack.filter((frame) => /sysvec|entry_SYSCALL|do_syscall/.test(frame)),
    );

  test.each([
    ['another machine', () => hostname(), 'q', /it was recorded on q/],
    ['another kernel', () => release(), '1.2.3', /with the kernel 1\.2\.3/],
  ])('%s: its kernel has no names of this one', async (_, from, to, why) => {
    const path = record(['-g', '-F', '4999'], [names, '0.3']);
    expect(kernelNames((await importPath(path)).sections[0]!.records)).not.toEqual([]);
    const { result, sections } = await importPath(disguised(path, from(), to));
    expect(kernelNames(sections[0]!.records)).toEqual([]);
    expect(result.warnings.join()).toMatch(why);
    expect(result.warnings.join()).toMatch(/those of (.*, )?\[kernel\.kallsyms\]/);
    // perf compares the build ids of programs, and these are the same.
    expect((sections[0]!.records as StackData[]).flatMap(({ stack }) => stack)).toContain(
      'outer::inner::Worker::operator',
    );
  });

  test('a program that is not here has no names, and it is said which', async () => {
    const path = record(['-g', '-F', '999', '--no-buildid-cache'], [names, '0.3']);
    const folder = testFolder();
    const other = join(folder, 'names');
    mkdirSync(folder, { recursive: true });
    copyFileSync(names, other);
    const gone = record(['-g', '-F', '999', '--no-buildid-cache'], [other, '0.3']);
    rmSync(other);
    const { result } = await importPath(disguised(gone, hostname(), 'q'));
    expect(result.warnings.join()).toMatch(new RegExp(`names of functions are missing .*${other}`));
    expect((await importPath(path)).result.warnings.join()).not.toMatch(/names of functions are missing/);
  });

  test('what was written to a pipe is refused, with the way that works', async () => {
    const cwd = testFolder();
    const bytes = execFileSync(perf, ['record', '-q', '-o', '-', '-g', '--', names, '0.1'], {
      cwd,
      maxBuffer: 1 << 28,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await expect(importBytes(bytes)).rejects.toMatchObject({
      exitCode: 2,
      hint: expect.stringMatching(/perf script -i/),
    });
  });
});

const STACKCOLLAPSE = '/usr/lib/perf-core/scripts/python/stackcollapse.py';

describe.skipIf(!ROOT)('perf’s own stackcollapse.py is a second source', () => {
  test('the same stacks, as often', async () => {
    // Its rules are fewer: no module for what has no name, no cut of arguments, samples and not periods.
    const path = record(['-g', '-F', '999'], [tasks, '0.1', names, '0.2']);
    const theirs = execFileSync(perf, ['script', '-i', path, '-s', STACKCOLLAPSE], {
      encoding: 'latin1',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const { sections } = await importPath(path);
    const counts = new Map<number, number>();
    for (const { datum } of sections[1]!.records as EventData[]) {
      counts.set(Number(datum[0]), (counts.get(Number(datum[0])) ?? 0) + 1);
    }
    const plain = (frame: string): string => (/^\[.*\]$/.test(frame) ? '[unknown]' : frame);
    const ours = new Map<string, number>();
    for (const [line, { stack }] of (sections[0]!.records as StackData[]).entries()) {
      const text = [stack[0], ...stack.slice(1).map(plain)].join(';');
      ours.set(text, (ours.get(text) ?? 0) + counts.get(line)!);
    }
    const without = (text: string): string => {
      const [root, ...frames] = text.split(';');
      // Ours leaves out what begins with a bracket.
      const named = frames.filter((frame) => !frame.startsWith('('));
      return [root, ...named.map((frame) => frame.replace(/\((?!anonymous namespace\)).*/, ''))].join(';');
    };
    expect([...ours].map(([stack, count]) => `${stack} ${count}`).sort()).toEqual(
      theirs
        .trimEnd()
        .split('\n')
        .map((line) => without(line.replace(/ \d+$/, '')) + line.match(/ \d+$/)![0])
        .sort(),
    );
  });
});
