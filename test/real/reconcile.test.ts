import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { makePlace } from '../e2e/marple.ts';
import { type DiskData, readDiskData } from '../support/disk-data.ts';
import { compileProgram } from '../support/programs.ts';
import { startServer, startTcp } from '../support/tcp.ts';
import { runWaits } from '../support/waits.ts';

/*
 * What is collected of a load of known size is that load: how much was read, how often a task slept, how many connections
 * there were and what went over them. The loads are made up by chance, from a fixed seed.
 */

const reads = compileProgram('reads');
const waits = compileProgram('waits', '-pthread');
const tcp = compileProgram('tcp');

const SMALL = 4096;
const LARGE = 512 * 1024;
const MOST_LARGE = 20;

interface Load {
  /** Reads of 4 KiB and of 512 KiB, past the page cache. */
  readonly small: number;
  readonly large: number;
  /** Times that a task sleeps. */
  readonly sleeps: number;
  readonly connections: number;
  /** Bytes over each of them. */
  readonly bytes: number;
}

const anyLoad: fc.Arbitrary<Load> = fc.record({
  small: fc.integer({ min: 1, max: 400 }),
  large: fc.integer({ min: 0, max: MOST_LARGE }),
  sleeps: fc.integer({ min: 1, max: 60 }),
  connections: fc.integer({ min: 1, max: 50 }),
  bytes: fc.integer({ min: 1, max: 200_000 }),
});

/** A file on a disk; it goes with the test. */
function fileToRead(): string {
  const path = `/var/tmp/marple-test-reconcile-${process.pid}`;
  const file = openSync(path, 'wx', 0o600);
  onTestFinished(() => rmSync(path, { force: true }));
  for (let at = 0; at < MOST_LARGE; at++) writeSync(file, Buffer.alloc(LARGE, at));
  fsyncSync(file);
  closeSync(file);
  return path;
}

/** The sections of an interface: a data file has them one behind the other. */
function ofInterface(data: DiskData, name: string): Record<string, unknown>[] {
  return data.headers.filter((header) => header.interface === name) as Record<string, unknown>[];
}

test('what is collected of loads of any size is those loads', async () => {
  const place = makePlace();
  onTestFinished(() => place.remove());
  const file = fileToRead();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(anyLoad, async ({ small, large, sleeps, connections, bytes }) => {
      const name = `run${run++}.marple`;
      const marple = place.start(['collect', '--cpu', '--disk', '--ipc', '-t', '60', '-o', name]);
      await marple.says('recording');
      const reader = spawn(reads, [file, `${small}`, `${large}`], { stdio: 'ignore' });
      const sleeper = await runWaits(waits, 'sleep', `${sleeps}`, '2');
      const server = await startServer(tcp, ['loadserver', '127.0.0.1', 'plain', connections, bytes, 7]);
      const client = startTcp(tcp, ['connect', 'loadclient', '127.0.0.1', server.port, connections, bytes, 7]);
      expect(await client.line()).toBe(`done ${connections * bytes} ${connections * 7}`);
      await server.line();
      await Promise.all([client.end(), server.end()]);
      if (reader.exitCode === null) await once(reader, 'exit');
      marple.kill('SIGINT');
      expect((await marple.ended).code).toBe(130);

      const data = readDiskData(place.path(name));
      // Nothing was lost, and every header counts what follows it.
      for (const header of data.headers) expect({ ...header, warnings: [] }).not.toHaveProperty('lost');
      const records = data.points.length + data.events.length + data.stacks.length;
      expect(data.headers.reduce((sum, { records: count }) => sum + (count ?? 0), 0)).toBe(records);

      // A large read may be several requests.
      const read = data.points.filter(({ info }) => info[0] === 'reads' && info[3]?.startsWith('R'));
      expect(read.reduce((sum, { info }) => sum + Number(info[6]), 0)).toBe(small * SMALL + large * LARGE);
      expect(read.filter(({ info }) => Number(info[6]) === SMALL).length).toBeGreaterThanOrEqual(small);

      // It leaves its CPU as often as it says, but for switches that the kernel's trace does not have, which are told.
      const [sched] = ofInterface(data, 'cpusched');
      const missing = Number(
        /^(\d+) times a CPU ran another task/m.exec(((sched?.['warnings'] ?? []) as string[]).join('\n'))?.[1] ?? 0,
      );
      const left = data.events.filter(
        ({ type, datum }) => type === 'switch' && datum[1] === `${sleeper.tid}` && datum[5] === 'S',
      );
      expect(Math.abs(left.length - sleeper.voluntary)).toBeLessThanOrEqual(missing + 1);
      expect(left.length).toBeGreaterThanOrEqual(sleeps - missing);

      const [ipc] = ofInterface(data, 'ipc');
      const fields = ipc?.['fields'] as string[];
      const at = (field: string): number => fields.indexOf(field);
      const ofClient = data.events.filter(({ datum }) => datum[at('comm')] === 'loadclient');
      const count = (type: string): number => ofClient.filter((event) => event.type === type).length;
      expect(count('connect')).toBe(connections);
      expect(count('close')).toBe(connections);
      const sent = ofClient.filter(({ type }) => type === 'send');
      expect(sent.reduce((sum, { datum }) => sum + Number(datum[at('bytes')]), 0)).toBe(connections * bytes);
    }),
    { numRuns: 4, seed: 20_261_126, endOnFailure: true },
  );
});
