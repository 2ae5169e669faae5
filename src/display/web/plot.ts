import { formatTick } from '../../common/text.ts';
import { roundTicks } from '../shape/axes.ts';
import type { Range } from '../shape/zoom.ts';
import { FONT, type Place, type Theme } from './canvas.tsx';

/** Where the data of a plot is drawn within its canvas, in pixels. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Room for the axes of a plot, pixels: the values with their title, and the ticks below. */
const MARGIN = { left: 78, top: 10, bottom: 44 } as const;

/** Where a plot is in a canvas of some size, with its axes, and so much room at the right. */
export function areaIn({ width, height }: { readonly width: number; readonly height: number }, right: number): Area {
  const { left, top, bottom } = MARGIN;
  return { left, top, width: Math.max(10, width - left - right), height: Math.max(10, height - top - bottom) };
}

/** Pixels for so many steps of the wheel, or of a key. */
const WHEEL_FACTOR = 0.0016;
export const KEY_FACTOR = 1.4;

/** By how much a turn of the wheel makes a range wider. */
export function wheelFactor(event: WheelEvent): number {
  const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 * event.deltaY : event.deltaY;
  return Math.exp(Math.max(-400, Math.min(400, pixels)) * WHEEL_FACTOR);
}

/** Where the pointer is within an element. */
export function placeIn(event: MouseEvent): Place {
  const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

export function isWithin({ left, top, width, height }: Area, { x, y }: Place): boolean {
  return x >= left && x < left + width && y >= top && y < top + height;
}

/** The pixel of a value on a horizontal range. */
export function pixelOf(value: number, [from, to]: Range, start: number, length: number): number {
  return start + ((value - from) / (to - from)) * length;
}

/** The value at a pixel. */
export function valueAt(pixel: number, [from, to]: Range, start: number, length: number): number {
  return from + ((pixel - start) / length) * (to - from);
}

/** The axis below a plot, with grid lines and its title. */
export function drawXAxis(
  context: CanvasRenderingContext2D,
  theme: Theme,
  area: Area,
  range: Range,
  title: string,
): void {
  const bottom = area.top + area.height;
  context.font = `12px ${FONT}`;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const tick of roundTicks(range, Math.max(2, area.width / 90))) {
    const x = Math.round(pixelOf(tick, range, area.left, area.width)) + 0.5;
    line(context, theme.line, x, bottom, x, bottom + 5);
    context.fillStyle = theme.ink;
    context.fillText(formatTick(tick), x, bottom + 7);
  }
  line(context, theme.faint, area.left, bottom + 0.5, area.left + area.width, bottom + 0.5);
  context.fillStyle = theme.faint;
  context.fillText(title, area.left + area.width / 2, bottom + 24);
}

/** The axis left of a plot: ticks with their pixels, and the title along it. */
export function drawYAxis(
  context: CanvasRenderingContext2D,
  theme: Theme,
  area: Area,
  ticks: readonly (readonly [value: number, pixel: number])[],
  title: string,
): void {
  context.font = `12px ${FONT}`;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  for (const [value, pixel] of ticks) {
    const y = Math.round(pixel) + 0.5;
    line(context, theme.line, area.left - 5, y, area.left, y);
    context.fillStyle = theme.ink;
    context.fillText(formatTick(value), area.left - 8, y);
  }
  line(context, theme.faint, area.left - 0.5, area.top, area.left - 0.5, area.top + area.height);
  context.save();
  context.translate(14, area.top + area.height / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = 'center';
  context.fillStyle = theme.faint;
  context.fillText(title, 0, 0);
  context.restore();
}

export function line(
  context: CanvasRenderingContext2D,
  colour: string,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
