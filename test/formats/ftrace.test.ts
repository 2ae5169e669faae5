import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Random } from '../../src/analysis/random.ts';
import { DamagedFileError } from '../../src/common/errors.ts';
import {
  CpuStream,
  checkHeaderEvent,
  type EventFormat,
  FtraceReader,
  ftraceDetailsSchema,
  GAP_END,
  GAP_START,
  numberField,
  type PageLayout,
  pageBytes,
  parseFormat,
  parseHeaderPage,
  parseStats,
  rawFile,
  readStats,
  textField,
} from '../../src/formats/ftrace.ts';
import { tempFolder } from '../support/data-files.ts';
import {
  type Entry,
  HEADER_EVENT,
  HEADER_PAGE,
  longEvent,
  MARK_FORMAT,
  MISSED,
  markRecord,
  page,
  STORED,
  shortEvent,
  word,
} from '../support/trace-pages.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/ftrace');

interface Recorded {
  readonly details: { readonly ftrace: unknown };
}

function openFixture(name: string): FtraceReader {
  const dir = join(FIXTURES, name);
  const { details } = JSON.parse(readFileSync(join(dir, 'recording.json'), 'utf8')) as Recorded;
  return new FtraceReader(dir, ftraceDetailsSchema.parse(details.ftrace), 0n);
}

function* eventsOf(reader: FtraceReader): Generator<CpuStream> {
  for (let event = reader.next(); event !== undefined; event = reader.next()) yield event;
  reader.close();
}

/** The line that the kernel prints for an event, from what was decoded of it. */
function printer(reader: FtraceReader): (event: CpuStream) => string {
  const bodies = new Map<number, (event: CpuStream) => string>();
  const add = (name: string, body: (format: EventFormat) => (event: CpuStream) => string): void => {
    const format = reader.format(name) as EventFormat;
    const print = body(format);
    bodies.set(format.id, (event) => `${format.name}: ${print(event)}`);
  };
  const device = (dev: number): string => `${Math.floor(dev / 2 ** 20)},${dev % 2 ** 20}`;
  const sectorOf = (format: EventFormat): ((event: CpuStream) => string) => {
    const sector = numberField(format, 'sector');
    // A flush completes at sector -1, which is printed unsigned.
    return (event) => (sector(event) >= 2 ** 64 ? '18446744073709551615' : `${sector(event)}`);
  };
  add('block:block_rq_issue', (format) => {
    const [dev, bytes, sectors] = ['dev', 'bytes', 'nr_sector'].map((name) => numberField(format, name));
    const [rwbs, cmd, comm] = ['rwbs', 'cmd', 'comm'].map((name) => textField(format, name));
    const sector = sectorOf(format);
    return (e) =>
      `${device(dev!(e))} ${rwbs!(e)} ${bytes!(e)} (${cmd!(e)}) ${sector(e)} + ${sectors!(e)} PRIO [${comm!(e)}]`;
  });
  add('block:block_rq_complete', (format) => {
    const [dev, sectors, error] = ['dev', 'nr_sector', 'error'].map((name) => numberField(format, name));
    const [rwbs, cmd] = ['rwbs', 'cmd'].map((name) => textField(format, name));
    const sector = sectorOf(format);
    return (e) => `${device(dev!(e))} ${rwbs!(e)} (${cmd!(e)}) ${sector(e)} + ${sectors!(e)} PRIO [${error!(e)}]`;
  });
  add('task:task_newtask', (format) => {
    const [pid, flags, score] = ['pid', 'clone_flags', 'oom_score_adj'].map((name) => numberField(format, name));
    const comm = textField(format, 'comm');
    return (e) => `pid=${pid!(e)} comm=${comm(e)} clone_flags=${flags!(e).toString(16)} oom_score_adj=${score!(e)}`;
  });
  add('task:task_rename', (format) => {
    const [oldcomm, newcomm] = ['oldcomm', 'newcomm'].map((name) => textField(format, name));
    const score = numberField(format, 'oom_score_adj');
    const pid = numberField(format, format.fields.has('pid') ? 'pid' : 'common_pid');
    return (e) => `pid=${pid(e)} oldcomm=${oldcomm!(e)} newcomm=${newcomm!(e)} oom_score_adj=${score(e)}`;
  });
  const issuer = numberField(reader.format('block:block_rq_issue') as EventFormat, 'common_pid');
  return (event) => {
    const micros = Math.floor((event.time + 500) / 1000);
    const time = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, '0')}`;
    return `${issuer(event)} [${String(event.cpu).padStart(3, '0')}] ${time}: ${bodies.get(event.id)?.(event) ?? '?'}`;
  };
}

/** The lines of the kernel's text, less what the printer above does not give: task name, flags, I/O priority. */
function kernelLines(name: string): string[] {
  return readFileSync(join(FIXTURES, name, 'trace.txt'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) =>
      line
        .replace(/^ *.*?-(\d+) +(\[\d+\]) \S+ +(\d+\.\d+: )/u, '$1 $2 $3')
        .replace(/ (?:none|rt|be|idle|invalid),\d+,\d+ \[/u, ' PRIO ['),
    );
}

describe('pages of a real kernel', () => {
  test('every event is as the kernel itself prints it, in its order', () => {
    const reader = openFixture('whole');
    const print = printer(reader);
    const decoded: string[] = [];
    for (const event of eventsOf(reader)) decoded.push(print(event));
    expect(decoded).toEqual(kernelLines('whole'));
    expect(decoded.length).toBeGreaterThan(500);
  });

  test('the count is that of the kernel, nothing is damaged', () => {
    const reader = openFixture('whole');
    for (const { id } of eventsOf(reader)) expect(id).toBeGreaterThan(0);
    const read = readStats(join(FIXTURES, 'whole'))?.cpus.reduce((sum, cpu) => sum + cpu.read, 0);
    expect(reader).toMatchObject({ events: read, damaged: 0, missed: 0 });
  });

  test('what was overwritten shows as gaps, and their sum is the overrun of the kernel', () => {
    const reader = openFixture('overrun');
    const open = new Set<number>();
    const last = new Map<number, number>();
    let gaps = 0;
    for (const { id, cpu, time } of eventsOf(reader)) {
      expect(time).toBeGreaterThanOrEqual(last.get(cpu) ?? Number.NEGATIVE_INFINITY);
      last.set(cpu, time);
      if (id === GAP_START) open.add(cpu);
      else if (id === GAP_END) expect(open.delete(cpu)).toBe(true);
      else expect(open.has(cpu)).toBe(false);
      if (id === GAP_END) gaps++;
    }
    const cpus = readStats(join(FIXTURES, 'overrun'))?.cpus ?? [];
    const sum = (name: 'overrun' | 'read'): number => cpus.reduce((total, cpu) => total + cpu[name], 0);
    expect(sum('overrun')).toBeGreaterThan(1000);
    expect(reader).toMatchObject({ missed: sum('overrun'), events: sum('read'), damaged: 0 });
    expect(gaps).toBeGreaterThanOrEqual(4);
  });

  test('the pages of the last moments, behind a gap, are as the kernel prints them', () => {
    const reader = openFixture('overrun');
    const print = printer(reader);
    const decoded: string[] = [];
    for (const event of eventsOf(reader)) if (event.id > 0) decoded.push(print(event));
    const lines = kernelLines('overrun');
    expect(lines.length).toBeGreaterThan(100);
    // The text is what had not been read when the recording stopped.
    const seen = new Set(decoded);
    expect(lines.filter((line) => !seen.has(line))).toEqual([]);
  });
});

const LONGS = [8, 4] as const;

interface Seen {
  readonly time: number;
  readonly id: number;
  readonly value?: number;
}

function stream(longSize: 4 | 8, pages: readonly Buffer[], origin = 0n): CpuStream {
  const path = rawFile(tempFolder(), 0);
  writeFileSync(path, Buffer.concat(pages));
  return new CpuStream(0, path, parseHeaderPage(HEADER_PAGE[longSize]), origin, new Map([[MARK_FORMAT.id, 12]]));
}

const markValue = numberField(MARK_FORMAT, 'value');

function allOf(cpu: CpuStream): Seen[] {
  const seen: Seen[] = [];
  while (cpu.advance()) {
    const { time, id } = cpu;
    seen.push(id === MARK_FORMAT.id ? { time, id, value: markValue(cpu) } : { time, id });
  }
  cpu.close();
  return seen;
}

const mark = (time: number, value: number): Seen => ({ time, id: MARK_FORMAT.id, value });

describe.each(LONGS)('pages of a kernel whose long has %i bytes', (long) => {
  test('times add up from that of the page', () => {
    const entries = [shortEvent(5, 1), shortEvent(0, 2), shortEvent(2 ** 27 - 1, 3)];
    const cpu = stream(long, [page(long, 1000n, entries), page(long, 5_000_000_000n, [shortEvent(1, 4)])], 1000n);
    expect(allOf(cpu)).toEqual([mark(5, 1), mark(5, 2), mark(2 ** 27 + 4, 3), mark(4_999_999_001, 4)]);
    expect(cpu).toMatchObject({ events: 4, damaged: 0 });
  });

  test('a time extend carries what 27 bits cannot', () => {
    const extend: Entry = Buffer.concat([word(30, 7), word(0, 0, 3)]);
    const cpu = stream(long, [page(long, 0n, [extend, shortEvent(1, 1)])]);
    expect(allOf(cpu)).toEqual([mark(3 * 2 ** 27 + 7 + 1, 1)]);
  });

  test('a time stamp is absolute in 59 bits; the upper ones are those of the page', () => {
    const base = (9n << 59n) + 100n;
    const absolute = (3n << 27n) + 5n;
    const stamp: Entry = Buffer.concat([word(31, 5), word(0, 0, 3)]);
    const cpu = stream(long, [page(long, base, [shortEvent(1, 1), stamp, shortEvent(2, 2)])], 9n << 59n);
    expect(allOf(cpu)).toEqual([mark(101, 1), mark(Number(absolute) + 2, 2)]);
  });

  test('records longer than 112 bytes tell their length in a word of their own', () => {
    const cpu = stream(long, [page(long, 0n, [longEvent(1, 7, 300), shortEvent(1, 8)])]);
    expect(allOf(cpu)).toEqual([mark(1, 7), mark(2, 8)]);
  });

  test('discarded events are left out, their time counts', () => {
    // Length behind the header, with the word that tells it.
    const discarded: Entry = Buffer.concat([word(29, 40), word(0, 0, 12), Buffer.alloc(8)]);
    const cpu = stream(long, [page(long, 0n, [shortEvent(1, 1), discarded, shortEvent(1, 2)])]);
    expect(allOf(cpu)).toEqual([mark(1, 1), mark(42, 2)]);
    expect(cpu).toMatchObject({ events: 2, damaged: 0 });
  });

  test('padding without a time ends a page', () => {
    for (const padding of [word(29, 0), Buffer.concat([word(29, 0), Buffer.alloc(40)])]) {
      const cpu = stream(long, [page(long, 0n, [shortEvent(1, 1), padding]), page(long, 9n, [shortEvent(0, 2)])]);
      expect(allOf(cpu)).toEqual([mark(1, 1), mark(9, 2)]);
      expect(cpu.damaged).toBe(0);
    }
  });

  test('lost events make a gap from the last event before to the first after', () => {
    const pages = [
      page(long, 10n, [shortEvent(1, 1)]),
      page(long, 50n, [shortEvent(2, 2)], { flags: MISSED | STORED, missed: 1234 }),
      page(long, 90n, [shortEvent(3, 3)], { flags: MISSED }),
    ];
    const cpu = stream(long, pages);
    expect(allOf(cpu)).toEqual([
      mark(11, 1),
      { time: 11, id: GAP_START },
      { time: 50, id: GAP_END },
      mark(52, 2),
      { time: 52, id: GAP_START },
      { time: 90, id: GAP_END },
      mark(93, 3),
    ]);
    expect(cpu).toMatchObject({ missed: 1234, events: 3, damaged: 0 });
  });

  test('a first page behind lost events begins with a gap', () => {
    const cpu = stream(long, [page(long, 50n, [shortEvent(2, 2)], { flags: MISSED })]);
    expect(allOf(cpu)).toEqual([
      { time: Number.NEGATIVE_INFINITY, id: GAP_START },
      { time: 50, id: GAP_END },
      mark(52, 2),
    ]);
  });

  test('a file cut in a page gives the whole pages, and counts the cut', () => {
    const whole = Buffer.concat([page(long, 0n, [shortEvent(1, 1)]), page(long, 9n, [shortEvent(1, 2)])]);
    const cpu = stream(long, [whole.subarray(0, 4096 + 100)]);
    expect(allOf(cpu)).toEqual([mark(1, 1)]);
    expect(cpu.damaged).toBe(1);
  });

  test('what cannot be is damage: it ends its page and is counted, the next page is read', () => {
    const next = page(long, 9n, [shortEvent(1, 2)]);
    const damages: [string, Buffer][] = [
      ['a length beyond the page', page(long, 0n, [shortEvent(1, 1)], { commit: 5000 })],
      ['a record beyond the data', page(long, 0n, [word(20, 1)])],
      ['a long record beyond the data', page(long, 0n, [Buffer.concat([word(0, 1), word(0, 0, 4000)])])],
      ['a record without a length', page(long, 0n, [Buffer.concat([word(0, 1), word(0, 0, 0), Buffer.alloc(16)])])],
      ['a record without its fields', page(long, 0n, [Buffer.concat([word(2, 1), markRecord(1).subarray(0, 8)])])],
      ['a record without a header', page(long, 0n, [Buffer.concat([word(1, 1), Buffer.alloc(4)])])],
      ['half a time extend', page(long, 0n, [word(30, 1)])],
    ];
    for (const [what, damaged] of damages) {
      const cpu = stream(long, [damaged, next]);
      expect(allOf(cpu), what).toEqual([mark(10, 2)]);
      expect(cpu.damaged, what).toBe(1);
    }
  });

  test('any sequence of events decodes to itself, over any number of pages and chunks', () => {
    const anyEvents = fc.array(
      fc.record({ delta: fc.oneof(fc.nat(1000), fc.nat(2 ** 40)), value: fc.nat(), padding: fc.nat(50) }),
      { maxLength: 3000, size: 'max' },
    );
    fc.assert(
      fc.property(anyEvents, (events) => {
        const pages: Buffer[] = [];
        const expected: Seen[] = [];
        let entries: Buffer[] = [];
        let size = 0;
        let start = 0;
        let now = 0;
        const close = (): void => {
          pages.push(page(long, BigInt(start), entries));
          entries = [];
          size = 0;
        };
        for (const { delta, value, padding } of events) {
          const length = 12 + 4 * padding;
          let extend = Buffer.alloc(0);
          if (size + length + 16 > 4000) {
            close();
            start = now;
          }
          if (delta >= 2 ** 27)
            extend = Buffer.concat([word(30, delta % 2 ** 27), word(0, 0, Math.floor(delta / 2 ** 27))]);
          const event = longEvent(extend.length > 0 ? 0 : delta, value, length);
          now += delta;
          expected.push(mark(now, value));
          entries.push(extend, event);
          size += extend.length + event.length;
        }
        if (entries.length > 0) close();
        const cpu = stream(long, pages);
        expect(allOf(cpu)).toEqual(expected);
        expect(cpu).toMatchObject({ events: expected.length, damaged: 0 });
      }),
      { numRuns: 30 },
    );
  });
});

describe('pages that end behind their data', () => {
  /** The same recording, its pages cut as they are when they are recorded. */
  function cutPages(path: string, layout: PageLayout): Buffer[] {
    const whole = readFileSync(path);
    const starts = Array.from({ length: whole.length / layout.size }, (_, index) => index * layout.size);
    return starts.map((start) => whole.subarray(start, start + pageBytes(whole, start, layout)));
  }

  const seen = (reader: FtraceReader): unknown[] =>
    [...eventsOf(reader)].map(({ cpu, time, id, bytes, offset, length }) => [
      ...[cpu, time, id],
      bytes.toString('hex', offset, offset + (id > 0 ? length : 0)),
    ]);

  test.each(['whole', 'overrun'])('tell what the whole ones do: %s', (name) => {
    const expected = openFixture(name);
    const layout = parseHeaderPage(expected.details.headerPage);
    const dir = tempFolder();
    for (const cpu of expected.details.cpus) {
      writeFileSync(rawFile(dir, cpu), Buffer.concat(cutPages(rawFile(join(FIXTURES, name), cpu), layout)));
    }
    const reader = new FtraceReader(dir, { ...expected.details, cut: true }, 0n);
    expect(seen(reader)).toEqual(seen(expected));
    expect(reader).toMatchObject({ events: expected.events, missed: expected.missed, damaged: 0 });
    expect(reader.events).toBeGreaterThan(100);
  });

  test('one that is not whole is damage, those before it are read', () => {
    const { details } = openFixture('whole');
    const pages = cutPages(rawFile(join(FIXTURES, 'whole'), 1), parseHeaderPage(details.headerPage)).slice(0, 3);
    const eventsIn = (bytes: Buffer): FtraceReader => {
      const dir = tempFolder();
      writeFileSync(rawFile(dir, 1), bytes);
      const reader = new FtraceReader(dir, { ...details, cut: true }, 0n);
      seen(reader);
      return reader;
    };
    const { events } = eventsIn(Buffer.concat(pages.slice(0, 2)));
    const all = Buffer.concat(pages);
    for (const missing of [1, (pages[2] as Buffer).length - 1]) {
      expect(eventsIn(all.subarray(0, all.length - missing))).toMatchObject({ events, damaged: 1 });
    }
  });
});

describe('hostile bytes', () => {
  /** Reads all there is, with every field of every event; the number of steps is bounded by the bytes. */
  function readAll(reader: FtraceReader, bytes: number): void {
    const readers = ['block:block_rq_issue', 'task:task_newtask', 'block:block_rq_complete'].map((name) => {
      const format = reader.format(name) as EventFormat;
      const fields = [...format.fields.values()].map((field) =>
        field.type.includes('char') && field.type.includes('[')
          ? textField(format, field.name)
          : numberField(format, field.name),
      );
      return [format.id, fields] as const;
    });
    const byId = new Map(readers);
    let steps = 0;
    for (const event of eventsOf(reader)) {
      for (const field of byId.get(event.id) ?? []) field(event);
      if (++steps > bytes) throw new Error('does not end');
    }
  }

  const details = ftraceDetailsSchema.parse(
    (JSON.parse(readFileSync(join(FIXTURES, 'whole/recording.json'), 'utf8')) as Recorded).details.ftrace,
  );

  function readerOf(files: readonly Uint8Array[], cut = false): FtraceReader {
    const dir = tempFolder();
    for (const [cpu, bytes] of files.entries()) writeFileSync(rawFile(dir, cpu), bytes);
    return new FtraceReader(dir, { ...details, cpus: files.map((_, cpu) => cpu), cut }, 0n);
  }

  test('random bytes neither throw nor hang, and what is no page is counted', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3 * 4096, size: 'max' }), (bytes) => {
        const reader = readerOf([bytes, bytes.slice(0, 5000)]);
        readAll(reader, bytes.length + 5000);
        if (bytes.length % 4096 !== 0) expect(reader.damaged).toBeGreaterThan(0);
      }),
      { numRuns: 200 },
    );
  });

  test('real pages with any bytes changed neither throw nor hang', () => {
    const real = readFileSync(join(FIXTURES, 'whole/cpu1.raw'));
    const changes = fc.array(fc.tuple(fc.nat(real.length - 1), fc.nat(255)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(changes, fc.nat(real.length), fc.boolean(), (changed, length, cut) => {
        const bytes = Buffer.from(real.subarray(0, length));
        for (const [at, value] of changed) if (at < length) bytes[at] = value;
        readAll(readerOf([bytes], cut), bytes.length + 2);
      }),
      { numRuns: 200 },
    );
  });

  test('a page of records that go nowhere is damage', () => {
    const bytes = Buffer.alloc(4096, 0xff);
    bytes.fill(0, 0, 8);
    bytes.writeUInt32LE(4000, 8);
    const reader = readerOf([bytes]);
    readAll(reader, 4096);
    expect(reader.damaged).toBe(0); // time stamps all over: nothing of it is an event
    expect(reader.events).toBe(0);
    bytes.fill(0x1c, 16);
    const second = readerOf([bytes]);
    readAll(second, 4096);
    expect(second.damaged).toBe(1);
  });

  test('a page whose time no number holds exactly is damage', () => {
    const bytes = Buffer.alloc(4096);
    bytes.fill(0xff, 0, 8);
    bytes.writeUInt32LE(4000, 8);
    const reader = readerOf([bytes]);
    readAll(reader, 4096);
    expect([reader.damaged, reader.events]).toEqual([1, 0]);
  });
});

describe('the texts that describe a recording', () => {
  test('the header of a page, with a long of 8 and of 4 bytes', () => {
    const layouts: PageLayout[] = [
      { size: 4096, dataOffset: 16, commitOffset: 8, longSize: 8 },
      { size: 4096, dataOffset: 12, commitOffset: 8, longSize: 4 },
    ];
    expect(LONGS.map((long) => parseHeaderPage(HEADER_PAGE[long]))).toEqual(layouts);
    const large = HEADER_PAGE[8].replace('size:4080', 'size:65520');
    expect(parseHeaderPage(large).size).toBe(65536);
  });

  test.each([
    ['', 'unknown page header'],
    [HEADER_PAGE[8].replace('timestamp;\toffset:0', 'timestamp;\toffset:8'), 'unknown page header'],
    [HEADER_PAGE[8].replace('offset:8;\tsize:8', 'offset:8;\tsize:2'), 'unknown page header'],
    [HEADER_PAGE[8].replace('offset:8;\tsize:8', 'offset:9000;\tsize:8'), 'unknown page header'],
    [HEADER_PAGE[8].replace('size:4080', 'size:0'), 'unknown page size'],
    [HEADER_PAGE[8].replace('size:4080', 'size:999999999'), 'unknown page size'],
  ])('a page header that cannot be read is refused (%#)', (text, why) => {
    expect(() => parseHeaderPage(text)).toThrow(why);
  });

  test('another header of events is refused', () => {
    expect(() => checkHeaderEvent(HEADER_EVENT)).not.toThrow();
    expect(() => checkHeaderEvent(HEADER_EVENT.replace('27 bits', '28 bits'))).toThrow('no "time_delta : 27 bits"');
    expect(() => checkHeaderEvent('')).toThrow('unknown event header');
  });

  test('the format of an event', () => {
    const format = openFixture('whole').format('block:block_rq_issue') as EventFormat;
    expect(format).toMatchObject({ name: 'block_rq_issue', size: 64 });
    expect(format.fields.get('sector')).toEqual({
      name: 'sector',
      type: 'sector_t',
      offset: 16,
      size: 8,
      signed: false,
    });
    expect(format.fields.get('rwbs')).toMatchObject({ type: 'char[10]', offset: 34, size: 10 });
    expect(format.fields.get('cmd')).toMatchObject({ type: '__data_loc char[]', size: 4 });
    expect(() => parseFormat('ID: 3\n')).toThrow('not the text of an event format');
    // Kernels before 2.6.33 told no sign.
    expect(parseFormat('name: x\nID: 3\n\tfield:int a;\toffset:8;\tsize:4;\n').fields.get('a')?.signed).toBe(false);
  });

  test('the counters of a CPU', () => {
    const text =
      'entries: 20\noverrun: 3\ncommit overrun: 1\nbytes: 1440\noldest event ts:  4105.631846\nnow ts:  4105.941922\ndropped events: 2\nread events: 17\n';
    expect(parseStats(5, text)).toEqual({ cpu: 5, entries: 20, overrun: 3, commitOverrun: 1, dropped: 2, read: 17 });
  });

  test('a recording that cannot be read is refused by name', () => {
    const { details } = openFixture('whole');
    const broken: [Partial<typeof details>, string][] = [
      [{ byteOrder: 'BE' }, 'big endian'],
      [{ headerPage: '' }, 'unknown page header'],
      [{ headerEvent: '' }, 'unknown event header'],
      [{ formats: { 'a:b': '' } }, 'not the text of an event format'],
      [{ formats: { 'a:b': 'name: b\nID: 7\n\tfield:int common_type;\toffset:0;\tsize:4;\n' } }, 'common_type'],
    ];
    for (const [change, why] of broken) {
      const open = (): FtraceReader => new FtraceReader(tempFolder(), { ...details, ...change }, 0n);
      expect(open).toThrow(DamagedFileError);
      expect(open).toThrow(why);
    }
  });
});

describe('fields', () => {
  const format = parseFormat(`name: mark
ID: ${MARK_FORMAT.id}
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
	field:u64 big;	offset:8;	size:8;	signed:0;
	field:char name[8];	offset:16;	size:8;	signed:0;
	field:__data_loc char[] far;	offset:24;	size:4;	signed:0;
	field:__rel_data_loc char[] near;	offset:28;	size:4;	signed:0;
	field:s8 tiny;	offset:32;	size:1;	signed:1;
	field:u8 byte;	offset:33;	size:1;	signed:0;
	field:s16 small;	offset:34;	size:2;	signed:1;
	field:int odd[3];	offset:36;	size:12;	signed:1;
`);

  function event(fill: (record: Buffer) => void): CpuStream {
    const record = Buffer.alloc(80);
    record.writeUInt16LE(MARK_FORMAT.id, 0);
    fill(record);
    const cpu = stream(8, [page(8, 0n, [Buffer.concat([word(20, 0), record])])]);
    expect(cpu.advance()).toBe(true);
    cpu.close();
    return cpu;
  }

  test('numbers of all sizes, with and without a sign', () => {
    const cpu = event((record) => {
      record.writeInt32LE(-5, 4);
      record.writeBigUInt64LE(2n ** 52n + 1n, 8);
      record.writeInt8(-1, 32);
      record.writeUInt8(255, 33);
      record.writeInt16LE(-300, 34);
    });
    const values = ['common_pid', 'big', 'tiny', 'byte', 'small'].map((name) => numberField(format, name)(cpu));
    expect(values).toEqual([-5, 2 ** 52 + 1, -1, 255, -300]);
  });

  test('texts: up to the NUL, without one, elsewhere in the record, of any bytes', () => {
    const cpu = event((record) => {
      record.write('12345678', 16, 'latin1');
      record.writeUInt32LE((6 << 16) | 50, 24);
      record.write('far\0xx', 50, 'latin1');
      record.writeUInt32LE((9 << 16) | 30, 28);
      record.set([0xc3, 0xa9, 0xff, 0xf0, 0x9f, 0x98, 0x80, 0xc3, 0], 62);
    });
    const texts = ['name', 'far', 'near'].map((name) => textField(format, name)(cpu));
    expect(texts).toEqual(['12345678', 'far', 'é\udcff😀\udcc3']);
  });

  test('a text that claims to lie outside of its record ends with the record', () => {
    const cpu = event((record) => {
      record.writeUInt32LE(0xffff_0000 + 76, 24);
      record.write('abcd', 76, 'latin1');
      record.writeUInt32LE(0xffff_ffff, 28);
    });
    expect(['far', 'near'].map((name) => textField(format, name)(cpu))).toEqual(['abcd', '']);
  });

  test('names of tasks, of more tasks than are remembered, with any bytes behind the NUL, and cut off', () => {
    const comm = textField(
      parseFormat('name: named\nID: 9\n\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n'),
      'comm',
    );
    const random = new Random(5);
    const names = Array.from({ length: 5000 }, (_, i) => `${i % 2 === 0 ? 'n' : 'kworker/u8:'}${i}`);
    const bytes = Buffer.alloc(24);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i < 50_000; i++) {
      const name = names[random.integer(names.length)]!;
      for (let at = 8; at < 24; at++) bytes[at] = random.integer(3);
      bytes.write(`${name}\0`, 8, 'latin1');
      expect(comm({ view, bytes, offset: 0, length: 24 })).toBe(name);
      if (i % 100 === 0) expect(comm({ view, bytes, offset: 0, length: 11 })).toBe(name.slice(0, 3));
    }
  });

  test('what is not there, or another kind, is refused by name', () => {
    expect(() => numberField(format, 'none')).toThrow('the event mark of this kernel has no field none');
    expect(() => numberField(format, 'odd')).toThrow('mark: odd is an array');
    expect(() => textField(format, 'big')).toThrow('mark: big is not text but u64');
  });
});
