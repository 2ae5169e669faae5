import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Ended, makePlace } from '../e2e/marple.ts';
import { writeFile } from './data-files.ts';
import { sections } from './data-of-a-run.ts';
import { writeHosts } from './fleet.ts';
import { compileProgram } from './programs.ts';

const ROOT = join(import.meta.dirname, '../..');

/**
 * How the command lines of the docs and of --help are run by the tests, where they are not run as they stand. CONTRIBUTING.md
 * has the same list.
 */
export const SHORTENED: readonly (readonly [pattern: RegExp, replacement: string, what: string])[] = [
  [/\bsudo (?!sysctl)/g, '', '`sudo` is left out: the tests run as root'],
  [/(marple (?:--)?collect\b[^|&\n]*? -t )[\d.]+/g, '$10.4', '`-t N` of `marple collect` is `-t 0.4`'],
  [/(marple collect\b[^|&\n]*? -n )\d+/g, '$12', '`-n N` is `-n 2`'],
  [
    /(marple serve\b[^|&#\n]*)/g,
    'timeout -s INT 2 $1 || [ $? = 124 ] ',
    '`marple serve` is ended by Ctrl-C after two seconds',
  ],
  [/(\bdd\b.* count=)\d+/g, '$150', '`count=N` of dd is `count=50`'],
  [/--runtime=\d+/g, '--runtime=2', '`--runtime=N` of fio is `--runtime=2`'],
  [/ -p 1234\b/g, ' -p $(pidof -s nginx)', '`-p 1234` is a process that there is'],
  [/web\[01-40\]/g, 'web[01-02]', '`web[01-40]` is two hosts'],
  [/^(marple diff\b[^#\n]*--fail-if[^#\n]*)/gm, '$1 || test $? = 1 ', '`marple diff --fail-if` may end with 1'],
];

/** What stands in for programs that would need another machine, or do what other tests do, as bash. */
export const STAND_INS: Readonly<Record<string, string>> = {
  git: '[[ $1 == clone ]] && mkdir marple && cp setup.sh marple',
  npm: `[[ $1 != run ]] || grep -q "^    \\"$2\\": " ${join(ROOT, 'package.json')}`,
  scp: '[[ -n $2 ]]',
  ssh: '[[ $1 != -L ]] || exit 0; while [[ $1 == -* ]]; do shift; done; shift; exec bash -c "$*"',
  'setup.sh': 'true',
  duckdb: `exec node ${join(import.meta.dirname, 'duckdb.mjs')} "$@"`,
};

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

const CLI = join(ROOT, 'dist/marple.cjs');
/** Services that the docs speak of. */
const SERVICES = ['nginx', 'server'];
/** What they are run on. */
const DATA_FILES =
  'x slow before after before-1 before-2 after-1 after-2 b b-1 a-1 marple_out/1 marple_out/2 monday/1'.split(' ');
/** Folders with the files of some hosts. */
const FLEETS: readonly (readonly [folder: string, nodes: readonly string[]])[] = [
  ['fleet', ['web01', 'web02', 'web03', 'web04', 'web05', 'db1']],
  ['before-fleet', ['web01', 'web02', 'web03']],
  ['after-fleet', ['web01', 'web02', 'web03']],
];
/** Programs that they run. */
const PROGRAMS = ['allocations', 'reads', 'waits'];

/** To be called at the top of a test file: it compiles a program. */
export async function makeWorkbench(): Promise<Workbench> {
  const service = compileProgram('service');
  const programs = PROGRAMS.map((name) => compileProgram(name, '-pthread'));
  const place = makePlace();
  // One state for all folders: what works here is tried once.
  const [bin, files, state] = [place.path('bin'), place.path('files'), place.path('state')];
  for (const folder of [bin, files, join(state, 'marple')]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(bin, 'marple'), `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`, { mode: 0o755 });
  const services = SERVICES.map((name): ChildProcess => {
    copyFileSync(service, join(bin, name));
    return spawn(join(bin, name), [name], { stdio: 'ignore' });
  });
  for (const [name, script] of Object.entries(STAND_INS)) {
    const folder = name.endsWith('.sh') ? files : bin;
    writeFileSync(join(folder, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  }
  cpSync(join(ROOT, 'docs/examples'), join(files, 'docs/examples'), { recursive: true });
  cpSync(join(ROOT, 'test/fixtures/marple-py/first.marple'), join(files, 'first.marple'));
  for (const program of programs) cpSync(program, join(files, basename(program)));
  writeFileSync(join(files, 'client'), '#!/bin/sh\nsleep 0.2\n', { mode: 0o755 });
  writeFileSync(join(files, 'FILE'), Buffer.alloc(60 << 20));
  for (const name of ['marple_out', 'monday']) mkdirSync(join(files, name));
  for (const name of DATA_FILES)
    await writeFile(join(files, `${name}.marple`), sections(/^a(fter)?\b/.test(name) ? 2 : 1));
  for (const [folder, nodes] of FLEETS) {
    const load = (i: number): number => (i === nodes.length - 1 ? 4 : 1);
    const hosts = nodes.map((node, i) => ({ node, origin: 2 * i, seconds: 25, sections: sections(load(i)) }));
    await writeHosts(hosts, join(files, folder));
  }
  writeFileSync(join(files, 'Makefile'), 'all:\n\t@i=0; while [ $$i -lt 20000 ]; do i=$$((i+1)); done\n');
  mkdirSync(join(files, '.config/clustershell'), { recursive: true });
  writeFileSync(join(files, '.config/clustershell/groups.conf'), '[Main]\ndefault: own\n[own]\nmap: echo db1\n');
  writeFileSync(join(files, 'stacks.folded'), 'nginx;main;handle_request 3\nfio;main;read 1\n');
  execFileSync('perf', ['record', '-q', '-a', '-g', '-o', join(files, 'perf.data'), '--', 'sleep', '0.3'], {
    stdio: 'ignore',
  });
  let folders = 0;
  return {
    folder: () => {
      const folder = place.path(`run-${++folders}`);
      cpSync(files, folder, { recursive: true });
      writeFileSync(join(state, 'marple/last-file.json'), JSON.stringify({ file: join(folder, 'x.marple') }));
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
      return runLine(short, folder, bin, state);
    },
    remove: () => {
      for (const each of services) each.kill('SIGKILL');
      place.remove();
    },
  };
}

function runLine(line: string, folder: string, bin: string, state: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', line], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${bin}:${process.env['PATH']}`,
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        HOME: folder,
        XDG_STATE_HOME: state,
        // clush finds the ssh that stands in.
        MARPLE_TOOL_PATH: bin,
      },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('exit', () => endGroup(child.pid));
    // 141: what read from it needed no more, such as head.
    child.once('close', (code) => resolve({ code: code === 141 ? 0 : code, stdout, stderr }));
  });
}

/** What a line that failed left running in the background. */
function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing, mostly.
  }
}
