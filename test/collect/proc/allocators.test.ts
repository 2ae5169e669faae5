import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findAllocators } from '../../../src/collect/proc/allocators.ts';
import { ROOT, testFolder } from '../../support/folder.ts';
import { compileProgram } from '../../support/programs.ts';

/** Starts a program that waits for its stdin; gives its pid when it runs. */
async function start(path: string, ...args: string[]): Promise<number> {
  const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child.pid as number;
}

const dynamic = compileProgram('memory');
const linkedStatically = compileProgram('two_thirds', '-static');

describe('what a process calls when it calls malloc', () => {
  test('its C library, with the functions that were asked for', async () => {
    const pid = await start(dynamic, 'name', '0');
    const found = findAllocators([pid], ['free', 'calloc', 'no_such_function']);
    expect(found).toHaveLength(1);
    expect(found[0]?.path).toMatch(/libc\.so\.6$/);
    expect([...(found[0]?.functions.keys() ?? [])].sort()).toEqual(['calloc', 'free', 'malloc']);
  });

  // The kernel's own links to mapped files are for root.
  test.skipIf(!ROOT)('the file itself where its path leads to another one, or nowhere', async () => {
    const copy = join(testFolder(), 'with blank');
    copyFileSync(linkedStatically, copy);
    const child = spawn(copy, ['5'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    rmSync(copy);
    const [found] = findAllocators([child.pid as number], []);
    expect(found?.path).toMatch(/^\/proc\/\d+\/map_files\//);
    const nm = execFileSync('nm', ['--defined-only', linkedStatically], { encoding: 'utf8' });
    expect(nm).toMatch(/ malloc$/m);
    expect(found?.functions.get('malloc')).toBeGreaterThan(0);
  });

  test('the whole machine: each file once', () => {
    const found = findAllocators(undefined, []);
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(({ path }) => path)).size).toBe(found.length);
    for (const { functions } of found) expect(functions.has('malloc')).toBe(true);
  });

  test('a program without one is refused', async () => {
    const stripped = join(testFolder(), 'stripped');
    execFileSync('strip', ['-o', stripped, linkedStatically]);
    const child = spawn(stripped, ['5'], { stdio: 'ignore' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(() => findAllocators([child.pid as number], [])).toThrow(`no malloc was found in the process ${child.pid}`);
  });
});
