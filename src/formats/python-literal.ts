/** What a literal of Python stands for; a tuple is an array, a dictionary's keys are texts. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue };

const DEEPEST = 16;
const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', "'": "'", '"': '"' };
const WORDS = new Map<string, PythonValue>([
  ['None', null],
  ['True', true],
  ['False', false],
]);

// {'pid': '4711', 'comm': "it's", 'cpu': '003'}
// [('source_', 'dest_')]
/**
 * Reads the text that Python's repr() gives for plain values: strings, numbers, None, True and False in tuples, lists and
 * dictionaries. It is read and nothing of it is evaluated. Undefined where it is anything else.
 */
export function parsePythonLiteral(text: string): PythonValue | undefined {
  const reader = new LiteralReader(text);
  try {
    const value = reader.value(0);
    return reader.isAtEnd() ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class LiteralReader {
  #at = 0;

  constructor(private readonly text: string) {}

  isAtEnd(): boolean {
    this.#skipBlanks();
    return this.#at === this.text.length;
  }

  value(depth: number): PythonValue {
    if (depth > DEEPEST) throw new SyntaxError('too deep');
    this.#skipBlanks();
    const next = this.text[this.#at];
    if (next === "'" || next === '"') return this.#string();
    if (next === '(') return this.#list(')', depth);
    if (next === '[') return this.#list(']', depth);
    if (next === '{') return this.#dictionary(depth);
    const [word] = this.#match(/[-+\w.]+/y);
    if (WORDS.has(word)) return WORDS.get(word)!;
    if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(word)) return Number(word);
    throw new SyntaxError(word);
  }

  #list(end: string, depth: number): PythonValue[] {
    this.#at++;
    const values: PythonValue[] = [];
    while (!this.#takes(end)) {
      values.push(this.value(depth + 1));
      if (!this.#takes(',') && !this.#isNext(end)) throw new SyntaxError('no comma');
    }
    return values;
  }

  #dictionary(depth: number): Record<string, PythonValue> {
    this.#at++;
    // Without a prototype no key means anything.
    const values: Record<string, PythonValue> = Object.create(null);
    while (!this.#takes('}')) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || !this.#takes(':')) throw new SyntaxError('no key');
      values[key] = this.value(depth + 1);
      if (!this.#takes(',') && !this.#isNext('}')) throw new SyntaxError('no comma');
    }
    return values;
  }

  #string(): string {
    const [quoted] = this.#match(/'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/sy);
    return quoted
      .slice(1, -1)
      .replace(
        /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|(.))/gs,
        (_, x?: string, u?: string, U?: string, one = '') => {
          const code = x ?? u ?? U;
          if (code === undefined) return SIMPLE_ESCAPES[one] ?? `\\${one}`;
          const number = Number.parseInt(code, 16);
          return number > 0x10ffff ? '\ufffd' : String.fromCodePoint(number);
        },
      );
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text);
    if (match === null) throw new SyntaxError(`at ${this.#at}`);
    this.#at = pattern.lastIndex;
    return match;
  }

  #skipBlanks(): void {
    while (this.text[this.#at] === ' ') this.#at++;
  }

  #isNext(character: string): boolean {
    this.#skipBlanks();
    return this.text[this.#at] === character;
  }

  #takes(character: string): boolean {
    const isThere = this.#isNext(character);
    if (isThere) this.#at++;
    return isThere;
  }
}
