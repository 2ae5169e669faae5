import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { decodeBytes } from '../../common/decode-bytes.ts';
import { errorCode } from '../../common/errors.ts';
import { parseMeminfo } from './meminfo.ts';

/** One value of a quantity: what it is of (the section's fields), and the counter or level itself. */
export interface Sample {
  readonly info: readonly string[];
  readonly value: number;
}

/** The modes that a CPU's time is counted by in /proc/stat, in the order of the columns (proc_stat(5)). */
const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'guest_nice'];

// cpu  101689 5853 38800 243799 3090 0 1049 131 0 0
// cpu0 45712 3212 17355 130025 794 0 69 67 0 0
/** Ticks of each CPU by mode. The kernel counts a guest's time as user time too; here the two add up. */
export function parseCpuTimes(text: string): Sample[] {
  return [...text.matchAll(/^cpu(\d+) (.*)$/gm)].flatMap(([, cpu, columns]) => {
    const ticks = columns!.split(' ').map(Number);
    const [user = 0, nice = 0] = ticks;
    const [guest = 0, guestNice = 0] = ticks.slice(8);
    const values = [user - guest, nice - guestNice, ...ticks.slice(2)];
    return CPU_MODES.slice(0, values.length).map((mode, i) => ({ info: [mode, cpu!], value: values[i]! }));
  });
}

/** What memory is used for, in parts that do not overlap: lines of meminfo that are added up, and taken off. */
const MEMORY_USES: readonly [use: string, lines: readonly string[], off?: string][] = [
  ['anonymous', ['AnonPages']],
  ['cached files', ['Cached'], 'Shmem'],
  ['shared memory', ['Shmem']],
  ['buffers', ['Buffers']],
  ['slab', ['Slab']],
  ['page tables', ['PageTables', 'SecPageTables']],
  ['kernel stacks', ['KernelStack']],
  ['per-CPU', ['Percpu']],
  ['huge pages', ['Hugetlb']],
  ['free', ['MemFree']],
];

/** kB of MemTotal by use; `other` is what remains, so that they add up to it. */
export function memoryUses(meminfo: ReadonlyMap<string, number>): Sample[] {
  const kb = (name: string | undefined): number => (name === undefined ? 0 : (meminfo.get(name) ?? 0));
  const uses = MEMORY_USES.map(([use, lines, off]) => ({
    info: [use],
    value: Math.max(0, lines.reduce((sum, line) => sum + kb(line), 0) - kb(off)),
  }));
  const other = kb('MemTotal') - uses.reduce((sum, { value }) => sum + value, 0);
  return [...uses, { info: ['other'], value: Math.max(0, other) }];
}

/** kB of swap by use; none where there is no swap. */
export function swapUses(meminfo: ReadonlyMap<string, number>): Sample[] {
  const total = meminfo.get('SwapTotal') ?? 0;
  const free = meminfo.get('SwapFree') ?? 0;
  return total === 0
    ? []
    : [
        { info: ['used'], value: total - free },
        { info: ['free'], value: free },
      ];
}

export function readMemory(): [memory: Sample[], swap: Sample[]] {
  const meminfo = parseMeminfo(readFileSync('/proc/meminfo', 'latin1'));
  return [memoryUses(meminfo), swapUses(meminfo)];
}

/** Bytes that went through a network interface. */
export interface NetworkCounters {
  readonly name: string;
  readonly received: number;
  readonly sent: number;
}

//   eth0: 1408542476   38586    0    0    0     0          0         0  3788269   30233    0    0    0     0       0          0
/** /proc/net/dev: the interfaces of MARPLE's network namespace (proc_pid_net(5)). */
export function parseNetDev(bytes: Buffer): NetworkCounters[] {
  return [...bytes.toString('latin1').matchAll(/^ *(\S+): *(\d.*)$/gm)].map(([, name, columns]) => {
    const counts = columns!.split(/ +/).map(Number);
    return { name: decodeBytes(Buffer.from(name!, 'latin1')), received: counts[0] ?? 0, sent: counts[8] ?? 0 };
  });
}

// some avg10=1.54 avg60=3.48 avg300=2.56 total=28869591
// full avg10=1.27 avg60=2.72 avg300=2.01 total=21818361
/**
 * Microseconds in which tasks waited for a resource (Documentation/accounting/psi.rst): in `full` all that had something
 * to do, in `only some` some of them but not all. The kernel's `some` is the two together.
 */
export function parsePressure(resource: string, text: string): Sample[] {
  const total = (line: string): number => Number(new RegExp(`^${line} .*total=(\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const full = total('full');
  return [
    { info: [resource, 'only some'], value: Math.max(0, total('some') - full) },
    { info: [resource, 'full'], value: full },
  ];
}

export const PRESSURE = '/proc/pressure';

/** Pressure on each resource that the kernel measures it of. @throws the system's error where it measures none. */
export function readPressure(): Sample[] {
  return readdirSync(PRESSURE).flatMap((resource) => {
    try {
      return parsePressure(resource, readFileSync(`${PRESSURE}/${resource}`, 'latin1'));
    } catch (error) {
      // `irq` is there, but is not counted by every kernel.
      if (resource === 'irq' && errorCode(error) === 'EOPNOTSUPP') return [];
      throw error;
    }
  });
}

/**
 * Tells the devices that are built on others (LVM, RAID and loop devices; bonds, bridges and VLANs): what goes through
 * them goes through those too, and would count twice. A device is looked at once, as long as it is there.
 */
export class Stacked {
  readonly #known = new Map<string, boolean>();
  /** All that were ever found. */
  readonly found = new Set<string>();

  constructor(readonly isStacked: (name: string) => boolean) {}

  /** The devices that are not. */
  without<T extends { readonly name: string }>(devices: readonly T[]): T[] {
    const names = new Set(devices.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!names.has(name)) this.#known.delete(name);
    return devices.filter(({ name }) => {
      const stacked = this.#known.get(name) ?? this.isStacked(name);
      this.#known.set(name, stacked);
      if (stacked) this.found.add(name);
      return !stacked;
    });
  }
}

/** Whole disks stand in /sys/block, partitions below them. */
export function isWholeDisk(name: string): boolean {
  return existsSync(`/sys/block/${inSysfs(name)}`);
}

export function isStackedDisk(name: string): boolean {
  const folder = `/sys/block/${inSysfs(name)}`;
  return existsSync(`${folder}/loop/backing_file`) || namesIn(`${folder}/slaves`).length > 0;
}

export function isStackedInterface(name: string): boolean {
  return namesIn(`/sys/class/net/${name}`).some((entry) => entry.startsWith('lower_'));
}

/** A `/` in a device's name is a `!` in sysfs. */
function inSysfs(name: string): string {
  return name.replaceAll('/', '!');
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
