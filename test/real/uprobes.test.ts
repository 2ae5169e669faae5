import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { clearStaleProbes, Uprobes } from '../../src/collect/perf/uprobes.ts';
import { findAllocators } from '../../src/collect/proc/allocators.ts';
import { compileProgram } from '../support/programs.ts';

const LIST = '/sys/kernel/tracing/uprobe_events';

let program: string;
beforeAll(() => {
  program = compileProgram('two_thirds');
});

function probes(): string {
  return readFileSync(LIST, 'latin1');
}

/** Makes a probe that goes with the test, if it is there then. */
function makeProbe(name: string): void {
  appendFileSync(LIST, `p:${name} ${program}:0x1000\n`);
  onTestFinished(() => {
    if (probes().includes(`:${name} `)) appendFileSync(LIST, `-:${name}\n`);
  });
}

describe('probes of our own', () => {
  test('are there, with their fields, until they are removed; those of others stay', async () => {
    makeProbe('somebody_else/malloc_0');
    const places = findAllocators([process.pid], []).map(({ path, functions }) => ({
      path,
      offset: functions.get('malloc') as number,
    }));
    const made = await Uprobes.create('malloc', places, 'size=%di:u64');
    expect(made.events[0]).toMatch(new RegExp(`^marple_${process.pid}_\\d+:malloc_0$`));
    expect(made.formats()[0]).toMatch(/field:u64 size;/);
    for (const event of made.events) expect(probes()).toContain(event.replace(':', '/'));
    made.remove();
    expect(probes()).not.toContain(`marple_${process.pid}_`);
    expect(existsSync(`/sys/kernel/tracing/events/${made.group}`)).toBe(false);
    expect(probes()).toContain('somebody_else/malloc_0');
    // A second time is none.
    made.remove();
  });

  test('where one is refused none is left', async () => {
    const good = { path: program, offset: 0x1000 };
    await expect(Uprobes.create('half', [good, { path: '/nowhere', offset: 1 }], '')).rejects.toThrow(
      /the kernel refuses probes in programs .*ENOENT/,
    );
    expect(probes()).not.toContain('half_');
  });

  test('of runs that are dead are cleared; of those that live, and of others, not', () => {
    const names = [
      `marple_${process.pid}_1/dead_0`,
      'marple_4194303_77_doctor/dead_1',
      'marple_fan/x',
      'xmarple_1_2/x',
    ];
    for (const name of names) makeProbe(name);
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const living = `marple_${process.pid}_${startTime}/living_0`;
    makeProbe(living);
    expect(clearStaleProbes()).toBeLessThanOrEqual(2);
    // Another MARPLE on this machine may have cleared them first.
    for (const name of names.slice(0, 2)) expect(probes()).not.toContain(name);
    for (const name of [...names.slice(2), living]) expect(probes()).toContain(name);
  });
});
