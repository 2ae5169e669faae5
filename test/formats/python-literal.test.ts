import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePythonLiteral } from '../../src/formats/python-literal.ts';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? 'undefined'));

describe('what Python prints is read', () => {
  test.each([
    ["{'pid': '4711', 'comm': \"it's\", 'cpu': '003'}", { pid: '4711', comm: "it's", cpu: '003' }],
    ["[('source_', 'dest_')]", [['source_', 'dest_']]],
    [
      "(1, -2.5, 1e3, None, True, False, 'a\\n\\x00\\u20ac\\U0001f600\\\\')",
      [1, -2.5, 1000, null, true, false, 'a\n\0€😀\\'],
    ],
    ["('alone',)", ['alone']],
    ['()', []],
    ['{}', {}],
  ])('%s', (text, value) => expect(plain(parsePythonLiteral(text))).toEqual(value));

  test('as Python’s own repr() has it', () => {
    const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string({ unit: 'binary' }),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
      ),
    }))['value'] as fc.Arbitrary<unknown>;
    const values = fc.sample(value, 300);
    const script = 'import json, sys\nfor line in sys.stdin: print(ascii(json.loads(line)))';
    const input = values.map((one) => JSON.stringify(one)).join('\n');
    const lines = execFileSync('python3', ['-c', script], { input, encoding: 'utf8' }).trimEnd().split('\n');
    for (const [i, line] of lines.entries()) {
      const read = parsePythonLiteral(line);
      expect(read === null ? null : plain(read)).toEqual(JSON.parse(JSON.stringify(values[i])));
    }
  });
});

describe('what is no plain value is none', () => {
  test.each([
    '',
    '{',
    "{'a'}",
    '{1: 2}',
    "['a' 'b']",
    '__import__("os")',
    "open('/etc/passwd')",
    '1 + 1',
    "'open",
    'nan',
    '['.repeat(100),
  ])('%s', (text) => expect(parsePythonLiteral(text)).toBeUndefined());

  test('keys that mean something in JavaScript mean nothing', () => {
    expect(Object.keys(parsePythonLiteral("{'__proto__': {'x': 1}}") as object)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
