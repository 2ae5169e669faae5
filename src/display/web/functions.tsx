import { useMemo } from 'preact/hooks';
import { formatCount, formatShare, formatWeight, visible } from '../../common/text.ts';
import { ChildLists } from '../shape/flame.ts';
import { functionWeights, neighbours } from '../shape/functions.ts';
import { isText, useSaved } from './address.ts';
import { FrameButtons, IdleButton, SearchField } from './stack-bar.tsx';
import { useSearch, useStackWeights } from './stack-weights.ts';
import type { ViewProps } from './views.ts';

/** Rows that a table shows at most: more nobody reads, and the search finds the others. */
const ROWS = 500;

/** The functions of all stacks with self and total; of the chosen one, who calls it and what it calls. */
export function FunctionsView({ data, section, filters, select }: ViewProps) {
  const stacks = section.stacks!;
  const [showIdle, setShowIdle] = useSaved('idle', data.manifest.showIdle);
  const [search, setSearch] = useSaved('search', '');
  const [bySelf, setBySelf] = useSaved('self', true);
  const [chosenName, setChosenName] = useSaved<string | undefined>('function', undefined, isText);
  const place = chosenName === undefined ? -1 : stacks.names.indexOf(chosenName);
  const chosen = place < 0 ? undefined : place;
  const setChosen = (name: number): void => setChosenName(stacks.names[name]);
  const children = useMemo(() => new ChildLists(stacks), [stacks]);
  const weights = useStackWeights(section, stacks, filters, showIdle);
  const functions = useMemo(() => {
    const all = functionWeights(stacks, children, weights);
    return bySelf ? all.toSorted((a, b) => b.self - a.self || b.total - a.total) : all;
  }, [stacks, children, weights, bySelf]);
  const pattern = useSearch(search);
  const shown = functions.filter(({ name }) => !(pattern instanceof RegExp) || pattern.test(stacks.names[name] ?? ''));
  const around = useMemo(
    () => (chosen === undefined ? undefined : neighbours(stacks, children, weights, chosen)),
    [stacks, children, weights, chosen],
  );
  const all = weights.total[0]!;
  const unit = section.header.weight?.unit ?? 'samples';
  const nameOf = (name: number): string => (name < 0 ? '(outermost)' : visible(stacks.names[name] ?? ''));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Functions">
        <IdleButton idle={weights.idle} unit={unit} isShown={showIdle} onChange={setShowIdle} />
        <span class="space" />
        <SearchField text={search} onInput={setSearch} pattern={pattern} />
      </div>
      <div class="view columns">
        <div class="table">
          <table>
            <thead>
              <tr>
                <th aria-sort={bySelf ? 'descending' : 'none'}>
                  <button type="button" onClick={() => setBySelf(true)}>
                    Self
                  </button>
                </th>
                <th aria-sort={bySelf ? 'none' : 'descending'}>
                  <button type="button" onClick={() => setBySelf(false)}>
                    Total
                  </button>
                </th>
                <th>Function</th>
              </tr>
            </thead>
            <tbody>
              {shown.slice(0, ROWS).map(({ name, self, total }) => (
                <tr key={name} class={name === chosen ? 'chosen' : ''}>
                  <td>
                    {formatShare(self, all)} <span class="faint">{formatWeight(self, unit)}</span>
                  </td>
                  <td>
                    {formatShare(total, all)} <span class="faint">{formatWeight(total, unit)}</span>
                  </td>
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
