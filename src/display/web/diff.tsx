import { useEffect, useMemo, useState } from 'preact/hooks';
import { formatCount, formatShare, formatValue, visible } from '../../common/text.ts';
import { ChildLists, type FlameBox, flameBoxes, nodeTotals } from '../shape/flame.ts';
import { shiftColour } from '../shape/frame-colour.ts';
import type { PageDiff } from '../shape/page.ts';
import { Canvas, FONT, type Place, Tip, useSize, useTheme } from './canvas.tsx';
import { HeatView } from './heat.tsx';
import type { PageData, Section } from './model.ts';
import { NameSearch } from './search-field.tsx';
import { clipped, useSearch } from './stack-weights.ts';
import './diff.css';

const ROW = 18;
const MIN_WIDTH = 0.4;
const NUMBERS = 'Numbers';

/** Runs before and after: their numbers, differential flame graphs, and heat maps side by side. */
export function DiffPage({ data, diff }: { readonly data: PageData; readonly diff: PageDiff }) {
  const sectionOf = (number: number): Section => data.sections.find((section) => section.number === number)!;
  const tabs = [
    { label: NUMBERS, view: () => <Numbers diff={diff} /> },
    ...diff.stacks.map((number) => {
      const section = sectionOf(number);
      return { label: `${section.interface}: flame graph`, view: () => <DiffFlame section={section} /> };
    }),
    ...diff.points.map(({ before, after }) => {
      const [first, second] = [sectionOf(before), sectionOf(after)];
      const label = `${first.interface}: ${first.header.y?.label ?? 'heat map'}`;
      return { label, view: () => <HeatPair data={data} before={first} after={second} /> };
    }),
  ];
  const [open, setOpen] = useState(0);
  return (
    <div class="page">
      <header>
        <h1>{data.manifest.title}</h1>
        <div class="origin">{data.manifest.origin}</div>
      </header>
      <div class="bar" role="toolbar" aria-label="What is compared">
        {tabs.map(({ label }, i) => (
          <button key={label} type="button" aria-pressed={i === open} onClick={() => setOpen(i)}>
            {label}
          </button>
        ))}
      </div>
      {tabs[open]?.view()}
    </div>
  );
}

function Numbers({ diff }: { readonly diff: PageDiff }) {
  return (
    <div class="numbers">
      <p>{diff.method}</p>
      {diff.tables.map(({ titles, rows }) => (
        <table key={titles[0]}>
          <thead>
            <tr>
              {titles.map((title) => (
                <th key={title}>{title}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row[0]} class={row.at(-1)}>
                {row.map((cell, i) => (
                  <td key={titles[i]}>{visible(cell)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </div>
  );
}

function HeatPair(props: { readonly data: PageData; readonly before: Section; readonly after: Section }) {
  const { data, before, after } = props;
  return (
    <div class="pair">
      {[
        { title: 'Before', section: before, other: after },
        { title: 'After', section: after, other: before },
      ].map(({ title, section, other }) => (
        <section key={title} aria-label={title}>
          <h2>{title}</h2>
          <HeatView data={data} section={section} alike={other} filters={NO_FILTERS} select={() => undefined} />
        </section>
      ))}
    </div>
  );
}

const NO_FILTERS: readonly never[] = [];

const WIDTHS = ['both', 'before', 'after'] as const;

/**
 * Red is what weighs more than before, blue what weighs less, and the stronger the more of all it is. With the widths of both
 * together, what vanished is there too.
 */
function DiffFlame({ section }: { readonly section: Section }) {
  const theme = useTheme();
  const [ref, size] = useSize<HTMLDivElement>();
  const [widths, setWidths] = useState<(typeof WIDTHS)[number]>('both');
  const [isNormalised, setNormalised] = useState(false);
  const [search, setSearch] = useState('');
  const [zoom, setZoom] = useState(0);
  const [hover, setHover] = useState<{ readonly node: number; readonly at: Place } | undefined>();

  const stacks = section.stacks!;
  const children = useMemo(() => new ChildLists(stacks), [stacks]);
  const before = useMemo(() => nodeTotals(stacks, stacks.ends, stacks.baseline!), [stacks]);
  const raw = useMemo(() => nodeTotals(stacks, stacks.ends, stacks.weights), [stacks]);
  const [allBefore, allAfter] = [before.total[0]!, raw.total[0]!];
  const factor = isNormalised && allAfter > 0 ? allBefore / allAfter : 1;
  const after = useMemo(
    () => ({ total: raw.total.map((weight) => weight * factor), self: raw.self.map((weight) => weight * factor) }),
    [raw, factor],
  );
  const shown = useMemo(
    () =>
      widths === 'before'
        ? before.total
        : widths === 'after'
          ? after.total
          : before.total.map((b, i) => b + after.total[i]!),
    [before, after, widths],
  );
  const boxes = useMemo(
    () => (size.width > 0 ? flameBoxes(stacks, children, shown, zoom, size.width, MIN_WIDTH) : []),
    [stacks, children, shown, zoom, size.width],
  );
  const levels = boxes.reduce((most, box) => Math.max(most, box.depth + 1), 1);
  const height = Math.max(size.height, levels * ROW + 2);
  const topOf = (depth: number): number => height - (depth + 1) * ROW - 1;
  // The root is what one sees first.
  useEffect(() => {
    if (ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight;
  }, [stacks, size.height]);

  const pattern = useSearch(search);
  const unit = visible(section.header.weight?.unit ?? 'samples');
  const most = Math.max(allBefore, allAfter * factor);
  const shift = (node: number): number => after.total[node]! - before.total[node]!;
  const nameOf = (node: number): string => (node === 0 ? 'all' : visible(stacks.names[stacks.frames[node]!] ?? ''));
  const boxAt = (event: MouseEvent): FlameBox | undefined => {
    const place = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const depth = Math.floor((height - 1 - y) / ROW);
    return boxes.find((box) => box.depth === depth && x >= box.x && x < box.x + box.width);
  };
  const weight = (value: number): string => (Number.isInteger(value) ? formatCount(value) : formatValue(value));
  const describe = (node: number): string => {
    const [b, a] = [before.total[node]!, after.total[node]!];
    const change = b === 0 ? (a === 0 ? '' : ', new') : a === 0 ? ', gone' : `, ${formatValue(a / b)}x`;
    return `${nameOf(node)}: ${weight(b)} ${unit} (${formatShare(b, allBefore)}) before, ${weight(a)} (${formatShare(a, allAfter * factor)}) after${change}`;
  };
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Differential flame graph">
        <button type="button" onClick={() => setZoom(0)} disabled={zoom === 0}>
          Reset zoom
        </button>
        <span>Widths:</span>
        {WIDTHS.map((choice) => (
          <button key={choice} type="button" aria-pressed={widths === choice} onClick={() => setWidths(choice)}>
            {choice}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={isNormalised}
          onClick={() => setNormalised(!isNormalised)}
          title="As if both sides had the same total"
        >
          Normalised
        </button>
        <span class="space" />
        <NameSearch text={search} onInput={setSearch} pattern={pattern} />
      </div>
      <div class="view">
        <div class="scroll" ref={ref}>
          <Canvas
            width={size.width}
            height={height}
            role="img"
            aria-label={`Differential flame graph. ${describe(zoom)}`}
            onClick={(event: MouseEvent) => setZoom(boxAt(event)?.node ?? zoom)}
            onMouseMove={(event: MouseEvent) => {
              const box = boxAt(event);
              setHover(box === undefined ? undefined : { node: box.node, at: { x: event.clientX, y: event.clientY } });
            }}
            onMouseLeave={() => setHover(undefined)}
            depends={[boxes, theme.isDark, pattern, after]}
            draw={(context) => {
              context.font = `12px ${FONT}`;
              context.textBaseline = 'middle';
              for (const box of boxes) {
                const [name, top] = [nameOf(box.node), topOf(box.depth)];
                const isMatch = pattern instanceof RegExp && box.node !== 0 && pattern.test(name);
                context.fillStyle = isMatch ? theme.mark : shiftColour(most === 0 ? 0 : shift(box.node) / most);
                context.fillRect(box.x, top, Math.max(box.width - 0.5, MIN_WIDTH), ROW - 1);
                if (box.width < 26) continue;
                context.fillStyle = isMatch ? theme.back : '#1c1e21';
                context.fillText(clipped(context, name, box.width - 8), box.x + 4, top + ROW / 2);
              }
            }}
          />
        </div>
      </div>
      <div class="status">{describe(hover?.node ?? zoom)}</div>
      {hover !== undefined && (
        <Tip at={hover.at}>
          <b>{nameOf(hover.node)}</b>
          <div>{describe(hover.node).slice(nameOf(hover.node).length + 2)}</div>
          <div class="faint">
            itself {weight(before.self[hover.node]!)} before, {weight(after.self[hover.node]!)} after
          </div>
        </Tip>
      )}
    </>
  );
}
