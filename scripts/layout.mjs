// The module layout of docs/architecture.md, made of the source. `npm run layout` writes it there; a test compares the two.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const PAGE = join(ROOT, 'docs/architecture.md');
const [BEGIN, END] = ['<!-- layout: made by npm run layout -->', '<!-- end of layout -->'];
const WIDTH = 120;

/** The page with its layout as the source has it now. */
export function pageWithLayout(page) {
  const [before, rest = ''] = page.split(BEGIN);
  const [, after = ''] = rest.split(END);
  return `${before}${BEGIN}\n\n${layout()}\n${END}${after}`;
}

/** Which layer uses which, as a diagram, and each folder with the folders that it uses. */
export function layout() {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
    .sort();
  const uses = files.flatMap((file) => usedBy(file, files).map((used) => [file, used]));
  const edges = pairs(uses, layerOf).map(([from, to]) => `  ${from} --> ${to}`);
  const diagram = ['```mermaid', 'flowchart LR', ...edges, '```'];
  return [...diagram, '', '```text', ...folderLines(files, pairs(uses, folderOf)), '```', ''].join('\n');
}

/** The files of src/ that a file imports. */
function usedBy(file, files) {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8');
  const named = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"\n]+)['"]/g)];
  return named.map(([, path]) => posix.join(posix.dirname(file), path)).filter((used) => files.includes(used));
}

/** What uses what, by the places in which the files are, each pair once. */
function pairs(uses, placeOf) {
  const texts = uses.map(([file, used]) => `${placeOf(file)} ${placeOf(used)}`);
  return [...new Set(texts)]
    .sort()
    .map((text) => text.split(' '))
    .filter(([from, to]) => from !== to);
}

/** A folder of src/, or a file in it. */
function layerOf(file) {
  return file.split('/')[0].replace(/\.ts$/, '');
}

function folderOf(file) {
  const folder = posix.dirname(file);
  return folder === '.' ? '' : `${folder}/`;
}

/** `src/collect/smem/   uses collect/ collect/proc/ common/`, in lines that can be read. */
function folderLines(files, folderPairs) {
  const folders = [...new Set(files.map(folderOf))].sort();
  const width = Math.max(...folders.map((folder) => folder.length)) + 'src/'.length;
  return folders.flatMap((folder) => {
    const lines = [`src/${folder}`.padEnd(width)];
    const used = folderPairs.filter(([from]) => from === folder).map(([, to]) => to || 'src/');
    for (const name of used) {
      const line = `${lines.at(-1)}  ${name}`;
      if (line.length > WIDTH) lines.push(`${' '.repeat(width)}  ${name}`);
      else lines[lines.length - 1] = line;
    }
    return lines.map((line) => line.trimEnd());
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, pageWithLayout(readFileSync(PAGE, 'utf8')));
}
