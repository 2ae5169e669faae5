import { join } from 'node:path';
import { program } from '../contestants.ts';
import { eventFile, pointFile } from '../inputs/data-files.ts';
import { switching } from '../inputs/loads.ts';
import { bootName, perfText } from '../inputs/profiles.ts';
import { beginning, bytesIn, recording } from '../inputs/recordings.ts';
import { sizeOf } from '../inputs.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';
import type { Command } from '../process.ts';

/** Cost over size: what bench/plot.ts draws. Time is to grow as the input does, memory not at all. */
export const scale: Measurement = {
  name: 'scale',
  summary: 'time and memory of each kind of work over the size of its input, from 1 MB to 4 GB',
  races,
};

/** MB, and the largest that a recording can be cut to. */
const SIZES = [1, 4, 16, 64, 256, 1024, 4096];
const RECORDED_SECONDS = 60;
/** Bytes of a record, on average, in a generated file. */
const POINT_BYTES = 67;
const EVENT_BYTES = 50;

async function* races({ inputs, programs, scratch }: Bench): AsyncGenerator<Race> {
  const one = (work: string, bytes: number, command: Command): Race => ({
    title: `${work}, ${Math.round(bytes / 1e6)} MB`,
    series: work,
    bytes,
    contestants: [program('marple', command)],
  });
  const output = (name: string) => ['-o', join(scratch, name), '--force'];
  for (const size of SIZES) {
    const points = await pointFile(inputs, Math.round((size * 1e6) / POINT_BYTES));
    const pointBytes = await sizeOf(points);
    yield one('stats of points', pointBytes, programs.marple('stats', '-i', points));
    yield one('heat map', pointBytes, programs.marple('display', '-i', points, '-hm', '--no-open', ...output('x.png')));
    const events = await eventFile(inputs, Math.round((size * 1e6) / EVENT_BYTES));
    const eventBytes = await sizeOf(events);
    yield one('stats of events', eventBytes, programs.marple('stats', '-i', events));
    const text = await perfText(inputs, bootName(), size * 1e6);
    const folded = ['--format', 'folded', ...output('x.folded')];
    yield one('text to folded', await sizeOf(text), programs.marple('export', '-i', text, '-q', ...folded));
    yield one('CPEL', eventBytes, programs.marple('export', '-i', events, '--format', 'cpel', ...output('x.cpel')));
  }
  const whole = await recording(inputs, programs, 'cpusched', ['--cpu'], switching, RECORDED_SECONDS);
  const most = await bytesIn(whole);
  for (const size of SIZES.filter((mb) => mb * 1e6 < most)) {
    const folder = await beginning(inputs, 'cpusched', whole, size * 1e6);
    yield one('decoding', await bytesIn(folder), programs.marple('import', folder, '-q', ...output('x.marple')));
  }
}
