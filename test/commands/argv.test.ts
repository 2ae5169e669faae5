import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArgumentGrammar, rewriteArguments, splitArguments } from '../../src/commands/argv.ts';

const grammar: ArgumentGrammar = {
  valued: new Set(['-o', '--output', '-t']),
  attached: new Map([['--json', '-']]),
  aliases: new Map([
    ['-hm', '--heatmap'],
    ['-fg', '--flamegraph'],
  ]),
  areas: new Map([
    ['--disk', { kinds: ['latency', 'block_requests'], defaultKind: 'latency' }],
    ['--mem', { kinds: ['usage', 'malloc'], defaultKind: 'usage' }],
  ]),
};

function rewrite(...args: string[]): string[] {
  return rewriteArguments(args, grammar);
}

describe('splitArguments', () => {
  test('cuts at the first -- only', () => {
    expect(splitArguments(['collect', '--', 'sh', '--', '-t'])).toEqual({
      own: ['collect'],
      command: ['sh', '--', '-t'],
    });
  });

  test('without -- there is no command', () => {
    expect(splitArguments(['collect', '-t', '1'])).toEqual({ own: ['collect', '-t', '1'], command: undefined });
  });

  test('-- at the end is an empty command', () => {
    expect(splitArguments(['collect', '--']).command).toEqual([]);
  });
});

describe('rewriteArguments', () => {
  test('view flags become long flags', () => {
    expect(rewrite('-hm', '-fg')).toEqual(['--heatmap', '--flamegraph']);
  });

  test("an option's value is never rewritten", () => {
    expect(rewrite('-o', '-hm', '-hm')).toEqual(['-o', '-hm', '--heatmap']);
    expect(rewrite('-o', '--disk')).toEqual(['-o', '--disk']);
    expect(rewrite('--output', '--json')).toEqual(['--output', '--json']);
  });

  test('a bare area flag means its default kind', () => {
    expect(rewrite('--disk', '--mem', '-t', '5')).toEqual(['--disk=latency', '--mem=usage', '-t', '5']);
  });

  test('kinds may be attached or follow', () => {
    expect(rewrite('--disk', 'latency,block_requests')).toEqual(['--disk=latency,block_requests']);
    expect(rewrite('--disk=latency,block_requests')).toEqual(['--disk=latency,block_requests']);
  });

  test('a word that is no kind of the area is left alone', () => {
    expect(rewrite('--disk', 'memtime')).toEqual(['--disk=latency', 'memtime']);
    expect(rewrite('--disk', 'latency,memtime')).toEqual(['--disk=latency', 'latency,memtime']);
    expect(rewrite('--mem', 'latency')).toEqual(['--mem=usage', 'latency']);
  });

  test('an unknown attached kind is refused and the kinds are named', () => {
    expect(() => rewrite('--disk=lateny')).toThrowError("--disk has no kind 'lateny'");
    expect(() => rewrite('--disk=')).toThrowError("--disk has no kind ''");
  });

  test('--json takes its file attached only', () => {
    expect(rewrite('--json', 'x')).toEqual(['--json=-', 'x']);
    expect(rewrite('--json=out.json')).toEqual(['--json=out.json']);
  });

  test('words that are no flags of ours come through as they are', () => {
    expect(rewrite('--comm', '$$', '$&', '--title=$$')).toEqual(['--comm', '$$', '$&', '--title=$$']);
    fc.assert(
      fc.property(fc.array(fc.string().filter((word) => !word.startsWith('-'))), (words) => {
        expect(rewriteArguments(words, grammar)).toEqual(words);
      }),
    );
  });
});
