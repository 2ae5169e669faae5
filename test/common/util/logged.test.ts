import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { closeLog } from '../../../src/common/log.ts';
import { logged } from '../../../src/common/util/logged.ts';
import { testFolder } from '../../support/folder.ts';

class Worker {
  readonly #factor = 2;

  @logged
  twice(x: number): number {
    return x * this.#factor;
  }
  @logged
  fail(_: object): never {
    throw new Error('broken');
  }
  @logged
  async later(x: number): Promise<number> {
    if (x < 0) throw new Error('below 0');
    return x;
  }
  @logged
  async *count(to: number): AsyncGenerator<number> {
    for (let i = 1; i <= to; i++) {
      if (i > 3) throw new Error('above 3');
      yield i;
    }
  }
  @logged
  static about(text: string): string {
    return text;
  }
}

interface Line {
  message: string;
  fields?: Record<string, unknown>;
}

let folder = '';
beforeEach(() => {
  folder = testFolder();
  vi.stubEnv('XDG_STATE_HOME', folder);
  return () => vi.unstubAllEnvs();
});

async function logLines(): Promise<Line[]> {
  await closeLog();
  const text = readFileSync(join(folder, 'marple/marple.log'), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('@logged', () => {
  test('entry with arguments, exit; the method works as before', async () => {
    expect(new Worker().twice(21)).toBe(42);
    expect(Worker.about('x')).toBe('x');
    const lines = await logLines();
    expect(lines.map((line) => line.message)).toEqual([
      'enter Worker.twice',
      'leave Worker.twice',
      'enter Worker.about',
      'leave Worker.about',
    ]);
    expect(lines[0]?.fields).toEqual({ arguments: ['21'] });
    expect(lines[2]?.fields).toEqual({ arguments: ["'x'"] });
  });

  test('an exception is logged and thrown on; arguments of any size are cut', async () => {
    const large = { text: 'y'.repeat(100_000), self: {} };
    large.self = large;
    expect(() => new Worker().fail(large)).toThrow('broken');
    const [enter, threw] = await logLines();
    expect(enter?.fields?.['arguments']).toEqual([expect.stringMatching(/^<ref/)]);
    expect(JSON.stringify(enter).length).toBeLessThan(500);
    expect(threw).toMatchObject({
      message: 'Worker.fail threw',
      fields: { error: expect.stringMatching(/^Error: broken\n/) },
    });
  });

  test('a promise leaves when it is settled', async () => {
    const running = new Worker().later(1);
    Worker.about('between');
    expect(await running).toBe(1);
    await expect(new Worker().later(-1)).rejects.toThrow('below 0');
    const messages = (await logLines()).map((line) => line.message);
    expect(messages.filter((message) => message.includes('later'))).toEqual([
      'enter Worker.later',
      'leave Worker.later',
      'enter Worker.later',
      'Worker.later threw',
    ]);
    expect(messages.indexOf('leave Worker.later')).toBeGreaterThan(messages.indexOf('leave Worker.about'));
  });

  test('an async generator leaves at its end, when it throws, and when nobody asks any more', async () => {
    const seen: number[] = [];
    for await (const x of new Worker().count(3)) seen.push(x);
    expect(seen).toEqual([1, 2, 3]);
    for await (const _ of new Worker().count(3)) break;
    await expect(async () => {
      for await (const _ of new Worker().count(4));
    }).rejects.toThrow('above 3');
    const lines = (await logLines()).filter((line) => !line.message.startsWith('enter'));
    expect(lines.map(({ message, fields }) => [message, fields?.['yielded']])).toEqual([
      ['leave Worker.count', 3],
      ['leave Worker.count', 1],
      ['Worker.count threw', undefined],
    ]);
  });
});
