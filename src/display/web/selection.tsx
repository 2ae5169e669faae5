import { Quantiles } from '../../analysis/quantiles.ts';
import { formatCount, formatShare, formatValue, visible } from '../../common/text.ts';
import { type Filter, fieldTitle } from './filters.ts';
import { type Section, type Stacks, stackLines } from './model.ts';

/** Fields by which records are counted, where a section has them. */
const COUNTED = ['comm', 'op', 'dev', 'type', 'cpu', 'use'] as const;
/** Entries of each list. */
const LISTED = 10;
const LISTED_STACKS = 8;

interface SelectionProps {
  readonly section: Section;
  /** The records that are selected. */
  readonly rows: Int32Array;
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
  const { section, rows, ranges, all, noun, unit, keep, select, clear } = props;
  const values = section.columns.get('y')?.values;
  const stacks = section.named?.stacks;
  return (
    <aside aria-label="Selection" class="selection">
      <h2>
        {formatCount(rows.length)} {noun}
        {rows.length === 1 ? '' : 's'} <span class="faint">({formatShare(rows.length, all)})</span>
      </h2>
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
        <Measures values={values} rows={rows} unit={unit} />
      )}
      {COUNTED.filter((field) => section.columns.has(field)).map((field) => (
        <Counts key={field} section={section} field={field} rows={rows} select={select} />
      ))}
      {stacks !== undefined && rows.length > 0 && (
        <TopStacks section={section} stacks={stacks} rows={rows} noun={noun} />
      )}
    </aside>
  );
}

function Measures({ values, rows, unit }: { values: Float64Array; rows: Int32Array; unit: string }) {
  const quantiles = new Quantiles();
  for (const row of rows) quantiles.add(values[row]!);
  const shown = [
    ['p50', quantiles.at(0.5)],
    ['p90', quantiles.at(0.9)],
    ['p99', quantiles.at(0.99)],
    ['max', quantiles.max],
  ] as const;
  return (
    <dl class="measures">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            {formatValue(value)} {unit}
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface CountsProps {
  readonly section: Section;
  readonly field: string;
  readonly rows: Int32Array;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** How many records have which value of a field. A field that has but one value says nothing, unless it is the process. */
function Counts({ section, field, rows, select }: CountsProps) {
  const { values, texts } = section.columns.get(field)!;
  const counts = new Map<number, number>();
  for (const row of rows) counts.set(values[row]!, (counts.get(values[row]!) ?? 0) + 1);
  if (counts.size === 0 || (counts.size === 1 && field !== 'comm')) return null;
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const textOf = (value: number): string => (texts === undefined ? String(value) : (texts[value] ?? ''));
  const only = (value: number, not: boolean): void => select({ kind: 'field', field, values: [textOf(value)], not });
  return (
    <>
      <h3>By {fieldTitle(field)}</h3>
      <ul class="weights">
        {sorted.slice(0, LISTED).map(([value, count]) => (
          <li key={value}>
            <span>{formatCount(count)}</span>
            <span>{formatShare(count, rows.length)}</span>
            <button
              type="button"
              class="plain"
              title={`Only ${fieldTitle(field)} ${visible(textOf(value))}`}
              onClick={() => only(value, false)}
            >
              {visible(textOf(value)) || '(no name)'}
            </button>
            <button
              type="button"
              class="only"
              title={`All but ${fieldTitle(field)} ${visible(textOf(value))}`}
              onClick={() => only(value, true)}
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
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return (
    <>
      <h3>By stack</h3>
      {sorted.slice(0, LISTED_STACKS).map(([line, count]) => {
        const frames = framesOf(stacks, stacks.ends[line]!);
        return (
          <details key={line} class="stack">
            <summary>
              {formatCount(count)} <span class="faint">({formatShare(count, rows.length)})</span>{' '}
              {summaryOf(frames).join(' ← ')}
            </summary>
            <ol>
              {frames.map((frame, i) => (
                // A recursive function stands in a stack more than once.
                <li key={i}>{frame}</li>
              ))}
            </ol>
          </details>
        );
      })}
      {sorted.length > LISTED_STACKS && (
        <div class="faint">and {formatCount(sorted.length - LISTED_STACKS)} more stacks</div>
      )}
      {unknown > 0 && (
        <div class="faint">
          {formatCount(unknown)} {noun}
          {unknown === 1 ? '' : 's'} without a stack
        </div>
      )}
    </>
  );
}

/** Where it is and where it comes from: the two innermost and the two outermost frames. */
function summaryOf(frames: readonly string[]): readonly string[] {
  return frames.length <= 4 ? frames : [...frames.slice(0, 2), '…', ...frames.slice(-2)];
}

/** Innermost first. */
function framesOf(stacks: Stacks, end: number): string[] {
  const frames: string[] = [];
  for (let node = end; node > 0; node = stacks.parents[node]!)
    frames.push(visible(stacks.names[stacks.frames[node]!]!));
  return frames;
}
