import { join } from 'node:path';
import { program } from '../contestants.ts';
import { pointFile } from '../inputs/data-files.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';

export const heatMap: Measurement = {
  name: 'heat-map',
  summary: 'ten million points to a heat map as PNG, beside Python with numpy and matplotlib',
  races,
};

const POINTS = 10_000_000;

async function* races({ inputs, programs, scratch, absent }: Bench): AsyncGenerator<Race> {
  const file = await pointFile(inputs, POINTS);
  const python = programs.python('numpy', 'matplotlib');
  if (python === undefined) absent('numpy', 'no Python here has numpy and matplotlib (python3-matplotlib)');
  const png = join(scratch, 'heat.png');
  yield {
    title: `${POINTS} points to PNG`,
    bytes: await sizeOf(file),
    contestants: [
      program('marple', programs.marple('display', '-i', file, '-hm', '-o', png, '--force', '--no-open')),
      ...(python === undefined ? [] : [program('numpy', [python, 'bench/peers/heat_map.py', file, png])]),
    ],
    goals: [
      { of: 'marple', seconds: 2 },
      { of: 'marple', mebibytes: 350 },
    ],
  };
}
