import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { configSections } from '../../src/commands/sections.ts';
import { loadDisplaySettings, loadSettings } from '../../src/commands/settings.ts';
import { loadConfig } from '../../src/common/config.ts';
import { shippedConfigFile } from '../../src/common/paths.ts';
import { testFolder } from '../support/folder.ts';

let folder: string;

beforeEach(() => {
  folder = testFolder();
  vi.stubEnv('XDG_CONFIG_HOME', folder);
  return () => vi.unstubAllEnvs();
});

describe('the shipped config.txt', () => {
  const sections = configSections();

  test('passes the checks of all interfaces and views', () => {
    expect(loadConfig(sections, [shippedConfigFile()]).entries().length).toBeGreaterThan(20);
  });

  test('says what the defaults are', async () => {
    const defaults = loadConfig(sections, []).entries();
    const shipped = await loadSettings();
    for (const { section, key, value } of defaults) {
      expect(`${section}.${key} = ${shipped.section(section)[key] ?? value}`).toBe(`${section}.${key} = ${value}`);
    }
  });

  test('names every setting, if only in a comment', () => {
    const parts = readFileSync(shippedConfigFile(), 'utf8').split(/^\[/m);
    for (const { section, key } of loadConfig(sections, []).entries()) {
      const part = parts.find((text) => text.startsWith(`${section}]`)) ?? '';
      expect(part, `[${section}] ${key}`).toMatch(new RegExp(`^(# )?${key} =`, 'm'));
    }
  });

  test('allows what it gives as examples in comments', () => {
    const text = readFileSync(shippedConfigFile(), 'utf8').replace(/^# (?=\w+ = \S+$)/gm, '');
    const path = join(testFolder(), 'config.txt');
    writeFileSync(path, text);
    const config = loadConfig(sections, [path]);
    expect(config.section('Tools')).toEqual({ disklat: 'iosnoop', memtime: 'smem' });
    expect(config.section('callstack')['frequency']).toBe('49');
  });
});

describe('what commands use that only read data files', () => {
  function setByUser(text: string): void {
    mkdirSync(join(folder, 'marple'));
    writeFileSync(join(folder, 'marple/config.txt'), text);
  }

  test('is what the whole configuration says', async () => {
    setByUser('[flamegraph]\ncolors = mem\n');
    const [part, whole] = [await loadDisplaySettings(), await loadSettings()];
    for (const section of ['General', 'Display', 'Groups', 'flamegraph', 'heatmap', 'report']) {
      expect(part.section(section), section).toEqual(whole.section(section));
    }
    expect(part.section('flamegraph')['colors']).toBe('mem');
    expect(part.section('callstack')).toEqual({});
  });

  test('what the user has set of collecters is checked too', async () => {
    setByUser('[callstack]\nfrequency = often\n');
    await expect(loadDisplaySettings()).rejects.toThrow("frequency of [callstack] cannot be 'often'");
  });

  test('so are names of sections', async () => {
    setByUser('[callstacks]\nfrequency = 9\n');
    await expect(loadDisplaySettings()).rejects.toThrow('there is no config section [callstacks]');
  });

  test('a good setting of a collecter does no harm', async () => {
    setByUser('[callstack]\nfrequency = 9\n');
    expect((await loadDisplaySettings()).section('callstack')).toMatchObject({ frequency: '9' });
  });
});
