import { stackBatches } from '../analysis/fleet/joined.ts';
import { csvRow } from '../common/csv.ts';
import type { Datatype, MarpleRecord } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import type { Axis, SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { textBytes } from '../common/text-bytes.ts';
import type { Exporter, ExportSource } from './exporter.ts';

/*
 * CSV: a header row, then a row per record. A table has one kind of row, so one section is written.
 */

export const csvExporter: Exporter = {
  format: 'csv',
  hosts: 'records',
  summary: 'a table of one section, for spreadsheets and databases',
  run: (source) => textBytes(csvText(source)),
};

async function* csvText({ sections, byHost = false }: ExportSource): AsyncGenerator<string> {
  const [section, ...others] = sections;
  if (section === undefined || others.length > 0) {
    const numbers = sections.map(({ number, header }) => `-e ${number} (${header.interface}, ${header.datatype})`);
    throw new UsageError(
      `a CSV table holds one section, and there are ${sections.length}`,
      `choose one of: ${numbers.join(', ')}`,
    );
  }
  yield csvRow(columnNames(section.header));
  const { datatype } = section.header;
  const batches: AsyncIterable<readonly MarpleRecord[]> =
    datatype === 'stack' ? stackBatches(section, byHost) : section.batches(datatype);
  for await (const records of batches) {
    let text = '';
    for (const record of shown(section, records)) text += csvRow(cellsOf(datatype, record));
    yield text;
  }
}

/** A selection keeps the lines of stacks that nothing is left of, since events name lines. */
function shown({ header }: SectionReader, records: readonly MarpleRecord[]): readonly MarpleRecord[] {
  return header.datatype === 'stack' ? records.filter((stack) => 'weight' in stack && stack.weight > 0) : records;
}

function columnNames({ datatype, x, y, weight, fields }: SectionHeader): string[] {
  switch (datatype) {
    case 'datapoint':
      return [axisName(x, 'x'), axisName(y, 'y'), ...(fields ?? ['info'])];
    case 'event':
      return ['time_ns', 'type', ...(fields ?? [])];
    case 'stack':
      return [axisName(weight, 'weight'), 'stack'];
  }
}

/** `latency_ms`, `disk_throughput_MiB_per_s`: a name that needs no quotes in SQL. */
function axisName(axis: Axis | undefined, missing: string): string {
  if (axis === undefined) return missing;
  const unit = axis.unit.replace('%', 'percent').replace('1/', 'per_').replace('/', '_per_');
  const name = axis.label === axis.unit ? axis.label : `${axis.label}_${unit}`;
  return name.replace(/[^\p{L}\p{N}_]+/gu, '_').replace(/_$/, '');
}

function cellsOf(datatype: Datatype, record: MarpleRecord): readonly (string | number)[] {
  if ('weight' in record) return [record.weight, record.stack.map((frame) => frame.replaceAll(';', ':')).join(';')];
  if ('time' in record) return [record.time, record.type, ...record.datum];
  if (datatype === 'datapoint') return [record.x, record.y, ...record.info];
  throw new TypeError(`a record is none of a ${datatype} section`);
}
