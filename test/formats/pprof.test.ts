import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { pprofExporter } from '../../src/formats/pprof.ts';
import { Message } from '../../src/formats/protobuf.ts';
import { headerOf, tempFolder } from '../support/data-files.ts';
import { exportSections, SECTION, SOME } from '../support/exports.ts';

/** The pprof of Go: ./setup.sh puts it there. */
const PPROF = `${import.meta.dirname}/../../vendor/pprof/pprof`;

function pprof(profile: Buffer, ...args: readonly string[]): string {
  const folder = tempFolder();
  writeFileSync(`${folder}/profile`, profile);
  return execFileSync(PPROF, [...args, `${folder}/profile`], {
    encoding: 'utf8',
    env: { ...process.env, HOME: folder, PPROF_TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** `flat sum name` of each line of -top. */
function topOf(text: string): Record<string, readonly [flat: string, cumulated: string]> {
  const rows = text.split('\n').flatMap((line) => {
    const [, flat = '', cumulated = '', name = ''] = /^ *(\S+) +\S+% +\S+% +(\S+) +\S+% {2}(.+)$/.exec(line) ?? [];
    return name === '' ? [] : [[name, [flat, cumulated]] as const];
  });
  return Object.fromEntries(rows);
}

describe('pprof', () => {
  it('is opened by go tool pprof, with the weights of the section', async () => {
    const { bytes, warnings } = await exportSections(pprofExporter, SOME, { pick: [SECTION.stacks] });
    expect(warnings).toEqual([]);
    expect(topOf(pprof(bytes, '-top', '-nodecount=100', '-sample_index=samples'))).toEqual({
      write: ['4', '4'],
      read: ['3', '3'],
      'parse<int, "x">': ['1', '1'],
      main: ['0', '8'],
      fio: ['0', '7'],
      web_server: ['0', '1'],
    });
  });

  it('has the CPU time that samples at a known rate stand for', async () => {
    const { bytes } = await exportSections(pprofExporter, SOME, { pick: [SECTION.stacks] });
    const top = pprof(bytes, '-top');
    expect(top).toMatch(/^Type: cpu$/m);
    expect(top).toMatch(/^Time: Mar 1, 2026 at 9:30am \(UTC\)$/m);
    expect(top).toMatch(/^Duration: 4s, Total samples = 80ms/m);
    expect(topOf(top)['write']).toEqual(['40ms', '40ms']);
  });

  it('has the process of each sample as a label', async () => {
    const { bytes } = await exportSections(pprofExporter, SOME, { pick: [SECTION.stacks] });
    expect(topOf(pprof(bytes, '-top', '-sample_index=samples', '-tagfocus=process=web_server'))).toEqual({
      'parse<int, "x">': ['1', '1'],
      main: ['0', '1'],
      web_server: ['0', '1'],
    });
  });

  test.each([
    ['ns', 'time', 3_000_000_000, '3s'],
    ['bytes', 'memory', 3 * 2 ** 40, '3TB'],
    ['calls', 'calls', 2 ** 53 - 1, '9007199254740991'],
  ])('weights in %s are %s', async (unit, label, weight, shown) => {
    const header = headerOf('stack', { interface: 'x', weight: { label, unit } });
    const { bytes } = await exportSections(pprofExporter, [{ header, records: [{ weight, stack: ['a', 'b'] }] }]);
    const top = pprof(bytes, '-top');
    expect(top).toMatch(new RegExp(`^Type: ${label}$`, 'm'));
    expect(topOf(top)['b']?.[0]).toBe(shown);
  });

  it('has no samples where the section has none', async () => {
    const header = headerOf('stack', { weight: { label: 'samples', unit: 'samples' } });
    const { bytes } = await exportSections(pprofExporter, [{ header, records: [{ weight: 0, stack: ['a'] }] }]);
    expect(pprof(bytes, '-raw')).toMatch(/^samples\/count\nLocations\nMappings$/m);
  });

  it('has hostile names as visible text', async () => {
    const header = headerOf('stack');
    const stack = ['a\u0000b', 'x\udcff', 'y\n"<z>"', '😀'];
    const { bytes } = await exportSections(pprofExporter, [{ header, records: [{ weight: 1, stack }] }]);
    const raw = pprof(bytes, '-raw');
    for (const name of ['a\\x00b', 'x\\xff', 'y\\x0a"<z>"', '😀']) expect(raw).toContain(` ${name} `);
  });

  it('needs stacks', async () => {
    await expect(exportSections(pprofExporter, SOME, { pick: [SECTION.disklat] })).rejects.toMatchObject({
      exitCode: 2,
      message: 'none of the sections has stacks, which is all that a pprof profile can hold',
    });
  });

  it('is one gzip stream', async () => {
    const { bytes } = await exportSections(pprofExporter, SOME, { pick: [SECTION.stacks] });
    expect(gunzipSync(bytes).length).toBeGreaterThan(100);
  });
});

describe('protocol buffers', () => {
  // The examples of https://protobuf.dev/programming-guides/encoding/, and the ends of the ranges.
  test.each([
    [new Message().integer(1, 150), '08 96 01'],
    [new Message().string(2, 'testing'), '12 07 74 65 73 74 69 6e 67'],
    [new Message().message(3, new Message().integer(1, 150)), '1a 03 08 96 01'],
    [new Message().integers(6, [3, 270, 86_942]), '32 06 03 8e 02 9e a7 05'],
    [new Message().integer(16, 0), '80 01 00'],
    [new Message().integer(1, 2 ** 53 - 1), '08 ff ff ff ff ff ff ff 0f'],
    [new Message().integer(1, 2n ** 64n - 1n), '08 ff ff ff ff ff ff ff ff ff 01'],
    [new Message().integer(1, 1n), '08 01'],
  ])('%#', (message, hex) => {
    expect(message.bytes.toString('hex')).toBe(hex.replaceAll(' ', ''));
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53, -1n])('refuses %s', (value) => {
    expect(() => new Message().integer(1, value)).toThrow(RangeError);
  });

  it('holds more than it has room for at first', () => {
    const message = new Message();
    for (let i = 0; i < 1000; i++) message.string(1, 'x'.repeat(i));
    expect(message.length).toBe((1000 * 999) / 2 + 128 * 2 + 872 * 3);
  });
});
