/*
 * A perf.data made by the format's description (struct perf_file_header of tools/perf/util/header.h, and
 * include/uapi/linux/perf_event.h), for what a recording does not show on demand.
 */

const SAMPLE_TYPE = { ip: 1, tid: 2, time: 4, callchain: 32, cpu: 128 } as const;
const ALL = Object.values(SAMPLE_TYPE).reduce((sum, bit) => sum + bit, 0);
const RAW = 1024;
const TRACEPOINT = 2;

/** u64 each. */
export function numbers(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), 8 * i);
  return bytes;
}

/** Two i32. */
export function pair(first: number, second: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeInt32LE(first, 0);
  bytes.writeInt32LE(second, 4);
  return bytes;
}

/** A record of a type, with its header. */
export function record(type: number, body: Buffer, misc = 2): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(type, 0);
  header.writeUInt16LE(misc, 4);
  header.writeUInt16LE(8 + body.length, 6);
  return Buffer.concat([header, body]);
}

/** A sample of pid 7, tid 8, with a call chain. */
export function sample(time: number, chain: readonly (number | bigint)[] = []): Buffer {
  return record(9, Buffer.concat([numbers(0x1000), pair(7, 8), numbers(time, 3, chain.length, ...chain)]));
}

/** The same with a tracepoint's own record. */
export function tracepointSample(time: number, chain: readonly (number | bigint)[], raw: Uint8Array): Buffer {
  const sized = Buffer.alloc(Math.ceil((4 + raw.length) / 8) * 8);
  sized.writeUInt32LE(sized.length - 4);
  sized.set(raw, 4);
  return record(9, Buffer.concat([numbers(0x1000), pair(7, 8), numbers(time, 3, chain.length, ...chain), sized]));
}

/** What is behind it is younger than what came before the round before. */
export const ROUND = record(68, Buffer.alloc(0));

/** Behind records that are no samples stand pid and tid, time and CPU. */
export function trailer(time: number): Buffer {
  return Buffer.concat([pair(7, 8), numbers(time, 0)]);
}

/** A file of one event, with these records. */
export function perfFileOf(...records: readonly Buffer[]): Buffer {
  return fileOf({ type: 1, config: 0, sampleType: ALL }, records);
}

/** A file of one tracepoint, by the id of its format. */
export function tracepointFileOf(id: number, ...records: readonly Buffer[]): Buffer {
  return fileOf({ type: TRACEPOINT, config: id, sampleType: ALL + RAW }, records);
}

function fileOf(event: { type: number; config: number; sampleType: number }, records: readonly Buffer[]): Buffer {
  const data = Buffer.concat(records);
  const attribute = Buffer.alloc(128);
  attribute.writeUInt32LE(event.type, 0);
  attribute.writeUInt32LE(112, 4);
  attribute.writeUInt32LE(event.config, 8);
  attribute.writeUInt32LE(event.sampleType, 24);
  attribute.writeUInt32LE(1 << 18, 40);
  const header = Buffer.alloc(104);
  header.write('PERFILE2');
  numbers(104, 128, 104, 128, 232, data.length).copy(header, 8);
  return Buffer.concat([header, attribute, data]);
}
