import { Quantiles } from '../../analysis/quantiles.ts';
import { formatCount, formatShare, formatValue, visible } from '../../common/text.ts';
import { InBase } from './base.tsx';
import { type Filter, fieldTitle } from './filters.ts';
import { type Section, type Stacks, stackLines } from './model.ts';
import { StackList } from './stack-list.tsx';

/** Fields by which records are counted, where a section has them. */
const COUNTED = ['host', 'comm', 'op', 'dev', 'type', 'cpu', 'use'] as const;
/** Entries of each list. */
const LISTED = 10;

/** Some records of a section, by their rows. */
export interface Records {
  readonly section: Section;
  readonly rows: Int32Array;
}

interface SelectionProps {
  readonly section: Section;
  /** The records that are selected. */
  readonly rows: Int32Array;
  /** Those of what is compared with, where there is something. */
  readonly before: Records | undefined;
  /** What was selected, in words. */
  readonly ranges: readonly string[];
  /** Of how many. */
  readonly all: number;
  /** `record` or `sample`. */
  readonly noun: string;
  /** Unit of the values; undefined where they are no measure. */
  readonly unit: string | undefined;
  /** Narrows all views to it; undefined where that cannot be said. */
  readonly keep: (() => void) | undefined;
  readonly select: (...filters: readonly Filter[]) => void;
  /** Undefined where nothing is selected, and `rows` are all records. */
  readonly clear: (() => void) | undefined;
}

/** What is in a selection of records, or in all of them: how many, how large, whose, and with which stacks. */
export function SelectionPanel(props: SelectionProps) {
  const { section, rows, before, ranges, all, noun, unit, keep, select, clear } = props;
  const values = section.columns.get('y')?.values;
  const stacks = section.named?.stacks;
  return (
    <aside aria-label="Selection" class="selection">
      <h2>
        {formatCount(rows.length)} {noun}
        {rows.length === 1 ? '' : 's'} <span class="faint">({formatShare(rows.length, all)})</span>
      </h2>
      {before !== undefined && <div class="faint">({formatCount(before.rows.length)} in the base)</div>}
      {clear === undefined ? (
        <div class="faint">Drag over bins, or Shift and the arrows, to select some.</div>
      ) : (
        <>
          {ranges.map((range) => (
            <div key={range}>{range}</div>
          ))}
          <div class="buttons">
            <button type="button" onClick={keep} disabled={keep === undefined || rows.length === 0} title="Enter">
              Show only this
            </button>
            <button type="button" onClick={clear} title="Esc">
              Unselect
            </button>
          </div>
        </>
      )}
      {unit !== undefined && values !== undefined && rows.length > 0 && (
        <Measures values={values} rows={rows} before={before} unit={unit} />
      )}
      {COUNTED.filter((field) => section.columns.has(field)).map((field) => (
        <Counts key={field} section={section} field={field} rows={rows} before={before} select={select} />
      ))}
      {stacks !== undefined && rows.length > 0 && (
        <TopStacks section={section} stacks={stacks} rows={rows} noun={noun} />
      )}
    </aside>
  );
}

interface MeasuresProps {
  readonly values: Float64Array;
  readonly rows: Int32Array;
  readonly before: Records | undefined;
  readonly unit: string;
}

function Measures({ values, rows, before, unit }: MeasuresProps) {
  const compared = before && new Map(quantilesOf(before.section.columns.get('y')!.values, before.rows));
  return (
    <dl class="measures">
      {quantilesOf(values, rows).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {formatValue(value)} {unit}
            {compared !== undefined && <InBase>{formatValue(compared.get(name)!)}</InBase>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function quantilesOf(values: Float64Array, rows: Int32Array): (readonly [name: string, value: number])[] {
  const quantiles = new Quantiles();
  for (const row of rows) quantiles.add(values[row]!);
  return [
    ['p50', quantiles.at(0.5)],
    ['p90', quantiles.at(0.9)],
    ['p99', quantiles.at(0.99)],
    ['max', rows.length === 0 ? 0 : quantiles.max],
  ];
}

interface CountsProps {
  readonly section: Section;
  readonly field: string;
  readonly rows: Int32Array;
  readonly before: Records | undefined;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** How many records have which value of a field. A field that has but one value says nothing, unless it is the process. */
function Counts({ section, field, rows, before, select }: CountsProps) {
  const compared = before && countsOf(before.section, field, before.rows);
  const counts = countsOf(section, field, rows);
  // What is only in the base is gone, and counts too.
  for (const text of compared?.keys() ?? []) if (!counts.has(text)) counts.set(text, 0);
  if (counts.size === 0 || (counts.size === 1 && field !== 'comm')) return null;
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const only = (text: string, not: boolean): void => select({ kind: 'field', field, values: [text], not });
  return (
    <>
      <h3>By {fieldTitle(field)}</h3>
      <ul class="weights">
        {sorted.slice(0, LISTED).map(([text, count]) => (
          <li key={text}>
            <span>
              {formatCount(count)}
              {compared !== undefined && <InBase>{formatCount(compared.get(text) ?? 0)}</InBase>}
            </span>
            <span>
              {formatShare(count, rows.length)}
              {compared !== undefined && <InBase>{formatShare(compared.get(text) ?? 0, before!.rows.length)}</InBase>}
            </span>
            <button
              type="button"
              class="plain"
              title={`Only ${fieldTitle(field)} ${visible(text)}`}
              onClick={() => only(text, false)}
            >
              {visible(text) || '(no name)'}
            </button>
            <button
              type="button"
              class="only"
              title={`All but ${fieldTitle(field)} ${visible(text)}`}
              onClick={() => only(text, true)}
            >
              hide
            </button>
          </li>
        ))}
      </ul>
      {sorted.length > LISTED && <div class="faint">and {formatCount(sorted.length - LISTED)} more</div>}
    </>
  );
}

/** How many of some records have which text in a field. */
function countsOf(section: Section, field: string, rows: Int32Array): Map<string, number> {
  const column = section.columns.get(field);
  const counts = new Map<number, number>();
  if (column === undefined) return new Map();
  for (const row of rows) counts.set(column.values[row]!, (counts.get(column.values[row]!) ?? 0) + 1);
  return new Map([...counts].map(([value, count]) => [column.texts?.[value] ?? String(value), count]));
}

interface TopStacksProps {
  readonly section: Section;
  readonly stacks: Stacks;
  readonly rows: Int32Array;
  readonly noun: string;
}

/** The stacks that most of the records have, each to be opened. */
function TopStacks({ section, stacks, rows, noun }: TopStacksProps) {
  const lineAt = stackLines(section);
  const counts = new Map<number, number>();
  let unknown = 0;
  for (const row of rows) {
    const line = lineAt(row);
    if (line < 0 || line >= stacks.ends.length) unknown++;
    else counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return (
    <>
      <h3>By stack</h3>
      <StackList stacks={stacks} weights={counts} all={rows.length} />
      {unknown > 0 && (
        <div class="faint">
          {formatCount(unknown)} {noun}
          {unknown === 1 ? '' : 's'} without a stack
        </div>
      )}
    </>
  );
}
