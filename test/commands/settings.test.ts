import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { configSections, loadSettings } from '../../src/commands/settings.ts';
import { loadConfig } from '../../src/common/config.ts';
import { shippedConfigFile } from '../../src/common/paths.ts';
import { testFolder } from '../support/folder.ts';

beforeEach(() => {
  vi.stubEnv('XDG_CONFIG_HOME', testFolder());
  return () => vi.unstubAllEnvs();
});

describe('the shipped config.txt', () => {
  const sections = configSections();

  test('passes the checks of all interfaces and views', () => {
    expect(loadSettings().entries().length).toBeGreaterThan(20);
  });

  test('says what the defaults are', () => {
    const defaults = loadConfig(sections, []).entries();
    const shipped = loadSettings();
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
