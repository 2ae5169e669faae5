import { closeSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DamagedFileError, errorCode } from '../common/errors.ts';
import { describeExit, runTool, startTool } from '../common/process.ts';
import { isAlive, type ProcessIdentity } from '../common/process-identity.ts';
import { systemReason } from '../common/system-reason.ts';
import { invokingUser } from '../common/user.ts';
import { wholeLines } from './lines.ts';
import { KALLSYMS, within } from './modules.ts';
import { RECORDED_FIELDS } from './perf-script.ts';
import type { Perf } from './perf-tool.ts';

/** What perf says at the end about a file that it has read. */
export interface ScriptEnd {
  /** What went wrong on the way, undefined where nothing did. */
  readonly problem: string | undefined;
  /** At which byte of the file, where perf says it. */
  readonly at: number | undefined;
  /** From `Processed N events and lost M chunks!`; 0 where it did not say so. */
  readonly lostChunks: number;
}

/** How long a perf that is still completing its file is waited for. */
const COMPLETION_MS = 60_000;
const SCRIPT_OPTIONS = ['--ns', '--no-inline', '--show-task-events', '--show-lost-events'];

/**
 * The text of a perf.data in pieces of whole lines (form `recorded` of perf-script.ts, where no other `fields` are asked
 * for), with task and lost events. Ends when perf does; `onEnd` is told how. Symbols are those of this machine, so it must be
 * the one that recorded, or those of the files that were `kept` of it.
 */
export async function* scriptText(
  perf: Perf,
  path: string,
  onEnd: (end: ScriptEnd) => void,
  fields: string = RECORDED_FIELDS,
  kept?: string,
): AsyncGenerator<Buffer> {
  // What perf keeps of files that may be gone by now is in the home folder of whoever recorded.
  const cache = ['--buildid-dir', join(homedir(), '.debug')];
  const files = kept === undefined ? [] : ['--symfs', kept, '--kallsyms', within(kept, KALLSYMS)];
  const argv = [
    perf.path,
    ...cache,
    'script',
    '-i',
    path,
    '-F',
    fields,
    ...files,
    ...SCRIPT_OPTIONS,
    ...ownership(path),
  ];
  const tool = startTool(argv, { stopSignal: 'SIGTERM', graceMs: 2_000 });
  try {
    yield* wholeLines(tool.stdout as AsyncIterable<Buffer>);
    const exit = await tool.exit;
    const stderr = tool.stderr();
    const chunks = /lost (\d+) chunks/.exec(stderr)?.[1];
    // 0x160 [0]: failed to process type: 0 [Invalid argument]
    const offset = /^(0x[\da-f]{1,13}) \[/m.exec(stderr)?.[1];
    onEnd({
      at: offset === undefined ? undefined : Number(offset),
      problem: exit.code === 0 ? undefined : `perf script ${describeExit(exit, stderr)}`,
      lostChunks: chunks === undefined ? 0 : Number(chunks),
    });
  } finally {
    await tool.stop();
  }
}

/** What perf could read nothing of. */
export function unreadable(path: string, { at }: ScriptEnd, problem: string): DamagedFileError {
  return new DamagedFileError(at === undefined ? path : `${path}: byte ${at}`, problem);
}

/** Names of the events that a perf.data holds, with their modifiers, without perf's own dummy event. */
export async function recordedEvents(perf: Perf, path: string): Promise<string[]> {
  const { code, stdout } = await runTool([perf.path, 'evlist', '-i', path, ...ownership(path)]);
  return code === 0 ? stdout.split('\n').filter((name) => name !== '' && isNoDummy(name)) : [];
}

/** perf adds an event of its own to be told of new tasks and code. */
export function isNoDummy(name: string): boolean {
  return name !== 'dummy' && !name.startsWith('dummy:');
}

/** The number of samples in a perf.data. */
export async function countSamples(perf: Perf, path: string): Promise<number> {
  const { stdout } = await runTool([perf.path, 'script', '-i', path, '-F', 'event', ...ownership(path)]);
  return stdout.split('\n').filter((line) => line.trim() !== '').length;
}

/** `cpu-clock:ppp` as `cpu-clock`: perf adds and removes modifiers by itself. A tracepoint's colon stays. */
export function withoutModifiers(event: string): string {
  return event.replace(/:[ukhGHDSIWepP]+$/, '');
}

/** Whether an event was counted in user space only. */
export function isUserOnly(event: string): boolean {
  const modifiers = /:([ukhGHDSIWepP]+)$/.exec(event)?.[1];
  return modifiers?.includes('u') === true && !modifiers.includes('k');
}

/** perf refuses what belongs to somebody else; the file of the user behind sudo is ours as well. */
function ownership(path: string): string[] {
  const { uid } = statSync(path);
  return uid !== 0 && uid !== process.geteuid?.() && uid === invokingUser().uid ? ['-f'] : [];
}

/** Whether there is anything in the file to read. One that was mended stays known by its lack of features. */
export type PerfDataState = 'missing' | 'empty' | 'whole' | 'repaired';

/** Layout of struct perf_file_header (tools/perf/util/header.h). */
const HEADER = { magic: 'PERFILE2', bytes: 104, dataOffset: 40, dataSize: 48, features: 72 } as const;

/**
 * Makes the perf.data of a perf that was killed readable. perf writes the size of the data, and what comes behind it, only
 * at its end: without them it takes records for feature sections and fails. The size is set to what is there, and the
 * features are declared absent. A `writer` that is still at it is waited for first.
 * @throws DamagedFileError where the file is no perf.data, or cannot be opened.
 */
export async function preparePerfData(path: string, writer: ProcessIdentity | undefined): Promise<PerfDataState> {
  const deadline = performance.now() + COMPLETION_MS;
  while (writer !== undefined && isAlive(writer) && performance.now() < deadline) await sleep(50);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'missing';
    throw new DamagedFileError(path, systemReason(error), undefined, { cause: error });
  }
  try {
    const { size } = fstatSync(file);
    if (size < HEADER.bytes) return 'empty';
    const header = Buffer.alloc(HEADER.bytes);
    readSync(file, header, 0, HEADER.bytes, 0);
    // A machine of the other byte order writes the letters the other way round; none of its files is decoded here.
    if (header.toString('latin1', 0, 8) !== HEADER.magic)
      throw new DamagedFileError(`${path}: byte 0`, 'this is no perf.data');
    const features = header.subarray(HEADER.features);
    if (header.readBigUInt64LE(HEADER.dataSize) !== 0n)
      return features.some((byte) => byte !== 0) ? 'whole' : 'repaired';
    const dataSize = size - Number(header.readBigUInt64LE(HEADER.dataOffset));
    if (dataSize <= 0) return 'empty';
    header.writeBigUInt64LE(BigInt(dataSize), HEADER.dataSize);
    features.fill(0);
    repair(path, header);
    return 'repaired';
  } finally {
    closeSync(file);
  }
}

function repair(path: string, header: Buffer): void {
  try {
    const file = openSync(path, 'r+');
    try {
      writeSync(file, header, 0, header.length, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new DamagedFileError(
      path,
      `perf was killed before it had completed the file, which has to be mended first: ${systemReason(error)}`,
      `read it as its owner, where it can be written: sudo marple display -i ${path}`,
      { cause: error },
    );
  }
}
