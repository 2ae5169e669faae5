import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished } from 'vitest';
import { toolsOf } from '../marple.ts';
import { expectFailure, type FaultPlace, sectionsOf, settled, test } from './faults.ts';

/** A line of 100 MB. */
const LONG_LINE = 'head -c 104857600 /dev/zero | tr "\\0" x';
const GARBAGE = 'head -c 300000 /dev/urandom';
const HANGS = 'exec sleep 1000';

/** A stand-in for a tool, what it does wrong, and how that is told. */
interface Case {
  readonly fault: string;
  /** INTERFACE=TOOL */
  readonly tool: string;
  readonly program: string;
  readonly script: string;
  readonly code: number;
  readonly sentence: RegExp;
  readonly hint: RegExp;
}

/** perf answers when it is asked for its version, and so is taken for one. */
const perf = (script: string): string => `[ "$1" = --version ] && { echo perf version 9.9; exit; }\n${script}`;
/** It has been told where to write, behind -o. */
const output = 'while [ "$1" != -o ]; do shift; done; file=$2';
const bpftrace = { tool: 'disklat=bpftrace', program: 'bpftrace', hint: /see whether bpftrace works by itself/ };
const begins = '{ echo "marple first"; echo "marple last"; } > $2';
const smem = { tool: 'memtime=smem', program: 'smem', hint: /marple collect --tool memtime=proc/ };
const tracer = { tool: 'ipc=libbpf-tcptracer', program: 'tcptracer', hint: /marple collect --tool ipc=ftrace/ };
const callstack = { tool: 'callstack=perf', program: 'perf' };

const FAILURES: readonly Case[] = [
  {
    ...callstack,
    fault: 'perf hangs',
    script: perf(HANGS),
    code: 3,
    sentence: /callstack failed: perf record had not begun after 2 s/,
    hint: /perf record -a/,
  },
  {
    ...callstack,
    fault: 'perf prints garbage',
    script: GARBAGE,
    code: 3,
    sentence: /callstack failed: perf is not installed for this kernel: \S+ did not run/,
    hint: /apt-get install/,
  },
  {
    ...callstack,
    fault: 'perf prints nothing',
    script: 'exit 0',
    code: 3,
    sentence: /callstack failed: perf is not installed for this kernel: \S+ did not run/,
    hint: /apt-get install/,
  },
  {
    ...callstack,
    fault: 'perf exits 0 with an error on stderr',
    script: perf('echo "error: no luck" >&2'),
    code: 3,
    sentence: /callstack failed: perf record exited with status 0: error: no luck/,
    hint: /perf record -a/,
  },
  {
    ...callstack,
    fault: 'perf prints a line of 100 MB',
    script: perf(`${LONG_LINE} >&2; exit 1`),
    code: 3,
    sentence: /callstack failed: perf record exited with status 1: x{20}/,
    hint: /perf record -a/,
  },
  {
    ...callstack,
    fault: 'perf writes garbage for data',
    script: perf(`${output}\n${GARBAGE} > $file; echo ack >&4; ${HANGS}`),
    code: 3,
    sentence: /callstack failed: \S+perf\.data: byte 0: this is no perf\.data/,
    hint: /marple doctor/,
  },
  {
    ...callstack,
    fault: 'perf writes no data',
    script: perf(`echo ack >&4; ${HANGS}`),
    code: 3,
    sentence: /callstack failed: perf wrote no data/,
    hint: /perf record -a/,
  },
  {
    ...callstack,
    fault: 'perf does not end',
    script: perf(`trap "" INT TERM\necho ack >&4; ${HANGS}`),
    code: 3,
    sentence: /callstack failed: perf record had not ended 2 s after it was asked to, and was killed/,
    hint: /perf record -a/,
  },
  {
    ...bpftrace,
    fault: 'bpftrace hangs',
    script: HANGS,
    code: 3,
    sentence: /disklat failed: bpftrace had not begun after 2 s/,
  },
  {
    ...bpftrace,
    fault: 'bpftrace prints a line of 100 MB, and does not begin',
    script: `${LONG_LINE} > $2; ${HANGS}`,
    code: 3,
    sentence: /disklat failed: bpftrace had not begun after 2 s/,
  },
  {
    ...bpftrace,
    fault: 'bpftrace prints nothing',
    script: 'exit 0',
    code: 3,
    sentence: /disklat failed: bpftrace exited with status 0/,
  },
  {
    ...bpftrace,
    fault: 'bpftrace exits 0 with an error on stderr',
    script: 'echo "ERROR: no luck" >&2',
    code: 3,
    sentence: /disklat failed: bpftrace exited with status 0: ERROR: no luck/,
  },
  {
    ...bpftrace,
    fault: 'bpftrace does not end',
    script: `trap "" INT TERM\n${begins}; ${HANGS}`,
    code: 3,
    sentence: /disklat failed: bpftrace had not ended 2 s after it was asked to, and was killed/,
  },
  {
    ...smem,
    fault: 'smem hangs',
    script: HANGS,
    code: 3,
    sentence: /memtime failed: smem printed nothing that can be read/,
  },
  {
    ...smem,
    fault: 'smem prints garbage',
    script: GARBAGE,
    code: 3,
    sentence: /memtime failed: smem printed nothing that can be read/,
  },
  {
    ...smem,
    fault: 'smem prints without end',
    script: 'exec yes',
    code: 3,
    sentence: /memtime failed: smem printed more than 64 MiB/,
  },
  {
    ...smem,
    fault: 'smem prints a line of 100 MB',
    script: LONG_LINE,
    code: 3,
    sentence: /memtime failed: smem printed more than 64 MiB/,
  },
  {
    ...smem,
    fault: 'smem exits 0 with an error on stderr',
    script: 'echo "error: no luck" >&2',
    code: 3,
    sentence: /memtime failed: smem printed nothing that can be read/,
  },
  {
    ...tracer,
    fault: 'tcptracer hangs',
    script: HANGS,
    code: 3,
    sentence: /ipc failed: libbpf tcptracer ended by itself: it had not begun after 2 s/,
  },
  {
    ...tracer,
    fault: 'tcptracer prints a line of 100 MB',
    script: `${LONG_LINE}; ${HANGS}`,
    code: 3,
    sentence: /ipc failed: libbpf tcptracer ended by itself: it had not begun after 2 s/,
  },
  {
    ...tracer,
    fault: 'tcptracer exits 0 with an error on stderr',
    script: 'echo "error: no luck" >&2',
    code: 3,
    sentence: /ipc failed: libbpf tcptracer ended by itself: it exited with status 0: error: no luck/,
  },
];

/** Collects this and the machine's counters; the latter are whole whatever becomes of the former. */
async function collectWith(place: FaultPlace, { tool }: Pick<Case, 'tool'>) {
  const [name] = tool.split('=') as [string];
  const args = ['collect', name, 'system', '--tool', tool, '-t', '0.3', '-o', 'x.marple'];
  const ended = await place.marple(args, { env: place.standIns });
  const sections = sectionsOf(place.path('x.marple'));
  expect(sections.filter(({ header }) => header.interface === 'system').flatMap(({ lines }) => lines)).not.toEqual([]);
  return { ended, sections: sections.filter(({ header }) => header.interface === name) };
}

describe.concurrent('a tool', () => {
  test.for(FAILURES)('$fault', async ({ program, script, code, sentence, hint, tool }, { place }) => {
    place.standIn(program, script);
    const { ended, sections } = await collectWith(place, { tool });
    expectFailure(ended, code, sentence, hint);
    // The file says so too.
    expect(sections[0]?.header.warnings?.join('\n')).toMatch(/what had come until then is here/);
  });

  test.for([
    { ...bpftrace, fault: 'bpftrace prints garbage', script: `${begins}; ${GARBAGE} >> $2; ${HANGS}` },
    { ...tracer, fault: 'tcptracer prints garbage', script: `echo "TIME(s)  T PID"; ${GARBAGE}; ${HANGS}` },
    {
      ...tracer,
      fault: 'tcptracer prints a line of 100 MB among others',
      script: `echo "TIME(s)  T PID"; ${LONG_LINE}; ${HANGS}`,
    },
  ])('$fault: what cannot be read is counted and quoted', async ({ program, script, tool }, { place }) => {
    place.standIn(program, script);
    const { ended, sections } = await collectWith(place, { tool });
    expect(ended).toMatchObject({ code: 0 });
    expect(sections[0]?.header['skipped']).toBeGreaterThan(0);
    expect(ended.stderr).toMatch(/warning: \w+: \d+ lines could not be read, the first of them: "/);
    // What it printed is never sent raw to the terminal.
    expect(ended.stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  });
});

/** Hides a program of the system behind a stand-in, in a mount namespace of its own. */
function inPlaceOf(program: string, place: FaultPlace, name: string): string[] {
  const script = 'mount --bind "$0" "$1" && shift && exec "$@"';
  return ['unshare', '--mount', 'sh', '-c', script, place.path(`programs/${name}`), program];
}

describe('a tool of BCC', () => {
  const FAULTS = [
    ['hangs', 'import time; time.sleep(1000)', /had not begun after 2 s/],
    ['prints garbage', 'import os, time; os.write(1, os.urandom(300000)); time.sleep(1000)', /had not begun after 2 s/],
    ['prints nothing', '', /exited with status 0/],
    [
      'exits 0 with an error on stderr',
      'import sys; print("error: no luck", file=sys.stderr)',
      /status 0: error: no luck/,
    ],
  ] as const;

  test.concurrent.for(FAULTS)('%s', async ([, script, how], { place }) => {
    writeFileSync(place.path('programs/memleak'), script, { mode: 0o755 });
    const through = inPlaceOf('/usr/sbin/memleak-bpfcc', place, 'memleak');
    const args = ['collect', 'memleak', 'system', '--tool', 'memleak=bcc', '-p', `${process.pid}`, '-t', '0.3'];
    const ended = await place.marple([...args, '-o', 'x.marple'], { through });
    expectFailure(ended, 3, how, /see whether it works by itself: sudo python3/);
  });
});

/** Something that keeps a CPU, and so the tools, busy. */
function busyProgram(): void {
  const child = spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
}

describe('a tool is killed while it records', () => {
  const TOOLS = [
    ['callstack', 'perf', /perf record was ended by SIGKILL/],
    ['disklat', 'bpftrace', /bpftrace was ended by SIGKILL/],
    ['disklat', 'perf', /perf record was ended by SIGKILL/],
    ['ipc', 'perf', /perf record was ended by SIGKILL/],
    ['cpusched', 'perf', /perf record was ended by SIGKILL/],
  ] as const;

  test.concurrent.for(TOOLS)('%s by %s', async ([name, tool, how], { place }) => {
    place.configure('');
    const args = ['collect', name, 'system', '--tool', `${name}=${tool}`, '-t', '1', '-o', 'x.marple'];
    const running = place.start(args);
    await running.says(`recording ${name}`);
    for (const { pid } of toolsOf(new Set([running.pid]))) process.kill(pid, 'SIGKILL');
    expectFailure(await running.ended, 3, how, /perf record -a|bpftrace works/);
    expect(sectionsOf(place.path('x.marple')).length).toBeGreaterThan(1);
  });
});

describe('a tool is stopped (SIGSTOP) while it records', () => {
  test('it goes on when it is to end, and what it had is in the file', async ({ place }) => {
    busyProgram();
    const running = place.start(['collect', '--stack', '-t', '1', '-o', 'x.marple']);
    await running.says('recording callstack');
    const [one] = toolsOf(new Set([running.pid]));
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(one!.pid, 'SIGSTOP');
    await settled(() => toolsOf(new Set([running.pid]))[0]?.state === 'T');
    expect(await running.ended).toMatchObject({ code: 0 });
    const [stacks] = sectionsOf(place.path('x.marple'));
    expect(stacks?.lines.length).toBeGreaterThan(0);
  });
});
