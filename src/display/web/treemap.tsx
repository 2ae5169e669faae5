import { useEffect, useMemo, useState } from 'preact/hooks';
import { formatCount, formatShare, formatWeight, visible } from '../../common/text.ts';
import { ChildLists } from '../shape/flame.ts';
import { differenceColour, frameColour } from '../shape/frame-colour.ts';
import { holdsMatch } from '../shape/matches.ts';
import { HEAD, type TreemapBox, treemapBoxes } from '../shape/treemap.ts';
import { isCount, useSaved } from './address.ts';
import { Canvas, FONT, type Place, Tip, useSize, useTheme } from './canvas.tsx';
import { onHosts } from './host-tree.ts';
import { ByHostButton } from './hosts.tsx';
import { useTable } from './save/table.ts';
import { NameSearch } from './search-field.tsx';
import { FrameButtons, IdleButton } from './stack-bar.tsx';
import {
  clipped,
  namesTo,
  shareOf,
  useBaseWeights,
  useMatches,
  useSavedNode,
  useSearch,
  useStackWeights,
} from './stack-weights.ts';
import type { ViewProps } from './views.ts';

const DEEPEST = 6;

/** Boxes within boxes. A click goes down, the breadcrumb goes up; arrows and Enter do the same. */
export function TreemapView({ data, section, filters, base, select }: ViewProps) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const [isByHost, setByHost] = useSaved('byHost', data.manifest.byHost === true);
  const stacks = useMemo(
    () => (isByHost ? onHosts(section.stacks!, section.header.hosts ?? []) : section.stacks!),
    [section, isByHost],
  );
  const [showIdle, setShowIdle] = useSaved('idle', data.manifest.showIdle);
  const [levels, setLevels] = useSaved('levels', Number(data.manifest.options['depth'] ?? 1), isCount(1, DEEPEST));
  const [search, setSearch] = useSaved('search', '');
  const [focus, setFocus] = useState(0);
  const [hover, setHover] = useState<{ readonly box: TreemapBox; readonly place: Place } | undefined>();

  const children = useMemo(() => new ChildLists(stacks), [stacks]);
  const [at, setAt] = useSavedNode('zoom', stacks, children);
  const weights = useStackWeights(section, stacks, filters, showIdle);
  const { total, idle } = weights;
  const before = useBaseWeights(section, stacks, base, showIdle);
  useEffect(() => {
    setFocus(0);
    setHover(undefined);
  }, [at]);

  const all = total[0]!;
  const unit = visible(section.header.weight?.unit ?? 'samples');
  const boxes = useMemo(
    () => treemapBoxes(children, weights, at, levels, size.width, size.height),
    [children, weights, at, levels, size.width, size.height],
  );
  const pattern = useSearch(search);
  const { matches, found } = useMatches(pattern, stacks, total, at);
  const holds = useMemo(
    () => (matches === undefined ? undefined : holdsMatch(stacks, total, matches)),
    [stacks, total, matches],
  );

  const nameOf = (node: number): string => (node === 0 ? 'all' : visible(stacks.names[stacks.frames[node]!] ?? ''));
  const titleOf = ({ part }: TreemapBox): string => {
    switch (part.kind) {
      case 'node':
        return nameOf(part.node);
      case 'self':
        return `${nameOf(part.node)} itself`;
      case 'rest':
        return `${formatCount(part.count)} smaller`;
    }
  };
  const parentOf = ({ part }: TreemapBox): number => (part.kind === 'node' ? stacks.parents[part.node]! : part.node);
  /** Out of the box around it, and of all. */
  const sharesOf = (box: TreemapBox): string[] => {
    const parent = parentOf(box);
    const ofParent = `${formatShare(box.weight, total[parent]!)} of ${nameOf(parent)}`;
    return [...(parent === 0 ? [] : [ofParent]), `${formatShare(box.weight, all)} of all${compared(box)}`];
  };
  const describe = (box: TreemapBox): string =>
    `${titleOf(box)}: ${[formatWeight(box.weight, unit), ...sharesOf(box)].join(', ')}`;

  /** Of a box in the base; undefined where there is none, or nothing to compare. */
  const shareBefore = ({ part }: TreemapBox): number | undefined =>
    before === undefined || part.kind === 'rest'
      ? undefined
      : shareOf((part.kind === 'node' ? before.total : before.self)[part.node]!, before.total[0]!);
  const compared = (box: TreemapBox): string => {
    const share = shareBefore(box);
    return share === undefined ? '' : `, ${formatShare(share, 1)} in the base`;
  };
  const colourOf = (box: TreemapBox): string => {
    const share = shareBefore(box);
    return share === undefined ? frameColour(titleOf(box), 'hot') : differenceColour(shareOf(box.weight, all) - share);
  };

  const path: number[] = [];
  for (let node = at; node !== 0; node = stacks.parents[node]!) path.unshift(node);
  const enter = (box: TreemapBox | undefined): void => {
    if (box?.part.kind !== 'node' || children.of(box.part.node).length === 0) return;
    setAt(box.part.node);
  };
  const boxAt = (event: MouseEvent): TreemapBox | undefined => {
    const place = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    return boxes.findLast((box) => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height);
  };
  const focused = boxes[focus];
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'ArrowRight' || event.key === 'ArrowDown') setFocus(Math.min(boxes.length - 1, focus + 1));
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') setFocus(Math.max(0, focus - 1));
    else if (event.key === 'Enter') enter(focused);
    else if (event.key === 'Backspace' || event.key === 'Escape') setAt(stacks.parents[at] ?? 0);
    else return;
    event.preventDefault();
  };

  const shown = hover?.box ?? focused;
  useTable(() => ({
    head: ['box', 'level', unit, 'share of all'],
    rows: boxes.map((box) => [
      box.part.kind === 'node' ? namesTo(stacks, box.part.node).join(';') : titleOf(box),
      box.level,
      box.weight,
      shareOf(box.weight, all),
    ]),
  }));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Treemap">
        <nav aria-label="Where you are">
          {[0, ...path].map((node, i) => (
            <span key={node}>
              {i > 0 && <span class="faint"> › </span>}
              <button type="button" disabled={node === at} onClick={() => setAt(node)}>
                {nameOf(node)}
              </button>
            </span>
          ))}
        </nav>
        {at !== 0 && <FrameButtons section={section} name={stacks.names[stacks.frames[at]!]!} select={select} />}
        <span class="space" />
        <ByHostButton
          data={data}
          isOn={isByHost}
          onChange={(isOn) => {
            setByHost(isOn);
            setAt(0);
          }}
        />
        <IdleButton idle={idle} unit={unit} isShown={showIdle} onChange={setShowIdle} />
        <label>
          Levels{' '}
          <select value={levels} onChange={(event) => setLevels(Number(event.currentTarget.value))}>
            {Array.from({ length: DEEPEST }, (_, i) => (
              <option key={i} value={i + 1}>
                {i + 1}
              </option>
            ))}
          </select>
        </label>
        <NameSearch text={search} onInput={setSearch} pattern={pattern} found={formatShare(found, total[at]!)} />
      </div>
      <div class="view" ref={ref}>
        <Canvas
          width={size.width}
          height={size.height}
          tabIndex={0}
          role="application"
          aria-label={`Treemap of ${nameOf(at)}. ${shown === undefined ? '' : describe(shown)}`}
          onKeyDown={onKey}
          onClick={(event: MouseEvent) => enter(boxAt(event))}
          onMouseMove={(event: MouseEvent) => {
            const box = boxAt(event);
            setHover(box === undefined ? undefined : { box, place: { x: event.clientX, y: event.clientY } });
          }}
          onMouseLeave={() => setHover(undefined)}
          depends={[boxes, theme.isDark, matches, focus, before]}
          draw={(context) => {
            context.textBaseline = 'middle';
            for (const [i, box] of boxes.entries()) {
              const { part, x, y, width, height } = box;
              const isHit = part.kind === 'node' && matches?.[stacks.frames[part.node]!] === true;
              const isOn = part.kind === 'node' && !isHit && holds?.[part.node] === 1;
              context.fillStyle = isHit ? theme.mark : part.kind === 'node' ? colourOf(box) : theme.panel;
              context.globalAlpha = matches === undefined || isHit || isOn ? 1 : 0.35;
              context.fillRect(x, y, width, height);
              context.globalAlpha = 1;
              if (isOn || i === focus) {
                context.strokeStyle = i === focus ? theme.ink : theme.mark;
                context.lineWidth = 2;
                context.strokeRect(x + 1, y + 1, Math.max(0, width - 2), Math.max(0, height - 2));
              }
              if (width < 28 || height < 14) continue;
              context.fillStyle = part.kind === 'node' && !isHit ? '#1c1e21' : isHit ? theme.back : theme.ink;
              context.font = `13px ${FONT}`;
              context.fillText(clipped(context, titleOf(box), width - 10), x + 5, y + HEAD / 2 + 1);
              if (height < 34 || boxes[i + 1]?.level === box.level + 1) continue;
              context.font = `12px ${FONT}`;
              const share = formatShare(box.weight, total[at]!);
              // Half of a number would be another one.
              if (context.measureText(share).width > width - 10) continue;
              context.globalAlpha = 0.8;
              context.fillText(share, x + 5, y + HEAD + 8);
              context.globalAlpha = 1;
            }
            if (boxes.length === 0) {
              context.font = `14px ${FONT}`;
              context.fillStyle = theme.faint;
              context.fillText('Nothing passes these filters.', 14, 24);
            }
          }}
        />
      </div>
      <div class="status">
        {shown === undefined ? `${nameOf(at)}: ${formatWeight(total[at]!, unit)}` : describe(shown)}
      </div>
      {hover !== undefined && (
        <Tip at={hover.place}>
          <b>{titleOf(hover.box)}</b>
          <div>{formatWeight(hover.box.weight, unit)}</div>
          <div class="faint">{sharesOf(hover.box).join(' · ')}</div>
        </Tip>
      )}
    </>
  );
}
