import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startOverheadMeter } from '../../src/collect/overhead.ts';
import { beFast, beFrugal } from '../../src/common/engine.ts';
import { runTool, startTool } from '../../src/common/process.ts';
import { optimizes } from '../support/optimized.ts';

/** Arguments for node: touches 100 MiB, then uses CPU time until it has had half a second of it. */
const BUSY = [
  '-e',
  `const held = Buffer.alloc(100 << 20, 1);
   const used = () => process.cpuUsage().user + process.cpuUsage().system;
   while (used() < 5e5);
   process.exitCode = held[0] - 1;`,
];

test('a tool that ran counts with its CPU time and its memory', async () => {
  const meter = startOverheadMeter({ hasCommand: false });
  const output = await runTool([process.execPath, ...BUSY]);
  expect(output.code).toBe(0);
  const { tools } = meter.stop();
  expect(tools.cpu_seconds).toBeGreaterThan(0.45);
  expect(tools.cpu_seconds).toBeLessThan(0.9);
  expect(tools.peak_rss_mib).toBeGreaterThan(100);
  expect(tools.peak_rss_mib).toBeLessThan(250);
});

test('the children of a tool count with it, before they have ended too', async () => {
  const meter = startOverheadMeter({ hasCommand: false });
  const [flag, script] = BUSY;
  const child = [process.execPath, flag as string, `${script} console.log('done'); setInterval(() => 0, 1000);`];
  const tool = startTool(['sh', '-c', '"$0" "$@"; exit', ...child], { stopSignal: 'SIGKILL' });
  await once(tool.stdout, 'data');
  const { tools } = meter.stop();
  await tool.stop();
  expect(tools.cpu_seconds).toBeGreaterThan(0.45);
  expect(tools.peak_rss_mib).toBeGreaterThan(100);
});

test('runs too short for a sample count too', async () => {
  const meter = startOverheadMeter({ hasCommand: false });
  for (let i = 0; i < 10; i++) await runTool([process.execPath, '-e', '0']);
  expect(meter.stop().tools.cpu_seconds).toBeGreaterThan(0.1);
});

test("the user's command does not count, the tools beside it do", async () => {
  const alone = startOverheadMeter({ hasCommand: true });
  await once(spawn(process.execPath, BUSY), 'exit');
  expect(alone.stop().tools).toEqual({ cpu_seconds: 0, peak_rss_mib: 0 });

  const beside = startOverheadMeter({ hasCommand: true });
  const command = once(spawn(process.execPath, BUSY), 'exit');
  await runTool([process.execPath, ...BUSY]);
  await command;
  const { cpu_seconds } = beside.stop().tools;
  expect(cpu_seconds).toBeGreaterThan(0.2);
  expect(cpu_seconds).toBeLessThan(0.9);
});

test('MARPLE itself counts from the start of the meter', () => {
  const meter = startOverheadMeter({ hasCommand: false });
  const from = process.cpuUsage();
  let used = 0;
  while (used < 0.2) {
    const { user, system } = process.cpuUsage(from);
    used = (user + system) / 1e6;
  }
  const overhead = meter.stop();
  expect(overhead.cpu_seconds).toBeGreaterThanOrEqual(0.2);
  expect(overhead.cpu_seconds).toBeLessThan(1);
  expect(overhead.peak_rss_mib).toBeGreaterThan(30);
});

test('where MARPLE itself has much to do its code is optimized', async () => {
  onTestFinished(beFast);
  beFrugal();
  expect(await optimizes()).toBe(false);
  const meter = startOverheadMeter({ hasCommand: false });
  const until = performance.now() + 3000;
  while (performance.now() < until) await setImmediate();
  expect(await optimizes()).toBe(true);
  meter.stop();
});
