import type * as z from 'zod';
import { CallStack } from './callstack.ts';
import { AREAS, type Area, type CollecterClass } from './collecter.ts';
import { CpuScheduling } from './cpusched.ts';
import { BlockRequests } from './diskblockrq.ts';
import { DiskLatency } from './disklat.ts';
import { Ipc } from './ipc.ts';
import { MallocStacks } from './mallocstacks.ts';
import { MemEvents } from './memevents.ts';
import { MemLeak } from './memleak.ts';
import { MemMap } from './memmap.ts';
import { MemTime } from './memtime.ts';
import { OffCpu } from './offcpu.ts';
import { PerfMalloc } from './perf_malloc.ts';
import { System } from './system.ts';

/** Every interface, in the order in which their sections stand in a data file. */
export const COLLECTERS: readonly CollecterClass[] = [
  CpuScheduling,
  CallStack,
  OffCpu,
  DiskLatency,
  BlockRequests,
  MemTime,
  MallocStacks,
  MemLeak,
  MemEvents,
  PerfMalloc,
  MemMap,
  Ipc,
  System,
];

/** The collecter of an interface, by name. */
export function findCollecter(name: string): CollecterClass | undefined {
  return COLLECTERS.find((collecter) => collecter.description.interface === name);
}

/** The areas that have an interface, each with its collecters. */
export function collectersByArea(): [Area, readonly CollecterClass[]][] {
  return AREAS.map((area): [Area, readonly CollecterClass[]] => [
    area,
    COLLECTERS.filter((collecter) => collecter.description.area === area),
  ]).filter(([, collecters]) => collecters.length > 0);
}

/** Config sections that collecting reads, by name: one per interface. */
export function collectConfigSections(): Record<string, z.ZodType> {
  return Object.fromEntries(COLLECTERS.map(({ description }) => [description.interface, description.options]));
}
