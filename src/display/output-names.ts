import { extname, parse } from 'node:path';
import { UsageError } from '../common/errors.ts';
import { DisplayFileName } from '../common/file-names.ts';
import { joinWords } from '../common/text.ts';
import { type Choice, TEXT, type View } from './choose-views.ts';

/** One picture to be drawn. */
export interface Drawing extends Choice {
  readonly format: string;
  /** `-` is stdout. */
  readonly path: string;
}

/**
 * Where each picture goes. With -o the first goes there, the others to NAME-2.EXT and so on. Without, each beside its data
 * file, with interface and view in the name: x.marple gives x.callstack.flamegraph.svg.
 * @param canBe whether a format can be drawn here: where -o chooses none, it is the first of the view's that can.
 * @throws UsageError (2) where they cannot go there.
 */
export function nameOutputs(
  choices: readonly Choice[],
  output: string | undefined,
  canBe: (format: string) => boolean = () => true,
): Drawing[] {
  const isStdout = output !== undefined && /^-(\.\w+)?$/.test(output);
  const used = new Set<string>();
  const drawings = choices.map((choice): Drawing => {
    const format = chosenFormat(output, choice.view, choices, canBe);
    const path = isStdout ? '-' : unusedName(choice, format, output, used);
    used.add(path);
    return { ...choice, format, path };
  });
  if (isStdout && drawings.length > 1 && drawings.some(({ format }) => format !== TEXT)) {
    throw new UsageError(
      `only one picture goes to stdout, not ${drawings.length}`,
      `choose one with -e, for example: marple display -e ${drawings[0]?.section.number} -o ${output}`,
    );
  }
  return drawings;
}

/** By the extension of -o. A bare `-` is a person at a terminal: text, where the view can be text. */
function chosenFormat(
  output: string | undefined,
  view: View,
  choices: readonly Choice[],
  canBe: (format: string) => boolean,
): string {
  if (output === undefined) return view.formats.find(canBe) ?? view.formats[0];
  if (output === '-') return view.formats.includes(TEXT) ? TEXT : view.formats[0];
  return formatOf(output.startsWith('-.') ? `x${output.slice(1)}` : output, view, choices);
}

function formatOf(output: string, view: View, choices: readonly Choice[]): string {
  const format = extname(output).slice(1).toLowerCase();
  if (view.formats.includes(format)) return format;
  const what = format === '' ? `${output} has no extension` : `a ${view.name} cannot be written as .${format}`;
  const known = joinWords(view.formats.map((extension) => `.${extension}`));
  const several = new Set(choices.map((choice) => choice.view.name)).size > 1;
  throw new UsageError(
    `${what}: it can be ${known}`,
    several
      ? 'the file needs several views: name one (-fg, -hm, -sp), or choose sections with -e'
      : `marple display ${view.flag} -o ${parse(output).name}.${view.formats[0]}`,
  );
}

function unusedName(
  { source, view, group }: Choice,
  format: string,
  output: string | undefined,
  used: ReadonlySet<string>,
): string {
  const name = new DisplayFileName(source.data.path, output === undefined ? {} : { givenName: output });
  name.setOptions(view.showsAll === true ? view.name : `${group.interface}.${view.name}`, format);
  let candidate = name.toString();
  for (let number = 2; used.has(candidate); number++) candidate = name.numbered(number);
  return candidate;
}
