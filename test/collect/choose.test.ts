import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { chooseTool, distrust, ProbeMemory } from '../../src/collect/choose.ts';
import { Collecter, type CollecterClass, type Probe, type Tool } from '../../src/collect/collecter.ts';
import type { Batch } from '../../src/common/section.ts';

const folder = mkdtempSync(join(tmpdir(), 'marple-test-choose-'));
const path = join(folder, 'state/probes.json');
const request = { scope: { own: process.pid }, tempDir: folder };
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rmSync(path, { force: true }));

function tool(name: string, probe: Probe | Error): Tool & { probed: number } {
  return {
    name,
    probed: 0,
    async probe() {
      this.probed++;
      if (probe instanceof Error) throw probe;
      return probe;
    },
  };
}

function collecterWith(...tools: Tool[]): CollecterClass {
  return class extends Collecter<never> {
    static readonly description = {
      interface: 'fake',
      area: 'cpu' as const,
      kind: 'fake',
      summary: '',
      sections: [],
      options: z.never(),
      tools,
    };

    override async *collect(): AsyncIterable<Batch> {}
  };
}

const works: Probe = { usable: true, version: '1' };
const fails: Probe = { usable: false, why: 'it is broken', hint: 'mend it' };
const any = { forced: false };

describe('chooseTool', () => {
  test('takes the first that works, and says why better ones were passed over', async () => {
    const [a, b, c] = [tool('a', fails), tool('b', works), tool('c', works)];
    const choice = await chooseTool(collecterWith(a, b, c), request, await ProbeMemory.load(path), any);
    expect(choice).toMatchObject({ tool: 'b', version: '1', forced: false });
    expect(choice.passedOver).toEqual([{ tool: 'a', why: 'it is broken', hint: 'mend it' }]);
    expect(c.probed).toBe(0);
  });

  test('a probe that throws is a tool that does not work', async () => {
    const choice = await chooseTool(
      collecterWith(tool('a', new Error('boom'))),
      request,
      await ProbeMemory.load(path),
      any,
    );
    expect(choice).toMatchObject({ tool: undefined, passedOver: [{ tool: 'a', why: 'boom' }] });
  });

  test('a configured tool goes first, the others behind it', async () => {
    const collecter = collecterWith(tool('a', works), tool('b', fails), tool('c', works));
    const memory = await ProbeMemory.load(path);
    expect(await chooseTool(collecter, request, memory, { tool: 'c', forced: false })).toMatchObject({ tool: 'c' });
    expect(await chooseTool(collecter, request, memory, { tool: 'b', forced: false })).toMatchObject({ tool: 'a' });
  });

  test('a tool that the user names is used, whatever its probe says', async () => {
    const choice = await chooseTool(
      collecterWith(tool('a', works), tool('b', fails)),
      request,
      await ProbeMemory.load(path),
      {
        tool: 'b',
        forced: true,
      },
    );
    expect(choice).toMatchObject({ tool: 'b', forced: true, passedOver: [{ tool: 'b', why: 'it is broken' }] });
  });

  test('a name that is no tool of the interface is refused', async () => {
    const choosing = chooseTool(collecterWith(tool('a', works)), request, await ProbeMemory.load(path), {
      tool: 'x',
      forced: true,
    });
    await expect(choosing).rejects.toThrowError('fake has no tool called x');
  });
});

describe('ProbeMemory', () => {
  test('what was seen is not probed again, by a later run either', async () => {
    const a = tool('a', fails);
    const b = tool('b', works);
    const memory = await ProbeMemory.load(path);
    await chooseTool(collecterWith(a, b), request, memory, any);
    await memory.save();
    const choice = await chooseTool(collecterWith(a, b), request, await ProbeMemory.load(path), any);
    expect([a.probed, b.probed]).toEqual([1, 1]);
    expect(choice).toMatchObject({ tool: 'b', passedOver: [{ why: 'it is broken', hint: 'mend it' }] });
  });

  test('a scope of pids is probed by itself', async () => {
    const a = tool('a', works);
    const memory = await ProbeMemory.load(path);
    await chooseTool(collecterWith(a), request, memory, any);
    await chooseTool(collecterWith(a), { ...request, scope: { own: 1, pids: [1] } }, memory, any);
    expect(a.probed).toBe(2);
  });

  test('what belongs to another boot or another set of programs is forgotten', async () => {
    const a = tool('a', works);
    const memory = await ProbeMemory.load(path);
    await chooseTool(collecterWith(a), request, memory, any);
    await memory.save();
    const kept = readFileSync(path, 'utf8');
    writeFileSync(path, kept.replace(memory.fingerprint, 'another'));
    await chooseTool(collecterWith(a), request, await ProbeMemory.load(path), any);
    expect(a.probed).toBe(2);
    writeFileSync(path, 'rubbish');
    await chooseTool(collecterWith(a), request, await ProbeMemory.load(path), any);
    expect(a.probed).toBe(3);
  });

  test('a tool that is not believed is passed over next time', async () => {
    const [a, b] = [tool('a', works), tool('b', works)];
    const memory = await ProbeMemory.load(path);
    await chooseTool(collecterWith(a, b), request, memory, any);
    distrust(memory, 'fake', a, request, 'all its sizes were 0');
    await memory.save();
    const choice = await chooseTool(collecterWith(a, b), request, await ProbeMemory.load(path), any);
    expect(choice).toMatchObject({ tool: 'b', passedOver: [{ tool: 'a', why: 'all its sizes were 0' }] });
  });
});
