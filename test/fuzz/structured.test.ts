import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SCHED_FIELDS } from '../../src/formats/sched.ts';
import { anyNumber, anySection, anyText } from '../support/data-files.ts';
import { judge } from './oracle.ts';
import { runTarget, TARGETS } from './targets.ts';

/*
 * Inputs that are made of the pieces of a format, rather than of bytes: most are nearly right, which bytes changed by chance
 * seldom are. The seed is fixed; --seconds of `npm run fuzz` is for the long run.
 */

const SETTINGS: fc.Parameters<[string]> = { seed: 20_261_126, numRuns: 40 };

const extreme = fc.constantFrom(
  '0',
  '-1',
  '9007199254740992',
  '18446744073709551616',
  '1e999',
  '-0',
  '0x7fffffffffffffff',
);
const number = fc.oneof(fc.nat().map(String), anyNumber.map(String), extreme);
const name = fc.oneof(anyText, fc.constantFrom('__proto__', 'constructor', '../../etc/passwd', 'sh', 'a (b) c'));

/** A value that a key of a header may have, or another. */
const orOther = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: value as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: fc.jsonValue() });

const axis = fc.record({ label: name, unit: name });
const header = fc.record(
  {
    marple: orOther(fc.constant(1)),
    interface: orOther(fc.oneof(fc.constantFrom('cpusched', 'disklat', 'callstack', 'memtime', 'ipc'), name)),
    datatype: orOther(fc.constantFrom('datapoint', 'event', 'stack')),
    start: orOther(fc.constant('2026-03-01T09:30:00.000Z')),
    end: orOther(fc.constantFrom('2026-03-01T09:30:01.000Z', null)),
    clock: orOther(fc.record({ name, origin: number, realtime: fc.constant('2026-03-01T09:30:00.000Z') })),
    records: orOther(fc.oneof(fc.nat(), fc.constant(null))),
    bytes: orOther(fc.oneof(fc.nat(), fc.constant(null))),
    x: orOther(axis),
    y: orOther(axis),
    weight: orOther(axis),
    fields: orOther(fc.oneof(fc.array(name, { maxLength: 5 }), fc.constant([...SCHED_FIELDS]))),
    links: orOther(fc.array(fc.tuple(name, name), { maxLength: 2 })),
    tool: orOther(fc.record({ name, version: name, command: fc.array(name) })),
    lost: orOther(fc.nat()),
    warnings: orOther(fc.array(name, { maxLength: 3 })),
  },
  { requiredKeys: ['marple', 'interface', 'datatype', 'start'] },
);

/** Pieces between separators. */
const pieces = (words: readonly string[], separators: readonly string[]): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...words), number, name), fc.constantFrom(...separators)), {
      maxLength: 12,
    })
    .map((all) => all.flat().join(''));

const lines = (line: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(line, { maxLength: 30 }).map((all) => `${all.join('\n')}\n`);

const dataFile = fc
  .array(
    fc.tuple(
      fc.oneof(
        header,
        anySection.map((section) => section.header as unknown),
      ),
      lines(pieces(['1', 'switch', 'sh', 'R'], [',', ',', '#', ';'])),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((sections) => sections.map(([first, rest]) => `${JSON.stringify(first)}\n${rest}`).join(''));

const perfScript = lines(
  fc.oneof(
    pieces(['sh 812/812', '[001]', '12.000000001:', '1000', 'cpu-clock:', 'sched:sched_switch:'], [' ', ' ', '\t']),
    pieces(['\tffffffff81000000', 'main+0x10', '[unknown]', '(/bin/sh)', '([kernel.kallsyms])'], [' ']),
    fc.constant(''),
  ),
);

const config = lines(
  fc.oneof(
    fc.constantFrom('[General]', '[Tools]', '[Groups]', '[Display]', '[disklat]', '[__proto__]', '[', '; x', '# x'),
    pieces(['time', 'frequency', 'out_dir', 'boot', 'disklat', 'constructor'], [' = ', '=', ',', ' ']),
  ),
);

const marplePy = lines(
  fc.oneof(
    fc.constantFrom(
      '{"start time": "2018-09-03 10:11:12.345678", "end time": "2018-09-03 10:11:22.456789", "interface": "cpusched", "datatype": "event", "data options": {}}',
      '{"start time": "2018-09-03 10:11:12.345678", "end time": "2018-09-03 10:11:22.456789", "interface": "memtime", "datatype": "point", "data options": {}}',
      '',
    ),
    pieces(
      ["'sh'", "b'x'", 'None', "__import__('os')", "{'a': 1}", "{'pid': '6', 'comm': \"it's\"}", '1.5'],
      ['$$$', ', '],
    ),
  ),
);

const INPUTS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'data-file': dataFile,
  display: dataFile,
  header: header.map((value) => JSON.stringify(value)),
  config,
  'fail-if': pieces(['disklat', '[fio]', '.p99', '>', '<=', 'or', '{a}', 'ms', 'x', '%'], [' ', '']),
  'import-perf-script': perfScript,
  'import-folded': lines(pieces(['main', '[unknown]', 'a b', '12'], [';', ' ', ' '])),
  'import-iosnoop': lines(pieces(['COMM', 'PID', 'TYPE', 'DEV', 'BLOCK', 'BYTES', 'LATms', 'R', '254,0'], [' ', '  '])),
  'import-biosnoop': lines(
    pieces(['TIME(s)', 'COMM', 'PID', 'DISK', 'T', 'SECTOR', 'LAT(ms)', 'vda', 'R'], [' ', '  ']),
  ),
  'import-marple-py': marplePy,
  symbols: lines(pieces(['ffffffff81000000', 'T', 't', '_stext', '[virtio]'], [' ', '\t'])),
  'tool-lines': lines(pieces(['C', 'A', 'X', '127.0.0.1', '::1', '[10:00:00]', 'bytes in', 'from stack'], [' ', '\t'])),
};

test.each(Object.entries(INPUTS))(
  '%s: nearly right inputs are read, or refused with a place',
  async (target, input) => {
    const reader = TARGETS.find((each) => each.name === target)!;
    const runs = target === 'display' ? 20 : SETTINGS.numRuns!;
    await fc.assert(
      fc.asyncProperty(input, async (text) => {
        expect(await judge(() => runTarget(reader, Buffer.from(text)))).toBeUndefined();
      }),
      { ...SETTINGS, numRuns: runs },
    );
  },
);
