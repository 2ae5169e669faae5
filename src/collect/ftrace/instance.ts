import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorCode, errorMessage, UnavailableError } from '../../common/errors.ts';
import { log } from '../../common/log.ts';
import { isAlive, isPidOfKernel, processIdentity } from '../../common/process-identity.ts';
import { isShortage, systemHint, systemReason } from '../../common/system-reason.ts';
import { type KernelMount, mountedTracefs, useTracefs } from './mounts.ts';

/** marple-<pid>-<start time of that process>-<what for> */
const INSTANCE_NAME = /^marple-(?<pid>\d+)-(?<startTime>\d+)-/u;

const live = new Set<TraceInstance>();

process.on('exit', () => {
  for (const instance of live) instance.remove();
});

/**
 * A tracefs instance of our own (Documentation/trace/ftrace.rst, "Instances"): buffers, clock and enabled events that
 * nobody else sees or changes. It goes with `remove`, and at the latest when the process ends.
 */
export class TraceInstance {
  readonly #fds = new Set<number>();

  private constructor(
    readonly dir: string,
    readonly tracefs: KernelMount,
  ) {}

  /**
   * Makes the instance. `name` tells what it is for: lower case letters, digits, `_`.
   * @throws UnavailableError where there is no tracefs, or it may not be used.
   */
  static async create(name: string): Promise<TraceInstance> {
    const tracefs = await useTracefs();
    const dir = join(tracefs.root, 'instances', `marple-${process.pid}-${processIdentity()?.startTime ?? 0}-${name}`);
    try {
      mkdirSync(dir);
    } catch (error) {
      tracefs.release();
      throw unavailable(`cannot make the trace instance ${dir}`, error);
    }
    const instance = new TraceInstance(dir, tracefs);
    live.add(instance);
    return instance;
  }

  has(file: string): boolean {
    return existsSync(join(this.dir, file));
  }

  read(file: string): string {
    return readFileSync(join(this.dir, file), 'utf8');
  }

  /** Writes one of the instance's control files. @throws UnavailableError where the kernel refuses the value. */
  write(file: string, value: string | number): void {
    try {
      // Neither made nor truncated: a control file is there or the kernel does not have it.
      const fd = openSync(join(this.dir, file), constants.O_WRONLY);
      try {
        writeSync(fd, String(value));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      throw unavailable(`cannot write ${value} to ${join(this.dir, file)}`, error);
    }
  }

  /**
   * Enables `GROUP:NAME` and sees that it is enabled.
   * @throws UnavailableError where the kernel does not have the event, or does not enable it.
   */
  enable(event: string): void {
    const folder = `events/${event.replace(':', '/')}`;
    if (!this.has(folder)) throw new UnavailableError(`this kernel has no event ${event}`, 'use another tool');
    this.write(`${folder}/enable`, 1);
    if (!this.read(`${folder}/enable`).startsWith('1')) {
      throw new UnavailableError(`the kernel did not enable the event ${event}`, 'use another tool');
    }
  }

  /**
   * Has the kernel itself stop recording these events when this process ends (Documentation/trace/events.rst, "Supported
   * trigger commands"): of a MARPLE that is killed the instance stays until the next run clears it, and until then it must
   * cost nothing. Where the kernel cannot do that, nothing is lost but this.
   */
  stopWithUs(events: readonly string[]): void {
    if (!isPidOfKernel()) return;
    try {
      for (const event of events) {
        this.write('events/sched/sched_process_exit/trigger', `disable_event:${event} if pid == ${process.pid}`);
      }
    } catch (error) {
      log('warn', 'the trace would go on if MARPLE were killed', { dir: this.dir, error: errorMessage(error) });
    }
  }

  /** CPUs that have a buffer. */
  cpus(): number[] {
    return readdirSync(join(this.dir, 'per_cpu'))
      .map((name) => Number(/^cpu(\d+)$/u.exec(name)?.[1] ?? -1))
      .filter((cpu) => cpu >= 0)
      .sort((a, b) => a - b);
  }

  /** Opens the raw pages of a CPU; a read of an empty buffer gives EAGAIN. Closed with the instance. */
  openRaw(cpu: number): number {
    const path = join(this.dir, `per_cpu/cpu${cpu}/trace_pipe_raw`);
    try {
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      this.#fds.add(fd);
      return fd;
    } catch (error) {
      throw unavailable(`cannot open ${path}`, error);
    }
  }

  /**
   * Ends the recording and removes the instance, at once, so that it works on the way out of the process too. Where
   * somebody else reads in it the kernel keeps it (EBUSY); the next run clears it then.
   */
  remove(): void {
    if (!live.delete(this)) return;
    for (const fd of this.#fds) closeSync(fd);
    this.#fds.clear();
    try {
      // The kernel disables the instance's events and frees its buffers.
      rmdirSync(this.dir);
    } catch (error) {
      log('warn', 'trace instance not removed', { dir: this.dir, error: errorMessage(error) });
    } finally {
      this.tracefs.release();
    }
  }
}

/**
 * Removes the instances of MARPLE processes that are dead. One that somebody still reads is busy and stays. Returns
 * how many were removed; nothing is mounted for it.
 */
export async function clearStaleInstances(): Promise<number> {
  const root = mountedTracefs();
  if (root === undefined) return 0;
  let removed = 0;
  for (const name of readdirSync(join(root, 'instances'))) {
    const { pid, startTime } = INSTANCE_NAME.exec(name)?.groups ?? {};
    if (pid === undefined || isAlive({ pid: Number(pid), startTime: Number(startTime) })) continue;
    try {
      rmdirSync(join(root, 'instances', name));
      removed++;
    } catch {
      // EBUSY: in use, by a MARPLE in another pid namespace for one. ENOENT: another run was faster.
    }
  }
  return removed;
}

function unavailable(what: string, error: unknown): UnavailableError {
  const hint: Record<string, string> = {
    EACCES: 'run it as root: sudo marple collect ...',
    EPERM: 'run it as root outside of a container, and see /sys/kernel/security/lockdown',
    EROFS: 'sudo mount -o remount,rw /sys/kernel/tracing',
    ENOMEM: 'set a smaller buffer_kb in the config',
    EBUSY: 'end the other program that traces, or use another tool',
  };
  return new UnavailableError(
    `${what}: ${isShortage(error) ? systemReason(error) : errorMessage(error)}`,
    hint[errorCode(error) ?? ''] ?? systemHint(error) ?? 'use another tool',
    { cause: error },
  );
}
