import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { MarpleError } from '../../src/common/errors.ts';
import { Arrival } from '../../src/fleet/arrival.ts';
import { testFolder } from '../support/folder.ts';

const HEADER = {
  marple: 1,
  interface: 'system',
  datatype: 'datapoint',
  start: '2026-03-01T09:30:00.000Z',
  end: '2026-03-01T09:30:01.000Z',
  host: 'web1',
  future_key: ['kept'],
};
const TEXT = `${JSON.stringify({ ...HEADER, node: '../../x' })}\n0.5,2,a\n1,3,b\n${JSON.stringify(HEADER)}\n`;
const ORIGIN = { node: 'web1', clock_offset: { reference: 'home', start: { ns: 5, uncertainty_ns: 9 } } };

let folder = '';
let tempDir = '';
beforeEach(() => {
  folder = testFolder();
  tempDir = testFolder();
});

/** Sends bytes home in pieces. */
async function send(bytes: Buffer, mostBytes = 1_000_000): Promise<string> {
  const arrival = new Arrival('web1', 'data', { folder, mostBytes, force: false, tempDir });
  try {
    for (let at = 0; at < bytes.length; at += 1000) await arrival.add(bytes.subarray(at, at + 1000).toString('base64'));
    return await arrival.complete(ORIGIN);
  } catch (error) {
    await arrival.abandon();
    throw error;
  }
}

describe('a file that comes home', () => {
  test('is read and written anew, with where it is from in each header', async () => {
    expect(await send(gzipSync(TEXT))).toBe(join(folder, 'web1.marple'));
    expect(readdirSync(folder)).toEqual(['web1.marple']);
    expect(statSync(join(folder, 'web1.marple')).mode & 0o777).toBe(0o600);
    const lines = readFileSync(join(folder, 'web1.marple'), 'utf8').trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('{'))).toEqual(['0.5,2,a', '1,3,b']);
    for (const line of lines.filter((line) => line.startsWith('{'))) {
      expect(JSON.parse(line)).toMatchObject({ ...HEADER, ...ORIGIN });
    }
  });

  test.each([
    ['no data file', Buffer.from('hello\n')],
    ['a record that cannot be read', Buffer.from(TEXT.replace('1,3,b', 'x'))],
    ['a version of tomorrow', Buffer.from(TEXT.replaceAll('"marple":1', '"marple":2'))],
  ])('is kept aside where it is damaged: %s', async (_, bytes) => {
    await expect(send(gzipSync(bytes))).rejects.toThrow(/no data file that can be read \(/);
    expect(readdirSync(folder)).toEqual(['web1.damaged']);
    expect(readFileSync(join(folder, 'web1.damaged'))).toEqual(bytes);
  });

  test.each([
    ['cut off', gzipSync(TEXT).subarray(0, 100)],
    ['not compressed', Buffer.from(TEXT)],
    ['nothing', Buffer.alloc(0)],
  ])('is dropped where it cannot be decompressed: %s', async (_, bytes) => {
    await expect(send(bytes)).rejects.toThrow(MarpleError);
    expect(readdirSync(folder).filter((name) => name !== 'web1.damaged')).toEqual([]);
  });

  test('is cut off where it becomes larger than it may', async () => {
    await expect(send(gzipSync(Buffer.alloc(50_000_000)), 2_000_000)).rejects.toThrow('it sends more than 2 MB');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('does not take the place of one that is there', async () => {
    await send(gzipSync(TEXT));
    const before = readFileSync(join(folder, 'web1.marple'));
    await expect(send(gzipSync(TEXT.replace('0.5,2', '0.5,9')))).rejects.toThrow('exists already');
    expect(readFileSync(join(folder, 'web1.marple'))).toEqual(before);
  });
});
