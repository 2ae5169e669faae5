import { useMemo } from 'preact/hooks';
import { formatCount, formatShare, formatWeight, visible } from '../../common/text.ts';
import { ChildLists, type NodeWeights } from '../shape/flame.ts';
import { type FunctionWeight, functionWeights, neighbours } from '../shape/functions.ts';
import { isOneOf, isText, useSaved } from './address.ts';
import { InBase } from './base.tsx';
import type { Stacks } from './model.ts';
import { useTable } from './save/table.ts';
import { NameSearch } from './search-field.tsx';
import { FrameButtons, IdleButton } from './stack-bar.tsx';
import { shareOf, useBaseWeights, useSearch, useStackWeights } from './stack-weights.ts';
import type { ViewProps } from './views.ts';

/** Rows that a table shows at most: more nobody reads, and the search finds the others. */
const ROWS = 500;

/** The functions of all stacks with self and total; of the chosen one, who calls it and what it calls. */
export function FunctionsView({ data, section, filters, base, select }: ViewProps) {
  const stacks = section.stacks!;
  const [showIdle, setShowIdle] = useSaved('idle', data.manifest.showIdle);
  const [search, setSearch] = useSaved('search', '');
  const [asked, setSort] = useSaved<Sort>('sort', 'self', isOneOf(...SORTS));
  const [chosenName, setChosenName] = useSaved<string | undefined>('function', undefined, isText);
  const place = chosenName === undefined ? -1 : stacks.names.indexOf(chosenName);
  const chosen = place < 0 ? undefined : place;
  const setChosen = (name: number): void => setChosenName(stacks.names[name]);
  const children = useMemo(() => new ChildLists(stacks), [stacks]);
  const weights = useStackWeights(section, stacks, filters, showIdle);
  const baseWeights = useBaseWeights(section, stacks, base, showIdle);
  const functions = useMemo(
    () => comparedFunctions(stacks, children, weights, baseWeights),
    [stacks, children, weights, baseWeights],
  );
  const sort = base === undefined && asked === 'change' ? 'self' : asked;
  const sorted = useMemo(
    () => functions.toSorted((a, b) => sortValue(b, sort) - sortValue(a, sort) || b.total - a.total),
    [functions, sort],
  );
  const pattern = useSearch(search);
  const shown = sorted.filter(({ name }) => !(pattern instanceof RegExp) || pattern.test(stacks.names[name] ?? ''));
  const around = useMemo(
    () => (chosen === undefined ? undefined : neighbours(stacks, children, weights, chosen)),
    [stacks, children, weights, chosen],
  );
  const all = weights.total[0]!;
  const allBefore = baseWeights?.total[0] ?? 0;
  const unit = visible(section.header.weight?.unit ?? 'samples');
  const nameOf = (name: number): string => (name < 0 ? '(outermost)' : visible(stacks.names[name] ?? ''));
  useTable(() => ({
    head: [
      'function',
      `self (${unit})`,
      `total (${unit})`,
      ...(base === undefined ? [] : ['self before', 'total before']),
    ],
    rows: shown.map(({ name, self, total, before }) => [
      stacks.names[name]!,
      self,
      total,
      ...(before === undefined ? [] : [before.self, before.total]),
    ]),
  }));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Functions">
        <IdleButton idle={weights.idle} unit={unit} isShown={showIdle} onChange={setShowIdle} />
        <span class="space" />
        <NameSearch text={search} onInput={setSearch} pattern={pattern} />
      </div>
      <div class="view columns">
        <div class="table">
          <table>
            <thead>
              <tr>
                {SORTS.filter((key) => key !== 'change' || base !== undefined).map((key) => (
                  <th key={key} aria-sort={key === sort ? 'descending' : 'none'} title={SORT_TITLES[key]}>
                    <button type="button" onClick={() => setSort(key)}>
                      {SORT_LABELS[key]}
                    </button>
                  </th>
                ))}
                <th>Function</th>
              </tr>
            </thead>
            <tbody>
              {shown.slice(0, ROWS).map(({ name, self, total, before, change }) => (
                <tr key={name} class={name === chosen ? 'chosen' : ''}>
                  <Weight weight={self} all={all} before={before?.self} allBefore={allBefore} unit={unit} />
                  <Weight weight={total} all={all} before={before?.total} allBefore={allBefore} unit={unit} />
                  {before !== undefined && <td>{pointsText(change)}</td>}
                  <td>
                    <button type="button" class="plain" onClick={() => setChosen(name)}>
                      {nameOf(name)}
                    </button>{' '}
                    <FrameButtons section={section} name={stacks.names[name]!} select={select} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {around !== undefined && chosen !== undefined && (
          <aside aria-label={`Around ${nameOf(chosen)}`}>
            <h2>{nameOf(chosen)}</h2>
            <Weights title="Called by" list={around.callers} all={all} nameOf={nameOf} choose={setChosen} />
            <Weights title="Calls" list={around.callees} all={all} nameOf={nameOf} choose={setChosen} />
          </aside>
        )}
      </div>
      <div class="status">
        {formatCount(shown.length)} functions, {formatWeight(all, unit)}
        {shown.length > ROWS ? `; the first ${ROWS} are shown` : ''}
      </div>
    </>
  );
}

/** By what the functions can be sorted. */
const SORTS = ['self', 'total', 'change'] as const;
type Sort = (typeof SORTS)[number];
const SORT_LABELS: Readonly<Record<Sort, string>> = { self: 'Self', total: 'Total', change: 'Change' };
const SORT_TITLES: Readonly<Record<Sort, string>> = {
  self: 'The function itself',
  total: 'The function and all that it calls',
  change: 'How much larger its share is than in the base, in percentage points: of itself',
};

interface ComparedFunction extends FunctionWeight {
  /** In the base, where there is one. */
  readonly before: { readonly self: number; readonly total: number } | undefined;
  /** Share of itself here less that in the base. */
  readonly change: number;
}

/** The functions of a selection, and beside each what it weighs in the base; those too that are only there. */
function comparedFunctions(
  stacks: Stacks,
  children: ChildLists,
  weights: NodeWeights,
  base: NodeWeights | undefined,
): readonly ComparedFunction[] {
  const own = functionWeights(stacks, children, weights);
  if (base === undefined) return own.map((weight) => ({ ...weight, before: undefined, change: 0 }));
  const all = new Map(functionWeights(stacks, children, base).map((weight) => [weight.name, weight]));
  const names = new Set([...own, ...all.values()].map(({ name }) => name));
  const here = new Map(own.map((weight) => [weight.name, weight]));
  return [...names].map((name) => {
    const weight = here.get(name) ?? { name, self: 0, total: 0 };
    const before = all.get(name) ?? { self: 0, total: 0 };
    return {
      ...weight,
      before,
      change: shareOf(weight.self, weights.total[0]!) - shareOf(before.self, base.total[0]!),
    };
  });
}

function sortValue({ self, total, change }: ComparedFunction, sort: Sort): number {
  return sort === 'self' ? self : sort === 'total' ? total : Math.abs(change);
}

/** A difference of shares, in percentage points. */
function pointsText(change: number): string {
  const points = 100 * change;
  if (Math.abs(points) < 0.05) return '0';
  return `${points > 0 ? '+' : '−'}${Math.abs(points).toFixed(1)}`;
}

interface WeightProps {
  readonly weight: number;
  readonly all: number;
  readonly before: number | undefined;
  readonly allBefore: number;
  readonly unit: string;
}

/** A cell: the share, and how much it is. */
function Weight({ weight, all, before, allBefore, unit }: WeightProps) {
  return (
    <td>
      {formatShare(weight, all)} <span class="faint">{formatWeight(weight, unit)}</span>
      {before !== undefined && <InBase>{`${formatShare(before, allBefore)} ${formatWeight(before, unit)}`}</InBase>}
    </td>
  );
}

interface WeightsProps {
  readonly title: string;
  readonly list: readonly (readonly [name: number, weight: number])[];
  readonly all: number;
  readonly nameOf: (name: number) => string;
  readonly choose: (name: number) => void;
}

function Weights({ title, list, all, nameOf, choose }: WeightsProps) {
  return (
    <>
      <h3>{title}</h3>
      {list.length === 0 && <p class="faint">nothing</p>}
      <ul class="weights">
        {list.slice(0, ROWS).map(([name, weight]) => (
          <li key={name}>
            <span>{formatShare(weight, all)}</span>
            <button type="button" class="plain" disabled={name < 0} onClick={() => choose(name)}>
              {nameOf(name)}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
