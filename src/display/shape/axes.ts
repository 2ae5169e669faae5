import type { Axis, SectionHeader } from '../../common/header.ts';
import { visible } from '../../common/text.ts';
import { niceStep, type Viewport } from './bins.ts';

/** What the axes of datapoints measure. */
export function pointAxes({ x, y }: Pick<SectionHeader, 'x' | 'y'>): { readonly x: Axis; readonly y: Axis } {
  return { x: x ?? { label: 'x', unit: '' }, y: y ?? { label: 'y', unit: '' } };
}

/** `latency (ms)`, as visible text; the label alone where there is no unit. */
export function axisTitle({ label, unit }: Axis): string {
  return visible(unit === '' ? label : `${label} (${unit})`);
}

/** Round positions on an axis, about `count` of them, counted from `shift`: so that an axis that is labelled from there begins at 0. */
export function roundTicks([from, to]: readonly [number, number], count = 12, shift = 0): number[] {
  const step = niceStep((to - from) / count);
  const first = Math.ceil((from - shift) / step - 1e-9);
  const last = Math.floor((to - shift) / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => shift + (first + i) * step);
}

/** On a logarithmic axis only 1, 2 and 5 of each decade have room, and over many decades only 1. */
export function logTicks({ bottom, top }: Pick<Viewport, 'bottom' | 'top'>): number[] {
  const decades = Math.log10(top / bottom);
  const leads = decades > 6 ? [1] : decades > 4 ? [1, 3] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(bottom)); 10 ** power <= top; power++) {
    for (const lead of leads) {
      const value = Number(`${lead}e${power}`);
      if (value >= bottom && value <= top) ticks.push(value);
    }
  }
  // Within one decade there may be none of them.
  return ticks.length > 1 ? ticks : roundTicks([bottom, top], 5);
}

/** Where on the colour scale (0 .. 1) a count of 1 .. `max` stands. */
export function colourShare(count: number, max: number, log: boolean): number {
  if (max <= 1) return 0.5;
  return log ? Math.log(count) / Math.log(max) : (count - 1) / (max - 1);
}

/** Counts to label at a colour scale: 1, the maximum, and round ones between that keep a distance. */
export function colourTicks(max: number, log: boolean): number[] {
  if (max <= 1) return [1];
  const inner: number[] = [];
  if (log) {
    for (let decade = 1; decade < max; decade *= 10) inner.push(decade, 2 * decade, 5 * decade);
  } else {
    const step = Math.max(1, niceStep(max / 6));
    for (let count = step; count < max; count += step) inner.push(Math.round(count));
  }
  const ticks = [1];
  for (const count of inner) {
    const share = colourShare(count, max, log);
    const last = colourShare(ticks.at(-1) ?? 1, max, log);
    if (count > 1 && share - last > 0.05 && 1 - share > 0.05) ticks.push(count);
  }
  return [...ticks, max];
}
