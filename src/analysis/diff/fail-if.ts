import { UsageError } from '../../common/errors.ts';
import { joinWords } from '../../common/text.ts';
import type { Comparison } from './compare.ts';

/*
 * What --fail-if takes: `disklat.p99 > 1.2x or cpusched[fio].cpu > 500ms`. A metric, a comparison, and a factor (x: after by
 * before) or a value with a unit (of after). Nothing of it is evaluated but by what stands here.
 */

export interface Condition {
  readonly text: string;
  /** Where it begins in the expression, from 1. */
  readonly at: number;
  readonly metric: string;
  readonly operator: Operator;
  /** A factor, or a value in `unit`; an empty unit is that of the metric. */
  readonly isFactor: boolean;
  readonly value: number;
  readonly unit: string;
}

const OPERATORS = ['>=', '<=', '>', '<'] as const;
type Operator = (typeof OPERATORS)[number];

const EXAMPLE = "for example: --fail-if 'disklat.p99 > 1.2x or callstack.total > 500'";

/** @throws UsageError (2) that names the character at which it is wrong. */
export function parseFailIf(text: string): Condition[] {
  const reader = new Reader(text);
  const conditions: Condition[] = [];
  do {
    reader.skipBlanks();
    const at = reader.at;
    const metric = readMetric(reader);
    const operator = OPERATORS.find((candidate) => reader.take(candidate));
    if (operator === undefined) throw reader.expected('a comparison (>, >=, < or <=)');
    const value = Number(reader.match(/\d+(\.\d+)?([eE][+-]?\d+)?/y) ?? reader.fail('a number'));
    const unit = reader.match(/(?!or\b)[a-zA-Zµ%][\w/%]*/y) ?? '';
    const isFactor = unit === 'x';
    if (unit !== '' && !isFactor && UNITS.get(unit) === undefined) {
      throw reader.wrong(
        reader.end - unit.length,
        `'${unit}' is no unit`,
        `it may be x (after by before), ${joinWords([...UNITS.keys()])}`,
      );
    }
    conditions.push({ text: text.slice(at, reader.end).trim(), at: at + 1, metric, operator, isFactor, value, unit });
    reader.skipBlanks();
  } while (reader.take('or'));
  if (!reader.isDone) throw reader.expected("'or', or the end");
  return conditions;
}

const BRACKETS = [
  ['[', ']'],
  ['{', '}'],
] as const;

/** `disklat.p99`, `disklat[fio].p99`, `callstack{a::b(int)}.self`; what stands in brackets may be quoted, so that it may hold them. */
function readMetric(reader: Reader): string {
  let name = reader.match(/[A-Za-z_][\w.:-]*/y) ?? reader.fail('a metric');
  for (const [open, close] of BRACKETS) {
    const at = reader.at;
    if (!reader.takeHere(open)) continue;
    const quoted = reader.match(/"[^"]*"/y);
    const inner = quoted?.slice(1, -1) ?? reader.upTo(close);
    if (inner === undefined || !reader.takeHere(close))
      throw reader.wrong(at, `'${open}' is not closed by '${close}'`, EXAMPLE);
    const rest = reader.match(/\.[\w.:-]+/y) ?? reader.fail(`'.' and what is measured of ${open}${inner}${close}`);
    name += open + inner + close + rest;
  }
  return name;
}

class Reader {
  at = 0;
  /** Where what was read last ends: without the blanks behind it. */
  end = 0;

  constructor(readonly text: string) {}

  get isDone(): boolean {
    return this.at >= this.text.length;
  }

  skipBlanks(): void {
    while (this.text[this.at] === ' ') this.at++;
  }

  /** Takes a word, blanks before it left out. */
  take(word: string): boolean {
    this.skipBlanks();
    const isWhole = !/^\w/.test(word) || !/^\w/.test(this.text.slice(this.at + word.length));
    return isWhole && this.takeHere(word);
  }

  takeHere(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.#move(word.length);
    return true;
  }

  match(pattern: RegExp): string | undefined {
    if (this.text[this.at] === ' ' && !pattern.source.startsWith('\\.')) this.skipBlanks();
    pattern.lastIndex = this.at;
    const [found] = pattern.exec(this.text) ?? [];
    if (found !== undefined) this.#move(found.length);
    return found;
  }

  /** What stands before the bracket that closes, `.` behind it; that is left. */
  upTo(close: string): string | undefined {
    const end = this.text.indexOf(`${close}.`, this.at);
    if (end < 0) return undefined;
    const found = this.text.slice(this.at, end);
    this.#move(found.length);
    return found;
  }

  #move(length: number): void {
    this.at += length;
    this.end = this.at;
  }

  fail(what: string): never {
    throw this.expected(what);
  }

  expected(what: string): UsageError {
    this.skipBlanks();
    const rest = this.text.slice(this.at).split(' ')[0];
    return this.wrong(this.at, `${what} is expected, and not ${rest ? `'${rest}'` : 'the end'}`, EXAMPLE);
  }

  wrong(at: number, problem: string, hint: string): UsageError {
    return new UsageError(`--fail-if '${this.text}', character ${at + 1}: ${problem}`, hint);
  }
}

/** By what a value is multiplied for the base unit of its kind. */
const UNITS: ReadonlyMap<string, { readonly kind: string; readonly factor: number }> = new Map(
  Object.entries<{ readonly kind: string; readonly factor: number }>({
    ns: { kind: 'time', factor: 1e-9 },
    us: { kind: 'time', factor: 1e-6 },
    µs: { kind: 'time', factor: 1e-6 },
    ms: { kind: 'time', factor: 1e-3 },
    s: { kind: 'time', factor: 1 },
    min: { kind: 'time', factor: 60 },
    B: { kind: 'size', factor: 1 },
    bytes: { kind: 'size', factor: 1 },
    kB: { kind: 'size', factor: 1e3 },
    MB: { kind: 'size', factor: 1e6 },
    GB: { kind: 'size', factor: 1e9 },
    KiB: { kind: 'size', factor: 2 ** 10 },
    MiB: { kind: 'size', factor: 2 ** 20 },
    GiB: { kind: 'size', factor: 2 ** 30 },
    'MiB/s': { kind: 'MiB/s', factor: 1 },
    '%': { kind: '%', factor: 1 },
  }),
);

/** A condition, and what came of it. */
export interface Outcome {
  readonly text: string;
  readonly holds: boolean;
  /** What was compared: after by before, or after, in the unit of the metric. */
  readonly found: number;
  /** The same in that unit. */
  readonly limit: number;
  readonly comparison: Comparison;
}

/**
 * Whether a condition holds.
 * @param comparison of the metric that it names.
 * @throws UsageError (2) where the metric has no value, or another unit.
 */
export function evaluate(condition: Condition, comparison: Comparison, expression: string): Outcome {
  const { text, metric, operator, isFactor, value } = condition;
  const fail = (problem: string, hint: string): never => {
    throw new UsageError(`--fail-if '${expression}', character ${condition.at}: ${problem}`, hint);
  };
  const { before, after } = comparison;
  if (after === null || (isFactor && before === null)) {
    return fail(
      `${metric} has no value ${after === null ? 'after' : 'before'}`,
      'marple stats -i FILE shows what a file has; leave the condition out, or collect more',
    );
  }
  // Of nothing before, anything after is more than any factor.
  const found = isFactor ? (before === 0 ? (after === 0 ? 1 : Number.POSITIVE_INFINITY) : after / before!) : after;
  const limit = isFactor ? value : inUnit(condition, comparison.unit, fail);
  return { text, holds: holds(found, operator, limit), found, limit, comparison };
}

function inUnit(
  { value, unit, metric }: Condition,
  wanted: string,
  fail: (problem: string, hint: string) => never,
): number {
  if (unit === '' || unit === wanted) return value;
  const [given, own] = [UNITS.get(unit), UNITS.get(wanted)];
  if (given !== undefined && own !== undefined && given.kind === own.kind) return (value * given.factor) / own.factor;
  return fail(
    `${metric} is in ${wanted === '' ? 'numbers without a unit' : wanted}, which ${unit} is no unit of`,
    `write ${metric} ... ${value}${own === undefined ? '' : wanted}`,
  );
}

function holds(found: number, operator: Operator, limit: number): boolean {
  switch (operator) {
    case '>':
      return found > limit;
    case '>=':
      return found >= limit;
    case '<':
      return found < limit;
    case '<=':
      return found <= limit;
  }
}
