import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { DamagedFileError, MarpleError } from '../../src/common/errors.ts';
import { type CpelEvent, CpelFile } from '../../src/formats/cpel.ts';
import { type CpelLog, draftCpel, safeName, writeCpel } from '../../src/formats/cpel-writer.ts';
import { readCpel } from '../support/cpel.ts';
import { anyText, textFile } from '../support/data-files.ts';
import { testFolder } from '../support/folder.ts';

/** A log whose events have a track number and its name in their datum. */
function logOf(events: readonly EventData[], batch = 3, more: Partial<CpelLog> = {}): CpelLog {
  return {
    async *events() {
      for (let from = 0; from < events.length; from += batch) yield events.slice(from, from + batch);
    },
    track: ({ datum: [number] }) => Number(number),
    trackName: ({ datum: [number, name] }) => ({ name: name!, number: Number(number) }),
    datums:
      (offsetOf) =>
      ({ datum: [, , text] }) =>
        offsetOf(text ?? ''),
    date: 1_772_357_400,
    firstTypes: [],
    signature: 'Made by a test',
    ...more,
  };
}

const event = (time: number, type: string, track: number, name: string, text = ''): EventData => ({
  time,
  type,
  datum: [String(track), name, text],
});

async function write(log: CpelLog): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of writeCpel(await draftCpel(log, testFolder()))) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

async function readBack(bytes: Uint8Array): Promise<{ file: CpelFile; events: CpelEvent[] }> {
  const file = await CpelFile.open(textFile(bytes, 'x.cpel'));
  onTestFinished(() => file.close());
  const events: CpelEvent[] = [];
  for await (const batch of file.batches()) events.push(...batch);
  return { file, events };
}

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
const word = (value: number): string => value.toString(16).padStart(8, '0');

describe('writing CPEL', () => {
  it('gives these bytes', async () => {
    const bytes = await write(logOf([event(1000, 'send', 7, 'b', 'x=1'), event(2 ** 32 + 1001, 'recv', 3, 'a')]));
    const strings = 'FileStrtab\0Made by a test\0%s\0recv\0send\0a(3)\0b(7)\0x=1\0-\0\0';
    const name = hex('FileStrtab'.padEnd(64, '\0'));
    expect(bytes.toString('hex')).toBe(
      [
        ...['01', '00', '0004', word(1_772_357_400)],
        ...[word(1), word(strings.length), hex(strings)],
        ...[word(3), word(68 + 2 * 12), name, word(2)],
        ...[word(1), word(29), word(26), word(2), word(34), word(26)],
        ...[word(4), word(68 + 2 * 8), name, word(2)],
        ...[word(0), word(39), word(1), word(44)],
        ...[word(5), word(72 + 2 * 20), name, word(2), word(1e9)],
        ...[word(0), word(0), word(1), word(2), word(49)],
        ...[word(1), word(1), word(0), word(1), word(53)],
      ].join(''),
    );
    expect(strings.length % 8).toBe(0);
  });

  it('keeps the first codes for some types, used or not', async () => {
    const some = [event(0, 'migrate', 1, 'a'), event(5, 'wakeup', 1, 'a'), event(6, 'exit', 1, 'a')];
    const log = logOf(some, 3, { firstTypes: ['switch', 'wakeup'] });
    expect([...readCpel(await write(log)).types]).toEqual([
      [2, 'wakeup'],
      [3, 'exit'],
      [4, 'migrate'],
    ]);
  });

  it('numbers tracks by name and then by number, or by number alone', async () => {
    const some = [event(0, 'x', 10, 'b'), event(1, 'x', 9, 'b'), event(2, 'x', 20, 'a'), event(3, 'x', 1, 'c')];
    expect([...readCpel(await write(logOf(some))).tracks.values()]).toEqual(['a(20)', 'b(9)', 'b(10)', 'c(1)']);
    const cpus = logOf(some, 3, { trackName: ({ datum: [number] }) => ({ name: `cpu ${number}`, number: undefined }) });
    expect([...readCpel(await write(cpus)).tracks.values()]).toEqual(['cpu 1', 'cpu 9', 'cpu 10', 'cpu 20']);
  });

  it('gives a track the last name that it has', async () => {
    const some = [event(0, 'x', 5, 'bash'), event(1, 'x', 5, 'ls')];
    expect([...readCpel(await write(logOf(some))).tracks.values()]).toEqual(['ls(5)']);
  });

  it('sorts what is out of order, and leaves what is at one time as it was', async () => {
    const some = [30, 10, 20, 10, 40, 10].map((time, i) => event(time, 'x', 1, 'a', `n${i}`));
    const log = logOf(some, 2);
    expect((await draftCpel(log, testFolder())).summary).toMatchObject({ isSorted: false, events: 6, duration: 30 });
    expect(readCpel(await write(log)).events.map(({ time, datum }) => `${time} ${datum}`)).toEqual([
      '0 n1',
      '0 n3',
      '0 n5',
      '10 n2',
      '20 n0',
      '30 n4',
    ]);
  });

  it('disarms names and counts them', async () => {
    const some = [
      event(0, '100%s', 1, '%n%n%n', '%n stays'),
      event(1, 'ok', 2, 'zsh', 'ünïcode\n\x1b[31m'),
      event(2, '', 3, 'é'.repeat(300)),
      event(3, 'ok', 4, ''),
      event(4, 'ok', 5, 'a\0b😀'),
    ];
    const log = logOf(some);
    expect((await draftCpel(log, testFolder())).summary.changedNames).toBe(6);
    const { types, tracks, events } = readCpel(await write(log));
    expect([...types.values()]).toEqual(['?', '100_s', 'ok']);
    expect([...tracks.values()]).toEqual(['?(4)', '_n_n_n(1)', 'a?b?(5)', 'zsh(2)', `${'?'.repeat(27)}(3)`]);
    expect(events.map(({ datum }) => datum)).toEqual(['%n stays', '?n?code??[31m', '-', '-', '-']);
  });

  it('puts types and tracks beyond 100,000 together', { timeout: 60_000 }, async () => {
    const some = Array.from({ length: 100_010 }, (_, i) => event(i, `type${i}`, i, 'a'));
    const log = logOf(some, 50_000);
    expect((await draftCpel(log, testFolder())).summary).toMatchObject({
      types: 100_000,
      tracks: 100_000,
      mergedTypes: 11,
      mergedTracks: 11,
    });
    const { types, tracks, events } = readCpel(await write(log));
    const last = events.at(-1)!;
    expect([types.get(last.code), tracks.get(last.track)]).toEqual(['others', 'others']);
    expect(types.get(events[99_998]!.code)).toBe('type99998');
  });

  it('gives equal texts one place, as far as they are remembered', { timeout: 60_000 }, async () => {
    const some = Array.from({ length: 300_000 }, (_, i) => event(i, 'x', 1, 'a', `n${i % 140_000}`));
    const bytes = await write(logOf(some, 7001));
    const { events } = readCpel(bytes);
    expect(events.every(({ datum }, i) => datum === `n${i % 140_000}`)).toBe(true);
    const few = await write(
      logOf(
        some.map((one) => event(one.time, 'x', 1, 'a', 'same')),
        7001,
      ),
    );
    expect(few.length).toBeLessThan(300_000 * 20 + 1000);
  });

  it('is good whatever the names, types and times', async () => {
    const anyEvent = fc.record({
      time: fc.nat({ max: 2 ** 40 }),
      type: fc.oneof(fc.constantFrom('switch', 'wakeup', '%s'), anyText),
      datum: fc.tuple(fc.nat({ max: 5 }).map(String), fc.oneof(anyText, fc.constant('%d'.repeat(200))), anyText),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (some, batch) => {
          const bytes = await write(logOf(some, batch, { firstTypes: ['switch', 'wakeup'] }));
          const { events, types } = readCpel(bytes);
          const first = Math.min(...some.map(({ time }) => time));
          const sorted = [...some].sort((a, b) => a.time - b.time);
          expect(events.map(({ time }) => Number(time))).toEqual(sorted.map(({ time }) => time - first));
          expect(events.map(({ code }) => types.get(code))).toEqual(sorted.map(({ type }) => safeName(type)));
          const own = await readBack(bytes);
          expect(own.events.map(({ datum }) => datum)).toEqual(events.map(({ datum }) => datum));
          expect(own.file.events).toBe(some.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('reading CPEL', () => {
  /** As another program may write it: microseconds, numbers as datums, no definitions for some. */
  function foreign(more: { magic?: number; ticks?: number } = {}): Buffer {
    const name = Buffer.from('FileStrtab'.padEnd(64, '\0'));
    const words = (...values: number[]): Buffer => {
      const bytes = Buffer.alloc(4 * values.length);
      for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
      return bytes;
    };
    const section = (type: number, ...parts: Buffer[]): Buffer => {
      const data = Buffer.concat(parts);
      return Buffer.concat([words(type, data.length), data]);
    };
    const strings = Buffer.from('FileStrtab\0tick\0%d\0core\0left: %d\0\0\0\0\0');
    return Buffer.concat([
      Buffer.from([more.magic ?? 1, 0, 0, 5]),
      words(77),
      section(2, Buffer.from('ignored')),
      section(1, strings),
      section(3, name, words(2), words(4, 11, 16), words(4, 19, 16)),
      section(4, name, words(1), words(9, 19)),
      section(
        5,
        name,
        words(3, more.ticks ?? 1_000_000),
        words(0, 100, 9, 4, 12),
        words(0, 101, 8, 5, 3),
        words(1, 100, 9, 4, 0xffffffff),
      ),
    ]);
  }

  it('takes what other programs write', async () => {
    const { file, events } = await readBack(foreign());
    expect([file.date, file.events, file.tracks]).toEqual([77, 3, ['core']]);
    expect(events).toEqual([
      { time: 0, type: 'tick', track: 'core', datum: '12' },
      { time: 1000, type: '5', track: '8', datum: '3' },
      { time: 2 ** 32 * 1000, type: 'tick', track: 'core', datum: '-1' },
    ]);
  });

  it('names the byte where a file is damaged, wherever it is cut', async () => {
    const whole = await write(logOf([event(0, 'a', 1, 'x', 'one'), event(9, 'b', 2, 'y', 'two')]));
    for (let length = 0; length < whole.length; length++) {
      const path = textFile('', 'x.cpel');
      writeFileSync(path, whole.subarray(0, length));
      const error = await CpelFile.open(path).catch((thrown: unknown) => thrown);
      expect(error, `cut at ${length}`).toBeInstanceOf(DamagedFileError);
      expect((error as Error).message).toMatch(/x\.cpel: byte \d+: /);
    }
  });

  it.each([
    ['a little-endian one', foreign({ magic: 0x81 }), 'byte 0: it is little-endian'],
    ['a later version', foreign({ magic: 2 }), 'byte 0: this is no CPEL file'],
    ['text', Buffer.from('{"marple":1}'), 'byte 0: this is no CPEL file'],
    ['a clock that stands still', foreign({ ticks: 0 }), 'the clock has 0 ticks a second'],
  ])('refuses %s', async (_, bytes, message) => {
    await expect(CpelFile.open(textFile(bytes, 'x.cpel'))).rejects.toThrow(message);
  });

  it('never fails but as a damaged file', async () => {
    const whole = foreign();
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 0, max: 255 }), async (at, value) => {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        try {
          await readBack(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(MarpleError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
