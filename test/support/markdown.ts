const FENCE = '```';

/** Something to run in a page of the docs. */
export interface Runnable {
  /** Where it stands, from 1. */
  readonly line: number;
  readonly language: 'sh' | 'python';
  readonly text: string;
  /** Whether the page shows it to fail. */
  readonly fails: boolean;
  /** What it prints, where the page shows that in a block of `text` below it. */
  output?: string;
}

/** A page that can be followed: what it shows to be run, in order, and the data file that it describes. */
export interface Page {
  readonly runnables: readonly Runnable[];
  readonly data: string | undefined;
  /** Blocks that are not run, each with why. */
  readonly notRun: readonly { readonly line: number; readonly why: string }[];
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
  /** The line above it: a comment, or the end of another block. */
  readonly above: string;
}

/**
 * Takes the command lines out of Markdown: blocks of `sh` and `python` as they are, and in blocks without a language what
 * stands behind `$ `, with its output below it. A block of `text` right below one is what that prints, to the letter. Above a
 * block that cannot be run stands why: `<!-- not run: it builds another program -->`.
 */
export function readPage(markdown: string): Page {
  const runnables: Runnable[] = [];
  const notRun: { line: number; why: string }[] = [];
  let data: string | undefined;
  let before: Block | undefined;
  for (const block of blocksOf(markdown)) {
    const { line, language, lines, above } = block;
    const [, why] = /^<!-- not run: (.*) -->$/.exec(above) ?? [];
    const text = textOf(lines);
    if (why !== undefined) notRun.push({ line, why });
    else if (isRun(language)) runnables.push({ line, language, text, fails: false });
    else if (language === 'marple') data = text;
    else if (language === 'text' && above === FENCE && isRun(before?.language)) runnables.at(-1)!.output = text;
    else if (language === '') runnables.push(...promptsIn(lines, line));
    before = block;
  }
  return { runnables, data, notRun };
}

function isRun(language: string | undefined): language is Runnable['language'] {
  return language === 'sh' || language === 'python';
}

function textOf(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; language: string; lines: string[]; above: string } | undefined;
  let above = '';
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^```(\w*)/.exec(line);
    if (open !== undefined) {
      if (line === FENCE) {
        blocks.push(open);
        open = undefined;
      } else open.lines.push(line);
    } else if (fence !== null) open = { line: i + 2, language: fence[1] ?? '', lines: [], above };
    if (line !== '') above = line;
  }
  return blocks;
}

/** `$ marple ...` in what a terminal showed; an error of MARPLE below it says that it fails. */
function promptsIn(lines: readonly string[], first: number): Runnable[] {
  return lines.flatMap((text, i): Runnable[] =>
    text.startsWith('$ ')
      ? [
          {
            line: first + i,
            language: 'sh',
            text: textOf([text.slice(2)]),
            fails: lines[i + 1]?.startsWith('marple: ') === true,
          },
        ]
      : [],
  );
}
