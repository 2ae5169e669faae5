import { type EventFormat, parseFormat } from '../../src/formats/ftrace.ts';

/*
 * Pages of the kernel's trace ring buffer made by hand, for what cannot be recorded at will. The layout is told in
 * include/linux/ring_buffer.h; the header texts are those of real kernels.
 */

/** events/header_page, where a `long` has 8 and where it has 4 bytes. */
export const HEADER_PAGE = {
  8: '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n',
  4: '\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;\n\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\tfield: char data;\toffset:12;\tsize:4084;\tsigned:0;\n',
} as const;

export const HEADER_EVENT =
  '# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n\tpadding     : type == 29\n\ttime_extend : type == 30\n\ttime_stamp : type == 31\n\tdata max type_len  == 28\n';

/** An event with one field. */
export const MARK_FORMAT: EventFormat = parseFormat(
  'name: mark\nID: 77\nformat:\n\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\tfield:int value;\toffset:8;\tsize:4;\tsigned:1;\n',
);

/** Flags of a page: events were lost before it; how many stands behind its data. */
export const MISSED = 0x8000_0000;
export const STORED = 0x4000_0000;

export type Entry = Buffer;

/** The header of an event; with `value` the word behind it, whose 32 bits are free. */
export function word(typeLen: number, delta: number, value?: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value ?? delta * 32 + typeLen);
  return buffer;
}

/** The record of a mark, as long as `length`, a multiple of 4. */
export function markRecord(value: number, length = 12): Buffer {
  const record = Buffer.alloc(length);
  record.writeUInt16LE(MARK_FORMAT.id, 0);
  record.writeInt32LE(value, 8);
  return record;
}

/** A mark whose length is in its header. */
export function shortEvent(delta: number, value: number): Entry {
  return Buffer.concat([word(3, delta), markRecord(value)]);
}

/** A mark whose length stands in a word of its own. */
export function longEvent(delta: number, value: number, length: number): Entry {
  return Buffer.concat([word(0, delta), word(0, 0, 4 + length), markRecord(value, length)]);
}

export interface PageOptions {
  readonly flags?: number;
  readonly missed?: number;
  /** Length of the data where it is to be another than the true one. */
  readonly commit?: number;
}

/** A page of 4 KiB. */
export function page(long: 4 | 8, time: bigint, entries: readonly Entry[], options: PageOptions = {}): Buffer {
  const data = Buffer.concat(entries);
  const buffer = Buffer.alloc(4096);
  buffer.writeBigUInt64LE(time, 0);
  buffer.writeUInt32LE(((options.flags ?? 0) | (options.commit ?? data.length)) >>> 0, 8);
  data.copy(buffer, 8 + long);
  if (options.missed !== undefined) buffer.writeUInt32LE(options.missed, 8 + long + data.length);
  return buffer;
}
