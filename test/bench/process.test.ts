import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCommand, runPipeline, TIME } from '../../bench/process.ts';
import { testFolder } from '../support/folder.ts';

const NODE = process.execPath;

describe.skipIf(!existsSync(TIME))('running what is measured', { timeout: 60_000 }, () => {
  test('a pipeline passes its bytes on and ends', async () => {
    const folder = testFolder();
    const [input, output] = [join(folder, 'in'), join(folder, 'out')];
    writeFileSync(input, 'b\na\nc\na\n'.repeat(100_000));
    await runPipeline([['sort'], ['uniq', '-c'], ['sed', 's/ *//']], { stdin: input, stdout: output });
    expect(readFileSync(output, 'utf8')).toBe('200000 a\n100000 b\n100000 c\n');
  });

  test('time, CPU and memory are those of the processes', async () => {
    const hold = 'const b = Buffer.alloc(200 << 20, 1); while (process.cpuUsage().user < 300_000);';
    const one = await runCommand([NODE, '-e', hold]);
    expect(one.seconds).toBeGreaterThan(0);
    expect(one.cpu).toBeGreaterThan(0.28);
    expect(one.peak).toBeGreaterThan(200 << 20);
    expect(one.peak).toBeLessThan(500 << 20);
    const two = await runPipeline([
      [NODE, '-e', hold],
      [NODE, '-e', hold],
    ]);
    expect(two.peak).toBeGreaterThan(400 << 20);
  });

  test('one that fails is no measurement', async () => {
    await expect(
      runPipeline([['true'], [NODE, '-e', 'console.error("no such thing"); process.exit(3)']]),
    ).rejects.toThrow(/ended with 3: no such thing/);
    await expect(runCommand(['/no/such/program'])).rejects.toThrow(/ended with 127/);
  });
});
