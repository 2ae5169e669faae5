import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { UnavailableError } from '../common/errors.ts';
import { findExecutable, installHint } from '../common/executables.ts';
import { installRoot } from '../common/paths.ts';
import { describeExit, startTool } from '../common/process.ts';
import { shorten, visible, xmlText } from '../common/text.ts';
import { textBytes } from '../common/text-bytes.ts';
import type { FlamePicture } from './flamegraph.ts';
import { SIGNATURE } from './generic-display.ts';
import { footerLines } from './notes.ts';
import { foldedLines } from './shape/tree.ts';
import { companion } from './svg-companion.ts';

const PAD = 10;
const NOTE_HEIGHT = 15;
const SUBTITLE_HEIGHT = 18;
/** The script's Verdana is on few Linux machines; DejaVu Sans is as wide. */
const FONTS = 'Verdana, DejaVu Sans, sans-serif';

/**
 * The path of flamegraph.pl: the link that setup.sh makes, else where Debian's libdevel-nytprof-perl puts it.
 * @throws UnavailableError where there is none.
 */
export function findScript(candidates: readonly string[] = scriptPaths()): string {
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new UnavailableError('flamegraph.pl is not installed', installHint('flamegraph.pl'));
  return found;
}

function scriptPaths(): string[] {
  return [join(installRoot(), 'vendor/FlameGraph/flamegraph.pl'), '/usr/share/perl5/Devel/NYTProf/flamegraph.pl'];
}

/**
 * Draws with flamegraph.pl.
 * @throws UnavailableError where Perl is missing or the script fails.
 */
export async function drawWithScript(script: string, picture: FlamePicture): Promise<Buffer> {
  const names = picture.wide.names.map(scriptFrame);
  const tool = startTool(scriptCommand(script, picture, names), {
    input: Readable.from(textBytes(foldedLines({ ...picture.wide, names })), { objectMode: false }),
    // Perl's hashes are in random order otherwise, and with them the elements.
    env: { PERL_HASH_SEED: '0', PERL_PERTURB_KEYS: '0' },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of tool.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  const exit = await tool.exit;
  if (exit.code !== 0) throw new UnavailableError(`flamegraph.pl ${describeExit(exit, tool.stderr())}`);
  return annotate(Buffer.concat(chunks), picture);
}

/**
 * `-CSDA`: input, output and arguments are UTF-8; the script would cut names in the middle of a character otherwise. Perl takes longer so,
 * and text that is all ASCII is the same without.
 */
function scriptCommand(script: string, picture: FlamePicture, names: readonly string[]): string[] {
  const options = scriptOptions(picture);
  const isPlain = [...options, ...names].every((text) => PLAIN.test(text));
  return [findExecutable('perl'), ...(isPlain ? [] : ['-CSDA']), script, ...options];
}

const PLAIN = /^[\0-\x7f]*$/;

function scriptOptions(picture: FlamePicture): string[] {
  return [
    `--title=${xmlText(shorten(picture.title, Math.floor(picture.width / 12)))}`,
    `--countname=${scriptText(picture.countname)}`,
    ...(picture.unitSize === 1 ? [] : [`--factor=${1 / picture.unitSize}`]),
    `--colors=${picture.colors}`,
    ...(picture.icicle ? ['--inverted'] : []),
    '--hash',
    `--fonttype=${FONTS}`,
    `--width=${picture.width}`,
    `--minwidth=${picture.minWidth}`,
  ];
}

/**
 * A frame as the script can take it. It puts names into a JavaScript string without escaping backslashes, splits at
 * `;`, and takes an empty frame for the root.
 */
export function scriptFrame(frame: string): string {
  return visible(frame).replaceAll('\\', '\\\\').replaceAll(';', ':').trim() || '[empty]';
}

/** The script escapes nothing in the count's name. */
function scriptText(text: string): string {
  return text.replace(/[^\p{L}\p{N} %/._-]/gu, '_');
}

/**
 * How some versions of the script take a frame's name out of `name (5 samples, 1.00%)`, for the label after zooming and for the
 * search, and what leaves the brackets and spaces of the name itself alone.
 */
const NAME_MENDS = [
  { found: '.replace(/\\([^(]*\\)/,"")', better: '.replace(/ ?\\([^()]*\\)$/,"")' },
  { found: 'func.replace(/ .*/, "")', better: 'func.replace(/ \\([^()]*\\)[^)]*\\)$/, "")' },
] as const;

/** The script's own drawing holds its style, JavaScript, background and title within this many bytes. */
const HEAD_BYTES = 32 * 1024;

/**
 * Adds what the script has no place for: the signature, a subtitle, and notes below the graph. The picture grows upward by
 * the subtitle's line, and downward by those of the notes; what the script placed stays where it is.
 */
function annotate(all: Buffer, picture: FlamePicture): Buffer {
  const { width } = picture;
  // One character is one byte, so that the places are those in the buffer.
  const head = all.subarray(0, HEAD_BYTES).toString('latin1');
  const size = /<svg\b[^>]*? height="(\d+)"[^>]*? viewBox="0 0 \d+ \d+"[^>]*>/.exec(head);
  const background = /<rect\b[^>]* y="0" width="[^"]*" height="[^"]*" fill="url\(#background\)"/.exec(head);
  const title = /<text\b(?=[^>]*(?: text-anchor="middle"| id="title"))[^>]* y="24"/.exec(head);
  const end = all.lastIndexOf('</svg>');
  if (size === null || background === null || title === null || end < 0) {
    throw new UnavailableError('flamegraph.pl gave something other than a graph');
  }
  const height = Number(size[1]);
  const lines = footerLines(picture.footer, Math.floor(width / 6.8));
  const footer = lines.length === 0 ? 0 : lines.length * NOTE_HEIGHT + 8;
  const grown = SUBTITLE_HEIGHT + height + footer;
  const svg = size[0]
    .replace(` height="${height}"`, ` height="${grown}"`)
    .replace(/ viewBox="[^"]*"/, ` viewBox="0 -${SUBTITLE_HEIGHT} ${width} ${grown}"`);
  const paper = background[0]
    .replace(' y="0"', ` y="-${SUBTITLE_HEIGHT}"`)
    .replace(/ height="[^"]*"/, ` height="${grown}"`);
  // "Reset Zoom" and "Search" stand at the sides of the subtitle.
  const subtitle = shorten(picture.subtitle, Math.floor((width - 260) / 6.4));
  const texts = [
    noteText(`class="subtitle" text-anchor="middle" x="${width / 2}" y="24"`, subtitle),
    ...lines.map((line, i) => noteText(`class="note" x="${PAD}" y="${height + (i + 1) * NOTE_HEIGHT - 3}"`, line)),
  ];
  const edits: { readonly index: number; readonly old: string; readonly text: string }[] = [
    { index: size.index, old: size[0], text: `${svg}<!-- ${SIGNATURE} -->` },
    { index: background.index, old: background[0], text: paper },
    { index: title.index, old: title[0], text: title[0].replace(' y="24"', ' y="6"') },
    ...NAME_MENDS.map(({ found, better }) => ({ index: head.indexOf(found), old: found, text: better })),
  ];
  const parts: Uint8Array[] = [];
  let from = 0;
  for (const { index, old, text } of edits.filter(({ index }) => index >= 0).sort((a, b) => a.index - b.index)) {
    parts.push(all.subarray(from, index), Buffer.from(text, 'latin1'));
    from = index + old.length;
  }
  return Buffer.concat([
    ...parts,
    all.subarray(from, end),
    Buffer.from(`${texts.join('\n')}\n${companion(picture, STYLE)}\n</svg>\n`),
  ]);
}

/** The script's own colours are those of paper. What it sets itself goes before a rule without `important`. */
const STYLE = `
.subtitle{fill:#5a5a5a}
.note{fill:#963c00}
#search{opacity:1!important}
@media (prefers-color-scheme:dark){
svg>rect{fill:#17181c}
svg>text{fill:#e4e4e4}
svg>.subtitle{fill:#a5a5a5}
svg>.note{fill:#ffb074}
.func_g:hover{stroke:#fff}
.func_g text{stroke:none}
}
`;

function noteText(attributes: string, text: string): string {
  return `<text ${attributes} font-size="11" font-family="${FONTS}">${xmlText(text)}</text>`;
}
