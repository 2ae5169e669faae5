import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDiskstats } from '../../formats/diskstats.ts';

export interface BlockDevices {
  /** Names by `MAJ:MIN`. */
  readonly devices: Record<string, string>;
  /** Those that have a request queue: I/Os of others (dm, md, zram) never become requests of their own. */
  readonly requestBased: string[];
}

const FOLDER = '/sys/dev/block';

/** The machine's block devices, from the links in /sys/dev/block (Documentation/ABI/testing/sysfs-dev). */
export function blockDevices(): BlockDevices {
  const numbers = readdirSync(FOLDER);
  return {
    devices: Object.fromEntries(numbers.map((number) => [number, blockDeviceName(number)])),
    requestBased: numbers.filter(isRequestBased),
  };
}

function isRequestBased(number: string): boolean {
  return existsSync(join(FOLDER, number, 'mq'));
}

/** Name of the device `MAJ:MIN`; the number itself where there is none (it was unplugged just now). */
export function blockDeviceName(number: string): string {
  try {
    return basename(readlinkSync(join(FOLDER, number)));
  } catch {
    return number;
  }
}

/** Those (`MAJ:MIN`) whose requests wait in a scheduler's queue before they are issued. */
export function scheduledDevices(): string[] {
  return readdirSync(FOLDER).filter((number) => {
    try {
      return /\[(?!none\])/u.test(readFileSync(join(FOLDER, number, 'queue/scheduler'), 'latin1'));
    } catch {
      // A partition, or it was unplugged just now.
      return false;
    }
  });
}

/** The text of /proc/diskstats. */
export function readDiskstats(): string {
  return readFileSync('/proc/diskstats', 'utf8');
}

/** Requests that the devices with a queue have completed until now. */
export function completedRequests(): number {
  let sum = 0;
  for (const [number, { requests }] of parseDiskstats(readDiskstats())) {
    if (requests > 0 && isRequestBased(number)) sum += requests;
  }
  return sum;
}
