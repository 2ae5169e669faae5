import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { clearStaleInstances, TraceInstance } from '../../../src/collect/ftrace/instance.ts';
import { UnavailableError } from '../../../src/common/errors.ts';
import { processIdentity } from '../../../src/common/process-identity.ts';
import { ROOT } from '../../support/folder.ts';

const INSTANCES = '/sys/kernel/tracing/instances';

/** An instance made by hand; it goes with the test. */
function madeInstance(name: string): string {
  const dir = join(INSTANCES, name);
  mkdirSync(dir);
  onTestFinished(() => {
    if (existsSync(dir)) rmdirSync(dir);
  });
  return dir;
}

test.runIf(ROOT)('an instance has settings of its own, and is gone when it is removed', async () => {
  const instance = await TraceInstance.create('test');
  onTestFinished(() => instance.remove());
  expect(readdirSync(INSTANCES)).toContain(`marple-${process.pid}-${processIdentity()?.startTime}-test`);
  instance.write('trace_clock', 'mono');
  expect(instance.read('trace_clock')).toContain('[mono]');
  instance.enable('task:task_rename');
  expect(instance.cpus()[0]).toBe(0);
  instance.openRaw(0);
  instance.remove();
  instance.remove();
  expect(existsSync(instance.dir)).toBe(false);
});

test.runIf(ROOT)('what the kernel does not have or take is said', async () => {
  const instance = await TraceInstance.create('test_errors');
  onTestFinished(() => instance.remove());
  expect(() => instance.enable('no:such_event')).toThrow('this kernel has no event no:such_event');
  expect(() => instance.write('trace_clock', 'sundial')).toThrow(UnavailableError);
  expect(() => instance.write('trace_clock', 'sundial')).toThrow(/cannot write sundial to .*trace_clock/u);
  expect(() => instance.write('no_such_file', 1)).toThrow(UnavailableError);
  expect(() => instance.openRaw(9999)).toThrow(/cannot open .*cpu9999/u);
});

test.runIf(ROOT)('of instances only those whose MARPLE is dead are cleared', async () => {
  const child = spawn('true');
  const dead = child.pid as number;
  const own = processIdentity()?.startTime as number;
  await once(child, 'exit');
  const stale = [madeInstance(`marple-${dead}-12345-test`), madeInstance(`marple-${process.pid}-${own + 1}-test`)];
  const others = [madeInstance(`marple-${process.pid}-${own}-living`), madeInstance('marple-not-ours')];
  expect(await clearStaleInstances()).toBeGreaterThanOrEqual(stale.length);
  expect(stale.filter(existsSync)).toEqual([]);
  expect(others.filter(existsSync)).toEqual(others);
});
