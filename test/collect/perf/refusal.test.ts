import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { classifyRefusal, explainRefusal } from '../../../src/collect/perf/refusal.ts';
import type { PerfSettings } from '../../../src/collect/perf/settings.ts';

const USER: PerfSettings = { root: false, paranoid: 2, lockdown: undefined, seccomp: false };
const ROOT: PerfSettings = { ...USER, root: true };
const FAILED = { code: 255, signal: undefined };

function stderr(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures/perf-record', `${name}.txt`), 'utf8');
}

test.each([
  ['denied', 'permission'],
  ['mmap', 'buffer'],
  ['no-process', 'no-process'],
  ['no-control', 'no-control'],
  ['no-lbr', 'other'],
  ['full', 'other'],
])('what perf says in %s.txt is %j', (name, kind) => expect(classifyRefusal(stderr(name))).toBe(kind));

describe('in words', () => {
  const denied = stderr('denied');

  test('the setting, what it costs, and the command that helps', () => {
    expect(explainRefusal(FAILED, denied, USER)).toEqual({
      why: 'kernel.perf_event_paranoid is 2: only root may sample all processes',
      hint: expect.stringContaining('sudo sysctl kernel.perf_event_paranoid=-1'),
    });
    expect(explainRefusal(FAILED, denied, { ...USER, paranoid: 4 }).why).toContain('4: nobody but root');
  });

  test('root is never told to become root', () => {
    for (const settings of [ROOT, { ...ROOT, seccomp: true }, { ...ROOT, lockdown: 'confidentiality' }]) {
      const { why, hint } = explainRefusal(FAILED, denied, settings);
      expect(`${why} ${hint}`).not.toContain('sudo');
    }
    expect(explainRefusal(FAILED, denied, { ...ROOT, lockdown: 'confidentiality' }).why).toContain('locked down');
    expect(explainRefusal(FAILED, denied, { ...ROOT, seccomp: true }).why).toContain('container');
  });

  test('no tracefs', () => {
    expect(explainRefusal(FAILED, stderr('no-tracefs'), USER)).toEqual({
      why: 'the events of the kernel are in tracefs, which only root may read here',
      hint: 'run it as root: sudo marple collect ...',
    });
  });

  test('no branch records', () => {
    expect(explainRefusal(FAILED, stderr('no-lbr'), ROOT).hint).toContain('--call-graph dwarf');
  });

  test('anything else in perf’s own words, without its list of options', () => {
    expect(explainRefusal(FAILED, "  Error: unknown option `x'\n\n Usage: perf record\n -a all\n", ROOT).why).toBe(
      "perf record exited with status 255: Error: unknown option `x'",
    );
  });
});
