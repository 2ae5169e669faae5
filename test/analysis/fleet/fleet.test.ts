import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type DataSet, dataSets, filterOfAll, groupsOf, hostSets } from '../../../src/analysis/fleet/data-sets.ts';
import { hostOfFile, splitHosts } from '../../../src/analysis/fleet/hosts.ts';
import { isJoined, joinGroups, withHostFrame, withHostFrames } from '../../../src/analysis/fleet/joined.ts';
import { checkFilter, type Filter, selectEvents, selectPoints, selectStacks } from '../../../src/analysis/select.ts';
import { sectionStats } from '../../../src/analysis/stats.ts';
import type { DataFile, SectionReader } from '../../../src/common/reader.ts';
import { StackPath, WeightedTrie } from '../../../src/common/stack-trie.ts';
import { headerOf, readRecords, type TestSection } from '../../support/data-files.ts';
import { disk, memory, openHosts, samples, scheduling, type TestHost } from '../../support/fleet.ts';

const host = (node: string, sections: readonly TestSection[], more: Partial<TestHost> = {}): TestHost => ({
  node,
  origin: 0,
  offset: { start: 0 },
  sections,
  ...more,
});
const namesOf = (sets: readonly DataSet[]) => sets.map(({ hosts, files }) => hosts ?? files.map(hostOfFile));
const section = (set: DataSet, name: string, datatype: string): SectionReader =>
  groupsOf(set)
    .flatMap((group) => group.all)
    .find(({ header }) => header.interface === name && header.datatype === datatype)!;
/** The only set of some hosts. */
async function together(hosts: readonly TestHost[]): Promise<DataSet> {
  const sets = dataSets(await openHosts(hosts));
  expect(sets).toHaveLength(1);
  return sets[0]!;
}

describe('which files belong together', () => {
  test('those of different hosts at the same time; the name it was reached by comes first, in the order of numbers', async () => {
    const files = await openHosts([
      host('web10', [disk([1])], { host: 'ip-1' }),
      host('web2', [disk([1])], { host: 'ip-1' }),
      { host: 'db', origin: 3, sections: [disk([1])] },
    ]);
    expect(namesOf(dataSets(files))).toEqual([['db', 'web2', 'web10']]);
  });

  test('not repeats on one host, runs one after the other, or files that do not say whose they are', async () => {
    const files = await openHosts([
      host('web1', [disk([1])]),
      { host: 'web1', origin: 20, sections: [disk([1])] },
      host('web2', [disk([1])], { origin: 60_000 }),
      { origin: 0, sections: [disk([1])] },
      { origin: 0, sections: [disk([1])] },
    ]);
    expect(namesOf(dataSets(files))).toEqual([['web1'], ['3'], ['4'], ['web1'], ['web2']]);
  });

  test('repeats on several hosts: each run of one with the same run of the others', async () => {
    const sections = [disk([1])];
    const files = await openHosts(
      ['a', 'b'].flatMap((name, i) =>
        (i === 0 ? [1, 0] : [0, 1]).map((repeat) => ({ host: name, origin: 400 * i + 10_200 * repeat, sections })),
      ),
    );
    const sets = dataSets(files);
    expect(namesOf(sets)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(sets.map((set) => set.files.map(({ path }) => basename(path)))).toEqual([
      ['0.marple', '3.marple'],
      ['1.marple', '2.marple'],
    ]);
  });

  test('a run that was cut off does too', async () => {
    const cut = (own: DataFile): DataFile => ({
      ...own,
      sections: own.sections.map((each) => ({
        number: each.number,
        header: { ...each.header, end: null },
        batches: (datatype) => each.batches(datatype),
        points: (want) => each.points(want),
        events: (want) => each.events(want),
        stacks: () => each.stacks(),
      })),
    });
    const [one, two] = await openHosts([host('a', [disk([1])]), host('b', [disk([2])], { origin: 3 })]);
    const [set] = dataSets([one!, cut(two!)]);
    expect(set!.hosts).toEqual(['a', 'b']);
    const { header } = section(set!, 'disklat', 'datapoint');
    expect(header.warnings).toEqual(['the collection was cut off on b']);
    expect(header.end).toBe('2026-03-01T09:30:10.000Z');
  });

  test('of a file of several hosts each has its own', async () => {
    const files = await openHosts([host('a', [disk([1])]), host('b', [disk([2, 3])])]);
    const both = { ...files[0]!, sections: files.flatMap(({ sections }) => sections) };
    const [set] = dataSets([both]);
    expect(set!.hosts).toEqual(['a', 'b']);
    expect(await readRecords(section(set!, 'disklat', 'datapoint'))).toHaveLength(3);
  });
});

describe('the clock', () => {
  test('begins where the first host does, once its clock is put right; all times are moved', async () => {
    const set = await together([
      // Its clock is 2 s fast: it began at 1 s.
      host('a', [scheduling(1, 2, 3)], { origin: 3000, offset: { start: 1_999_000_000, end: 2_001_000_000 } }),
      host('b', [disk([7]), scheduling(1, 2, 3)], { origin: 1500 }),
    ]);
    const events = await readRecords(section(set, 'cpusched', 'event'));
    expect(events.map((event) => ('time' in event ? [event.time / 1e6, event.datum.at(-1)] : []))).toEqual([
      [1, 'a'],
      [2, 'a'],
      [3, 'a'],
      [501, 'b'],
      [502, 'b'],
      [503, 'b'],
    ]);
    const points = await readRecords(section(set, 'disklat', 'datapoint'));
    expect(points).toEqual([{ x: 0.501, y: 7, info: ['app', String(2 ** 23 + 1), 'b'] }]);
    const { clock, start } = section(set, 'cpusched', 'event').header;
    expect([clock!.realtime, start]).toEqual(['2026-03-01T09:30:01.000Z', '2026-03-01T09:30:01.000Z']);
  });

  test('is told of where it is uncertain by more than a millisecond, or unknown', async () => {
    const certain = [host('a', [disk([1])]), host('b', [disk([1])])];
    expect((await together(certain)).notes).toEqual([]);
    const drift = host('c', [disk([1])], { offset: { start: 0, end: 3_000_000, uncertainty: 400_000 } });
    expect((await together([...certain, drift])).notes).toEqual([
      'the clock of c is known to 1.9 ms only: what is closer may have come in another order',
    ]);
    const { offset: _, ...unknown } = host('d', [disk([1])]);
    expect((await together([...certain, unknown])).notes).toEqual([
      "the hosts' own clocks are taken as right where nothing else is known (d): times of different hosts are as far off as their clocks are",
    ]);
  });

  test('is that of --from and --to, of one host by itself too', async () => {
    const set = await together([host('a', [disk([1, 2, 3])]), host('b', [disk([4, 5, 6])], { origin: 1 })]);
    const range = { from: 0.0025, to: 0.0035 };
    expect(await values(section(set, 'disklat', 'datapoint'), range)).toEqual([3, 5]);
    const [a, b] = hostSets(set);
    expect(await values(section(a!, 'disklat', 'datapoint'), range)).toEqual([3]);
    expect(await values(section(b!, 'disklat', 'datapoint'), range)).toEqual([5]);
  });

  async function values(of: SectionReader, filter: Filter): Promise<number[]> {
    const found: number[] = [];
    for await (const { y } of selectPoints(of, [], filter)) found.push(...y);
    return found;
  }
});

describe('hosts that have the same pids and CPUs', () => {
  test('are never taken for one: each has its own tasks, CPUs and states', async () => {
    // On a 1 runs from 1 to 4 ms, on b from 2 to 3; one after the other they would displace each other.
    const set = await together([host('a', [scheduling(1, 4, 6)]), host('b', [scheduling(2, 3, 9)])]);
    const [group] = groupsOf(set);
    const { scheduling: found } = await sectionStats(group!, group!.all[0]!, { filter: {}, by: 'pid', top: 10 });
    expect(found!.missed).toBe(0);
    expect(found!.cpus.map(({ host: of, cpu, busy }) => [of, cpu, Math.round(busy * 1000)])).toEqual([
      ['a', 0, 5],
      ['b', 0, 7],
    ]);
    expect(found!.processes.map(({ comm, pid, cpu_seconds }) => [comm, pid, Math.round(cpu_seconds * 1000)])).toEqual([
      ['task2', 2, 6],
      ['task1', 1, 3],
      ['task2', 2, 2],
      ['task1', 1, 1],
    ]);
  });

  test('a host that ends earlier runs nothing any more', async () => {
    const running = scheduling(1, 4, 6);
    const open = { ...running, records: running.records.slice(0, 2) };
    const set = await together([host('a', [open]), host('b', [scheduling(2, 3, 1009)])]);
    const [group] = groupsOf(set);
    const { scheduling: found } = await sectionStats(group!, group!.all[0]!, { filter: {}, by: 'comm', top: 10 });
    expect(found!.cpus.map(({ busy }) => Math.round(busy * 1000))).toEqual([3, 1007]);
  });

  test('processes of one name count as so many; a pid that is asked for is that of any host', async () => {
    const set = await together([host('a', [disk([1, 2])]), host('b', [disk([3], 'other')]), host('c', [disk([4])])]);
    const [group] = groupsOf(set);
    const of = async (filter: Filter) => {
      const stats = await sectionStats(group!, group!.all[0]!, {
        filter: filterOfAll(set, filter),
        by: 'comm',
        top: 9,
      });
      return stats.points!.processes.map(({ comm, processes, count }) => [comm, processes, count]);
    };
    expect(await of({})).toEqual([
      ['app', 2, 3],
      ['other', 1, 1],
    ]);
    expect(await of({ pids: [1] })).toEqual(await of({}));
    expect(await of({ pids: [2] })).toEqual([]);
  });
});

describe('sections of all hosts', () => {
  test('add up to the sum of the hosts: stacks, samples and points', async () => {
    const all = [
      host('a', [...samples([3, 1]), disk([1, 2])]),
      host('b', [...samples([2, 4, 5]), disk([3])]),
      host('c', samples([7])),
    ];
    const set = await together(all);
    const group = groupsOf(set)[0]!;
    const trie = new WeightedTrie();
    for await (const { stack, weight } of selectStacks(group, group.all[0]!, {})) trie.addWeight(stack, weight);
    expect([...trie.stacks()].map(({ stack, weight }) => `${stack.join(';')} ${weight}`)).toEqual([
      'app;main;f0 12',
      'app;main;f1 5',
      'app;main;f2 5',
    ]);
    // The samples name the stacks of their own host.
    expect(await stacksOf(set, { to: 0.002 })).toEqual(['a app;main;f0 2', 'b app;main;f0 2', 'c app;main;f0 2']);
    expect(await stacksOf(set, { from: 0.0055 })).toEqual(['b app;main;f1 1', 'b app;main;f2 5', 'c app;main;f0 2']);
    const { header } = section(set, 'disklat', 'datapoint');
    expect([header.hosts, header.fields, header.notes]).toEqual([
      ['a', 'b', 'c'],
      ['comm', 'pid', 'host'],
      ['of 2 of 3 hosts: a and b'],
    ]);
  });

  async function stacksOf(set: DataSet, filter: Filter): Promise<string[]> {
    const group = groupsOf(set)[0]!;
    const [stacks] = group.all;
    checkFilter(group, stacks!, filter);
    if (!isJoined(stacks!)) throw new Error('not joined');
    const found: string[] = [];
    const ends = await stacks.lineEnds();
    for await (const { stack, weight } of withHostFrame(selectStacks(group, stacks, filter), ends, set.hosts!)) {
      if (weight > 0) found.push(`${stack[0]} ${stack.slice(1).join(';')} ${weight}`);
    }
    return found;
  }

  test('columns and records are the same, in the order of time', async () => {
    const set = await together([
      host('a', [...samples([3, 1], 'x,y'), disk([5, 6, 7])]),
      host('b', [...samples([2, 2]), disk([1])], { origin: 1 }),
    ]);
    for (const group of groupsOf(set)) {
      for (const own of group.all) {
        const records = await readRecords(own);
        if (own.header.datatype === 'stack') continue;
        const fields = own.header.fields!;
        const want = fields.map((field) => ({ field, as: 'text' as const }));
        const rows: unknown[] = [];
        const reads = own.header.datatype === 'event' ? selectEvents(own, want, {}) : selectPoints(own, want, {});
        for await (const chunk of reads) {
          for (let row = 0; row < chunk.length; row++) {
            const texts = chunk.columns.map(({ values, dictionary }) => dictionary[values[row]!]!);
            rows.push(
              'time' in chunk
                ? { time: chunk.time[row], type: chunk.type.dictionary[chunk.type.values[row]!], datum: texts }
                : { x: chunk.x[row], y: chunk.y[row], info: texts },
            );
          }
        }
        expect(rows).toEqual(records);
        const times = records.map((record) => ('time' in record ? record.time : 'x' in record ? record.x : 0));
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
    }
  });

  test('stacks have their host as first frame where that is wanted, in columns too', async () => {
    const set = await together([host('a', samples([3, 1])), host('b', samples([2, 4, 5]))]);
    const [stacks] = groupsOf(set)[0]!.all;
    if (!isJoined(stacks!)) throw new Error('not joined');
    const trie = new WeightedTrie();
    const path = new StackPath(trie);
    for await (const columns of withHostFrames(stacks.stacks(), await stacks.lineEnds(), set.hosts!)) {
      for (let i = 0; i < columns.length; i++) {
        path.move(columns, i);
        trie.addWeightAt(path.end(), columns.weight[i]!);
      }
    }
    expect([...trie.stacks()].map(({ stack, weight }) => `${stack.join(';')} ${weight}`)).toEqual([
      'a;app;main;f0 3',
      'a;app;main;f1 1',
      'b;app;main;f0 2',
      'b;app;main;f1 4',
      'b;app;main;f2 5',
    ]);
  });

  test('levels are at common times, so that they add up; what is left over is left out', async () => {
    const sweeps = (shift: number, y: number) => [0, 1, 2, 3].map((i) => [0.5 * i + shift, y] as const);
    const set = await together([host('a', [memory(sweeps(0.1, 1))]), host('b', [memory(sweeps(0.3, 10))])]);
    const group = groupsOf(set)[0]!;
    const { trends } = await sectionStats(group, group.all[0]!, { filter: {}, by: 'comm', top: 9 });
    expect(trends!.all).toMatchObject({ samples: 4, first: 11, last: 11 });
    const records = await readRecords(group.all[0]!);
    const times = records.map((record) => ('x' in record ? record.x : 0));
    expect(new Set(times)).toEqual(new Set([0.2, 0.7, 1.2, 1.7]));
  });

  test('what differs by its columns, its units or what it stands for is not put together', async () => {
    const other = disk([1]);
    const set = await together([
      host('a', [disk([1])]),
      host('b', [{ ...other, header: { ...other.header, y: { label: 'latency', unit: 'us' } } }]),
    ]);
    expect(groupsOf(set).map(({ all }) => all[0]!.header.y!.unit)).toEqual(['ms', 'us']);
  });

  test('warnings of some hosts name them, and those of all are said once', async () => {
    const own = (warnings: string[], name: string, version: string): TestSection => ({
      header: headerOf('event', { interface: 'x', warnings, lost: 2, tool: { name, version, command: [name] } }),
      records: [],
    });
    const set = await together([
      host('a', [own(['all', 'one'], 'perf', '6.1')]),
      host('b', [own(['all'], 'ftrace', '6.1')]),
      host('c', [own(['all'], 'perf', '6.1')]),
    ]);
    const { header } = section(set, 'x', 'event');
    expect([header.warnings, header.notes, header.lost, header.tool]).toEqual([
      ['all', 'a: one'],
      ['hosts had different tools: perf 6.1 on a and c; ftrace 6.1 on b'],
      6,
      undefined,
    ]);
  });
});

test('more hosts than can be told apart are refused, unless nothing of theirs could be mixed up', () => {
  const section = (fields: string[]): SectionReader => ({
    number: 1,
    header: headerOf('event', { fields }),
    batches: async function* () {},
    points: async function* () {},
    events: async function* () {},
    stacks: async function* () {},
  });
  const all = (fields: string[]) =>
    Array.from({ length: 256 }, (_, i) => {
      const own = [section(fields)];
      return { host: `h${i}`, groups: [{ interface: 'test', all: own, shown: own }] };
    });
  expect(() => joinGroups(all(['comm', 'pid']), { isForViews: true })).toThrow(/256 hosts/);
  expect(joinGroups(all(['comm', 'pid']).slice(1), { isForViews: true })).toHaveLength(1);
  expect(joinGroups(all(['comm']), { isForViews: true })).toHaveLength(1);
});

describe('--host', () => {
  const files = () => openHosts(['web01', 'web02', 'web10', 'db1'].map((name) => host(name, [disk([1])])));

  test.each([
    ['web01', ['web01']],
    ['web[01-05],db1', ['db1', 'web01', 'web02']],
    ['web*', ['web01', 'web02', 'web10']],
    ['web[02,10]', ['web02', 'web10']],
  ])('%s', async (text, hosts) => {
    const sets = dataSets(await files(), splitHosts(text));
    expect(sets.flatMap((set) => set.files.map(hostOfFile)).toSorted()).toEqual(hosts);
  });

  test.each([
    ['wbe01', 'no file is of a host wbe01', 'did you mean --host web01?'],
    ['web[1-2]', 'no file is of a host web[1-2]', 'there are'],
    ['web[2-1]', 'names no hosts', 'for example'],
    ['web[1', 'names no hosts', 'for example'],
    ['.*', 'no file is of a host .*', ''],
  ])('%s is refused', async (text, message, hint) => {
    const given = await files();
    expect(() => dataSets(given, splitHosts(text))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
        exitCode: 2,
      }),
    );
  });
});
