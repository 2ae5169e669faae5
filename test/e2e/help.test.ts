import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandsOf, examplesOf } from '../support/help-text.ts';
import { makeWorkbench, type Workbench } from '../support/workbench.ts';

const CLI = `${import.meta.dirname}/../../dist/marple.cjs`;
const help = (...args: string[]): string =>
  execFileSync(process.execPath, [CLI, ...args, '--help'], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200' },
  });

const COMMANDS = commandsOf(help());

const workbench = makeWorkbench();
let bench: Workbench;
beforeAll(async () => {
  bench = await workbench;
});
afterAll(() => bench.remove());

test('every command has a line in the help of marple', () => {
  expect(COMMANDS).toEqual(expect.arrayContaining(['collect', 'display', 'stats', 'import', 'completion', 'man']));
});

/** Runs the lines one after the other in a folder of their own. */
async function expectToWork(lines: readonly string[]): Promise<void> {
  expect(lines.length).toBeGreaterThan(1);
  const folder = bench.folder();
  for (const line of lines) expect.soft(await bench.run(line, folder), line).toMatchObject({ code: 0 });
}

describe('the examples in the help work as they stand', { timeout: 300_000 }, () => {
  test('of marple', () => expectToWork(examplesOf(help())));

  test.each(COMMANDS)('of marple %s', async (command) => {
    const lines = examplesOf(help(command));
    for (const line of lines) expect(line).toContain(`marple ${command}`);
    await expectToWork(lines);
  });
});
