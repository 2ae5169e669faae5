import { describe, expect, it } from 'vitest';
import { traceEventExporter } from '../../src/formats/trace-event.ts';
import { headerOf } from '../support/data-files.ts';
import { type ExportSettings, exportSections, SECTION, SOME } from '../support/exports.ts';

interface TraceEvent {
  readonly ph: string;
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

async function trace(settings: ExportSettings = {}): Promise<{ events: TraceEvent[]; warnings: readonly string[] }> {
  const { text, warnings } = await exportSections(traceEventExporter, SOME, settings);
  return { events: (JSON.parse(text) as { traceEvents: TraceEvent[] }).traceEvents, warnings };
}

/** The names that the metadata gives to processes and threads. */
function namesOf(events: readonly TraceEvent[], kind: 'process_name' | 'thread_name'): Record<string, unknown> {
  const named = events.filter(({ ph, name }) => ph === 'M' && name === kind);
  return Object.fromEntries(
    named.map(({ pid, tid, args }) => [kind === 'process_name' ? `${pid}` : `${pid} ${tid}`, args?.['name']]),
  );
}

describe('trace events', () => {
  it('have the keys that viewers need', async () => {
    const { events, warnings } = await trace();
    expect(warnings).toEqual([]);
    expect(events.length).toBeGreaterThan(30);
    for (const event of events) {
      expect(event).toMatchObject({
        ph: expect.stringMatching(/^[XbeiCMsf]$/),
        ts: expect.any(Number),
        pid: expect.any(Number),
        tid: expect.any(Number),
        name: expect.any(String),
      });
      if (event.ph === 'X') expect(event.dur).toBeGreaterThanOrEqual(0);
      if ('besf'.includes(event.ph)) expect(event).toMatchObject({ id: expect.any(Number), cat: expect.any(String) });
    }
    // Every process that has events has a name.
    const names = namesOf(events, 'process_name');
    for (const { pid } of events) expect(names[pid]).toEqual(expect.any(String));
  });

  it('have a slice for what ran on a CPU, and one for what its task did', async () => {
    const { events } = await trace({ pick: [SECTION.cpusched] });
    const processes = namesOf(events, 'process_name');
    const slices = events
      .filter(({ ph }) => ph === 'X')
      .map(({ pid, tid, name, ts, dur, args }) => [processes[pid], tid, name, ts, dur, args] as const);
    expect(slices.filter(([process]) => process === 'CPUs')).toEqual([
      ['CPUs', 0, 'fio', 2, 2_000_003.001, { pid: 10 }],
      ['CPUs', 0, 'web server', 3_000_000, 500_000, { pid: 20 }],
    ]);
    expect(slices.filter(([process, task]) => process === 'Tasks' && task === 10)).toEqual([
      ['Tasks', 10, 'runnable', 1, 1, {}],
      ['Tasks', 10, 'running', 2, 2_000_003.001, { cpu: 0 }],
      ['Tasks', 10, 'disk', 2_000_005.001, 1_499_994.999, {}],
    ]);
    expect(Object.values(namesOf(events, 'thread_name')).sort()).toEqual(['CPU 0', 'fio', 'web server']);
  });

  it('are cut to the range of time, with what ran at its beginning', async () => {
    const { events } = await trace({ pick: [SECTION.cpusched], filter: { from: 1, to: 3.25, pids: [10] } });
    const slices = events.filter(({ ph, args }) => ph === 'X' && args?.['pid'] !== undefined);
    expect(slices.map(({ name, ts, dur }) => [name, ts, dur])).toEqual([['fio', 1_000_000, 1_000_005.001]]);
  });

  it('have an asynchronous operation for each I/O', async () => {
    const { events } = await trace({ pick: [SECTION.disklat, SECTION.ioStacks] });
    const ofFirst = events.filter(({ id }) => id === 1);
    expect(ofFirst.map(({ ph, ts, pid, tid, name, cat }) => [ph, ts, pid, tid, name, cat])).toEqual([
      ['b', 500_000, 10, 10, 'R vda', 'disk'],
      ['e', 501_250, 10, 10, 'R vda', 'disk'],
    ]);
    expect(ofFirst[0]!.args).toEqual({ op: 'R', dev: 'vda', sector: 8, bytes: 4096 });
    expect(events.filter(({ ph }) => ph === 'b')).toHaveLength(3);
    expect(namesOf(events, 'process_name')).toEqual({ 10: 'fio', 20: '=cmd|calc' });
  });

  it('have counters of levels and rates', async () => {
    const { events } = await trace({ pick: [SECTION.memtime, SECTION.system] });
    const processes = namesOf(events, 'process_name');
    const counters = events.filter(({ ph }) => ph === 'C');
    expect(counters.map(({ ts, pid, name, args }) => [ts, processes[pid], name, args])).toEqual([
      [1_000_000, 'fio', 'PSS (MiB)', { MiB: 5.5 }],
      [1_000_000, 'web server', 'PSS (MiB)', { MiB: 7 }],
      [2_000_000, 'fio', 'PSS (MiB)', { MiB: 6 }],
      [1_000_000, 'Machine', 'disk throughput (MiB/s)', { 'vda read': 0.5, 'vda write': 2 }],
      [2_000_000, 'Machine', 'disk throughput (MiB/s)', { 'vda read': 1 }],
    ]);
  });

  it('have an arrow from each end that connects or sends to the other', async () => {
    const { events } = await trace({ pick: [SECTION.ipc] });
    const arrows = events.filter(({ ph }) => 'sf'.includes(ph));
    expect(arrows.map(({ ph, ts, pid, name, id }) => [ph, ts, pid, name, id])).toEqual([
      ['s', 1000, 10, 'connect', 1],
      ['f', 1100, 20, 'connect', 1],
      ['s', 1200, 10, 'send', 2],
      ['f', 1300, 20, 'send', 2],
    ]);
    // Arrows begin and end in slices.
    for (const { ts, pid } of arrows) {
      expect(events.some((event) => event.ph === 'X' && event.ts === ts && event.pid === pid)).toBe(true);
    }
  });

  it('have a moment for each sample, named by its function', async () => {
    const { events } = await trace({ pick: [SECTION.stacks, SECTION.samples] });
    expect(
      events.filter(({ ph }) => ph === 'i').map(({ ts, pid, tid, name, args }) => [ts, pid, tid, name, args]),
    ).toEqual([
      [500_000, 10, 10, 'read', { cpu: 0, weight: 3, event: 'cpu-clock' }],
      [1_500_000, 20, 20, 'parse<int, "x">', { cpu: 1, weight: 1, event: 'cpu-clock' }],
      [2_500_000, 10, 12, 'write', { cpu: 0, weight: 1, event: 'cpu-clock' }],
      [3_500_000, 11, 11, 'write', { cpu: 1, weight: 3, event: 'cpu-clock' }],
    ]);
    expect(namesOf(events, 'process_name')).toEqual({ 10: 'fio', 20: 'web_server', 11: 'fio' });
  });

  it('leave out what has no times, and say so', async () => {
    const stacks = { header: headerOf('stack', { interface: 'memleak' }), records: [{ weight: 1, stack: ['a'] }] };
    const both = await exportSections(traceEventExporter, [stacks, SOME[SECTION.memtime - 1]!]);
    expect(both.warnings).toEqual(['section 1 (memleak, stack) tells no times, and is left out']);
    await expect(exportSections(traceEventExporter, [stacks])).rejects.toMatchObject({ exitCode: 2 });
  });

  it('have hostile names as visible text', async () => {
    const header = headerOf('event', { fields: ['pid', 'comm'] });
    const records = [{ time: 1, type: 'x\u202e', datum: ['5', '</script>\u0000\udcff'] }];
    const { text } = await exportSections(traceEventExporter, [{ header, records }]);
    const { traceEvents } = JSON.parse(text) as { traceEvents: TraceEvent[] };
    expect(namesOf(traceEvents, 'process_name')).toEqual({ 5: '</script>\\x00\\xff' });
    expect(traceEvents.at(-1)!.name).toBe('x\\u{202e}');
  });
});
