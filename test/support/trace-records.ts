import { parseFormat, type RawRecord } from '../../src/formats/event-format.ts';

/** Values of a record's fields: numbers, kernel addresses, bytes. */
export type FieldValues = Readonly<Record<string, number | bigint | Uint8Array>>;

/** A record of a trace event as the kernel would write it, laid out by the text of the event's format file. Other fields are 0. */
export function traceRecord(formatText: string, values: FieldValues): RawRecord {
  const format = parseFormat(formatText);
  // Not at the start of the buffer, so that no reader takes an offset of the record for one of the buffer.
  const start = 4;
  const bytes = Buffer.alloc(start + format.size);
  bytes.writeUInt16LE(format.id, start);
  for (const [name, value] of Object.entries(values)) {
    const field = format.fields.get(name);
    if (field === undefined) throw new Error(`${format.name} has no field ${name}`);
    const at = start + field.offset;
    if (value instanceof Uint8Array) bytes.set(value.subarray(0, field.size), at);
    else if (field.size === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
    else bytes.writeUIntLE(Number(BigInt.asUintN(field.size * 8, BigInt(value))), at, field.size);
  }
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    bytes,
    offset: start,
    length: format.size,
  };
}
