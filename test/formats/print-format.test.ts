import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { printedPart } from '../../src/formats/print-format.ts';

const recording = readFileSync(join(import.meta.dirname, '../fixtures/sched/recording.json'), 'utf8');
const { details } = JSON.parse(recording) as { details: { ftrace: { formats: Record<string, string> } } };
const CURRENT = details.ftrace.formats['sched:sched_switch'] as string;

/** As in Linux 4.9: other letters, in another order, and the mark of preemption at another bit. */
const OLD =
  'print fmt: "prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s%s ==> next_comm=%s next_pid=%d next_prio=%d", REC->prev_comm, REC->prev_pid, REC->prev_prio, REC->prev_state & (2048-1) ? __print_flags(REC->prev_state & (2048-1), "|", { 1, "S"} , { 2, "D" }, { 4, "T" }, { 8, "t" }, { 16, "Z" }, { 32, "X" }, { 64, "x" }, { 128, "K" }, { 256, "W" }, { 512, "P" }, { 1024, "N" }) : "R", REC->prev_state & 2048 ? "+" : "", REC->next_comm, REC->next_pid, REC->next_prio\n';

function states(text: string, ...values: number[]): string[] {
  const print = printedPart(text, 'prev_state=');
  return values.map((value) => print({ prev_state: value }));
}

describe('the state of sched_switch', () => {
  test('as the kernel of the fixture prints it', () => {
    expect(states(CURRENT, 0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 3)).toEqual([
      'R',
      'S',
      'D',
      'T',
      't',
      'X',
      'Z',
      'P',
      'I',
      'R+',
      'S|D',
    ]);
  });

  test('as an old kernel prints it: the same numbers mean something else', () => {
    expect(states(OLD, 0, 1, 2, 0x10, 0x20, 0x82, 0x800, 0x801)).toEqual(['R', 'S', 'D', 'Z', 'X', 'D|K', 'R+', 'S+']);
  });

  test('bits without a name are shown', () => {
    const text = 'print fmt: "state=%s", __print_flags(REC->s, "|", { 0x1UL, "a" }, { 1 << 1, "b" })';
    expect(printedPart(text, 'state=')({ s: 11 })).toBe('a|b|0x8');
  });
});

describe('other expressions', () => {
  const value = (expression: string, fields = {}): string =>
    printedPart(`print fmt: "before=%d value=%s after=%d", REC->x, ${expression}, REC->y`, 'value=')(fields);

  test('bind as in C', () => {
    expect(value('1 | 2 ^ 3 & 2')).toBe('1');
    expect(value('1 + 2 << 3 - 1')).toBe('12');
    expect(value('(1 | 6) == 7 ? "yes" : "no"')).toBe('yes');
    expect(value('REC->z != 3 ? 1 : REC->z == 3 ? "nested" : 2', { z: 3 })).toBe('nested');
    expect(value('~0 & 0xff >> 4')).toBe('15');
  });

  test('what is not known is named', () => {
    expect(() => value('__get_str(comm)')).toThrow(/'__get_str'/);
    expect(() => value('1 +')).toThrow(/','/);
    expect(() => value('{ 1 }')).toThrow(/'\{'/);
    expect(() => printedPart('print fmt: "x=%d", REC->x', 'state=')).toThrow(/no state=/);
    expect(() => printedPart('name: nothing', 'state=')).toThrow(/no print fmt/);
    expect(() => printedPart('print fmt: "state=none ", REC->x', 'state=')).toThrow(/no value/);
  });

  test('arguments before it need not be known beyond their extent', () => {
    expect(printedPart('print fmt: "a=%s b=%x", REC->a, REC->b & 3', 'b=')({ b: 7 })).toBe('3');
  });
});
