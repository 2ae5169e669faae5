import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { UnavailableError } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { installRoot } from '../common/paths.ts';
import { describeExit, startTool } from '../common/process.ts';
import type { FlamePicture } from './flamegraph.ts';
import { SIGNATURE } from './generic-display.ts';
import { foldedLines } from './shape/tree.ts';
import { shorten, visible, wrap, xmlText } from './text.ts';

const PAD = 10;
const NOTE_HEIGHT = 15;

/**
 * The path of flamegraph.pl: the link that setup.sh makes, else where Debian's libdevel-nytprof-perl puts it.
 * @throws UnavailableError where there is none.
 */
export function findScript(): string {
  const candidates = [
    join(installRoot(), 'vendor/FlameGraph/flamegraph.pl'),
    '/usr/share/perl5/Devel/NYTProf/flamegraph.pl',
  ];
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined) throw new UnavailableError('flamegraph.pl is not installed', './setup.sh');
  return found;
}

/**
 * Draws with flamegraph.pl.
 * @throws UnavailableError where Perl is missing or the script fails.
 */
export async function drawWithScript(script: string, picture: FlamePicture): Promise<AsyncIterable<Uint8Array>> {
  const drawable = picture.width - 2 * PAD;
  const tool = startTool(scriptCommand(script, picture), {
    input: Readable.from(foldedLines(picture.tree, drawable, picture.minWidth, scriptFrame)),
    // Perl's hashes are in random order otherwise, and with them the elements.
    env: { PERL_HASH_SEED: '0', PERL_PERTURB_KEYS: '0' },
  });
  const chunks: Buffer[] = [];
  for await (const chunk of tool.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  const exit = await tool.exit;
  if (exit.code !== 0 || chunks.length === 0) {
    throw new UnavailableError(`flamegraph.pl ${describeExit(exit, tool.stderr())}`);
  }
  return annotate(chunks, picture);
}

/** `-CSDA`: input, output and arguments are UTF-8; the script would cut names in the middle of a character otherwise. */
export function scriptCommand(script: string, picture: FlamePicture): string[] {
  return [
    findExecutable('perl'),
    '-CSDA',
    script,
    `--title=${xmlText(shorten(picture.title, Math.floor(picture.width / 12)))}`,
    `--countname=${scriptText(picture.countname)}`,
    `--colors=${picture.colors}`,
    '--hash',
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
 * Adds what the script has no place for: the signature, a subtitle, and notes below the graph. The picture grows by
 * the notes' lines.
 */
async function* annotate(chunks: readonly Buffer[], picture: FlamePicture): AsyncGenerator<Uint8Array> {
  const all = Buffer.concat(chunks);
  const headLength = Math.min(all.length, 1024);
  const head = all.subarray(0, headLength).toString('latin1');
  const size = /<svg\b[^>]*? height="(\d+)"[^>]*? viewBox="0 0 (\d+) \d+"[^>]*>/.exec(head);
  const end = all.lastIndexOf('</svg>');
  if (size === null || end < headLength) {
    throw new UnavailableError('flamegraph.pl gave something other than a graph');
  }
  const height = Number(size[1]);
  const lines = picture.footer.flatMap((note) => wrap(note, Math.floor(picture.width / 6.8)));
  const grown = height + (lines.length === 0 ? 0 : lines.length * NOTE_HEIGHT + 8);
  const tag = size[0]
    .replace(` height="${height}"`, ` height="${grown}"`)
    .replace(/viewBox="0 0 (\d+) \d+"/, `viewBox="0 0 $1 ${grown}"`);
  const before = head.slice(0, size.index);
  yield Buffer.from(`${before}${tag}<!-- ${SIGNATURE} -->`, 'latin1');
  yield all.subarray(before.length + size[0].length, end);
  const middle = picture.width / 2;
  const subtitle = shorten(picture.subtitle, Math.floor((picture.width - 40) / 6.2));
  yield Buffer.from(
    [
      `<text text-anchor="middle" x="${middle}" y="41" font-size="11" font-family="Verdana" fill="rgb(90,90,90)">${xmlText(subtitle)}</text>`,
      ...(lines.length === 0
        ? []
        : [`<rect x="0" y="${height}" width="${picture.width}" height="${grown - height}" fill="#eeeeb0"/>`]),
      ...lines.map(
        (line, i) =>
          `<text x="${PAD}" y="${height + (i + 1) * NOTE_HEIGHT - 3}" font-size="11" font-family="Verdana" fill="rgb(150,60,0)">${xmlText(line)}</text>`,
      ),
      '</svg>\n',
    ].join('\n'),
  );
}
