import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { lastDataFile, rememberDataFile } from '../../src/common/last-file.ts';
import { closeLog } from '../../src/common/log.ts';
import { ROOT, testFolder } from '../support/folder.ts';

let state = '';
beforeEach(() => {
  state = testFolder();
  vi.stubEnv('XDG_STATE_HOME', state);
  for (const variable of ['SUDO_UID', 'SUDO_GID']) vi.stubEnv(variable, undefined);
  return async () => {
    await closeLog();
    vi.unstubAllEnvs();
  };
});

describe('the last data file', () => {
  test('is remembered, the latest before others', () => {
    expect(lastDataFile()).toBeUndefined();
    expect(rememberDataFile('/a/first.marple')).toBeUndefined();
    expect(rememberDataFile('/a/a name\nwith "everything" \u00e9\udc80.marple')).toBeUndefined();
    expect(lastDataFile()).toBe('/a/a name\nwith "everything" \u00e9\udc80.marple');
  });

  test.runIf(ROOT)('under sudo it is remembered for the invoking user', () => {
    vi.stubEnv('SUDO_UID', '65534');
    vi.stubEnv('SUDO_GID', '65534');
    rememberDataFile('/a/b.marple');
    for (const path of ['marple', 'marple/last-file.json']) expect(statSync(join(state, path)).uid).toBe(65534);
    chownSync(state, 65534, 65534);
    try {
      process.seteuid?.(65534);
      expect(lastDataFile()).toBe('/a/b.marple');
    } finally {
      process.seteuid?.(0);
    }
  });

  test('a memory that is damaged is none', () => {
    rememberDataFile('/a/b.marple');
    const path = join(state, 'marple/last-file.json');
    for (const text of ['', '{', '{"file":7}', '{"file":""}', 'null']) {
      writeFileSync(path, text);
      expect(lastDataFile()).toBeUndefined();
    }
    rememberDataFile('/a/c.marple');
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ file: '/a/c.marple' });
  });

  test('what cannot be remembered is said, not thrown', () => {
    writeFileSync(join(state, 'marple'), 'a file where the folder should be');
    expect(rememberDataFile('/a/b.marple')).toMatch(/^the last data file is not remembered: .*; name it with -i$/);
  });
});
