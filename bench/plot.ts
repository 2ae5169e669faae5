import { readFileSync, writeFileSync } from 'node:fs';
import type { ChartConfiguration } from 'chart.js';
import { ChartJSNodeCanvas } from 'chartjs-node-canvas';
import type { Result } from './main.ts';

/* Draws the curves of what --json wrote, time and memory over size: `plot.cjs RESULTS PNG`. */

const [results = '', png = ''] = process.argv.slice(2);

/** Colours that the colour-blind can tell apart (Okabe and Ito 2008), and marks for who sees none. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const MARKS = ['circle', 'rect', 'triangle', 'rectRot', 'cross', 'star', 'crossRot'] as const;
const [WIDTH, HEIGHT] = [1000, 460];

interface Curve {
  readonly name: string;
  readonly points: readonly { readonly megabytes: number; readonly seconds: number; readonly mebibytes: number }[];
}

function curvesOf(all: readonly Result[]): Curve[] {
  const names = [...new Set(all.flatMap(({ series }) => series ?? []))];
  return names.map((name) => ({
    name,
    points: all
      .filter(({ series }) => series === name)
      .map(({ bytes = 0, outcomes: [outcome] }) => ({
        megabytes: bytes / 1e6,
        seconds: outcome!.cpu,
        mebibytes: outcome!.peak / 2 ** 20,
      }))
      .sort((a, b) => a.megabytes - b.megabytes),
  }));
}

function chart(curves: readonly Curve[], y: 'seconds' | 'mebibytes', title: string): ChartConfiguration {
  const axis = (text: string) => ({
    type: 'logarithmic' as const,
    title: { display: true, text },
    ticks: { callback: (value: string | number) => (/^0*1?0*(\.0*1)?$/.test(String(value)) ? String(value) : '') },
  });
  return {
    type: 'line',
    data: {
      datasets: curves.map(({ name, points }, i) => ({
        label: name,
        data: points.map((point) => ({ x: point.megabytes, y: point[y] })),
        borderColor: COLOURS[i % COLOURS.length]!,
        backgroundColor: COLOURS[i % COLOURS.length]!,
        pointStyle: MARKS[i % MARKS.length]!,
        pointRadius: 5,
        borderWidth: 1.5,
      })),
    },
    options: {
      plugins: { title: { display: true, text: title, font: { size: 15 } }, legend: { position: 'bottom' } },
      scales: {
        x: axis('input, MB'),
        y: y === 'seconds' ? axis('CPU time, s') : { ...axis('peak memory, MiB'), type: 'linear', min: 0, ticks: {} },
      },
    },
  };
}

async function main(): Promise<void> {
  const curves = curvesOf(JSON.parse(readFileSync(results, 'utf8')) as Result[]);
  const canvas = new ChartJSNodeCanvas({ width: WIDTH, height: HEIGHT, backgroundColour: '#ffffff' });
  for (const [y, title] of [
    ['seconds', 'Time over the size of the input'],
    ['mebibytes', 'Memory over the size of the input'],
  ] as const) {
    writeFileSync(png.replace(/(\.png)?$/, `-${y}.png`), await canvas.renderToBuffer(chart(curves, y, title)));
  }
}

void main();
