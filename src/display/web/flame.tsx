import { useEffect, useMemo, useState } from 'preact/hooks';
import { formatShare, formatWeight, visible } from '../../common/text.ts';
import { type ChildLists, type FlameBox, flameBoxes } from '../shape/flame.ts';
import { differenceColour, frameColour, THEMES } from '../shape/frame-colour.ts';
import { isOneOf, useSaved } from './address.ts';
import { Canvas, FONT, type Place, Tip, useSize, useTheme } from './canvas.tsx';
import { hasOrder, ORDERS, type Order, useFlameTree } from './flame-tree.ts';
import { ByHostButton } from './hosts.tsx';
import type { PageData } from './model.ts';
import { useTable } from './save/table.ts';
import { NameSearch } from './search-field.tsx';
import { FrameButtons, IdleButton } from './stack-bar.tsx';
import { clipped, namesTo, shareOf, useMatches, useSavedNode, useSearch } from './stack-weights.ts';
import type { ViewProps } from './views.ts';

const ROW = 18;
const MIN_WIDTH = 0.4;

/** Stacks, widths proportional to weight. Zoom by click, search by regular expression, all of it by keyboard too. */
export function FlameView({ data, section, filters, base, select }: ViewProps) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const [showIdle, setShowIdle] = useSaved('idle', data.manifest.showIdle);
  const settings = useMemo(() => settingsOf(data), [data]);
  const { minWidth } = settings;
  const [icicle, setIcicle] = useSaved('icicle', settings.icicle);
  const [callers, setCallers] = useSaved('reversed', settings.reversed);
  const [order, setOrder] = useSaved<Order>('order', 'name', isOneOf(...ORDERS));
  const [search, setSearch] = useSaved('search', '');
  const [hover, setHover] = useState<{ readonly node: number; readonly at: Place } | undefined>();

  const [isByHost, setByHost] = useSaved('byHost', data.manifest.byHost === true);
  const tree = useFlameTree(section, filters, base, { order, isReversed: callers, showIdle, isByHost });
  const { stacks, children, before, starts } = tree;
  const { total, self, idle } = tree.weights;
  const [zoom, setZoom] = useSavedNode('zoom', stacks, children);
  const [focus, setFocus] = useSavedNode('focus', stacks, children);
  // The root is what one sees first: it is at the bottom, unless the icicle hangs from the top.
  useEffect(() => {
    const element = ref.current;
    if (element !== null) element.scrollTop = icicle ? 0 : element.scrollHeight;
  }, [icicle, callers, order, size.height]);

  const all = total[0]!;
  const unit = visible(settings.countname || (section.header.weight?.unit ?? 'samples'));
  const boxes = useMemo(
    () => (size.width > 0 ? flameBoxes(stacks, children, total, zoom, size.width, minWidth, starts) : []),
    [stacks, children, total, starts, zoom, size.width, minWidth],
  );
  const levels = boxes.reduce((most, box) => Math.max(most, box.depth + 1), 1);
  const height = Math.max(size.height, levels * ROW + 2);
  const topOf = (depth: number): number => (icicle ? depth * ROW + 1 : height - (depth + 1) * ROW - 1);
  const pattern = useSearch(search);
  const { matches, found } = useMatches(pattern, stacks, total, zoom);

  const reset = (): void => {
    setZoom(0);
    setFocus(0);
  };
  const reorder = (next: Order): void => {
    setOrder(next);
    // In the order of time a function has a place for each time that it was called.
    if (next === 'time' || order === 'time') reset();
  };
  const nameOf = (node: number): string => (node === 0 ? 'all' : visible(stacks.names[stacks.frames[node]!] ?? ''));
  const boxAt = (event: MouseEvent): FlameBox | undefined => {
    const place = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const depth = icicle ? Math.floor((y - 1) / ROW) : Math.floor((height - 1 - y) / ROW);
    return boxes.find((box) => box.depth === depth && x >= box.x && x < box.x + box.width);
  };
  const onKey = (event: KeyboardEvent): void => {
    const up = icicle ? 'ArrowDown' : 'ArrowUp';
    const down = icicle ? 'ArrowUp' : 'ArrowDown';
    const beside = (step: number): number => {
      const siblings = boxes.filter(({ node }) => node !== 0 && stacks.parents[node] === stacks.parents[focus]);
      const at = siblings.findIndex(({ node }) => node === focus);
      return siblings[at + step]?.node ?? focus;
    };
    if (event.key === up)
      setFocus(boxes.find(({ node }) => node !== 0 && stacks.parents[node] === focus)?.node ?? focus);
    else if (event.key === down) setFocus(stacks.parents[focus]!);
    else if (event.key === 'ArrowLeft') setFocus(beside(-1));
    else if (event.key === 'ArrowRight') setFocus(beside(1));
    else if (event.key === 'Enter') setZoom(focus);
    else if (event.key === 'Escape') setZoom(0);
    else return;
    event.preventDefault();
  };

  const colourOf = (node: number, name: string): string =>
    before === undefined
      ? frameColour(name, settings.colors)
      : differenceColour(shareOf(total[node]!, all) - shareOf(before[node]!, before[0]!));
  const compared = (node: number): string =>
    before === undefined ? '' : `, ${formatShare(before[node]!, before[0]!)} in the base`;
  const shown = hover?.node ?? focus;
  const describe = (node: number): string =>
    `${nameOf(node)}: ${formatWeight(total[node]!, unit)}, ${formatShare(total[node]!, all)} of all${compared(node)}` +
    (self[node]! > 0 ? `, ${formatWeight(self[node]!, unit)} in itself` : '');
  useTable(() => ({
    head: ['stack', `total (${unit})`, `self (${unit})`, ...(before === undefined ? [] : ['total in the base'])],
    rows: nodesBelow(children, zoom)
      .filter((node) => node !== 0 && (total[node]! > 0 || (before?.[node] ?? 0) > 0))
      .map((node) => [
        namesTo(stacks, node).join(';'),
        total[node]!,
        self[node]!,
        ...(before === undefined ? [] : [before[node]!]),
      ]),
  }));
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Flame graph">
        <button type="button" onClick={() => setZoom(0)} disabled={zoom === 0} title="Esc">
          Reset zoom
        </button>
        <button type="button" aria-pressed={icicle} onClick={() => setIcicle(!icicle)}>
          Icicle
        </button>
        <button
          type="button"
          aria-pressed={callers}
          onClick={() => {
            setCallers(!callers);
            reset();
          }}
          title="From the innermost function outwards"
        >
          Reversed
        </button>
        <label>
          Order{' '}
          <select value={order} onChange={(event) => reorder(event.currentTarget.value as Order)}>
            {ORDERS.map((choice) => (
              <option key={choice} value={choice} disabled={choice === 'time' && !hasOrder(section)}>
                {ORDER_LABELS[choice]}
              </option>
            ))}
          </select>
        </label>
        <ByHostButton
          data={data}
          isOn={isByHost}
          onChange={(isOn) => {
            setByHost(isOn);
            reset();
          }}
        />
        <IdleButton idle={idle} unit={unit} isShown={showIdle} onChange={setShowIdle} />
        {focus !== 0 && (
          <span class="group">
            <span class="name">{nameOf(focus)}</span>
            <FrameButtons section={section} name={stacks.names[stacks.frames[focus]!]!} select={select} />
          </span>
        )}
        <span class="space" />
        <NameSearch text={search} onInput={setSearch} pattern={pattern} found={formatShare(found, total[zoom]!)} />
      </div>
      <div class="view">
        <div class="scroll" ref={ref}>
          <Canvas
            width={size.width}
            height={height}
            tabIndex={0}
            role="application"
            aria-label={`Flame graph. ${describe(shown)}`}
            onKeyDown={onKey}
            onClick={(event: MouseEvent) => {
              const box = boxAt(event);
              if (box === undefined) return;
              setZoom(box.node);
              setFocus(box.node);
            }}
            onMouseMove={(event: MouseEvent) => {
              const box = boxAt(event);
              setHover(box === undefined ? undefined : { node: box.node, at: { x: event.clientX, y: event.clientY } });
            }}
            onMouseLeave={() => setHover(undefined)}
            depends={[boxes, theme.isDark, matches, focus, icicle, total, before]}
            draw={(context) => {
              context.font = `12px ${FONT}`;
              context.textBaseline = 'middle';
              for (const box of boxes) {
                const name = nameOf(box.node);
                const top = topOf(box.depth);
                const isMatch = matches !== undefined && box.node !== 0 && matches[stacks.frames[box.node]!] === true;
                context.fillStyle = isMatch ? theme.mark : box.node === 0 ? theme.panel : colourOf(box.node, name);
                context.fillRect(box.x, top, Math.max(box.width - 0.5, MIN_WIDTH), ROW - 1);
                if (box.node === focus && focus !== 0) {
                  context.strokeStyle = theme.ink;
                  context.lineWidth = 1.5;
                  context.strokeRect(box.x + 0.75, top + 0.75, Math.max(1, box.width - 2), ROW - 2.5);
                }
                if (box.width < 26) continue;
                context.fillStyle = isMatch ? theme.back : box.node === 0 ? theme.ink : '#1c1e21';
                context.fillText(clipped(context, name, box.width - 8), box.x + 4, top + ROW / 2);
              }
              if (all === 0) {
                context.fillStyle = theme.faint;
                context.fillText('No samples with these filters.', 14, 30);
              }
            }}
          />
        </div>
      </div>
      <div class="status">{describe(shown)}</div>
      {hover !== undefined && (
        <Tip at={hover.at}>
          <b>{nameOf(hover.node)}</b>
          <div>
            {formatWeight(total[hover.node]!, unit)} · {formatShare(total[hover.node]!, all)} of all
            {compared(hover.node)}
            {zoom !== 0 && ` · ${formatShare(total[hover.node]!, total[zoom]!)} of what is zoomed`}
          </div>
          <div class="faint">
            itself {formatWeight(self[hover.node]!, unit)} ({formatShare(self[hover.node]!, all)})
          </div>
        </Tip>
      )}
    </>
  );
}

const ORDER_LABELS: Readonly<Record<Order, string>> = {
  name: 'by name',
  weight: 'left heavy',
  time: 'by time, each task',
};

/** A node and all below it, a parent before its children. */
function nodesBelow(children: ChildLists, from: number): number[] {
  const nodes: number[] = [];
  const pending = [from];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    nodes.push(node);
    for (const child of children.of(node).toReversed()) pending.push(child);
  }
  return nodes;
}

/** What the config says of flame graphs, where the page is of one. */
function settingsOf({ manifest }: PageData) {
  const {
    colors,
    icicle,
    reversed: isReversed,
    countname,
    minwidth,
  } = manifest.view === 'flamegraph' ? manifest.options : {};
  return {
    colors: THEMES.find((theme) => theme === colors) ?? 'hot',
    icicle: icicle === true,
    reversed: isReversed === true,
    countname: typeof countname === 'string' ? countname : '',
    minWidth: Math.max(MIN_WIDTH, Number(minwidth ?? 0)),
  };
}
