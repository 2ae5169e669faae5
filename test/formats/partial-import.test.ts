import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/common/errors.ts';
import { openDataFile } from '../../src/common/reader.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { headerOf, tempFolder } from '../support/data-files.ts';
import { importBytes, importPath } from '../support/imports.ts';

const FIXTURE = join(import.meta.dirname, '../fixtures/ftrace/whole');
const RUN: RunInfo = { origin: '0', scope: { own: 0 }, tasks: [], bootId: '' };

/** The partial folder of a run with a section whose last line is cut, and with one that is still a recording. */
function partialRun(): string {
  const partial = join(tempFolder(), 'x.marple.partial');
  mkdirSync(join(partial, 'recordings'), { recursive: true });
  cpSync(FIXTURE, join(partial, 'recordings', 'disklat'), { recursive: true });
  writeFileSync(join(partial, 'run.json'), JSON.stringify(RUN));
  const disklat = headerOf('datapoint', {
    interface: 'disklat',
    fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
  });
  writeFileSync(join(partial, '00-disklat-datapoint.section'), `${JSON.stringify(disklat)}\n`);
  const memtime = headerOf('datapoint', { interface: 'memtime', fields: ['comm', 'pid'], host: 'there' });
  writeFileSync(join(partial, '10-memtime-datapoint.section'), `${JSON.stringify(memtime)}\n1,2,a,1\n2,3,b,2\n3,4,c`);
  return partial;
}

describe('a run that was cut off becomes a whole file', () => {
  test('with what had been written, and what its recordings hold', async () => {
    const partial = partialRun();
    const { result, path, sections } = await importPath(partial);
    expect(result.format).toBe('partial');
    expect(sections.map(({ header }) => header.interface)).toEqual(['disklat', 'memtime']);
    expect(sections[0]!.records.length).toBeGreaterThan(100);
    expect(sections[1]!.header).toMatchObject({ host: 'there', records: 2, start: '2026-03-01T09:30:00.000Z' });
    expect(sections[1]!.header.tool).toBeUndefined();
    expect(sections[1]!.records).toEqual([
      { x: 1, y: 2, info: ['a', '1'] },
      { x: 2, y: 3, info: ['b', '2'] },
    ]);
    expect(Date.parse(sections[1]!.header.end!)).toBeLessThanOrEqual(Date.now());
    for (const part of ['when it was cut off', 'the last line was cut off']) {
      expect(sections[1]!.header.warnings?.join()).toContain(part);
      expect(result.warnings.join()).toContain(part);
    }
    expect((await openDataFile(path)).partial).toBe(false);
    // No later run clears it, and neither does this.
    expect(existsSync(join(partial, 'run.json'))).toBe(true);
  });

  test('what decoding says of a section is told to whoever imports it', async () => {
    const partial = partialRun();
    writeFileSync(join(partial, 'recordings', 'disklat', 'stacks.json'), '{}');
    const { result, sections } = await importPath(partial);
    const damaged = 'stacks are missing: their description is damaged';
    expect(sections[0]!.header.warnings).toContain(damaged);
    expect(result.warnings.filter((warning) => warning === damaged)).toEqual([damaged]);
  });

  test('under the name that it would have had, beside the folder', async () => {
    const partial = partialRun();
    const { importFile } = await import('../../src/formats/import.ts');
    const output = partial.replace(/\.partial$/, '');
    await importFile({
      input: partial,
      stdin: process.stdin,
      output,
      force: false,
      format: undefined,
      event: undefined,
      annotate: new Set(),
      tempDir: tempFolder(),
    });
    expect(readFileSync(output, 'utf8').startsWith('{"marple":1')).toBe(true);
    expect(readdirSync(join(partial, '..')).sort()).toEqual(['x.marple', 'x.marple.partial']);
  });

  test('what is no such folder, and what is no folder', async () => {
    await expect(importPath(tempFolder())).rejects.toThrow(UsageError);
    await expect(importBytes('x', { format: 'partial' })).rejects.toThrow(/is no folder/);
    await expect(importPath(partialRun(), { format: 'folded' })).rejects.toThrow(/is a folder/);
  });
});
