import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** Which layer may use which others; every layer may use itself. */
const USES: Readonly<Record<string, readonly string[]>> = {
  launcher: ['common'],
  cli: ['program', 'common'],
  program: ['commands', 'common'],
  commands: ['collect', 'fleet', 'display', 'serve', 'analysis', 'formats', 'common'],
  serve: ['display', 'analysis', 'formats', 'common'],
  collect: ['analysis', 'formats', 'common'],
  fleet: ['formats', 'common'],
  display: ['analysis', 'formats', 'common'],
  analysis: ['common'],
  formats: ['analysis', 'common'],
  common: [],
  worker: ['common'],
};
/** Packages that draw: they are native or large, and collecting does without them. */
const DRAWING = ['canvas', 'chart.js', 'chartjs-node-canvas'];

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.[cm]?[jt]sx?$/.test(file))
  .sort();
const textOf = (file: string): string => readFileSync(join(ROOT, 'src', file), 'utf8');

/** The layer of a file of src/: its folder; launcher.ts, cli.ts, program.ts and worker.ts stand in src/ itself. */
function layerOf(file: string): string {
  if (file.includes('/')) return file.slice(0, file.indexOf('/'));
  return posix.basename(file, '.ts');
}

/** What a file imports, types too: files as paths below src/, packages by name. */
function importsOf(file: string, text: string): string[] {
  const named = [...text.matchAll(/(?:\bfrom|\bimport|\brequire)\s*\(?\s*['"]([^'"\n]+)['"]/g)].map(
    (match) => match[1] as string,
  );
  return named.map((name) => (name.startsWith('.') ? posix.join(posix.dirname(file), name) : name));
}

/** Why a file may not import something, or undefined where it may. */
function objection(file: string, imported: string): string | undefined {
  const layer = layerOf(file);
  if (imported.startsWith('../')) {
    return imported === '../package.json' ? undefined : `${file} imports ${imported}, which is outside src/`;
  }
  if (!files.includes(imported)) {
    const draws = DRAWING.some((name) => imported === name || imported.startsWith(`${name}/`));
    return draws && layer !== 'display' ? `${file} imports ${imported}, which only display may` : undefined;
  }
  const target = layerOf(imported);
  if (target === layer || USES[layer]?.includes(target)) return undefined;
  return `${file} imports ${imported}: ${layer} may not use ${target}`;
}

/** Files of src/, other than those named, whose text has something like this. */
function filesWith(pattern: RegExp, ...except: readonly string[]): string[] {
  return files.filter((file) => !except.includes(file) && pattern.test(textOf(file)));
}

describe('layers', () => {
  test('every file belongs to one', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => USES[layerOf(file)] === undefined)).toEqual([]);
  });

  test('imports go one way', () => {
    const edges = files.flatMap((file) => importsOf(file, textOf(file)).map((imported) => [file, imported] as const));
    expect(edges.filter(([, imported]) => files.includes(imported)).length).toBeGreaterThan(200);
    expect(edges.map(([file, imported]) => objection(file, imported)).filter((text) => text !== undefined)).toEqual([]);
  });

  test.each([
    ['collect/disklat.ts', `import { bins } from '../display/registry.ts';`, 'collect may not use display'],
    ['display/heatmap.ts', `import type { Area } from '../collect/collecter.ts';`, 'display may not use collect'],
    ['display/shape/tree.ts', `const a = await import("../../collect/registry.ts");`, 'display may not use collect'],
    ['formats/lines.ts', `export * from '../display/registry.ts';`, 'formats may not use display'],
    ['display/report.ts', `import { Reports } from '../serve/reports.ts';`, 'display may not use serve'],
    ['serve/server.ts', `import { COLLECTERS } from '../collect/registry.ts';`, 'serve may not use collect'],
    ['common/header.ts', `import {\n  openLines,\n} from '../formats/lines.ts';`, 'common may not use formats'],
    ['commands/collect.ts', `import '../program.ts';`, 'commands may not use program'],
    ['program.ts', `import { COLLECTERS } from './collect/registry.ts';`, 'program may not use collect'],
    ['collect/memtime.ts', `await import('canvas');`, 'only display may'],
    ['formats/lines.ts', `import { Chart } from 'chart.js/auto';`, 'only display may'],
    ['common/header.ts', `import { textFile } from '../../test/support/data-files.ts';`, 'outside src/'],
  ])('%s may not have: %s', (file, text, why) => {
    expect(importsOf(file, text).map((imported) => objection(file, imported))).toEqual([expect.stringContaining(why)]);
  });

  test('collecting loads nothing that draws', async () => {
    const { metafile } = await build({
      entryPoints: [join(ROOT, 'src/cli.ts')],
      absWorkingDir: ROOT,
      bundle: true,
      platform: 'node',
      packages: 'external',
      define: { MARPLE_VERSION: '"test"' },
      metafile: true,
      write: false,
    });
    // What is loaded for `marple collect`: other imports that wait for `await import()` are not followed.
    const loaded = new Set<string>();
    const waiting = ['src/cli.ts', 'src/program.ts', 'src/commands/collect.ts'];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (loaded.has(next)) continue;
      loaded.add(next);
      for (const { path, kind } of metafile.inputs[next]?.imports ?? [])
        if (kind !== 'dynamic-import') waiting.push(path);
    }
    expect(loaded).toContain('src/collect/registry.ts');
    expect(loaded).toContain('commander');
    expect([...loaded].filter((name) => DRAWING.some((drawing) => name.split('/').includes(drawing)))).toEqual([]);
  });
});

describe('rules for the code', () => {
  test('only the command line exits', () => {
    expect(filesWith(/\bprocess\s*\.\s*(exit|abort|reallyExit)\b/, 'cli.ts')).toEqual([]);
  });

  test('only the output writes to the terminal', () => {
    const output = 'common/output.ts';
    expect(filesWith(/\bprocess\s*\.\s*stderr\b|\bconsole\s*\./, output)).toEqual([]);
    // The data file, and the picture or export of `-o -`.
    const data = ['common/writer.ts', 'common/save.ts'];
    expect(filesWith(/\bprocess\s*\.\s*stdout\b/, output, ...data)).toEqual([]);
  });

  test('nothing is evaluated, and no shell is given a text', () => {
    // The launcher starts the program that was built beside it.
    expect(filesWith(/\beval\s*\(|\bnew\s+Function\b|\bvm\b.*from|['"]node:vm['"]/, 'launcher.ts')).toEqual([]);
    // These name the shell that a script is for; the second one's is a host's.
    const named = ['commands/completion.ts', 'fleet/remote-command.ts'];
    expect(filesWith(/\bshell\s*:|\bexeca(Command|CommandSync|Node)\b|['"](ba|da)?sh['"]|\/sh\b/, ...named)).toEqual(
      [],
    );
    expect(filesWith(/import\s*\{[^}]*\bexec(Sync)?\b[^}]*\}\s*from\s*['"](node:)?child_process['"]/)).toEqual([]);
    expect(filesWith(/\bchild_process['"]\s*\)|\*\s*as\s+\w+\s+from\s*['"](node:)?child_process/)).toEqual([]);
  });

  test('of zod only what is used comes into the bundle', () => {
    expect(filesWith(/import (type )?\{[^}]*\bz\b[^}]*\} from 'zod'/)).toEqual([]);
  });

  test('no third-party code is committed: vendor/ holds a README for each tool', () => {
    const options = { cwd: ROOT, encoding: 'utf8' } as const;
    const committed = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', 'vendor'], options).trim().split('\n');
    const tools = ['FlameGraph', 'bcc-tools', 'perf-tools', 'pprof'];
    expect(committed).toEqual(tools.map((name) => `vendor/${name}/README.md`));
  });
});
