/*
 * The `print fmt` of an event's format file: how the kernel itself turns a record's numbers into text
 * (Documentation/trace/events.rst, "Event formats"). It is a printf format and C expressions, of which as much is known
 * here as flags of a state need.
 */

/** What an expression gives. Numbers are taken as 32-bit integers by the bit operators, as in JavaScript. */
type Value = number | string;
type Expression = (fields: Readonly<Record<string, number>>) => Value;

// print fmt: "comm=%s prev_state=%s%s", REC->comm, REC->s & 3 ? __print_flags(REC->s & 3, "|", { 1, "S" }, { 2, "D" }) : "R", REC->s & 4 ? "+" : ""
/**
 * How the kernel prints the part of its text that follows `label` (`prev_state=` for one), up to the next blank: a function
 * of the values of the fields that stand in it. The same values give the same text.
 * @throws Error where the format has no such part, or one that cannot be read here.
 */
export function printedPart(formatText: string, label: string): (fields: Readonly<Record<string, number>>) => string {
  const printed = /^print fmt: *(".*)$/mu.exec(formatText)?.[1];
  if (printed === undefined) throw new Error('the event has no print fmt');
  const parser = new ExpressionParser(printed);
  const format = parser.expression()({});
  if (typeof format !== 'string') throw new Error('the print fmt does not begin with a text');
  const start = format.indexOf(label);
  if (start < 0) throw new Error(`the kernel prints no ${label}`);
  const from = start + label.length;
  const blank = format.indexOf(' ', from);
  const to = blank < 0 ? format.length : blank;
  const parts: Expression[] = [];
  for (const { index } of format.matchAll(/%[-+#0-9.lhz]*[a-z]/gu)) {
    if (index >= to) break;
    const argument = parser.argument();
    if (index >= from) parts.push(argument);
  }
  if (parts.length === 0) throw new Error(`the kernel prints no value of ${label}`);
  return (fields) => parts.map((part) => String(part(fields))).join('');
}

/** Binary operators by precedence, loosest first (C11, 6.5). */
const OPERATORS: readonly Readonly<Record<string, (a: number, b: number) => number>>[] = [
  { '|': (a, b) => a | b },
  { '^': (a, b) => a ^ b },
  { '&': (a, b) => a & b },
  { '==': (a, b) => Number(a === b), '!=': (a, b) => Number(a !== b) },
  { '<<': (a, b) => a << b, '>>': (a, b) => a >> b },
  { '+': (a, b) => a + b, '-': (a, b) => a - b },
];

const TOKEN = /\s*((?:0x[\da-f]+|\d+)[ul]*|"(?:[^"\\]|\\.)*"|REC->\w+|\w+|<<|>>|==|!=|[?:(){},&|^+~-])/iuy;

class ExpressionParser {
  readonly #tokens: string[] = [];
  #next = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    let end = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
      this.#tokens.push(match[1] as string);
      end = TOKEN.lastIndex;
    }
    // What is not known ends the tokens: only an argument behind it cannot be read.
    if (text.slice(end).trim() !== '') this.#tokens.push(text.slice(end).trim());
  }

  /** The next argument of the list, behind its comma. */
  argument(): Expression {
    this.#expect(',');
    return this.expression();
  }

  expression(): Expression {
    const condition = this.#binary(0);
    if (!this.#accept('?')) return condition;
    const yes = this.expression();
    this.#expect(':');
    const no = this.expression();
    return (fields) => (condition(fields) === 0 ? no(fields) : yes(fields));
  }

  #binary(level: number): Expression {
    const operators = OPERATORS[level];
    if (operators === undefined) return this.#primary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = operators[this.#tokens[this.#next] ?? ''];
      if (operator === undefined) return left;
      this.#next++;
      const [a, b] = [left, this.#binary(level + 1)];
      left = (fields) => operator(number(a(fields)), number(b(fields)));
    }
  }

  #primary(): Expression {
    const token = this.#tokens[this.#next++] ?? '';
    if (token === '(') {
      const inner = this.expression();
      this.#expect(')');
      return inner;
    }
    if (token === '~') {
      const operand = this.#primary();
      return (fields) => ~number(operand(fields));
    }
    const digits = /^(0x[\da-f]+|\d+)[ul]*$/iu.exec(token)?.[1];
    if (digits !== undefined) return () => Number(digits);
    if (token.startsWith('"')) return () => token.slice(1, -1).replace(/\\(.)/gu, '$1');
    if (token.startsWith('REC->')) return field(token.slice('REC->'.length));
    if (token === '__print_flags') return this.#flags();
    throw new Error(
      `the print fmt has ${token === '' ? 'no end' : `'${token.slice(0, 20)}'`}, which is not known here`,
    );
  }

  /** `__print_flags(value, "|", { bit, "name" }, ...)`: the names of the bits that are set; other bits as a number. */
  #flags(): Expression {
    this.#expect('(');
    const value = this.expression();
    const between = this.argument();
    const names: [Expression, Expression][] = [];
    while (this.#accept(',')) {
      this.#expect('{');
      const bit = this.expression();
      names.push([bit, this.argument()]);
      this.#expect('}');
    }
    this.#expect(')');
    return (fields) => {
      let rest = number(value(fields));
      const set: string[] = [];
      for (const [bit, name] of names) {
        const mask = number(bit(fields));
        if (mask === 0 || (rest & mask) !== mask) continue;
        set.push(String(name(fields)));
        rest &= ~mask;
      }
      if (rest !== 0) set.push(`0x${(rest >>> 0).toString(16)}`);
      return set.join(String(between(fields)));
    };
  }

  #accept(token: string): boolean {
    if (this.#tokens[this.#next] !== token) return false;
    this.#next++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) {
      throw new Error(`the print fmt has '${(this.#tokens[this.#next] ?? '').slice(0, 20)}' where '${token}' belongs`);
    }
  }
}

function field(name: string): Expression {
  return (fields) => {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined) throw new Error(`the print fmt uses the field ${name}`);
    return value;
  };
}

function number(value: Value): number {
  if (typeof value === 'string') throw new Error('the print fmt calculates with a text');
  return value;
}
