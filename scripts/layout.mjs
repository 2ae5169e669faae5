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

/** Which layer uses which, as a diagram, and the files of each folder. */
export function layout() {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|tsx|css)$/.test(file) && !file.endsWith('.d.ts'))
    .sort();
  const edges = [...new Set(files.flatMap((file) => usedBy(file, files)))].sort();
  const diagram = ['```mermaid', 'flowchart LR', ...edges.map((edge) => `  ${edge}`), '```'];
  const folders = new Map();
  for (const file of files) folders.set(posix.dirname(file), [...(folders.get(posix.dirname(file)) ?? []), file]);
  const tree = [...folders]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([folder, names]) => folderLines(folder, names));
  return [...diagram, '', '```text', ...tree, '```', ''].join('\n');
}

/** `collect --> formats` for what a file uses of another layer. */
function usedBy(file, files) {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8');
  const named = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"\n]+)['"]/g)];
  return named.flatMap(([, path]) => {
    const used = posix.join(posix.dirname(file), path);
    const [from, to] = [layerOf(file), layerOf(used)];
    return files.includes(used) && from !== to ? [`${from} --> ${to}`] : [];
  });
}

/** A folder of src/, or a file in it. */
function layerOf(file) {
  return file.split('/')[0].replace(/\.ts$/, '');
}

/** `src/collect/perf/: collect, issuers, ...`, in lines that can be read. */
function folderLines(folder, files) {
  const names = files.map((file) => posix.basename(file).replace(/\.tsx?$/, ''));
  const lines = [`src/${folder === '.' ? '' : `${folder}/`}`];
  let line = '   ';
  for (const name of names) {
    if (line.length + name.length + 1 > WIDTH) {
      lines.push(line);
      line = '   ';
    }
    line += ` ${name}`;
  }
  return [...lines, line];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(PAGE, pageWithLayout(readFileSync(PAGE, 'utf8')));
}
