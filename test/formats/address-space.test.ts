import { describe, expect, test } from 'vitest';
import { AddressSpace, type Mapping } from '../../src/formats/address-space.ts';
import type { PerfFrame } from '../../src/formats/perf-script.ts';

/** A mapping of the file `name`, whose every address is called after it. */
function mapped(name: string, start: number, end: number): Mapping {
  return { start, end, offset: 0, module: { name, nameAt: () => name } };
}

function frameOf(address: number, mapping: Mapping | undefined): PerfFrame {
  return { address: address.toString(16), symbol: mapping?.module.name ?? 'nothing', module: '' };
}

const at = (space: AddressSpace, address: number): string => space.frame(address, 0, frameOf).symbol;

describe('what is at an address', () => {
  test('is the same frame each time, and that of what was mapped last', () => {
    const space = new AddressSpace();
    expect(at(space, 0x1500)).toBe('nothing');
    space.add(mapped('a', 0x1000, 0x4000));
    expect(at(space, 0x1500)).toBe('a');
    expect(space.frame(0x1500, 0, frameOf)).toBe(space.frame(0x1500, 0, frameOf));
    space.add(mapped('b', 0x1400, 0x2000));
    expect(['a', 'b', 'a', 'nothing']).toEqual([0x1000, 0x1500, 0x2000, 0x4000].map((address) => at(space, address)));
    space.add(mapped('c', 0x4000, 0x5000));
    expect(['b', 'c']).toEqual([0x1500, 0x4000].map((address) => at(space, address)));
  });

  test('in a new process is what its parent had, until either maps something else', () => {
    const parent = new AddressSpace([mapped('a', 0x1000, 0x2000)]);
    at(parent, 0x3000);
    const child = parent.copy();
    expect(at(child, 0x1000)).toBe('a');
    child.add(mapped('b', 0x3000, 0x4000));
    expect([at(child, 0x3000), at(parent, 0x3000)]).toEqual(['b', 'nothing']);
    parent.add(mapped('c', 0x1000, 0x2000));
    expect([at(parent, 0x1000), at(child, 0x1000)]).toEqual(['c', 'a']);
  });

  test('is of the program before until the new one is seen to run', () => {
    const space = new AddressSpace([mapped('old', 0x1000, 0x2000)]).afterExec();
    expect(at(space, 0x1000)).toBe('old');
    space.add(mapped('new', 0x5000, 0x6000));
    space.runs(0x1000);
    expect([at(space, 0x1000), at(space, 0x5000)]).toEqual(['old', 'new']);
    space.runs(0x5000);
    expect([at(space, 0x1000), at(space, 0x5000)]).toEqual(['nothing', 'new']);
  });
});
