import { readFileSync } from 'node:fs';

// MemTotal:       24684096 kB
// HugePages_Total:       0
/** /proc/meminfo (proc_meminfo(5)) by name: kB, or a number of pages where the line has no unit. */
export function parseMeminfo(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^([^:\n]+): +(\d+)(?: kB)?$/gm)) values.set(name!, Number(value));
  return values;
}

export function readMeminfo(): Map<string, number> {
  return parseMeminfo(readFileSync('/proc/meminfo', 'latin1'));
}
