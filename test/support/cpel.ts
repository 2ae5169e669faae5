/** What an independent reader of CPEL finds in a file; it throws where the file breaks a rule that a reader of CPEL relies on. */
export interface ReadLog {
  readonly date: number;
  readonly types: ReadonlyMap<number, string>;
  readonly tracks: ReadonlyMap<number, string>;
  readonly events: readonly { time: bigint; track: number; code: number; datum: string }[];
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not a good CPEL file: ${what}`);
}

const NAME = /^[\x20-\x24\x26-\x7e]{1,30}$/;

export function readCpel(bytes: Buffer): ReadLog {
  must(bytes[0] === 1 && bytes[1] === 0, 'it begins with 1 and 0');
  const sections: { type: number; data: Buffer }[] = [];
  let at = 8;
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at + 4);
    must(at + 8 + length <= bytes.length, 'sections are as long as they say');
    sections.push({ type: bytes.readUInt32BE(at), data: bytes.subarray(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  must(bytes.readUInt16BE(2) === sections.length, 'the number of sections is right');
  must(sections.map(({ type }) => type).join() === '1,3,4,5', 'there are sections 1, 3, 4 and 5, in this order');
  const [strings, typeData, trackData, eventData] = sections.map(({ data }) => data) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  must(strings.length % 8 === 0, 'the strings are padded to a multiple of 8');
  must(strings.at(-1) === 0, 'the last string ends');
  must(strings.toString('latin1').startsWith('FileStrtab\0'), 'the table begins with its name');
  const starts = new Set([0]);
  for (let i = 0; i < strings.length; i++) if (strings[i] === 0) starts.add(i + 1);
  const stringAt = (offset: number): string => {
    must(offset < strings.length && starts.has(offset), `${offset} is where a string begins`);
    const text = strings.toString('latin1', offset, strings.indexOf(0, offset));
    must(text.length > 0, 'strings are not empty');
    must(/^[\x20-\x7e]*$/.test(text), `${JSON.stringify(text)} is ASCII`);
    return text;
  };
  for (const data of [typeData, trackData, eventData]) {
    must(data.toString('latin1', 0, 64) === 'FileStrtab'.padEnd(64, '\0'), 'the table is named in 64 bytes');
  }
  const types = new Map<number, string>();
  must(typeData.length === 68 + 12 * typeData.readUInt32BE(64), 'event definitions are 12 bytes each');
  for (let place = 68; place < typeData.length; place += 12) {
    const [code, name] = [typeData.readUInt32BE(place), stringAt(typeData.readUInt32BE(place + 4))];
    must(code > 0 && !types.has(code), 'codes are above 0 and defined once');
    must(NAME.test(name), `${name} is a name that can be shown`);
    must(stringAt(typeData.readUInt32BE(place + 8)) === '%s', 'datums are %s');
    types.set(code, name);
  }
  must(types.size <= 100_000, 'there are 100,000 event definitions at most');
  const tracks = new Map<number, string>();
  must(trackData.length === 68 + 8 * trackData.readUInt32BE(64), 'track definitions are 8 bytes each');
  for (let place = 68; place < trackData.length; place += 8) {
    const [id, name] = [trackData.readUInt32BE(place), stringAt(trackData.readUInt32BE(place + 4))];
    must(!tracks.has(id), 'tracks are defined once');
    must(NAME.test(name), `${name} is a name that can be shown`);
    tracks.set(id, name);
  }
  const count = eventData.readUInt32BE(64);
  must(eventData.length === 72 + 20 * count, 'events are 20 bytes each');
  must(count > 0, 'there are events');
  must(eventData.readUInt32BE(68) === 1_000_000_000, 'ticks are nanoseconds');
  const events: { time: bigint; track: number; code: number; datum: string }[] = [];
  const used = { types: new Set<number>(), tracks: new Set<number>() };
  for (let place = 72; place < eventData.length; place += 20) {
    const time = eventData.readBigUInt64BE(place);
    must(time >= (events.at(-1)?.time ?? 0n), 'events are sorted');
    const [track, code] = [eventData.readUInt32BE(place + 8), eventData.readUInt32BE(place + 12)];
    must(tracks.has(track) && types.has(code), 'all tracks and codes are defined');
    used.types.add(code);
    used.tracks.add(track);
    events.push({ time, track, code, datum: stringAt(eventData.readUInt32BE(place + 16)) });
  }
  must(events[0]!.time === 0n, 'times count from the first event');
  must(used.types.size === types.size && used.tracks.size === tracks.size, 'only what is used is defined');
  return { date: bytes.readUInt32BE(4), types, tracks, events };
}
