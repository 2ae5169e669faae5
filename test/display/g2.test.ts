import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { MarpleError } from '../../src/common/errors.ts';
import { findG2, G2, type G2Options } from '../../src/display/g2.ts';
import { type ReadLog, readCpel } from '../support/cpel.ts';
import { headerOf, type TestSection, tempFolder } from '../support/data-files.ts';
import { jobOf } from './job.ts';

const SCHED_FIELDS = ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'];
const sched = (records: readonly EventData[]): TestSection => ({
  header: headerOf('event', { interface: 'cpusched', fields: SCHED_FIELDS }),
  records,
});
const at = (time: number, type: string, ...datum: string[]): EventData => ({ time, type, datum });

const RUN = sched([
  at(1000, 'wakeup', '0', '0', 'swapper/0', '70', 'fio', 'hardirq>0'),
  at(2000, 'switch', '0', '0', 'swapper/0', '70', 'fio', 'R'),
  at(3000, 'migrate', '1', '8', 'kworker', '70', 'fio', '0>1'),
  at(4000, 'switch', '0', '70', 'fio', '0', 'swapper/0', 'S'),
  at(5000, 'switch', '1', '0', 'swapper/1', '8', 'kworker', 'R'),
  at(6000, 'exit', '0', '70', 'fio', '', '', ''),
  at(7000, 'lost', '1', '', '', '', '', ''),
]);

async function draw(
  sections: readonly TestSection[],
  options: Partial<G2Options> = {},
  more: Parameters<typeof jobOf<G2Options>>[3] = {},
): Promise<{ log: ReadLog; notes: readonly string[] }> {
  const view = new G2(await jobOf(G2.description, sections, options, more));
  const parts: Uint8Array[] = [];
  const rendered = await view.render();
  if (rendered instanceof Uint8Array) throw new Error('a log is written as it comes');
  for await (const part of rendered) parts.push(Uint8Array.from(part));
  const bytes = Buffer.concat(parts);
  expect(bytes.subarray(0, 4096).includes('Drawn by MARPLE')).toBe(true);
  return { log: readCpel(bytes), notes: view.notes };
}

const lines = ({ types, tracks, events }: ReadLog): string[] =>
  events.map(({ time, code, track, datum }) => `${time} ${types.get(code)} ${tracks.get(track)}: ${datum}`);

describe('G2', () => {
  it('puts scheduler events on the tracks of the tasks that they are about', async () => {
    const { log, notes } = await draw([RUN]);
    expect(lines(log)).toEqual([
      '0 wakeup fio(70): cpu=0 pid=0 comm=swapper/0 state=hardirq>0',
      '1000 switch fio(70): cpu=0 pid=0 comm=swapper/0 state=R',
      '2000 migrate fio(70): cpu=1 pid=8 comm=kworker state=0>1',
      '3000 switch swapper(0): cpu=0 pid=70 comm=fio state=S',
      '4000 switch kworker(8): cpu=1 pid=0 comm=swapper/1 state=R',
      '5000 exit fio(70): cpu=0',
      '6000 lost no task: cpu=1',
    ]);
    expect([...log.types]).toEqual([
      [1, 'switch'],
      [2, 'wakeup'],
      [3, 'exit'],
      [4, 'lost'],
      [5, 'migrate'],
    ]);
    expect(log.date).toBe(Date.parse('2026-03-01T09:30:00Z') / 1000);
    expect(notes).toEqual(['7 events of 5 types on 4 tracks']);
  });

  it('has a track for each CPU where that is asked for, by flag or config', async () => {
    for (const { log } of [
      await draw([RUN], { track: 'cpu' }),
      await draw([RUN], { track: 'pid' }, { track: 'cpu' }),
    ]) {
      expect([...log.tracks.values()]).toEqual(['cpu 0', 'cpu 1']);
      expect(lines(log)[1]).toBe('1000 switch cpu 0: pid=0 comm=swapper/0 other_pid=70 other_comm=fio state=R');
    }
  });

  it('shows other events by their process', async () => {
    const ipc: TestSection = {
      header: headerOf('event', { interface: 'ipc', fields: ['pid', 'comm', 'other_pid', 'port'] }),
      records: [at(5, 'send', '9', 'curl', '8', '80'), at(9, 'switch', '9', 'curl', '', '80')],
    };
    const { log } = await draw([ipc]);
    expect(lines(log)).toEqual(['0 send curl(9): other_pid=8 port=80', '4 switch curl(9): port=80']);
    expect([...log.types.keys()]).toEqual([1, 2]);
    await expect(draw([ipc], { track: 'cpu' })).rejects.toThrow(/by cpu: they have no such field/);
  });

  it('names samples by the process of their stack', async () => {
    const stacks: TestSection = {
      header: headerOf('stack', { interface: 'callstack' }),
      records: [{ weight: 2, stack: ['nginx', 'main'] }],
    };
    const samples: TestSection = {
      header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
      records: [at(1, 'cycles', '0', '1', '55', '55', '1'), at(2, 'cycles', '0', '1', '55', '55', '1')],
    };
    const job = await jobOf(G2.description, [stacks, samples]);
    const { log } = await draw([stacks, samples], {}, { section: job.group.all[1]!, group: job.group } as never);
    expect(lines(log)).toEqual([
      '0 cycles nginx(55): stack=0 cpu=1 tid=55 weight=1',
      '1 cycles nginx(55): stack=0 cpu=1 tid=55 weight=1',
    ]);
  });

  it('takes the events of a process from both sides', async () => {
    const { log } = await draw([RUN], {}, { filter: { pids: [8] } });
    expect(lines(log).map((line) => line.replace(/:.*/, ''))).toEqual([
      '0 migrate fio(70)',
      '2000 switch kworker(8)',
      '4000 lost no task',
    ]);
    const { log: part } = await draw([RUN], {}, { filter: { from: 2e-6, to: 4e-6 } });
    expect(part.events.map(({ time }) => Number(time))).toEqual([0, 1000, 2000]);
  });

  it('says what it had to change', async () => {
    const hostile = sched([
      at(1, '%n', '0', '1', '100%s', '', '', ''),
      at(1, 'ok', '0', '2', 'ü'.repeat(300), '', '', '\x1b[2J'),
    ]);
    const { log, notes } = await draw([hostile]);
    expect([...log.tracks.values()]).toEqual(['100_s(1)', `${'?'.repeat(27)}(2)`]);
    expect(notes).toEqual([
      '2 events of 2 types on 2 tracks',
      'all events are at one time: G2 draws nothing of them',
      '3 names changed, since G2 can show 30 characters of ASCII without %',
    ]);
  });

  it('writes no file without events', async () => {
    const error = await draw([sched([])]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MarpleError);
    expect(error).toMatchObject({
      exitCode: 2,
      message: 'section 1 (cpusched) has no events, and G2 crashes on a file without any',
    });
    await expect(draw([RUN], {}, { filter: { from: 1 } })).rejects.toThrow('has no events that pass the filter');
  });
});

describe('starting G2', () => {
  /** A program in G2's place, which writes down how it was called. */
  function fakeG2(): { program: string; folder: string; called: string } {
    const folder = tempFolder();
    const [program, called] = [join(folder, 'g2'), join(folder, 'called')];
    writeFileSync(program, `#!/bin/sh\necho "$@" > ${called}.tmp && mv ${called}.tmp ${called}\n`);
    chmodSync(program, 0o755);
    return { program, folder, called };
  }

  it('finds it where config says, or in PATH', () => {
    const { program, folder } = fakeG2();
    expect(findG2(program, '')).toBe(program);
    expect(findG2('', `/nowhere:${folder}`)).toBe(program);
    expect(findG2('/nowhere/g2', folder)).toBeUndefined();
    expect(findG2('', '/nowhere:.')).toBeUndefined();
  });

  it('opens the file that was written', async () => {
    const { program, called } = fakeG2();
    const view = new G2(await jobOf(G2.description, [RUN], { program }));
    const path = join(tempFolder(), 'x.cpel');
    expect(await view.show({ path, replace: 'nothing', open: true })).toBe(true);
    await vi.waitFor(() => expect(readFileSync(called, 'utf8')).toBe(`--cpel-input ${path}\n`), 5000);
    readCpel(readFileSync(path));
  });

  it('does not where there is nothing to draw, or no G2', async () => {
    const { program, called } = fakeG2();
    const path = join(tempFolder(), 'x.cpel');
    const view = new G2(await jobOf(G2.description, [sched([RUN.records[0] as EventData])], { program }));
    expect(await view.show({ path, replace: 'nothing', open: true })).toBe(false);
    expect(view.notes.at(-1)).toMatch(/^not opened: G2 draws nothing/);
    vi.stubEnv('PATH', '/nowhere');
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const other = new G2(await jobOf(G2.description, [RUN]));
    expect(await other.show({ path, replace: 'own', open: true })).toBe(false);
    expect(other.notes.at(-1)).toMatch(/^not opened: G2 is not installed \(docs\/g2.md/);
    expect(existsSync(called)).toBe(false);
  });
});
