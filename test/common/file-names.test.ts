import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { UsageError } from '../../src/common/errors.ts';
import { DataFileName, DisplayFileName, FileName, TempFileName } from '../../src/common/file-names.ts';
import { closeLog } from '../../src/common/log.ts';
import { testFolder } from '../support/folder.ts';

const now = new Date(2026, 2, 1, 4, 5, 9, 7);

beforeEach(() => {
  vi.stubEnv('HOME', '/home/ada');
  for (const variable of ['SUDO_UID', 'SUDO_GID']) vi.stubEnv(variable, undefined);
  return () => vi.unstubAllEnvs();
});

describe('FileName', () => {
  test('folder, date and time without colons, option, extension', () => {
    expect(String(new FileName({ path: 'out', option: 'x', extension: 'y', now }))).toBe(
      'out/2026-03-01_04-05-09.007.x.y',
    );
    expect(String(new FileName({ now }))).toBe('2026-03-01_04-05-09.007');
    expect(String(new FileName())).toMatch(/^\d{4}(-\d\d){2}_\d\d(-\d\d){2}\.\d{3}$/);
  });
});

describe('DataFileName', () => {
  test('a name of its own in the folder for output', () => {
    expect(String(new DataFileName({ path: 'marple_out', now }))).toBe('marple_out/2026-03-01_04-05-09.007.marple');
    expect(String(new DataFileName({ path: '/var/x/', now }))).toBe('/var/x/2026-03-01_04-05-09.007.marple');
    expect(String(new DataFileName({ path: '~/x', now }))).toBe('/home/ada/x/2026-03-01_04-05-09.007.marple');
  });

  test('a given name is taken literally', () => {
    for (const givenName of ['x', 'a/b.txt', '../x.marple', '~/x', '/a//b', ' ']) {
      expect(String(new DataFileName({ givenName, path: 'marple_out' }))).toBe(givenName);
    }
  });

  test('repetitions are numbered before the extension', () => {
    expect(new DataFileName({ path: 'o', now }).numbered(3)).toBe('o/2026-03-01_04-05-09.007-3.marple');
    expect(new DataFileName({ givenName: 'a.b/x.marple' }).numbered(1)).toBe('a.b/x-1.marple');
    expect(new DataFileName({ givenName: 'run.2026' }).numbered(12)).toBe('run.2026-12');
    expect(new DataFileName({ givenName: 'a/.marple' }).numbered(1)).toBe('a/.marple-1');
  });

  test('makeFolder makes the folder of its own names only', () => {
    const folder = testFolder();
    new DataFileName({ givenName: join(folder, 'given/x.marple'), path: join(folder, 'given') }).makeFolder();
    expect(existsSync(join(folder, 'given'))).toBe(false);
    new DataFileName({ path: join(folder, 'a/b') }).makeFolder();
    expect(statSync(join(folder, 'a/b')).isDirectory()).toBe(true);
    writeFileSync(join(folder, 'file'), '');
    const impossible = new DataFileName({ path: join(folder, 'file/x') });
    expect(() => impossible.makeFolder()).toThrow(UsageError);
    expect(() => impossible.makeFolder()).toThrow(
      `the folder ${folder}/file/x cannot be made: a part of its path is no folder`,
    );
  });

  test('the last name is exported and imported, as an absolute path', async () => {
    vi.stubEnv('XDG_STATE_HOME', testFolder());
    expect(DataFileName.importFileName()).toBeUndefined();
    expect(new DataFileName({ path: 'marple_out', now }).exportFileName()).toBeUndefined();
    expect(String(DataFileName.importFileName())).toBe(
      join(process.cwd(), 'marple_out/2026-03-01_04-05-09.007.marple'),
    );
    await closeLog();
  });
});

describe('DisplayFileName', () => {
  function shown(dataFile: string, option = 'heatmap', extension = 'png'): string {
    const name = new DisplayFileName(dataFile);
    name.setOptions(option, extension);
    return String(name);
  }

  test('beside the data file, with the view added', () => {
    expect(shown('x.marple')).toBe('x.heatmap.png');
    expect(shown('/a/b/x.y.marple', 'callstack.flamegraph', 'svg')).toBe('/a/b/x.y.callstack.flamegraph.svg');
    expect(shown('a/x.marple.partial')).toBe('a/x.heatmap.png');
    expect(shown('a/x.marple.partial/')).toBe('a/x.heatmap.png');
    expect(shown('a/old.txt')).toBe('a/old.txt.heatmap.png');
    expect(shown('-')).toBe('stdin.heatmap.png');
    expect(shown('~/x.marple')).toBe('~/x.heatmap.png');
  });

  test('an option from outside leads to no other folder', () => {
    expect(shown('a/x.marple', '../../etc/\0cron d')).toBe('a/x..._.._etc__cron_d.png');
  });

  test('a given name keeps its extension', () => {
    const name = new DisplayFileName('x.marple', { givenName: 'pictures/y.jpeg' });
    name.setOptions('heatmap', 'png');
    expect(String(name)).toBe('pictures/y.jpeg');
    expect(name.numbered(2)).toBe('pictures/y-2.jpeg');
    expect(new DisplayFileName('x.marple', { givenName: 'a.b/y' }).numbered(2)).toBe('a.b/y-2');
  });
});

describe('TempFileName', () => {
  test('lies in its folder; two of one moment differ', () => {
    const [one, other] = [new TempFileName('/tmp/z', { now }), new TempFileName('/tmp/z', { now })];
    expect(String(one)).toMatch(/^\/tmp\/z\/2026-03-01_04-05-09\.007\.[0-9a-f]{12}\.tmp$/);
    expect(String(one)).not.toBe(String(other));
    expect(String(one)).toBe(String(one));
  });
});
