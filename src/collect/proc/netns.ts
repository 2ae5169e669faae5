import { appendFileSync, closeSync, openSync, statfsSync, statSync } from 'node:fs';
import { monotonicNow, type RunClock, sinceOrigin } from '../../common/clock.ts';
import { errorCode, UnavailableError, UsageError } from '../../common/errors.ts';
import { describeExit, runTool } from '../../common/process.ts';
import { connectionKey } from '../../formats/connections.ts';
import { type NetnsDetails, type NetnsNote, netnsNotesFile } from '../../formats/netns-members.ts';
import { ipv6Text, parseTcpTable } from '../../formats/proc-net-tcp.ts';
import { netnsOf } from './sockets.ts';
import { numbersIn } from './tasks.ts';

/** A network namespace that a user named. */
export interface Netns {
  readonly name: string;
  /** A file that stands for it (namespaces(7)). */
  readonly path: string;
  readonly inode: number;
}

/** Type of the file system of namespaces (NSFS_MAGIC, include/uapi/linux/magic.h). */
const NSFS = 0x6e736673;

/**
 * Finds a network namespace by the name that `ip netns` gave it, by the path of a file that stands for it, or by the pid of
 * a process in it.
 * @throws UsageError where there is none, UnavailableError where it may not be looked at.
 */
export function findNetns(name: string): Netns {
  const candidates = name.includes('/')
    ? [name]
    : [`/run/netns/${name}`, ...(/^\d+$/u.test(name) ? [`/proc/${name}/ns/net`] : [])];
  for (const path of candidates) {
    try {
      const { ino } = statSync(path);
      if (statfsSync(path).type === NSFS) return { name, path, inode: ino };
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') continue;
      throw new UnavailableError(
        `the network namespace ${path} may not be looked at (${errorCode(error)})`,
        'run it as root: sudo marple collect ...',
      );
    }
  }
  throw new UsageError(
    `there is no network namespace '${name}'`,
    'list their names with: ip netns list; a path such as /proc/PID/ns/net or the pid of a process in it will do too',
  );
}

/** What a network namespace shows in its /proc/net. */
const FILES = ['tcp', 'tcp6', 'snmp', 'fib_trie', 'if_inet6'].map((file) => `/proc/net/${file}`);

const LOOK_MS = 200;
/** Closed connections stay in the table for a minute (TCP_TIMEWAIT_LEN, include/net/tcp.h). */
const TABLE_MS = 20_000;

/** Notes during a recording what tells which sockets are in a network namespace (formats/netns-members.ts). */
export class NetnsWatch {
  readonly #fd: number;
  /** Where each process was, and when that was seen last. */
  readonly #seen = new Map<number, { netns: number; time: number }>();
  readonly #timers: NodeJS.Timeout[];

  private constructor(
    readonly netns: Netns,
    readonly dir: string,
    readonly clock: RunClock,
  ) {
    // It stays what it is while it is open, whatever ends.
    this.#fd = openSync(netns.path, 'r');
    this.#look();
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => void this.#noteTable().catch(() => undefined), TABLE_MS),
    ];
  }

  /** Begins; notes go into the recording's folder. @throws UnavailableError where it cannot be entered. */
  static async start(netns: Netns, dir: string, clock: RunClock): Promise<NetnsWatch> {
    const watch = new NetnsWatch(netns, dir, clock);
    try {
      await watch.#read();
    } catch (error) {
      watch.close();
      throw error;
    }
    return watch;
  }

  /** For the recording's description, and the text of its counters. */
  async details(): Promise<{ readonly netns: NetnsDetails; readonly counters: string }> {
    const text = await this.#read();
    const { name, inode } = this.netns;
    return { netns: { name, inode, addresses: parseAddresses(text) }, counters: text };
  }

  /** A last look; gives the text of its counters. */
  async finish(): Promise<string> {
    this.#look();
    for (const [pid, seen] of this.#seen) this.#note({ pid, ...seen });
    return this.#noteTable();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    closeSync(this.#fd);
  }

  #look(): void {
    const time = sinceOrigin(this.clock, monotonicNow());
    for (const pid of numbersIn('/proc')) {
      const netns = netnsOf(pid);
      if (netns === undefined) continue;
      const seen = this.#seen.get(pid);
      if (seen?.netns === netns) {
        seen.time = time;
        continue;
      }
      if (seen !== undefined) this.#note({ pid, ...seen });
      this.#seen.set(pid, { netns, time });
      this.#note({ pid, netns, time });
    }
    for (const [pid, seen] of this.#seen) {
      if (seen.time === time) continue;
      this.#note({ pid, ...seen });
      this.#seen.delete(pid);
    }
  }

  async #noteTable(): Promise<string> {
    const text = await this.#read();
    this.#note({ connections: parseTcpTable(text).map(connectionKey) });
    return text;
  }

  #note(note: NetnsNote): void {
    appendFileSync(netnsNotesFile(this.dir), `${JSON.stringify(note)}\n`, { mode: 0o600 });
  }

  /** All of FILES, one behind the other: each line tells what it is. */
  async #read(): Promise<string> {
    const argv = ['nsenter', `--net=/proc/${process.pid}/fd/${this.#fd}`, 'cat', ...FILES];
    const { stdout, ...exit } = await runTool(argv);
    // A kernel without IPv6 has fewer files.
    if (stdout === '') {
      throw new UnavailableError(
        `the network namespace ${this.netns.name} cannot be entered: nsenter ${describeExit(exit, exit.stderr)}`,
        'run it as root: sudo marple collect ...',
      );
    }
    return stdout;
  }
}

//            |-- 10.0.0.2
//               /32 host LOCAL
const LOCAL_IPV4 = /\|-- (?<addr>[\d.]+)\n +\/32 host LOCAL/gu;
// fe80000000000000d0a1befffe4d1c02 02 40 20 80    veth0
const LOCAL_IPV6 = /^(?<addr>[0-9a-f]{32}) [0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{2} +\S+$/gmu;

/** The addresses in the texts of /proc/net/fib_trie and if_inet6. */
export function parseAddresses(text: string): string[] {
  const four = [...text.matchAll(LOCAL_IPV4)].map(({ groups }) => groups?.['addr'] as string);
  const six = [...text.matchAll(LOCAL_IPV6)].map(({ groups }) =>
    ipv6Text(Buffer.from(groups?.['addr'] as string, 'hex')),
  );
  return [...new Set([...four, ...six])];
}
