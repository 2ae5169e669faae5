/** A key and what it does. */
export type Key = readonly [key: string, what: string];

/** In every tab of a report. */
const EVERYWHERE: readonly Key[] = [
  ['[ ]', 'the tab before, the next one'],
  ['/', 'search'],
  ['Ctrl+Z Ctrl+Y', 'undo, redo filters'],
  ['b', 'pin the selection as base, unpin it'],
  ['s', 'save'],
  ['?', 'these keys'],
];

const LANES: readonly Key[] = [
  ['drag', 'select a range of time; a click takes it back'],
  ['← →', 'move the range; with Shift its end'],
  ['Esc', 'all of the time'],
];

/** By the name of a view: what it does when it has the focus. */
export const VIEW_KEYS: Readonly<Record<string, readonly Key[]>> = {
  flamegraph: [
    ['↑ ↓ ← →', 'to what it calls, its caller, the one beside it'],
    ['Enter', 'zoom'],
    ['Esc', 'all'],
  ],
  treemap: [
    ['arrows', 'to the next box, the one before'],
    ['Enter', 'into the box'],
    ['Esc', 'out of it'],
  ],
  heatmap: [
    ['arrows', 'to the next bin; with Shift select'],
    ['Enter', 'show only what is selected'],
    ['+ −', 'zoom across'],
    ['> <', 'zoom upwards'],
    ['0 Esc', 'all'],
  ],
  stackplot: [
    ['← →', 'read the values; with Shift select'],
    ['Enter', 'show only what is selected'],
    ['+ − 0', 'zoom in, out, all'],
  ],
  plot: [
    ['wheel', 'zoom; with Shift move'],
    ['drag', 'zoom to it; with Shift move'],
    ['← →', 'move'],
    ['+ − 0', 'zoom in, out, all'],
    ['↑ ↓ Enter', 'choose a track'],
    ['click', 'a track, an event, a gap'],
    ['n p', 'next event of this kind, the one before'],
    ['r', 'ruler: two clicks'],
    ['c', 'colour by type or process'],
    ['h', 'hide the track'],
  ],
};

export function KeyList({ keys }: { readonly keys: readonly Key[] }) {
  return (
    <dl class="keys">
      {keys.map(([key, what]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{what}</dd>
        </div>
      ))}
    </dl>
  );
}

/** All keys of a tab; `view` is the name of its view, where it has one. */
export function KeyHelp({ view }: { readonly view: string | undefined }) {
  const own = view === undefined ? undefined : VIEW_KEYS[view];
  return (
    <section class="bar help" aria-label="Keys">
      <h3>Everywhere</h3>
      <KeyList keys={EVERYWHERE} />
      <h3>Lanes</h3>
      <KeyList keys={LANES} />
      {own !== undefined && (
        <>
          <h3>This view</h3>
          <KeyList keys={own} />
        </>
      )}
    </section>
  );
}

/** Whether a key is typed into something, and so is no command. */
export function isTyped({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}
