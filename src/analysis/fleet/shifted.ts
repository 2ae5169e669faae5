import type { Datapoint, Datatype, EventData, RecordOf } from '../../common/datatypes.ts';
import type { SectionHeader } from '../../common/header.ts';
import type { SectionReader } from '../../common/reader.ts';
import { xIsTime } from '../notes.ts';

/** The same records on another clock: `ns` is added to every time. Each time is whole nanoseconds. */
export function shifted(section: SectionReader, ns: number, header: SectionHeader): SectionReader {
  const { datatype } = section.header;
  const hasTime = datatype === 'event' || (datatype === 'datapoint' && xIsTime(section.header));
  const isMoved = ns !== 0 && hasTime;
  return {
    number: section.number,
    header,
    batches: (wanted) => (isMoved ? shiftedBatches(section, wanted, ns) : section.batches(wanted)),
    async *points(want, part) {
      for await (const points of section.points(want, part)) {
        yield isMoved ? { ...points, x: points.x.map((x) => movedSeconds(x, ns)) } : points;
      }
    },
    async *events(want, part) {
      for await (const events of section.events(want, part)) {
        yield isMoved ? { ...events, time: events.time.map((time) => time + ns) } : events;
      }
    },
    stacks: () => section.stacks(),
  };
}

async function* shiftedBatches<D extends Datatype>(
  section: SectionReader,
  datatype: D,
  ns: number,
): AsyncGenerator<RecordOf[D][]> {
  for await (const records of section.batches(datatype)) {
    yield (
      datatype === 'event'
        ? (records as readonly EventData[]).map((event) => ({ ...event, time: event.time + ns }))
        : (records as readonly Datapoint[]).map((point) => ({
            ...point,
            x: movedSeconds(point.x, ns),
          }))
    ) as RecordOf[D][];
  }
}

function movedSeconds(seconds: number, ns: number): number {
  return (Math.round(seconds * 1e9) + ns) / 1e9;
}
