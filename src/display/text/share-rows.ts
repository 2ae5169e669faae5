import { fitted, formatShare } from '../../common/text.ts';
import { heading } from './page.ts';
import { bar, type Screen } from './screen.ts';

/** Bars, by the room there is. */
const BAR = { wide: 16, narrow: 8, from: 70 } as const;
const SHARE = 7;
const BAR_COLOUR = '38;5;208';

/** Lines of shares of a whole: `67 %   12 %  ██████████▋       text`. The second number may be left out of all of them. */
export class ShareRows {
  readonly #screen: Screen;
  readonly #whole: number;
  readonly #bar: number;
  readonly #seconds: boolean;

  constructor(whole: number, screen: Screen, hasSecond: boolean) {
    this.#whole = whole;
    this.#screen = screen;
    this.#bar = screen.columns < BAR.from ? BAR.narrow : BAR.wide;
    this.#seconds = hasSecond;
  }

  /** Columns that are left for the text. */
  get room(): number {
    return this.#screen.columns - (this.#seconds ? 2 * SHARE + 1 : SHARE) - this.#bar - 4;
  }

  head(first: string, second: string, text: string): string {
    return heading(this.#line(first, second, ' '.repeat(this.#bar), text), this.#screen);
  }

  row(weight: number, second: number | undefined, text: string): string {
    const share = (part: number): string => formatShare(part, this.#whole);
    const drawn = fitted(bar(weight / this.#whole, this.#bar), this.#bar);
    const coloured = this.#screen.hasColours ? `\x1b[${BAR_COLOUR}m${drawn}\x1b[0m` : drawn;
    return this.#line(share(weight), second === undefined ? '' : share(second), coloured, text).trimEnd();
  }

  #line(first: string, second: string, drawn: string, text: string): string {
    const cells = this.#seconds ? [first, second] : [first];
    return `${cells.map((cell) => fitted(cell, SHARE, 'right')).join(' ')}  ${drawn}  ${text}`;
  }
}
