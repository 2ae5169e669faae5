import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isSea } from 'node:sea';
import { crc32 } from 'node:zlib';
import type { Canvas, CanvasRenderingContext2D } from 'canvas';
import type { Chart, ChartConfiguration, Plugin } from 'chart.js';
import { errorMessage, UnavailableError } from '../common/errors.ts';
import { installRoot } from '../common/paths.ts';
import { shorten } from '../common/text.ts';
import { SIGNATURE } from './generic-display.ts';
import { footerLines } from './notes.ts';

export type { CanvasRenderingContext2D } from 'canvas';

export const FONT = "'DejaVu Sans', 'Liberation Sans', 'Noto Sans', Arial, sans-serif";
export const INK = '#222222';
export const FAINT_INK = '#666666';
export const NOTE_INK = '#9a3c00';
export const GRID = '#e4e4e4';

/** Width of a character of FONT at 11 pixels, about. */
const NOTE_CHARACTER = 6.3;
const NOTE_HEIGHT = 15;

/** The texts around a chart. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly subtitle: readonly string[];
  readonly footer: readonly string[];
}

export interface Drawn {
  readonly png: Buffer;
  /** False where the machine has no fonts: all text is boxes then. */
  readonly hasFonts: boolean;
}

/**
 * Draws a Chart.js chart on canvas as PNG. Both are loaded only here, since collecting must do without them.
 * @throws UnavailableError where they are not installed.
 */
export async function drawChart(frame: Frame, configuration: ChartConfiguration): Promise<Drawn> {
  const { ChartJSNodeCanvas, createCanvas } = await loadCanvas();
  const { width, height } = frame;
  const renderer = new ChartJSNodeCanvas({ width, height, backgroundColour: '#ffffff' });
  let canvas: Canvas | undefined;
  const keeper: Plugin = {
    id: 'keeper',
    afterRender(chart) {
      canvas = contextOf(chart).canvas;
    },
  };
  // Its stream is left alone, and so are its buffers: how they encode cannot be chosen.
  renderer.renderToStream({
    ...configuration,
    options: { responsive: false, animation: false, devicePixelRatio: 1, ...configuration.options },
    plugins: [...(configuration.plugins ?? []), footerPlugin(frame), keeper],
  });
  return { png: encodePng(canvas!), hasFonts: measuresText(createCanvas(10, 10).getContext('2d')) };
}

export const NO_FONTS = 'no fonts are installed here, so text shows as boxes: apt-get install fonts-dejavu-core';

/** @throws UnavailableError where it is not installed. */
export async function loadCanvas() {
  // It could not be loaded, and Node would say so at length.
  if (isSea()) {
    throw new UnavailableError('PNG pictures need the package canvas, which MARPLE as one file does not have', AS_HTML);
  }
  try {
    const [{ ChartJSNodeCanvas }, { createCanvas, createImageData }] = await Promise.all([
      import('chartjs-node-canvas'),
      import('canvas'),
    ]);
    return { ChartJSNodeCanvas, createCanvas, createImageData };
  } catch (error) {
    const isClone = existsSync(join(installRoot(), 'setup.sh'));
    const command = isClone
      ? './setup.sh (without --collect-only)'
      : 'npm install -g canvas chart.js chartjs-node-canvas';
    throw new UnavailableError(
      `PNG pictures need the package canvas, which could not be loaded: ${errorMessage(error).split('\n')[0]}`,
      `${command} installs it; ${AS_HTML}`,
      { cause: error },
    );
  }
}

const AS_HTML = 'without it: -o FILE.html';

/** Why no PNG can be drawn here; undefined where it can. */
export async function canvasProblem(): Promise<UnavailableError | undefined> {
  try {
    await loadCanvas();
    return undefined;
  } catch (error) {
    if (error instanceof UnavailableError) return error;
    throw error;
  }
}

/** Chart.js options for title and subtitle; the footer's height is kept free at the bottom. */
export function frameOptions(frame: Frame) {
  const characters = Math.floor(frame.width / 6.6);
  return {
    layout: { padding: { top: 8, left: 10, right: 16, bottom: 10 + linesBelow(frame).length * NOTE_HEIGHT } },
    plugins: {
      title: {
        display: true,
        text: shorten(frame.title, Math.floor(frame.width / 11)),
        color: INK,
        font: { family: FONT, size: 18, weight: 'bold' as const },
        padding: { top: 4, bottom: 4 },
      },
      subtitle: {
        display: true,
        text: frame.subtitle.map((line) => shorten(line, characters)),
        color: FAINT_INK,
        font: { family: FONT, size: 12, lineHeight: 1.35 },
        padding: { bottom: 14 },
      },
      legend: { display: false },
      tooltip: { enabled: false },
    },
  };
}

/** Chart.js options of a linear or logarithmic axis. */
export function axisOptions(title: string) {
  return {
    title: { display: true, text: title, color: INK, font: { family: FONT, size: 13 } },
    border: { color: '#888888' },
    grid: { color: GRID },
  };
}

export const TICK_STYLE = { color: INK, font: { family: FONT, size: 11 } } as const;

/** The drawing context of a chart; on canvas it is node-canvas's own. */
export function contextOf(chart: Chart): CanvasRenderingContext2D {
  return chart.ctx as unknown as CanvasRenderingContext2D;
}

/** Says in the middle of a chart that it has nothing to show. */
export const EMPTY: Plugin = {
  id: 'empty',
  afterDraw(chart) {
    const context = contextOf(chart);
    const { left, right, top, bottom } = chart.chartArea;
    context.save();
    context.font = `16px ${FONT}`;
    context.fillStyle = INK;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText('no records', (left + right) / 2, (top + bottom) / 2);
    context.restore();
  },
};

function linesBelow(frame: Frame): string[] {
  return footerLines(frame.footer, Math.floor((frame.width - 32) / NOTE_CHARACTER));
}

function footerPlugin(frame: Frame): Plugin {
  const lines = linesBelow(frame);
  return {
    id: 'footer',
    afterDraw(chart) {
      const context = contextOf(chart);
      context.save();
      context.font = `11px ${FONT}`;
      context.fillStyle = NOTE_INK;
      context.textAlign = 'left';
      context.textBaseline = 'alphabetic';
      lines.forEach((line, i) => {
        context.fillText(line, 16, frame.height - 10 - (lines.length - 1 - i) * NOTE_HEIGHT);
      });
      context.restore();
    },
  };
}

/** Without fonts every character is the same box, so that narrow and wide ones measure alike. */
export function measuresText(context: CanvasRenderingContext2D): boolean {
  context.font = `16px ${FONT}`;
  return context.measureText('iiii').width !== context.measureText('WWWW').width;
}

/** PNG_FILTER_UP of libpng: what differs from the row above. Of bins and bars that is little, and no other filter has to be tried. */
const FILTER_UP = 0x20;

/** A canvas as a PNG that bears our signature. */
export function encodePng(canvas: Canvas): Buffer {
  return sign(canvas.toBuffer('image/png', { filters: FILTER_UP }));
}

/**
 * Adds a `Software` text chunk with our signature behind the header chunk: 8 bytes of file signature, then IHDR with 4
 * of length, 4 of type, 13 of data and 4 of CRC (PNG specification, sections 5 and 11.3.3.2).
 */
function sign(png: Buffer): Buffer {
  const at = 8 + 4 + 4 + 13 + 4;
  const body = Buffer.from(`tEXtSoftware\0${SIGNATURE}`, 'latin1');
  const chunk = Buffer.alloc(body.length + 8);
  chunk.writeUInt32BE(body.length - 4, 0);
  body.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(body), 4 + body.length);
  return Buffer.concat([png.subarray(0, at), chunk, png.subarray(at)]);
}
