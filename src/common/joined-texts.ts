/** Texts that several parsers number, each for itself, under common numbers: in the order in which they are first told. */
export class JoinedTexts {
  readonly #ids: Map<string, number>;
  /** By parser, the common number of each of its own. */
  readonly #common: Int32Array[] = [];
  readonly #counts: number[] = [];

  /** `texts` are those that have numbers already; others are added to them. */
  constructor(readonly texts: string[]) {
    this.#ids = new Map(texts.map((text, id) => [text, id]));
  }

  /** Puts common numbers in place of a parser's own into `values`. It has told its other texts before. */
  joined(parser: number, values: Int32Array, news: readonly string[]): Int32Array {
    let common = this.#common[parser] ?? new Int32Array(256);
    let count = this.#counts[parser] ?? 0;
    if (count + news.length > common.length) {
      const larger = new Int32Array(2 * (count + news.length));
      larger.set(common);
      common = larger;
    }
    for (const text of news) common[count++] = this.#idOf(text);
    this.#common[parser] = common;
    this.#counts[parser] = count;
    for (let i = 0; i < values.length; i++) values[i] = common[values[i]!]!;
    return values;
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text);
    if (id === undefined) {
      id = this.texts.length;
      this.#ids.set(text, id);
      this.texts.push(text);
    }
    return id;
  }
}
