import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { recordEvents } from '../../../src/collect/ftrace/record.ts';
import { type FtraceDetails, FtraceReader } from '../../../src/formats/ftrace.ts';
import { tempFolder } from '../../support/data-files.ts';
import { ROOT } from '../../support/folder.ts';

test.runIf(ROOT)('pages are of 16 KiB where the kernel can, in buffers that are as large as was asked', async () => {
  const dir = tempFolder();
  const stop = new AbortController();
  const told: { details: FtraceDetails; kb: number; canChoose: boolean }[] = [];
  const stats = await recordEvents({
    name: 'test_record',
    events: ['sched:sched_switch'],
    bufferKb: 1024,
    dir,
    stop: stop.signal,
    onStarted: ({ details, command: [, instance = ''] }) => {
      const kb = Number(readFileSync(join(instance, 'buffer_size_kb'), 'utf8'));
      told.push({ details, kb, canChoose: existsSync(join(instance, 'buffer_subbuf_size_kb')) });
      setTimeout(() => stop.abort(), 300);
    },
  });
  const [{ details, kb, canChoose }] = told as [(typeof told)[0]];
  expect(details).toMatchObject({ bufferKb: 1024, cut: true });
  if (canChoose) expect(details.headerPage).toMatch(/char data;\s+offset:16;\s+size:16368;/);
  // The kernel rounds up, to whole pages.
  expect(kb).toBeGreaterThanOrEqual(1024);
  expect(kb).toBeLessThan(1024 + 3 * 16);
  const reader = new FtraceReader(dir, details, 0n);
  while (reader.next() !== undefined);
  reader.close();
  const read = stats.cpus.reduce((sum, cpu) => sum + cpu.read, 0);
  expect(read).toBeGreaterThan(0);
  expect(reader).toMatchObject({ events: read, damaged: 0 });
});
