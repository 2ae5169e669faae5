import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessTimes } from '../../../src/analysis/stats/scheduling.ts';
import type { EventData } from '../../../src/common/datatypes.ts';
import { keepOf, knownFields, narrowSpans, parseTerms, type Term } from '../../../src/display/shape/event-filter.ts';
import type { EventTable, TableColumn } from '../../../src/display/shape/event-table.ts';
import { SPAN_READY, SPAN_RUNNING, SPAN_UNKNOWN } from '../../../src/display/shape/spans.ts';
import { countTypes, cpuNumbers, taskNumbers } from '../../../src/display/shape/track-numbers.ts';
import { buildTimeline, type Timeline } from '../../../src/display/shape/tracks.ts';
import { type TimelineOptions, TimelineView } from '../../../src/display/timeline.ts';
import { cpusched, ipc, statsOf } from '../../analysis/stats/sections.ts';
import { headerOf, type TestSection } from '../../support/data-files.ts';
import { anyHistory } from '../../support/scheduler.ts';
import { jobOf } from '../job.ts';

const at = (time: number, type: string, ...datum: string[]): EventData => ({ time, type, datum });

/** a (10) runs from 10 to 30 on CPU 0 and is woken at 8 and at 55; b (20) is there from 50 to 60. */
const HISTORY = cpusched([
  at(8, 'wakeup', '0', '0', 'swapper/0', '10', 'a', 'hardirq>0'),
  at(10, 'switch', '0', '0', 'swapper/0', '10', 'a', 'R'),
  at(25, 'wakeup', '0', '10', 'a', '20', 'b', '>0'),
  at(30, 'switch', '0', '10', 'a', '0', 'swapper/0', 'S'),
  at(50, 'switch', '0', '0', 'swapper/0', '20', 'b', 'R'),
  at(55, 'wakeup', '0', '20', 'b', '10', 'a', '>0'),
  at(60, 'switch', '0', '20', 'b', '10', 'a', 'R+'),
  at(80, 'exit', '0', '10', 'a', '', '', ''),
  at(90, 'switch', '0', '10', 'a', '0', 'swapper/0', 'X'),
]);

async function timelineOf(
  section: TestSection,
  more: Parameters<typeof jobOf<TimelineOptions>>[3] = {},
): Promise<Timeline> {
  return new TimelineView(await jobOf(TimelineView.description, [section], {}, more)).timeline();
}

const trackOf = (timeline: Timeline, key: number) => timeline.tracks.find((track) => track.key === key)!;
const spansOf = (timeline: Timeline, key: number): (number | string)[][] => {
  const { spans } = trackOf(timeline, key);
  return Array.from(spans.start, (start, i) => [start, spans.end[i]!, timeline.kinds[spans.kind[i]!]!]);
};
const typesOf = ({ table }: Timeline, rows: Int32Array): string[] =>
  Array.from(rows, (row) => table.type.texts![table.type.values[row]!]!);

describe('the tracks of scheduler events', () => {
  it('by task: when it runs, waits for a CPU, and sleeps', async () => {
    const timeline = await timelineOf(HISTORY);
    expect(timeline.tracks.map(({ label }) => label)).toEqual(['a(10)', 'b(20)']);
    expect(spansOf(timeline, 10)).toEqual([
      [8, 10, 'runnable'],
      [10, 30, 'running'],
      [30, 55, 'sleeping'],
      [55, 60, 'runnable'],
      [60, 90, 'running'],
    ]);
    expect(spansOf(timeline, 20)).toEqual([
      [25, 50, 'runnable'],
      [50, 60, 'running'],
      [60, 90, 'runnable'],
    ]);
    // Switches are what the bars show; a wake-up is on the track of who is woken.
    expect(typesOf(timeline, trackOf(timeline, 10).rows)).toEqual(['wakeup', 'wakeup', 'exit']);
    expect(trackOf(timeline, 10).first).toBe(8);
  });

  it('by CPU: who runs', async () => {
    const timeline = await timelineOf(HISTORY, { track: 'cpu' });
    expect(timeline.tracks.map(({ label }) => label)).toEqual(['cpu 0']);
    const { spans, rows } = timeline.tracks[0]!;
    expect(Array.from(spans.start, (start, i) => [start, spans.end[i], timeline.tasks[spans.who[i]!]?.comm])).toEqual([
      [10, 30, 'a'],
      [50, 60, 'b'],
      [60, 90, 'a'],
    ]);
    expect(rows.length).toBe(4);
    expect(cpuNumbers(timeline, timeline.tracks[0]!, 20, 70)).toEqual([
      { pid: 10, comm: 'a', time: 20 },
      { pid: 20, comm: 'b', time: 10 },
    ]);
  });

  it('say what is not known', async () => {
    const timeline = await timelineOf(
      cpusched([
        at(0, 'switch', '1', '0', 'swapper/1', '10', 'a', 'R'),
        at(10, 'lost', '1', '', '', '', '', ''),
        at(40, 'switch', '1', '20', 'b', '0', 'swapper/1', 'S'),
      ]),
      { track: 'cpu' },
    );
    const { spans } = timeline.tracks[0]!;
    expect(Array.from(spans.start, (start, i) => [start, spans.end[i], spans.kind[i]])).toEqual([
      [0, 10, SPAN_RUNNING],
      [10, 40, SPAN_UNKNOWN],
    ]);
  });

  it('link who wakes whom, but for interrupts out of idle', async () => {
    const { links, tracks, table, linksMatter } = await timelineOf(HISTORY);
    expect(linksMatter).toBe(false);
    expect(
      Array.from(links.rows, (row, i) => [table.time[row], tracks[links.from[i]!]!.key, tracks[links.to[i]!]!.key]),
    ).toEqual([
      [25, 10, 20],
      [55, 20, 10],
    ]);
  });

  it('tell who woke a task and whom it woke', async () => {
    const timeline = await timelineOf(HISTORY);
    const numbers = taskNumbers(timeline, trackOf(timeline, 10), 0, 100);
    expect(numbers.wakers).toEqual([
      { key: -2, comm: 'hardirq', count: 1 },
      { key: 20, comm: 'b', count: 1 },
    ]);
    expect(numbers.wakes).toEqual([{ key: 20, comm: 'b', count: 1 }]);
    expect(numbers.cpus).toEqual([{ cpu: 0, time: 50 }]);
    expect(taskNumbers(timeline, trackOf(timeline, 10), 40, 56).waits).toEqual([
      { reason: 'sleeping', time: 15 },
      { reason: 'runnable', time: 1 },
    ]);
    expect(countTypes(timeline.table, trackOf(timeline, 10).rows, 0, 60)).toEqual([{ type: 'wakeup', count: 2 }]);
  });

  /** The numbers of each task in a range, as the statistics have them. */
  async function expectSameNumbers(records: EventData[], range: { from?: number; to?: number }) {
    const section = cpusched(records);
    const [stats] = await statsOf([section], { filter: range, by: 'pid', top: 1000 });
    const timeline = await timelineOf(section, { filter: range });
    const { from, to } = stats!.scheduling!;
    for (const { pid, comm, ...expected } of stats!.scheduling!.processes) {
      const track = timeline.tracks.find(({ key }) => key === pid);
      if (track === undefined) {
        // A task that took no time is nowhere to be seen.
        expect([expected.cpu_seconds, expected.waits, expected.latency.count]).toEqual([0, [], 0]);
        continue;
      }
      const numbers = taskNumbers(timeline, track, Math.round(from * 1e9), Math.round(to * 1e9));
      const found: ProcessTimes = {
        cpu_seconds: numbers.running / 1e9,
        switches: numbers.switches,
        preempted: numbers.preempted,
        latency: numbers.latency,
        waits: numbers.waits.map(({ reason, time }) => ({ reason, seconds: time / 1e9 })),
      };
      const rounded = ({ cpu_seconds, waits, latency, ...rest }: ProcessTimes) => ({
        ...rest,
        cpu: Math.round(cpu_seconds * 1e9),
        latency: { ...latency, mean: null, sum: Math.round(latency.sum * 1e6) },
        waits: waits
          .map(({ reason, seconds }) => `${reason} ${Math.round(seconds * 1e9)}`)
          .filter((wait) => !wait.endsWith(' 0'))
          .sort(),
      });
      const { processes: _, ...ownOnly } = expected;
      expect(rounded(found), `${comm} (${pid})`).toEqual(rounded(ownOnly));
    }
  }

  it('come to the same numbers as the statistics, whole or cut out of the run', async () => {
    await fc.assert(
      fc.asyncProperty(anyHistory, fc.double({ min: 0, max: 1, noNaN: true }), async (records, share) => {
        fc.pre(records.length > 2);
        await expectSameNumbers(records, {});
        const last = records.at(-1)!.time;
        const from = Math.floor((share * last) / 2);
        const to = Math.ceil(from + last / 3);
        fc.pre(to > from && records.some(({ time }) => time >= from && time <= to));
        await expectSameNumbers(records, { from: from / 1e9, to: to / 1e9 });
      }),
      { numRuns: 40 },
    );
  }, 30_000);
});

const END_A = ['10', 'curl', '127.0.0.1', '40000'];
const END_B = ['20', 'nginx', '127.0.0.1', '80'];
const TALK = ipc([
  at(10, 'connect', ...END_A, ...END_B, ''),
  at(11, 'accept', ...END_B, ...END_A, ''),
  at(20, 'send', ...END_A, ...END_B, '100'),
  at(30, 'send', '30', 'other', '10.0.0.1', '555', '', '', '10.0.0.2', '443', '7'),
]);

describe('the tracks of other events', () => {
  it('are those of their process, with links to the other end', async () => {
    const timeline = await timelineOf(TALK);
    expect(timeline.tracks.map(({ label }) => label)).toEqual(['curl(10)', 'nginx(20)', 'other(30)']);
    expect([timeline.hasSpans, timeline.linksMatter]).toEqual([false, true]);
    expect(typesOf(timeline, trackOf(timeline, 10).rows)).toEqual(['connect', 'send']);
    expect([...timeline.links.from].map((place) => timeline.tracks[place]!.key)).toEqual([10, 20, 10]);
    expect(timeline.tracks.every(({ spans }) => spans.length === 0)).toBe(true);
  });

  it('make hostile names visible', async () => {
    const header = headerOf('event', { interface: 'x', fields: ['pid', 'comm'] });
    const timeline = await timelineOf({ header, records: [at(1, 'a', '5', '\x1b[2J\u202e'), at(2, 'a', '', '')] });
    expect(timeline.tracks.map(({ label }) => label)).toEqual(['no task', '\\x1b[2J\\u{202e}(5)']);
  });

  it('have no end: a million events are put on tracks in typed arrays', () => {
    const length = 1_000_000;
    const column = (values: Int32Array, texts?: string[]): TableColumn => ({ values, texts });
    const table: EventTable = {
      length,
      time: Float64Array.from({ length }, (_, i) => i * 1000),
      type: column(new Int32Array(length), ['a']),
      columns: new Map([['pid', column(Int32Array.from({ length }, (_, i) => i % 1000))]]),
    };
    const timeline = buildTimeline(table, headerOf('event', { fields: ['pid'] }), 'pid');
    expect(timeline.tracks.length).toBe(1000);
    expect(timeline.tracks.every(({ rows }) => rows.length === 1000)).toBe(true);
    expect([...trackOf(timeline, 7).rows.subarray(0, 3)]).toEqual([7, 1007, 2007]);
  });
});

describe('conditions', () => {
  const terms = (text: string): readonly Term[] => {
    const parsed = parseTerms(text);
    if (typeof parsed === 'string') throw new Error(parsed);
    return parsed;
  };
  const kept = async (section: TestSection, text: string, track?: 'cpu'): Promise<[string[], string[]]> => {
    const timeline = await timelineOf(section, track === undefined ? {} : { track });
    const { tracks, rows, links } = keepOf(timeline, terms(text));
    const events = tracks.flatMap((place) => typesOf(timeline, rows.get(place) ?? timeline.tracks[place]!.rows));
    expect(links.length).toBeLessThanOrEqual(timeline.links.rows.length);
    return [tracks.map((place) => timeline.tracks[place]!.label), events];
  };

  it('keep all where there is none', async () => {
    expect(await kept(HISTORY, '  ')).toEqual([
      ['a(10)', 'b(20)'],
      ['wakeup', 'wakeup', 'exit', 'wakeup'],
    ]);
  });

  it('on a process keep its track, and of who talks to whom both', async () => {
    expect(await kept(HISTORY, 'comm=^a$')).toEqual([['a(10)'], ['wakeup', 'wakeup', 'exit']]);
    expect(await kept(HISTORY, 'pid!=10')).toEqual([['b(20)'], []]);
    expect((await kept(TALK, 'comm=curl'))[0]).toEqual(['curl(10)', 'nginx(20)']);
    expect((await kept(TALK, 'pid=^30$'))[0]).toEqual(['other(30)']);
  });

  it('on events keep the tracks that have such', async () => {
    expect(await kept(HISTORY, 'type=exit')).toEqual([['a(10)'], ['exit']]);
    expect(await kept(TALK, 'port=^443$')).toEqual([['other(30)'], ['send']]);
    expect(await kept(TALK, 'type=send comm=curl')).toEqual([['curl(10)'], ['send']]);
    expect(await kept(TALK, 'nosuchfield=1')).toEqual([[], []]);
  });

  it('on tasks keep of a CPU the time that those ran, and on CPUs of a task the time that it ran there', async () => {
    const cpus = narrowSpans(await timelineOf(HISTORY, { track: 'cpu' }), terms('comm=^a$'));
    expect(spansOf(cpus, 0)).toEqual([
      [10, 30, 'running'],
      [60, 90, 'running'],
    ]);
    expect(spansOf(narrowSpans(await timelineOf(HISTORY, { track: 'cpu' }), terms('pid!=10')), 0)).toEqual([
      [50, 60, 'running'],
    ]);
    const tasks = await timelineOf(HISTORY);
    expect(spansOf(narrowSpans(tasks, terms('cpu=0')), 10)).toEqual([
      [10, 30, 'running'],
      [60, 90, 'running'],
    ]);
    expect(spansOf(narrowSpans(tasks, terms('cpu=1')), 10)).toEqual([]);
    expect(narrowSpans(tasks, terms('comm=a type=exit'))).toBe(tasks);
  });

  it('on a CPU keep the tasks that ran there', async () => {
    expect((await kept(HISTORY, 'cpu=1'))[0]).toEqual([]);
    expect((await kept(HISTORY, 'cpu=0'))[0]).toEqual(['a(10)', 'b(20)']);
    expect((await kept(HISTORY, 'cpu=1', 'cpu'))[0]).toEqual([]);
  });

  it('that are a word alone look at process and type', async () => {
    expect((await kept(TALK, 'curl'))[0]).toEqual(['curl(10)', 'nginx(20)']);
    expect((await kept(TALK, 'ACCEPT'))[0]).toEqual(['nginx(20)']);
  });

  it('are refused where they are no regular expression', () => {
    expect(parseTerms('comm=a type=(')).toBe('( is no regular expression');
  });

  it('may name the fields that there are', async () => {
    expect(knownFields((await timelineOf(TALK)).table)).toEqual(['type', 'pid', 'comm', 'addr', 'port', 'bytes']);
  });

  it('spans of a kind beyond the usual ones are reasons to wait', async () => {
    const timeline = await timelineOf(HISTORY);
    expect(timeline.kinds.slice(0, 3)).toEqual(['running', 'runnable', 'unknown']);
    expect(timeline.kinds[SPAN_READY]).toBe('runnable');
  });
});
