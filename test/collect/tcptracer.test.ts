import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BCC_TCPTRACER } from '../../src/collect/bcc/tcptracer.ts';
import { LIBBPF_TCPTRACER } from '../../src/collect/libbpf/tcptracer.ts';
import { collectTracer, probeTracer, Rows, type Tracer } from '../../src/collect/tcptracer.ts';
import type { EventData } from '../../src/common/datatypes.ts';
import { MarpleError } from '../../src/common/errors.ts';
import type { Scope, Task } from '../../src/common/scope.ts';
import { testFolder } from '../support/folder.ts';
import { testRun } from '../support/run.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/tcptracer');
const HOST = 4026531840;

const RUNS_ON = 'process.on("SIGINT", () => process.exit(0)); setInterval(() => {}, 1000)';

/** A program that prints what the tool printed, and then goes on; in place of a tool that needs kprobes. */
function standIn(tracer: Tracer, file: string, end = RUNS_ON, change = (text: string): string => text): Tracer {
  const script = join(testFolder(), 'stand-in.cjs');
  const text = JSON.stringify(change(readFileSync(join(FIXTURES, file), 'utf8')));
  writeFileSync(script, `process.${file.endsWith('stderr') ? 'stderr' : 'stdout'}.write(${text});\n${end};\n`);
  return { ...tracer, argv: () => [process.execPath, script] };
}

/** With pids that no process has: they are higher than the kernel gives (PID_MAX_LIMIT). */
const nobody = (text: string): string => text.replaceAll(/(?<= (?:[CAX]|connect|accept|close) +)\d{5}/gu, '99$&');

interface Collected {
  readonly rows: string[];
  readonly records: EventData[];
  readonly run: ReturnType<typeof testRun>;
  readonly failure: unknown;
}

async function collect(
  tracer: Tracer,
  { netns, scope, tasks }: { netns?: number; scope?: Partial<Scope>; tasks?: Task[] } = {},
): Promise<Collected> {
  const run = testRun({
    tool: 'tcptracer',
    options: {},
    seconds: 0.3,
    // A pid of the fixture may just now be one of this process's children.
    scope: { own: 0, ...scope },
    ...(tasks === undefined ? {} : { tasks }),
  });
  const records: EventData[] = [];
  let failure: unknown;
  try {
    for await (const batch of collectTracer(run.run, tracer, netns)) records.push(...(batch.records as EventData[]));
  } catch (error) {
    failure = error;
  }
  const rows = records.map(({ type, datum: [pid, comm, addr, port, otherPid, otherComm, , otherPort] }) =>
    [type, pid, comm, `${addr}:${port}`, `${otherPid}`, otherComm, otherPort].join(' '),
  );
  return { rows, records, run, failure };
}

describe("BCC's tcptracer", () => {
  test('its rows, sorted, with both ends', async () => {
    const { rows, records, run, failure } = await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt', RUNS_ON, nobody));
    expect(failure).toBeUndefined();
    expect(rows).toEqual([
      'connect 9931002 telnet 192.168.1.2:42590   23',
      'connect 9928818 my client 127.0.0.1:55758 9928817 my server 8080',
      'connect 9928830 curl ::1:55760 9928817 nginx: worker 1 80',
      'accept 9928817 my server 127.0.0.1:8080 9928818 my client 55758',
      'close 9928830 curl ::1:55760 9928817 nginx: worker 1 80',
      'accept 9928817 nginx: worker 1 ::1:80 9928830 curl 55760',
      'close 9928817 nginx: worker 1 ::1:80 9928830 curl 55760',
      'connect 700 mapped 10.0.0.2:50000 701 postgres 5432',
      'accept 701 postgres 10.0.0.3:5432 700 mapped 50000',
      'close 9928818 my client 127.0.0.1:55758 9928817 my server 8080',
      'close 9928817 my server 127.0.0.1:8080 9928818 my client 55758',
      'close 9931002 telnet 192.168.1.2:42590   23',
      'close 900 4 6 odd 10.1.1.1:1000   2000',
    ]);
    const times = records.map(({ time }) => time - (records[0]?.time ?? 0));
    expect(times).toEqual([
      0, 1.5e6, 1.61e6, 1.62e6, 1.9e6, 2.1e6, 2.2e6, 3e6, 3.1e6, 9e6, 9.1e6, 35_460_021, 36_469_021,
    ]);
    expect(records.every(({ time }) => Number.isInteger(time))).toBe(true);
    expect(run.report).toMatchObject({ skippedCount: 0, lostCount: 0, warnings: [] });
  });

  test('the first event was no later than its row came; what happened after the stop is left out', () => {
    const { run } = testRun({ tool: 'tcptracer', options: {}, scope: { own: 0 } });
    const rows = new Rows(run, BCC_TCPTRACER, undefined);
    const [, , first = '', second = '', third = ''] = readFileSync(join(FIXTURES, 'bcc-rows.txt'), 'utf8').split('\n');
    // It came 9 ms late, the others 5 and 7 ms.
    const batches = [
      ...rows.add(first, 100e6 + 9e6, Number.POSITIVE_INFINITY),
      ...rows.add(second, 101.5e6 + 5e6, Number.POSITIVE_INFINITY),
      ...rows.add(third, 101.62e6 + 7e6, Number.POSITIVE_INFINITY),
      ...rows.finish(106.6e6),
    ];
    rows.close();
    expect(batches.flatMap(({ records }) => records as EventData[]).map(({ time }) => time)).toEqual([105e6, 106.5e6]);
  });

  test('one network namespace', async () => {
    const { rows } = await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt'), { netns: 4026532281 });
    expect(rows.map((row) => row.split(' ')[1])).toEqual(['700', '701']);
    expect((await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt'), { netns: HOST })).rows).toHaveLength(11);
  });

  test('the scope has one end or the other', async () => {
    const { rows } = await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt'), { scope: { comm: '^my server$' } });
    expect(rows.map((row) => row.split(' ')[0])).toEqual(['connect', 'accept', 'close', 'close']);
  });

  test('a line that is no row is counted and quoted; what it lost is told', async () => {
    const broken = `process.stdout.write("what is this\\n"); process.stderr.write("Possibly lost 12 samples\\n"); ${RUNS_ON}`;
    const { rows, run } = await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt', broken));
    expect(rows).toHaveLength(13);
    expect(run.report).toMatchObject({ skippedCount: 1, lostCount: 12 });
  });

  test('where it ends by itself, what came is kept and the failure told', async () => {
    const { rows, failure } = await collect(standIn(BCC_TCPTRACER, 'bcc-rows.txt', 'process.exitCode = 3'));
    expect(rows).toHaveLength(13);
    expect(failure).toBeInstanceOf(MarpleError);
    expect(String(failure)).toMatch(/ended by itself: it exited with status 3/u);
  });

  test('on a kernel without kprobes the probe says what it said', async () => {
    const probe = await probeTracer(standIn(BCC_TCPTRACER, 'bcc-no-kprobes.stderr', 'process.exitCode = 1'));
    expect(probe).toMatchObject({
      usable: false,
      why: expect.stringMatching(/^it exited with status 1: Exception: Failed to attach BPF program/u) as string,
    });
  });
});

describe("libbpf's tcptracer", () => {
  test('its rows, with names that it cut made whole where the process is known', async () => {
    const pid = 9_928_830;
    const tasks = [{ tid: pid, pid, parent: 1, comm: 'chromium-browse' }];
    const { rows } = await collect(standIn(LIBBPF_TCPTRACER, 'libbpf-rows.txt', RUNS_ON, nobody), {
      tasks,
    });
    expect(rows).toEqual([
      'connect 9931002 telnet 192.168.1.2:42590   23',
      'connect 9928818 my client 127.0.0.1:55758 9928817 my server 8080',
      'accept 9928817 my server 127.0.0.1:8080 9928818 my client 55758',
      `connect ${pid} chromium-browse 2001:db8::1:55760   443`,
      'close 9928818 my client 127.0.0.1:55758 9928817 my server 8080',
      'close 9928817 my server 127.0.0.1:8080 9928818 my client 55758',
    ]);
  });

  test('one network namespace: events of processes that are gone are left out and counted', async () => {
    const { rows, run } = await collect(standIn(LIBBPF_TCPTRACER, 'libbpf-rows.txt', RUNS_ON, nobody), { netns: HOST });
    expect(rows).toEqual([]);
    expect(run.report.warnings).toEqual([expect.stringMatching(/^\d events left out whose process had ended/u)]);
  });

  test('on a kernel without kprobes the probe says what it said', async () => {
    const probe = await probeTracer(standIn(LIBBPF_TCPTRACER, 'libbpf-no-kprobes.stderr', 'process.exitCode = 1'));
    expect(probe).toMatchObject({
      usable: false,
      why: 'it exited with status 1: failed to attach BPF programs: No such file or directory',
    });
  });
});
