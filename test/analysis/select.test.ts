import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  checkFilter,
  type Filter,
  groupSections,
  recordFields,
  selectEventRecords,
  selectEvents,
  selectPoints,
  selectStackColumns,
  selectStacks,
} from '../../src/analysis/select.ts';
import type { StackData } from '../../src/common/datatypes.ts';
import { UsageError } from '../../src/common/errors.ts';
import { type DataFile, openDataFile } from '../../src/common/reader.ts';
import { headerOf, stacksOf, type TestSection, tempFolder, writeFile } from '../support/data-files.ts';

async function open(sections: readonly TestSection[]): Promise<DataFile> {
  const path = join(tempFolder(), 'x.marple');
  await writeFile(path, sections);
  const file = await openDataFile(path);
  onTestFinished(() => file.close());
  return file;
}

const STACKS: TestSection = {
  header: headerOf('stack', { interface: 'callstack' }),
  records: [
    { weight: 5, stack: ['fio', 'read'] },
    { weight: 3, stack: ['my_tool', 'work'] },
    { weight: 2, stack: ['swapper', 'idle'] },
  ],
};

/** Samples of the stacks above: number of the stack, pid, weight. */
const SAMPLES: TestSection = {
  header: headerOf('event', { interface: 'callstack', fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
  records: [
    { time: 1e9, type: 'cpu-clock', datum: ['0', '0', '10', '10', '2'] },
    { time: 2e9, type: 'cpu-clock', datum: ['0', '1', '11', '11', '3'] },
    { time: 3e9, type: 'cpu-clock', datum: ['1', '0', '12', '12', '3'] },
    { time: 4e9, type: 'cpu-clock', datum: ['2', '0', '0', '0', '2'] },
    { time: 5e9, type: 'cpu-clock', datum: ['', '0', '10', '10', '9'] },
  ],
};

const POINTS: TestSection = {
  header: headerOf('datapoint', {
    interface: 'disklat',
    x: { label: 'time', unit: 's' },
    y: { label: 'latency', unit: 'ms' },
    fields: ['comm', 'pid', 'stack'],
  }),
  records: [
    { x: 0.5, y: 1, info: ['fio', '10', '0'] },
    { x: 1.5, y: 2, info: ['my tool', '11', ''] },
    { x: 2.5, y: 3, info: ['fio', '12', '1'] },
  ],
};

describe('groupSections', () => {
  it('puts the sections of an interface together, and a second of a datatype into a group of its own', async () => {
    const file = await open([STACKS, POINTS, SAMPLES, STACKS]);
    const groups = groupSections(file.sections);
    expect(groups.map((group) => [group.interface, group.all.map((section) => section.number)])).toEqual([
      ['callstack', [1, 3]],
      ['disklat', [2]],
      ['callstack', [4]],
    ]);
  });

  it('keeps to the picked sections, and what they need', async () => {
    const file = await open([STACKS, SAMPLES, POINTS]);
    const [group, ...rest] = groupSections(file.sections, new Set([1]));
    expect(rest).toEqual([]);
    expect(group?.shown.map((section) => section.number)).toEqual([1]);
    expect(group?.all.map((section) => section.number)).toEqual([1, 2]);
  });
});

describe('selectStacks', () => {
  const select = async (filter: Filter, sections = [STACKS, SAMPLES]): Promise<[string, number][]> => {
    const file = await open(sections);
    const group = groupSections(file.sections)[0]!;
    const found: StackData[] = [];
    for await (const stack of selectStacks(group, group.all[0]!, filter)) found.push(stack);
    expect(await stacksOf(selectStackColumns(group, group.all[0]!, filter))).toEqual(found);
    return found.filter(({ weight }) => weight > 0).map(({ stack, weight }) => [stack[0] as string, weight]);
  };

  it('is the profile as it stands where nothing is asked', async () => {
    expect(await select({})).toEqual([
      ['fio', 5],
      ['my_tool', 3],
      ['swapper', 2],
    ]);
  });

  it.each<[string, Filter, [string, number][]]>([
    [
      'from a time',
      { from: 2 },
      [
        ['fio', 3],
        ['my_tool', 3],
        ['swapper', 2],
      ],
    ],
    ['to a time', { to: 2 }, [['fio', 5]]],
    [
      'between two times',
      { from: 1.5, to: 3 },
      [
        ['fio', 3],
        ['my_tool', 3],
      ],
    ],
    ['a process', { pids: [10] }, [['fio', 2]]],
    [
      'two processes',
      { pids: [11, 12] },
      [
        ['fio', 3],
        ['my_tool', 3],
      ],
    ],
    ['a name', { comm: /^fio$/u }, [['fio', 5]]],
    ['a name that has a space, which folding made an underscore', { comm: /^my tool$/u }, [['my_tool', 3]]],
    ['a name as it is in the file', { comm: /my_tool/u }, [['my_tool', 3]]],
    ['a name and a time', { comm: /fio/u, from: 1.5 }, [['fio', 3]]],
    ['nothing that is there', { pids: [99] }, []],
  ])('weighs the samples of %s', async (_, filter, wanted) => {
    expect(await select(filter)).toEqual(wanted);
  });

  it('counts records where they have no weight, as the I/Os of disklat', async () => {
    const io: TestSection = { ...STACKS, header: { ...STACKS.header, interface: 'disklat' } };
    expect(await select({ from: 1 }, [io, POINTS])).toEqual([['my_tool', 1]]);
  });
});

describe('process names of records that have only a stack', () => {
  const stacksOf = async (filter: Filter, sections: readonly TestSection[]): Promise<string[]> => {
    const file = await open(sections);
    const group = groupSections(file.sections)[0]!;
    const events = group.all.find(({ header }) => header.datatype === 'event')!;
    checkFilter(group, events, filter);
    const found: string[] = [];
    for await (const { columns } of selectEvents(events, [{ field: 'stack', as: 'text' }], filter)) {
      for (const value of columns[0]!.values) found.push(columns[0]!.dictionary[value]!);
    }
    return found;
  };

  it('are the first frames of their stacks', async () => {
    expect(await stacksOf({ comm: /^fio$/u }, [STACKS, SAMPLES])).toEqual(['0', '0']);
    expect(await stacksOf({ comm: /^my tool$/u, from: 2 }, [STACKS, SAMPLES])).toEqual(['1']);
    expect(await stacksOf({ pids: [10] }, [STACKS, SAMPLES])).toEqual(['0', '']);
  });

  it('are not there without stacks', async () => {
    await expect(stacksOf({ comm: /fio/u }, [SAMPLES])).rejects.toThrow(/cannot answer --comm/);
  });
});

describe('selectEventRecords', () => {
  const SCHED: TestSection = {
    header: headerOf('event', { interface: 'cpusched', fields: ['pid', 'comm', 'other_pid', 'other_comm'] }),
    records: [
      { time: 1e9, type: 'switch', datum: ['0', 'swapper/0', '10', 'fio'] },
      { time: 2e9, type: 'switch', datum: ['10', 'fio', '11', 'cat'] },
      { time: 3e9, type: 'wakeup', datum: ['11', 'cat', '12', 'my_tool'] },
      { time: 9e9, type: 'lost', datum: ['', '', '', ''] },
    ],
  };
  /** The seconds of the events that pass, as records and as columns. */
  const passing = async (filter: Filter, ends: 'own' | 'either', sections = [SCHED]): Promise<number[]> => {
    const file = await open(sections);
    const group = groupSections(file.sections)[0]!;
    const events = group.all.find(({ header }) => header.datatype === 'event')!;
    const byRecord: number[] = [];
    const byColumn: number[] = [];
    for await (const records of selectEventRecords(group, events, filter, ends)) {
      for (const { time, datum } of records) {
        expect(datum.length).toBe(recordFields(group, events).length);
        byRecord.push(time / 1e9);
      }
    }
    for await (const { time } of selectEvents(events, [], filter, ends)) for (const ns of time) byColumn.push(ns / 1e9);
    expect(byRecord).toEqual(byColumn);
    return byRecord;
  };

  it('go by their own task, or by either of the two', async () => {
    expect(await passing({}, 'own')).toEqual([1, 2, 3, 9]);
    expect(await passing({ pids: [10] }, 'own')).toEqual([2]);
    expect(await passing({ pids: [10] }, 'either')).toEqual([1, 2, 9]);
    expect(await passing({ comm: /^cat$/u }, 'own')).toEqual([3]);
    expect(await passing({ comm: /^cat$/u }, 'either')).toEqual([2, 3, 9]);
    expect(await passing({ comm: /^my tool$/u }, 'either')).toEqual([3, 9]);
    expect(await passing({ comm: /^cat$/u, pids: [10], from: 1, to: 2 }, 'either')).toEqual([2]);
    expect(await passing({ from: 1.5, to: 2.5 }, 'own')).toEqual([2]);
  });

  it('have the name of the process where only their stack tells it', async () => {
    const file = await open([STACKS, SAMPLES]);
    const group = groupSections(file.sections)[0]!;
    expect(recordFields(group, group.all[1]!)).toEqual(['stack', 'cpu', 'pid', 'tid', 'weight', 'comm']);
    expect(await passing({ comm: /^fio$/u }, 'own', [STACKS, SAMPLES])).toEqual([1, 2]);
    expect(await passing({}, 'own', [SAMPLES])).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('selectPoints', () => {
  const select = async (filter: Filter): Promise<[number, number, string][]> => {
    const file = await open([POINTS]);
    const found: [number, number, string][] = [];
    for await (const points of selectPoints(file.sections[0]!, [{ field: 'comm', as: 'text' }], filter)) {
      expect(points.columns).toHaveLength(1);
      const [comm] = points.columns;
      for (let i = 0; i < points.length; i++) {
        found.push([points.x[i]!, points.y[i]!, comm!.dictionary[comm!.values[i]!]!]);
      }
    }
    return found;
  };
  const [first, second, third] = [
    [0.5, 1, 'fio'],
    [1.5, 2, 'my tool'],
    [2.5, 3, 'fio'],
  ];

  it.each<[string, Filter, unknown[]]>([
    ['everything', {}, [first, second, third]],
    ['from a time, itself included', { from: 1.5 }, [second, third]],
    ['to a time, itself included', { to: 1.5 }, [first, second]],
    ['a process', { pids: [11, 12] }, [second, third]],
    ['a name', { comm: /^fio$/u }, [first, third]],
    ['both', { comm: /^fio$/u, pids: [12, 11] }, [third]],
    ['nothing', { from: 3 }, []],
  ])('gives %s', async (_, filter, wanted) => {
    expect(await select(filter)).toEqual(wanted);
  });
});

describe('checkFilter', () => {
  const check = async (sections: readonly TestSection[], number: number, filter: Filter): Promise<void> => {
    const file = await open(sections);
    const section = file.sections[number - 1]!;
    const group = groupSections(file.sections).find(({ all }) => all.includes(section))!;
    checkFilter(group, section, filter);
  };
  const everything: Filter = { from: 0, to: 1, pids: [1], comm: /x/u };

  it('lets through what the data can answer', async () => {
    await check([POINTS], 1, everything);
    await check([STACKS, SAMPLES], 1, everything);
    await check([STACKS], 1, { comm: /x/u });
  });

  it.each<[string, TestSection, Filter, string]>([
    ['a profile without samples', STACKS, everything, '--from, --to and --pid: its records have no time and pid'],
    [
      'points over something other than time',
      { header: headerOf('datapoint', { x: { label: 'size', unit: 'bytes' }, fields: ['comm'] }), records: [] },
      { from: 1, comm: /x/u },
      '--from: its records have no time',
    ],
    [
      'points without a process',
      { header: headerOf('datapoint', { x: { label: 'time', unit: 's' } }), records: [] },
      everything,
      '--pid and --comm: its records have no pid and process name',
    ],
  ])('refuses %s', async (_, section, filter, reason) => {
    const error = await check([section], 1, filter).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toContain(`cannot answer ${reason}`);
    expect((error as UsageError).hint).toContain('-e');
  });
});
