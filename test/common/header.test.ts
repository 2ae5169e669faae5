import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serialiseHeader } from '../../src/common/codec.ts';
import { DamagedFileError, EXIT } from '../../src/common/errors.ts';
import { FORMAT_VERSION, parseHeader, type SectionHeader } from '../../src/common/header.ts';
import { headerOf } from '../support/data-files.ts';

const full: SectionHeader = {
  marple: 1,
  interface: 'callstack',
  datatype: 'event',
  start: '2026-03-01T09:30:00.000Z',
  end: '2026-03-01T09:30:05.012Z',
  clock: { name: 'CLOCK_MONOTONIC', origin: '812345678901234567', realtime: '2026-03-01T09:30:00.000Z' },
  records: 12,
  bytes: 345,
  x: { label: 'time', unit: 's' },
  y: { label: 'latency', unit: 'ms' },
  weight: { label: 'samples', unit: 'samples' },
  fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
  links: [['from', 'to']],
  host: 'box',
  kernel: '6.9.0+',
  cpus: 8,
  tool: { name: 'perf', version: '6.12', command: ['perf', 'record', '-g'] },
  substitute: { for: 'cycles', why: 'there is no PMU' },
  options: { frequency: 99, nested: { a: [1, null] } },
  scope: { system_wide: true },
  lost: 1,
  skipped: 2,
  overhead: { cpu_seconds: 0.5 },
  warnings: ['one', 'two'],
};

function failure(line: string): DamagedFileError {
  try {
    parseHeader(line, 'x.marple:7');
  } catch (error) {
    expect(error).toBeInstanceOf(DamagedFileError);
    return error as DamagedFileError;
  }
  throw new Error(`no error: ${line}`);
}

test('every key survives', () => {
  expect(parseHeader(serialiseHeader(full), 'x:1')).toEqual(full);
});

test('unknown keys survive, on every level', () => {
  const more = {
    ...full,
    future: { a: [1, 'two', null] },
    constructor: 'x',
    clock: { ...full.clock, drift: 3 },
    x: { ...full.x, colour: 'red' },
    tool: { ...full.tool, sha: 'abc' },
  };
  const line = JSON.stringify(more);
  expect(JSON.parse(serialiseHeader(parseHeader(line, 'x:1')))).toEqual(JSON.parse(line));
});

test('trailing spaces are no part of it', () => {
  expect(parseHeader(`${serialiseHeader(full)}${' '.repeat(3000)}`, 'x:1')).toEqual(full);
});

test.each([
  '{"marple":1,"__proto__":{"polluted":1},"interface":"a","datatype":"event","start":"2026-03-01T09:30:00Z","end":null}',
  '{"marple":1,"options":{"__proto__":{"polluted":1}},"interface":"a","datatype":"event","start":"2026-03-01T09:30:00Z","end":null}',
  '{"marple":1,"constructor":{"prototype":{"polluted":1}},"interface":"a","datatype":"event","start":"2026-03-01T09:30:00Z","end":null}',
])('keys that name prototypes do no harm: %s', (line) => {
  const header = parseHeader(line, 'x:1') as Record<string, unknown>;
  expect(Object.getPrototypeOf(header)).toBe(Object.prototype);
  expect(header['polluted']).toBeUndefined();
  expect((header['options'] as Record<string, unknown> | undefined)?.['polluted']).toBeUndefined();
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

test('any text in it survives, and the line has no control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (binary, plain) => {
      const header = headerOf('event', {
        warnings: [binary, plain, '\x00\x1b\x7f\x9b\u2028\udce9\ud800'],
        host: binary,
      });
      const line = serialiseHeader(header);
      expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      expect(line).toMatch(/^\{/);
      // Through UTF-8, as in a file.
      expect(parseHeader(Buffer.from(line).toString(), 'x:1')).toEqual(header);
    }),
  );
});

describe('what is refused', () => {
  test('a newer version, by its number, whatever else is in it', () => {
    const error = failure(`{"marple":${FORMAT_VERSION + 1},"entirely":"different"}`);
    expect(error.message).toBe(
      'x.marple:7: the data file is of format version 2, and this MARPLE reads up to version 1',
    );
    expect(error.exitCode).toBe(EXIT.damaged);
    expect(error.hint).toMatch(/git pull/);
  });

  test.each([
    ['', /no header/],
    ['{', /no header/],
    ['[]', /no header/],
    ['null', /no header/],
    ['"marple"', /no header/],
    ['{"a":1}', /no key 'marple'/],
    ['{"marple":"1"}', /no format version/],
    ['{"marple":0}', /no format version/],
    ['{"marple":1.5}', /no format version/],
    ['{"marple":1}', /'interface' is wrong/],
    [JSON.stringify({ ...full, datatype: 'tree' }), /'datatype' is wrong/],
    [JSON.stringify({ ...full, records: -1 }), /'records' is wrong/],
    [JSON.stringify({ ...full, bytes: 1.5 }), /'bytes' is wrong/],
    [JSON.stringify({ ...full, end: 'yesterday' }), /'end' is wrong/],
    [JSON.stringify({ ...full, end: undefined }), /'end' is wrong/],
    [JSON.stringify({ ...full, clock: { ...full.clock, origin: 5 } }), /'clock.origin' is wrong/],
    [JSON.stringify({ ...full, fields: ['a', 1] }), /'fields.1' is wrong/],
    [`${JSON.stringify(full)}\r`, /carriage return/],
    [`${'['.repeat(200_000)}`, /no header/],
  ])('%s', (line, problem) => {
    const error = failure(line);
    expect(error.problem).toMatch(problem);
    expect(error.where).toBe('x.marple:7');
    expect(error.exitCode).toBe(EXIT.damaged);
    expect(error.hint).toBeDefined();
  });
});
