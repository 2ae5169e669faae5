import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EventData, StackData } from '../../src/common/datatypes.ts';
import { UsageError } from '../../src/common/errors.ts';
import { perfScriptImporter } from '../../src/formats/perf-script-import.ts';
import { checkImporter, foldedExport, importBytes, runImporter } from '../support/imports.ts';
import { slowAmount, slowFold } from '../support/slow-folding.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/perf-script');
const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const NAMES = [
  'bare.txt',
  'dwarf.txt',
  'events.txt',
  'jit.txt',
  'plain.txt',
  'symbol-offsets.txt',
  'system.txt',
  'tracepoint.txt',
  'untimed.txt',
];

describe('what every importer does', () => {
  checkImporter(perfScriptImporter, {
    files: Object.fromEntries([...NAMES, 'tasks.txt'].map((name) => [name, fixture(name)])),
    count: (file) => slowAmount(file.toString()),
    isText: true,
  });
});

test('where stacks alone are asked for, they are all that there is', async () => {
  for (const name of NAMES) {
    const all = await runImporter(perfScriptImporter, fixture(name));
    const stacks = await runImporter(perfScriptImporter, fixture(name), { only: 'stack' });
    expect(stacks.sections).toEqual(all.sections.filter(({ header }) => header.datatype === 'stack'));
  }
});

describe('folded, it is what the rules say', () => {
  test.each(NAMES)('%s, with any annotations', async (name) => {
    const text = fixture(name).toString();
    for (const annotate of [[], ['pid'], ['tid'], ['kernel'], ['jit'], ['all'], ['addrs'], ['tid', 'all', 'addrs']]) {
      const known = annotate.flatMap((part) => (part === 'all' ? ['kernel', 'jit'] : [part]));
      const { path, result } = await importBytes(text, { annotate: known });
      expect(result.skipped).toBe(0);
      expect(await foldedExport(path)).toBe(slowFold(text, { annotate }));
    }
  });

  test.each(['cpu-clock', 'context-switches'])('the event %s alone', async (event) => {
    const text = fixture('events.txt').toString();
    const { path, result } = await importBytes(text, { event });
    expect(await foldedExport(path)).toBe(slowFold(text, { event }));
    expect(result.sections.map(({ datatype }) => datatype)).toEqual(['stack', 'event']);
    expect(result.warnings.join()).toMatch(/samples of other events than/);
  });

  test('names of JVMs, Go and V8 are as flame graph tools have them', async () => {
    const { path } = await importBytes(fixture('jit.txt'));
    const folded = await foldedExport(path);
    const leaves = ['org/mozilla/javascript/MemberBox:.<init>', 'net/http.(*Client).Do', 'a quoted b', 'burn'];
    for (const leaf of [...leaves, 'inner_[i];(anonymous namespace)::leaf_[i]']) expect(folded).toContain(`;${leaf} `);
  });

  test('a last sample without a blank line behind it counts', async () => {
    const text = fixture('symbol-offsets.txt').toString();
    const { path } = await importBytes(text.trimEnd());
    expect(await foldedExport(path)).toBe(slowFold(text));
  });
});

describe('sections', () => {
  test('each event has its own, in the order in which they are first seen; the events of a section are those of its stacks', async () => {
    const { sections } = await importBytes(fixture('events.txt'));
    expect(sections.map(({ header }) => `${header.interface} ${header.datatype} ${header.options?.['event']}`)).toEqual(
      ['context-switches', 'cpu-clock'].flatMap((event) => [`callstack stack ${event}`, `callstack event ${event}`]),
    );
    for (let i = 0; i < sections.length; i += 2) {
      const stacks = sections[i]!.records as StackData[];
      const events = sections[i + 1]!.records as EventData[];
      const weights = stacks.map(() => 0);
      for (const { datum } of events) weights[Number(datum[0])]! += Number(datum[4]);
      expect(weights).toEqual(stacks.map(({ weight }) => weight));
    }
    expect(sections[2]!.header.weight).toEqual({ label: 'cpu-clock', unit: 'ns' });
  });

  test('times count from the first sample, and nothing is lost of their digits', async () => {
    const text = 'a 1/2 [003] 12345678.000000001:   5 cycles: \n\nb 3/4 [000] 12345678.123456789:   7 cycles: \n\n';
    const { sections } = await importBytes(text);
    expect(sections[1]!.header.fields).toEqual(['stack', 'cpu', 'pid', 'tid', 'weight']);
    expect(sections[1]!.records).toEqual([
      { time: 0, type: 'cycles', datum: ['0', '3', '1', '2', '5'] },
      { time: 123456788, type: 'cycles', datum: ['1', '0', '3', '4', '7'] },
    ]);
  });

  test('what is out of order is put in order, the origin too', async () => {
    const { sections } = await importBytes('a 1 2.5: x: \n\na 1 2.25: x: \n\na 1 3.0: x: \n\n');
    expect((sections[1]!.records as EventData[]).map(({ time }) => time)).toEqual([0, 250_000_000, 750_000_000]);
  });

  test('without times there are stacks alone', async () => {
    const { sections } = await importBytes(fixture('untimed.txt'));
    expect(sections.map(({ header }) => header.datatype)).toEqual(['stack']);
    expect(sections[0]!.header.weight).toEqual({ label: 'samples of cpu-clock', unit: 'samples' });
  });

  test('lost records are counted', async () => {
    const { sections } = await importBytes('a 1/1 [000] 1.0: x: \n\na 1/1 [000] 2.0: PERF_RECORD_LOST lost 12\n');
    expect(sections[0]!.header.lost).toBe(12);
  });
});

describe('what cannot be kept is said', () => {
  test('lines that cannot be read, with the first of them', async () => {
    const { result, sections } = await importBytes('a 1 1.0: x: \n\tbroken\n\nb 2 2.0: x: \n');
    expect(result.skipped).toBe(1);
    expect(result.warnings).toContain('1 lines could not be read, the first of them: "\\tbroken"');
    expect(sections[0]!.header.skipped).toBe(1);
  });

  test('an event that is not there', async () => {
    const importing = importBytes(fixture('events.txt'), { event: 'cycles' });
    await expect(importing).rejects.toThrow(UsageError);
    await expect(importing).rejects.toMatchObject({ hint: expect.stringContaining('context-switches, cpu-clock') });
  });

  test('fields of tracepoints', async () => {
    const { result } = await importBytes(fixture('tracepoint.txt'));
    expect(result.warnings.join()).toMatch(/6 samples have fields of their own/);
  });

  test('times that no number holds', async () => {
    const { result, sections } = await importBytes('a 1 1.0: x: \n\na 1 99999999999999999999.5: x: \n\n');
    expect(sections.map(({ records }) => records.length)).toEqual([1, 1]);
    expect(result.warnings.join()).toMatch(/1 samples have no time, or one that a data file cannot hold/);
  });

  test('periods that no number holds', async () => {
    const { result, sections } = await importBytes(
      'a 1 1.0: 99999999999999999999 x: \n\nb 2 2.0: 9007199254740991 x: \n\nb 2 3.0: 1 x: \n',
    );
    expect(sections[0]!.records).toEqual([{ weight: Number.MAX_SAFE_INTEGER, stack: ['b'] }]);
    expect(result.warnings.join()).toMatch(/1 samples are left out, since their period is more/);
    expect(result.warnings.join()).toMatch(/weighs more than a data file can hold/);
  });
});
