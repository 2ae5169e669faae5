import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { DamagedFileError } from '../../src/common/errors.ts';
import { HeaderReport } from '../../src/common/report.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import { rawFile } from '../../src/formats/ftrace.ts';
import { countersFile, IpcDecoder, type IpcDetails } from '../../src/formats/ipc.ts';
import { writeRecording } from '../../src/formats/recording.ts';
import { messagesEndFile, TCP_EVENTS, TCP_MESSAGE_EVENTS } from '../../src/formats/tcp-trace.ts';
import { headerOf } from '../support/data-files.ts';
import { testFolder } from '../support/folder.ts';
import { HEADER_EVENT, HEADER_PAGE, page, word } from '../support/trace-pages.ts';
import { traceRecord } from '../support/trace-records.ts';

const FORMATS = JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/ipc/events.json'), 'utf8')) as Record<
  string,
  string
>;

const RUN = { origin: '1000000000', scope: { own: 1 }, tasks: [], bootId: '' };

const details: IpcDetails = { messages: true, messageRate: 50_000, sockets: [], tasks: [], counters: snmp(100, 50) };

function snmp(active: number, passive: number): string {
  return `Tcp: ActiveOpens PassiveOpens\nTcp: ${active} ${passive}\n`;
}

function decoder(dir: string, changed: Partial<IpcDetails> = {}): { decoder: IpcDecoder; report: HeaderReport } {
  const report = new HeaderReport();
  return { decoder: new IpcDecoder(dir, { ...details, ...changed }, RUN, report), report };
}

function notesOf(report: HeaderReport): string {
  const header = headerOf('event');
  report.applyTo(header);
  return (header.notes ?? []).join('\n');
}

describe('the counts of the kernel', () => {
  test('as many as were recorded, some more at the edges, or fewer: nothing to say', () => {
    for (const [active, passive] of [
      [103, 50],
      [104, 52],
      [100, 50],
    ] as const) {
      const dir = testFolder();
      writeFileSync(countersFile(dir), snmp(active, passive));
      const { decoder: ipc, report } = decoder(dir);
      ipc.trace.activeOpens = 3;
      expect(ipc.finish(0)).toEqual([]);
      expect(report).toMatchObject({ warnings: [], distrusted: undefined });
    }
  });

  test('more than were recorded: the tool is not believed, or it is known why', () => {
    for (const lost of [0, 7]) {
      const dir = testFolder();
      writeFileSync(countersFile(dir), snmp(120, 90));
      const { decoder: ipc, report } = decoder(dir);
      ipc.trace.activeOpens = 20;
      ipc.trace.passiveOpens = 30;
      ipc.finish(lost);
      const sentence = 'the kernel counted 40 passive opens of TCP connections, but only 30 were recorded';
      expect(report.warnings).toEqual([sentence]);
      expect(report.distrusted).toBe(lost > 0 ? undefined : sentence);
    }
  });

  test('a recording that was cut off has none', () => {
    const { decoder: ipc, report } = decoder(testFolder());
    ipc.finish(0);
    expect(report.warnings).toEqual([]);
  });
});

describe('what is said of messages', () => {
  test('that they are not recorded, or from when on', () => {
    const none = decoder(testFolder(), { messages: false });
    none.decoder.finish(0);
    expect(notesOf(none.report)).toMatch(/not recorded \(\[ipc\] messages = false\)/u);
    const dir = testFolder();
    writeFileSync(messagesEndFile(dir), '3500000000\n');
    const { decoder: ipc, report } = decoder(dir);
    expect(ipc.trace.messagesEnd).toBe(2_500_000_000);
    ipc.finish(0);
    expect(report.warnings[0]).toMatch(/^sends and receives were recorded for the first 2\.5 s only: .* 50000 /u);
  });
});

describe('a recording of ftrace', () => {
  const ftrace = {
    byteOrder: 'LE',
    headerPage: HEADER_PAGE[8],
    headerEvent: HEADER_EVENT,
    formats: FORMATS,
    cpus: [0],
    bufferKb: 64,
  };

  async function decode(
    recorded: Record<string, unknown>,
    pages: Buffer,
  ): Promise<{ records: EventData[]; report: HeaderReport }> {
    const dir = testFolder();
    mkdirSync(dir, { recursive: true });
    await writeRecording(dir, { format: 'ftrace-ipc', interface: 'ipc', details: recorded });
    writeFileSync(rawFile(dir, 0), pages);
    const report = new HeaderReport();
    const records: EventData[] = [];
    for await (const batch of decodeRecording(dir, RUN, report)) records.push(...(batch.records as EventData[]));
    return { records, report };
  }

  /** A send at a socket that nothing tells of, so many ns after the one before it. */
  function send(delta: number, ret: number): Buffer {
    const record = traceRecord(FORMATS['sock:sock_send_length'] as string, { sk: 77, protocol: 6, ret, common_pid: 9 });
    const bytes = record.bytes.subarray(record.offset, record.offset + record.length);
    return Buffer.concat([word(bytes.length / 4, delta), bytes]);
  }

  test('the events of its pages', async () => {
    const pages = page(8, 1_000_000_500n, [send(0, 10), send(250, 20)]);
    const { records } = await decode({ ...details, ftrace }, pages);
    expect(records).toEqual([
      { time: 500, type: 'send', datum: ['9', '', '', '', '', '', '', '', '10'] },
      { time: 750, type: 'send', datum: ['9', '', '', '', '', '', '', '', '20'] },
    ]);
  });

  test('cut or damaged pages are said, what is before them is there', async () => {
    const whole = page(8, 1_000_000_500n, [send(0, 10), send(250, 20)]);
    const broken = page(8, 1_000_000_900n, [send(0, 30)], { commit: 4095 });
    for (const pages of [Buffer.concat([whole, whole.subarray(0, 100)]), Buffer.concat([whole, broken])]) {
      const { records, report } = await decode({ ...details, ftrace }, pages);
      expect(records).toHaveLength(2);
      expect(report.warnings.join('\n')).toMatch(/1 page of the trace was cut or could not be read/u);
    }
  });

  test('a description that is none is damage', async () => {
    const withoutField = { ...FORMATS, 'tcp:tcp_destroy_sock': 'name: tcp_destroy_sock\nID: 5\nformat:\n' };
    for (const recorded of [
      {},
      { ...details },
      { ...details, sockets: [{ addr: 1 }], ftrace },
      { ...details, ftrace: { ...ftrace, byteOrder: 'BE' } },
      { ...details, ftrace: { ...ftrace, formats: withoutField } },
    ]) {
      await expect(decode(recorded, Buffer.alloc(0))).rejects.toThrow(DamagedFileError);
    }
  });
});

test('the formats of the fixture are those of the events that are recorded', () => {
  expect(Object.keys(FORMATS).sort()).toEqual([...TCP_EVENTS, ...TCP_MESSAGE_EVENTS].sort());
});
