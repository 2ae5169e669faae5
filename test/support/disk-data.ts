import { readFileSync } from 'node:fs';
import { decodeText } from '../../src/common/codec.ts';
import type { Datapoint, EventData, StackData } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';

/** A data file of disk interfaces, read in the plainest way. */
export interface DiskData {
  readonly headers: SectionHeader[];
  readonly points: Datapoint[];
  readonly stacks: StackData[];
  readonly events: EventData[];
}

export function readDiskData(path: string): DiskData {
  const data: DiskData = { headers: [], points: [], stacks: [], events: [] };
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    if (line.startsWith('{')) {
      data.headers.push(JSON.parse(line) as SectionHeader);
      continue;
    }
    switch (data.headers.at(-1)?.datatype) {
      case 'datapoint': {
        const [x, y, ...info] = line.split(/(?<!\\),/u);
        data.points.push({ x: Number(x), y: Number(y), info: info.map((text) => decodeText(text, ',')) });
        break;
      }
      case 'event': {
        const [time, type = '', ...datum] = line.split(/(?<!\\),/u);
        data.events.push({ time: Number(time), type, datum: datum.map((text) => decodeText(text, ',')) });
        break;
      }
      case 'stack': {
        const hash = line.indexOf('#');
        const frames = line.slice(hash + 1).split(/(?<!\\);/u);
        data.stacks.push({
          weight: Number(line.slice(0, hash)),
          stack: frames.map((frame) => decodeText(frame, ';')),
        });
      }
    }
  }
  return data;
}
