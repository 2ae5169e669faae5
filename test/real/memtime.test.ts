import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MemTime } from '../../src/collect/memtime.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import { startTool } from '../../src/common/process.ts';
import type { Scope } from '../../src/common/scope.ts';
import { startMemoryProgram } from '../support/memory-program.ts';
import { compileProgram } from '../support/programs.ts';
import { collectAll, testRun } from '../support/run.ts';

const TOOLS = ['proc', 'smem'] as const;

let program: string;
beforeAll(() => {
  program = compileProgram('memory');
});

/** One sweep, of the whole machine but for what descends from `own` (nobody by default). */
async function sweep(tool: string, scope: Partial<Scope>): Promise<Datapoint[]> {
  const options = MemTime.description.options.parse({ interval: 3600, budget: 100 });
  const { run, started, stop } = testRun({ tool, options, scope: { own: 0, ...scope } });
  const collected = collectAll(new MemTime(run));
  await started;
  stop();
  return ((await collected)[0] ?? []) as Datapoint[];
}

function mibOf(points: readonly Datapoint[], pid: number): number {
  const found = points.filter(({ info }) => info[1] === String(pid));
  expect(found).toHaveLength(1);
  return (found[0] as Datapoint).y;
}

describe.each(TOOLS)('%s', (tool) => {
  test('a program of known size shows to the MiB, under its name', async () => {
    const empty = await startMemoryProgram(program, 'nothing', 0);
    const full = await startMemoryProgram(program, 'two hundred MiB', 200);
    const points = await sweep(tool, {});
    const baseline = mibOf(points, empty.pid);
    expect(baseline).toBeLessThan(3);
    expect(Math.abs(mibOf(points, full.pid) - 200 - baseline)).toBeLessThan(1);
    expect(points.find(({ info }) => info[1] === String(full.pid))?.info[0]).toBe('two hundred MiB');
  });

  test('memory that is shared counts in parts that add up', async () => {
    const parent = await startMemoryProgram(program, 'sharing', 100);
    const alone = mibOf(await sweep(tool, { pids: [parent.pid] }), parent.pid);
    const [first = 0] = await parent.ask('fork');
    const [second = 0] = await parent.ask('fork');
    const points = await sweep(tool, { comm: '^sharing$' });
    const shares = [parent.pid, first, second].map((pid) => mibOf(points, pid));
    for (const share of shares) expect(Math.abs(share - 100 / 3)).toBeLessThan(2);
    expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - alone)).toBeLessThan(1);
  });

  test('only what is in scope is measured', async () => {
    const one = await startMemoryProgram(program, 'scope-one', 3);
    const two = await startMemoryProgram(program, 'scope-two', 3);
    const pidsOf = (points: readonly Datapoint[]): string[] => points.map(({ info }) => info[1] as string);
    expect(pidsOf(await sweep(tool, { pids: [one.pid] }))).toEqual([String(one.pid)]);
    expect(pidsOf(await sweep(tool, { comm: '^scope-' })).sort()).toEqual([String(one.pid), String(two.pid)].sort());
    expect(pidsOf(await sweep(tool, { comm: '^scope-', pids: [two.pid] }))).toEqual([String(two.pid)]);
    expect(pidsOf(await sweep(tool, { root: two.pid }))).toEqual([String(two.pid)]);
  });

  test("MARPLE and its tools are left out, the user's command is not", async () => {
    const running = startTool([program, 'a-tool', '1'], { input: new PassThrough() });
    onTestFinished(async () => void (await running.stop()));
    await once(running.stdout, 'data');
    const command = await startMemoryProgram(program, 'the-command', 1);
    const [child = 0] = await command.ask('fork');
    const own = (await sweep(tool, { own: process.pid })).map(({ info }) => Number(info[1]));
    for (const pid of [process.pid, running.pid, command.pid]) expect(own).not.toContain(pid);
    expect(own.length).toBeGreaterThan(0);
    const points = await sweep(tool, { own: process.pid, root: command.pid });
    expect(points.map(({ info }) => Number(info[1])).sort()).toEqual([command.pid, child].sort());
  });
});

test('the tools agree on the same process', async () => {
  const { pid } = await startMemoryProgram(program, 'agree', 50);
  const [proc, smem] = await Promise.all(TOOLS.map(async (tool) => mibOf(await sweep(tool, { pids: [pid] }), pid)));
  expect(Math.abs((proc as number) - (smem as number))).toBeLessThan(1);
});

test('growth shows at the time at which it happened', async () => {
  const growing = await startMemoryProgram(program, 'growing', 20);
  const options = MemTime.description.options.parse({ interval: 0.02, budget: 100 });
  const { run, stop } = testRun({ tool: 'proc', options, scope: { own: 0, pids: [growing.pid] } });
  const points: Datapoint[] = [];
  let grown: number[] | undefined;
  for await (const { records } of new MemTime(run).collect()) {
    points.push(...(records as Datapoint[]));
    if (points.length === 5) grown = await growing.ask('grow 100');
    if (points.length >= 10) stop();
  }
  const [before = 0, after = 0] = (grown ?? []).map((time) => Number(BigInt(time) - run.clock.origin) / 1e9);
  const base = (points[0] as Datapoint).y;
  const early = points.filter(({ x }) => x < before);
  const late = points.filter(({ x }) => x > after);
  expect(early.length).toBeGreaterThanOrEqual(5);
  expect(late.length).toBeGreaterThanOrEqual(4);
  for (const { y } of early) expect(Math.abs(y - base)).toBeLessThan(1);
  for (const { y } of late) expect(Math.abs(y - base - 100)).toBeLessThan(1);
});

test("the command's descendants are followed as they come and go", async () => {
  const options = MemTime.description.options.parse({ interval: 0.02, budget: 100 });
  const { run, started, stop, changeScope } = testRun({ tool: 'proc', options, scope: { own: process.pid, root: 0 } });
  const collecting = new MemTime(run).collect()[Symbol.asyncIterator]();
  let batch = collecting.next();
  /** Reads on to the first sweep that shows these processes and no others. */
  const sweepOf = async (...pids: readonly number[]): Promise<void> => {
    const wanted = pids.map(String).sort().join();
    for (let shown = ''; shown !== wanted; batch = collecting.next()) {
      const { value, done } = await batch;
      if (done === true) throw new Error(`ended before it had shown ${wanted}`);
      shown = (value.records as Datapoint[])
        .map(({ info }) => info[1] as string)
        .sort()
        .join();
    }
  };
  await started;
  const command = await startMemoryProgram(program, 'the-command', 1);
  changeScope({ root: command.pid });
  await sweepOf(command.pid);
  const [early = 0] = await command.ask('fork');
  await sweepOf(command.pid, early);
  process.kill(early, 'SIGKILL');
  await sweepOf(command.pid);
  const [late = 0] = await command.ask('fork');
  await sweepOf(command.pid, late);
  stop();
  await batch;
});
