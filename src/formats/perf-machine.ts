import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { monotonicNow } from '../common/clock.ts';
import { decodeBytes } from '../common/decode-bytes.ts';
import { buildIdOf } from './elf.ts';
import { KALLSYMS } from './modules.ts';
import { FEATURE, type FileMapping, type PerfFile } from './perf-file.ts';
import { hexAddress } from './symbols.ts';

/*
 * Where a perf.data comes from. Its features are written when the recording ends: a file whose perf was killed tells none
 * of them. Source: tools/perf/Documentation/perf.data-file-format.txt.
 */

/** What a file tells of the machine that recorded it, as far as it does. */
export interface PerfMachine {
  readonly hostname: string | undefined;
  /** Of the kernel: `6.18.44`. */
  readonly release: string | undefined;
  readonly cpus: number | undefined;
  readonly perfVersion: string | undefined;
  readonly command: readonly string[];
  /** In hexadecimal, by path; that of the kernel by KERNEL. */
  readonly buildIds: ReadonlyMap<string, string>;
  /** The same moment on the wall clock and on the clock of the samples, nanoseconds, and what that clock is (clock_gettime(2)). */
  readonly clock: { readonly id: number; readonly wall: bigint; readonly time: bigint } | undefined;
}

/** What perf calls the kernel. */
export const KERNEL = '[kernel.kallsyms]';
/** Names in messages and lists are not longer, and there are not more. */
const MOST_STRINGS = 100_000;

export function readMachine(file: PerfFile): PerfMachine {
  const text = (feature: number): string | undefined => stringsOf(file.feature(feature), 0, 1)[0];
  const cpus = file.feature(FEATURE.cpuCount);
  const command = file.feature(FEATURE.commandLine);
  const clock = file.feature(FEATURE.clockData);
  return {
    hostname: text(FEATURE.hostname),
    release: text(FEATURE.osRelease),
    // How many could be, and how many were there.
    cpus: cpus === undefined || cpus.length < 8 ? undefined : cpus.readUInt32LE(4),
    perfVersion: text(FEATURE.version),
    command: command === undefined || command.length < 4 ? [] : stringsOf(command, 4, command.readUInt32LE(0)),
    buildIds: buildIdsOf(file.feature(FEATURE.buildId)),
    clock:
      clock === undefined || clock.length < 24
        ? undefined
        : { id: clock.readUInt32LE(4), wall: clock.readBigUInt64LE(8), time: clock.readBigUInt64LE(16) },
  };
}

/** u32 length, then as many bytes, NUL-terminated and padded. */
function stringsOf(bytes: Buffer | undefined, start: number, count: number): string[] {
  const strings: string[] = [];
  let at = start;
  while (bytes !== undefined && strings.length < Math.min(count, MOST_STRINGS) && at + 4 <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    at += 4;
    if (at + length > bytes.length) break;
    strings.push(upToNul(bytes.subarray(at, at + length)));
    at += length;
  }
  return strings;
}

function upToNul(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  return decodeBytes(nul < 0 ? bytes : bytes.subarray(0, nul));
}

const MISC_BUILD_ID_SIZE = 1 << 15;

/** struct build_id_event: header (u32 type, u16 misc, u16 size), s32 pid, 20 bytes, u8 size, 3 bytes, file name. */
function buildIdsOf(bytes: Buffer | undefined): Map<string, string> {
  const ids = new Map<string, string>();
  for (let at = 0; bytes !== undefined && at + 36 <= bytes.length; ) {
    const [misc, size] = [bytes.readUInt16LE(at + 4), bytes.readUInt16LE(at + 6)];
    if (size < 36 || at + size > bytes.length) break;
    const length = (misc & MISC_BUILD_ID_SIZE) === 0 ? 20 : Math.min(20, bytes[at + 32]!);
    ids.set(upToNul(bytes.subarray(at + 36, at + size)), bytes.toString('hex', at + 12, at + 12 + length));
    at += size;
  }
  return ids;
}

/** perf's clock and CLOCK_MONOTONIC may differ by this much. */
const CLOCK_SLACK_NS = 60_000_000_000n;

/**
 * Why the file is not of this machine since it was booted, in words; undefined where it is. Only then do its addresses
 * mean what they mean here. `kernel` are the mappings of the kernel's code, `last` is when the last sample was taken.
 */
export function whyForeign(
  { hostname: host, release: kernelRelease, buildIds }: PerfMachine,
  kernel: readonly FileMapping[],
  last: bigint,
): string | undefined {
  if (host === undefined || kernelRelease === undefined) {
    return 'the file does not say which machine it was recorded on, as where perf was killed or the file is cut off';
  }
  if (host !== hostname()) return `it was recorded on ${host}, and this is ${hostname()}`;
  const ownId = ownKernelBuildId();
  const buildId = buildIds.get(KERNEL);
  if (kernelRelease !== release() || (buildId !== undefined && ownId !== undefined && buildId !== ownId)) {
    return `it was recorded with the kernel ${kernelRelease}, and this is ${kernelRelease === release() ? 'another build of it' : release()}`;
  }
  const isLater = last > monotonicNow() + CLOCK_SLACK_NS;
  return isLater || !kernel.every(isWhereItWas) ? 'it was recorded before this machine was booted anew' : undefined;
}

let ownId: { readonly id: string | undefined } | undefined;

export function ownKernelBuildId(): string | undefined {
  ownId ??= { id: readOwnId() };
  return ownId.id;
}

function readOwnId(): string | undefined {
  try {
    return buildIdOf(readFileSync('/sys/kernel/notes'));
  } catch {
    return undefined;
  }
}

/** Whether the kernel, or a module of it, is still at the address where it was; what is not there any more says nothing. */
function isWhereItWas({ path, start }: FileMapping): boolean {
  const now = path.startsWith(KERNEL) ? kernelStart() : moduleStart(path);
  return now === undefined || now === 0 || now === start;
}

// ffffffff81000000 T _text
function kernelStart(): number | undefined {
  // The kernel's own code comes first of very many lines.
  const line = firstMatch(KALLSYMS, /^([\da-f]+) [Tt] _s?text$/m);
  return line === undefined ? undefined : hexAddress(line[1]!);
}

// virtio_net 81920 0 - Live 0xffffffffc0400000
/** perf calls a module `[virtio_net]`, or by its path `/lib/modules/.../virtio-net.ko.xz`. */
function moduleStart(path: string): number | undefined {
  const name = path
    .replace(/^.*\//, '')
    .replace(/\.ko(\.\w+)?$/, '')
    .replace(/[[\]]/g, '')
    .replaceAll('-', '_');
  const line = readText('/proc/modules')
    .split('\n')
    .find((module) => module.startsWith(`${name} `));
  const address = line?.split(' ')[5]?.replace(/^0x/, '');
  return address === undefined || !/^[\da-f]+$/.test(address) ? undefined : hexAddress(address);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

const PIECE = 1 << 16;

/** The first match in a file, of which no more is read than is needed. */
function firstMatch(path: string, pattern: RegExp): RegExpExecArray | undefined {
  const piece = Buffer.alloc(PIECE);
  let text = '';
  try {
    const file = openSync(path, 'r');
    try {
      for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
        text += piece.toString('latin1', 0, count);
        const match = pattern.exec(text.slice(0, text.lastIndexOf('\n') + 1));
        if (match !== null) return match;
      }
    } finally {
      closeSync(file);
    }
  } catch {
    // What cannot be read has none.
  }
  return undefined;
}
