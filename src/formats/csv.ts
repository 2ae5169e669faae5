import type { Datatype, MarpleRecord } from '../common/datatypes.ts';
import { UsageError } from '../common/errors.ts';
import type { Axis, SectionHeader } from '../common/header.ts';
import type { SectionReader } from '../common/reader.ts';
import { visible } from '../common/text.ts';
import { type Exporter, type ExportSource, textBytes } from './exporter.ts';

/*
 * CSV by RFC 4180: a header row, then a row per record, lines end in CR LF. A table has one kind of row, so one section
 * is written. Process names and the like are hostile: what a spreadsheet would run as a formula has a ' before it.
 */

export const csvExporter: Exporter = {
  format: 'csv',
  summary: 'a table of one section, for spreadsheets and databases',
  run: (source) => textBytes(csvText(source)),
};

async function* csvText({ sections }: ExportSource): AsyncGenerator<string> {
  const [section, ...others] = sections;
  if (section === undefined || others.length > 0) {
    const numbers = sections.map(({ number, header }) => `-e ${number} (${header.interface}, ${header.datatype})`);
    throw new UsageError(
      `a CSV table holds one section, and there are ${sections.length}`,
      `choose one of: ${numbers.join(', ')}`,
    );
  }
  yield row(columnNames(section.header));
  for await (const records of section.batches(section.header.datatype)) {
    let text = '';
    for (const record of shown(section, records)) text += row(cellsOf(section.header.datatype, record));
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

function row(cells: readonly (string | number)[]): string {
  return `${cells.map((cell) => (typeof cell === 'number' ? String(cell) : textCell(cell))).join(',')}\r\n`;
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;
/** What makes a formula of a cell, in Excel, LibreOffice and Google Sheets; the wide forms too. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NEEDS_QUOTES = /[",\r\n]|^\s|\s$/;

/** Most cells are so, and need nothing. */
const PLAIN = /^[A-Za-z0-9_][\w .:/-]*$/;

function textCell(text: string): string {
  if ((PLAIN.test(text) && !text.endsWith(' ')) || NUMBER.test(text)) return text;
  // Control characters, and bytes that are not UTF-8, are written out; a tab or line end goes with them.
  const safe = FORMULA.test(text) ? `'${visible(text)}` : visible(text);
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
