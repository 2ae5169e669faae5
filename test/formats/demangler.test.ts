import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runningTools } from '../../src/common/process.ts';
import { Demangler } from '../../src/formats/demangler.ts';
import { testFolder } from '../support/folder.ts';

test('names in several goes are demangled by one process, which ends with it', async () => {
  const demangler = new Demangler();
  const names = ['_ZN3foo3barEi', 'main', '_ZN3a\nb', '_ZN1a1bEv'];
  expect(await demangler.demangle(names)).toEqual(['foo::bar', 'main', '_ZN3a\nb', 'a::b']);
  const tools = runningTools();
  expect(tools).toHaveLength(1);
  expect(await demangler.demangle(['_ZN1a1cEv', '_Znone'])).toEqual(['a::c', '_Znone']);
  expect(runningTools()).toEqual(tools);
  await demangler.close();
  expect(runningTools()).toEqual([]);
});

/** Path of a program that does as c++filt of binutils would not. */
function other(script: string): string {
  const path = join(testFolder(), 'c++filt');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('a c++filt that answers when there is no more to come is asked anew each time', async () => {
  const demangler = new Demangler(other('all=$(cat); echo "$all" | sed s/_Z/x/'));
  expect(await demangler.demangle(['_Za', '_Zb'])).toEqual(['xa', 'xb']);
  expect(await demangler.demangle(['_Zc'])).toEqual(['xc']);
  await demangler.close();
  expect(runningTools()).toEqual([]);
});

test('one that fails, and none at all, leave the names as they are', async () => {
  const failing = new Demangler(other('exit 1'));
  expect(await failing.demangle(['_Za'])).toBeUndefined();
  await failing.close();
  expect(await new Demangler('/nowhere/c++filt').demangle(['_Za'])).toBeUndefined();
  expect(runningTools()).toEqual([]);
});
