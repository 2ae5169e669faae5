import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, makePlace } from '../e2e/marple.ts';
import { writeFile } from './data-files.ts';
import { sections } from './data-of-a-run.ts';
import { compileProgram } from './programs.ts';

/**
 * How the command lines of the docs and of --help are run by the tests, where they are not run as they stand. CONTRIBUTING.md
 * has the same list.
 */
export const SHORTENED: readonly (readonly [pattern: RegExp, replacement: string, what: string])[] = [
  [/\bsudo (?!sysctl)/g, '', '`sudo` is left out: the tests run as root'],
  [/(marple collect\b[^|&\n]*? -t )\d+/g, '$11', '`-t N` of `marple collect` is `-t 1`'],
  [
    /(marple serve\b[^|&\n]*)/g,
    'timeout -s INT 3 $1 || [ $? = 124 ]',
    '`marple serve` is ended by Ctrl-C after three seconds',
  ],
  [/ -p 1234\b/g, ' -p $(pidof -s nginx)', '`-p 1234` is a process that there is'],
];

/** The line as the tests run it. */
export function shortened(line: string): string {
  return SHORTENED.reduce((text, [pattern, replacement]) => text.replaceAll(pattern, replacement), line);
}

/** Where the command lines of the docs and of --help find what they name. */
export interface Workbench {
  /** A folder as it is at the beginning: with the files that the lines read, and x.marple as the last that was collected. */
  folder(): string;
  /** Runs a command line, shortened, in bash, with the built `marple` on the PATH. What it is to write with -o is not there yet. */
  run(line: string, folder: string): Promise<Ended>;
  remove(): void;
}

const CLI = join(import.meta.dirname, '../../dist/marple.cjs');
/** Services that the docs speak of. */
const SERVICES = ['nginx', 'leaky'];
const DATA_FILES = ['x', 'slow', 'before', 'after', 'before-1', 'before-2', 'after-1', 'after-2', 'b-1', 'a-1'];

/** To be called at the top of a test file: it compiles a program. */
export async function makeWorkbench(): Promise<Workbench> {
  const service = compileProgram('service');
  const place = makePlace();
  const [bin, files] = [place.path('bin'), place.path('files')];
  for (const folder of [bin, files]) mkdirSync(folder);
  writeFileSync(join(bin, 'marple'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, { mode: 0o755 });
  const services = SERVICES.map((name): ChildProcess => {
    copyFileSync(service, join(bin, name));
    return spawn(join(bin, name), [name], { stdio: 'ignore' });
  });
  for (const name of DATA_FILES) await writeFile(join(files, `${name}.marple`), sections(name.startsWith('a') ? 2 : 1));
  writeFileSync(join(files, 'Makefile'), 'all:\n\t@i=0; while [ $$i -lt 20000 ]; do i=$$((i+1)); done\n');
  writeFileSync(join(files, 'stacks.folded'), 'nginx;main;handle_request 3\nfio;main;read 1\n');
  execFileSync('perf', ['record', '-q', '-a', '-g', '-o', join(files, 'perf.data'), '--', 'sleep', '0.3'], {
    stdio: 'ignore',
  });
  let folders = 0;
  return {
    folder: () => {
      const folder = place.path(`run-${++folders}`);
      cpSync(files, folder, { recursive: true });
      mkdirSync(join(folder, 'state/marple'), { recursive: true });
      writeFileSync(join(folder, 'state/marple/last-file.json'), JSON.stringify({ file: join(folder, 'x.marple') }));
      return folder;
    },
    run: (line, folder) => {
      const short = shortened(line);
      // marple collect -n 5 -o before.marple makes before-1.marple and so on.
      for (const [, stem = '', ending = ''] of short.matchAll(/ -o (\w[\w.-]*?)(\.\w+)(?=\s|$)/g)) {
        const made = readdirSync(folder).filter((name) => name.startsWith(stem) && name.endsWith(ending));
        for (const name of made)
          if (/^(-\d+)?$/.test(name.slice(stem.length, -ending.length))) rmSync(join(folder, name));
      }
      return runLine(short, folder, bin);
    },
    remove: () => {
      for (const each of services) each.kill('SIGKILL');
      place.remove();
    },
  };
}

function runLine(line: string, folder: string, bin: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', line], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${bin}:${process.env['PATH']}`,
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        HOME: folder,
        XDG_STATE_HOME: join(folder, 'state'),
        XDG_CONFIG_HOME: join(folder, 'config'),
      },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}
