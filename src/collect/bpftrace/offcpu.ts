import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Batch } from '../../common/section.ts';
import {
  type BpftraceOffCpuDetails,
  codeFile,
  mapsFile,
  OFFCPU_HIDDEN,
  OFFCPU_PROGRAM,
} from '../../formats/bpftrace-offcpu.ts';
import { writeRecording } from '../../formats/recording.ts';
import type { CollectRun, Probe } from '../collecter.ts';
import { readFormats } from '../ftrace/formats.ts';
import { CodeWatch } from '../proc/code.ts';
import { noteSwitches, readContextSwitches } from '../proc/context-switches.ts';
import { unusable } from '../unusable.ts';
import { aborted } from '../waiting.ts';
import { bpftraceVersion, startBpftrace } from './run.ts';

const SWITCH = 'sched:sched_switch';
const PROGRAM = { text: OFFCPU_PROGRAM, hidden: OFFCPU_HIDDEN, userSymbols: false };
const PROBE_KEYS = 1000;
/** Programs that run shorter than this may have no names for their functions. */
const LOOK_MS = 250;

/** Lets bpftrace add up the times off the CPU until the run is to end, then reads them. */
export async function* collectBpftraceOffCpu(run: CollectRun<unknown>, mapKeys: number): AsyncIterable<Batch> {
  const dir = await run.recordingDir();
  const formats = await readFormats([SWITCH]);
  const bpftrace = await startBpftrace({ ...PROGRAM, mapKeys, output: mapsFile(dir) }, run.stop);
  if (bpftrace === undefined) return;
  const details: BpftraceOffCpuDetails = {
    tool: { name: 'bpftrace', version: run.toolVersion, command: [...bpftrace.tool.argv] },
    format: formats[SWITCH] as string,
    mapKeys,
    switches: await readContextSwitches(),
  };
  await writeRecording(dir, { format: 'bpftrace-offcpu', interface: 'offcpu', details });
  const code = new CodeWatch();
  code.look();
  const watching = setInterval(() => code.look(), LOOK_MS);
  run.started();
  await Promise.race([aborted(run.stop), bpftrace.tool.exit]);
  clearInterval(watching);
  await noteSwitches(dir);
  code.look(true);
  writeFileSync(codeFile(dir), JSON.stringify(code.mappings), { mode: 0o600 });
  let failure: unknown;
  await bpftrace.stop().catch((error: unknown) => {
    failure = error;
  });
  const full = bpftrace.tool.stderr().match(/failed to look up stack id/g)?.length ?? 0;
  if (full > 0) {
    run.report.warn(
      `bpftrace had no room for ${full} stacks: two that fall on one place of the kernel's table exclude each other`,
    );
  }
  yield* run.decode(dir);
  if (failure !== undefined) throw failure;
}

/** Runs the program for a moment: some task has to leave its CPU then, MARPLE for one. */
export async function probeBpftraceOffCpu(tempDir: string): Promise<Probe> {
  const output = join(tempDir, `probe-bpftrace-offcpu-${process.pid}-${probes++}.txt`);
  try {
    const version = await bpftraceVersion();
    const run = await startBpftrace({ ...PROGRAM, mapKeys: PROBE_KEYS, output }, new AbortController().signal);
    await run?.stop();
    if (/^@since\[/m.test(readFileSync(output, 'latin1'))) return { usable: true, version };
    return { usable: false, why: 'bpftrace ran, but saw no task leave its CPU' };
  } catch (error) {
    return unusable(error);
  }
}

let probes = 0;
