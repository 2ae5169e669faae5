import { UsageError } from '../common/errors.ts';
import { didYouMean } from '../common/suggest.ts';

/** The arguments before the first `--`, and the command behind it (undefined where there is no `--`). */
export interface SplitArguments {
  readonly own: readonly string[];
  readonly command: readonly string[] | undefined;
}

/** What the rewriting must know of a command line's options; it derives from the registries and commander's options. */
export interface ArgumentGrammar {
  /** Flags that take the next word as their value, such as `-o` and `--output`. */
  readonly valued: ReadonlySet<string>;
  /** Flags that commander is not told of, and the long flags that they stand for, such as `-hm` and `--heatmap`. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Flags whose value must be attached (`--json=FILE`), with the value that the bare flag stands for. */
  readonly attached: ReadonlyMap<string, string>;
  /** Area flags, such as `--disk`, with their kinds. */
  readonly areas: ReadonlyMap<string, AreaGrammar>;
}

export interface AreaGrammar {
  readonly kinds: readonly string[];
  readonly defaultKind: string;
}

/** Cuts argv at the first `--`: what follows is the user's command and is never parsed. */
export function splitArguments(argv: readonly string[]): SplitArguments {
  const cut = argv.indexOf('--');
  return cut < 0 ? { own: argv, command: undefined } : { own: argv.slice(0, cut), command: argv.slice(cut + 1) };
}

/**
 * Rewrites what commander does not take: `-hm` to `--heatmap`, and an area flag with its kinds to one word
 * (`--disk latency` to `--disk=latency`, `--disk` to `--disk=<default kind>`). An option's value is never touched.
 * The word after an area flag is its kinds only where all its parts are kinds of the area.
 * @throws UsageError where `--area=...` names a kind that the area does not have.
 */
export function rewriteArguments(args: readonly string[], grammar: ArgumentGrammar): string[] {
  const rewritten: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const [flag, attached] = splitFlag(word);
    const area = grammar.areas.get(flag);
    if (area !== undefined) {
      const following = attached === undefined ? args[i + 1] : undefined;
      if (following !== undefined && kindsIn(following).every((kind) => area.kinds.includes(kind))) {
        rewritten.push(`${flag}=${kindsIn(following).join(',')}`);
        i++;
      } else {
        rewritten.push(`${flag}=${areaKinds(flag, attached, area)}`);
      }
      continue;
    }
    const bare = grammar.attached.get(word);
    const name = grammar.aliases.get(flag) ?? flag;
    const meant = attached === undefined ? name : `${name}=${attached}`;
    rewritten.push(bare === undefined ? meant : `${word}=${bare}`);
    if (grammar.valued.has(meant) && i + 1 < args.length) rewritten.push(args[++i] as string);
  }
  return rewritten;
}

function splitFlag(word: string): [string, string | undefined] {
  const equals = word.indexOf('=');
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}

function kindsIn(text: string): string[] {
  return text.split(',').map((kind) => kind.trim());
}

function areaKinds(flag: string, attached: string | undefined, area: AreaGrammar): string {
  if (attached === undefined) return area.defaultKind;
  const kinds = kindsIn(attached);
  const unknown = kinds.find((kind) => !area.kinds.includes(kind));
  if (unknown !== undefined) {
    throw new UsageError(
      `${flag} has no kind '${unknown}'`,
      didYouMean(
        unknown,
        area.kinds,
        `use one or more of: ${flag}=${area.kinds.join(',')}`,
        (kind) => `${flag}=${kind}`,
      ),
    );
  }
  return kinds.join(',');
}
