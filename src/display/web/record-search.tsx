import { useMemo } from 'preact/hooks';
import { knownFields, parseTerms, type Term, termMask } from '../shape/event-filter.ts';
import { type Filter, maskOf } from './filters.ts';
import type { Section } from './model.ts';
import { SearchField } from './search-field.tsx';

/** What is typed into the search field of a view of records: conditions, or what is wrong with them. */
export function useTerms(text: string): { readonly terms: readonly Term[]; readonly problem: string | undefined } {
  return useMemo(() => {
    const parsed = parseTerms(text);
    return typeof parsed === 'string' ? { terms: [], problem: parsed } : { terms: parsed, problem: undefined };
  }, [text]);
}

/** Which records of a section pass the filters, and are looked for: 1 or 0 by row; undefined where all are. */
export function searchedMask(
  section: Section,
  filters: readonly Filter[],
  terms: readonly Term[],
): Uint8Array | undefined {
  const mask = maskOf(section, filters);
  const type = section.columns.get('type') ?? { values: new Int32Array(section.rows), texts: [''] };
  const found = termMask({ length: section.rows, type, columns: section.columns }, terms);
  if (mask === undefined || found === undefined) return mask ?? found;
  return mask.map((passes, row) => passes & found[row]!);
}

interface RecordSearchProps {
  readonly section: Section;
  readonly text: string;
  readonly onInput: (text: string) => void;
  readonly problem: string | undefined;
  /** What was found. */
  readonly found?: string;
}

/** The search field of a view of records. */
export function RecordSearch({ section, text, onInput, problem, found }: RecordSearchProps) {
  const fields = knownFields(section).filter((field) => field !== 'type' || section.columns.has('type'));
  return (
    <SearchField
      hint={fields.includes('comm') ? 'comm=^fio' : `${fields[0] ?? 'field'}=regex`}
      title={`FIELD=REGEX or FIELD!=REGEX, separated by spaces; a word alone is looked for in names. Fields: ${fields.join(', ')}`}
      text={text}
      onInput={onInput}
      isWrong={problem !== undefined}
      status={problem ?? (text === '' ? undefined : found)}
    />
  );
}
