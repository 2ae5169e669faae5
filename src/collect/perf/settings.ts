import { readFileSync } from 'node:fs';

/** What the kernel allows, where it tells. */
export interface PerfSettings {
  readonly root: boolean;
  /** kernel.perf_event_paranoid: -1 .. 2, and up to 4 in the kernels of Debian and Ubuntu. */
  readonly paranoid: number | undefined;
  /** `none`, `integrity` or `confidentiality` (kernel_lockdown(7)). */
  readonly lockdown: string | undefined;
  /** Whether system calls are filtered, as in containers (seccomp(2)). */
  readonly seccomp: boolean;
}

export function readPerfSettings(): PerfSettings {
  const paranoid = read('/proc/sys/kernel/perf_event_paranoid');
  return {
    root: process.geteuid?.() === 0,
    paranoid: paranoid === undefined ? undefined : Number(paranoid),
    // none [integrity] confidentiality
    lockdown: /\[(\w+)\]/.exec(read('/sys/kernel/security/lockdown') ?? '')?.[1],
    seccomp: /^Seccomp:\s*2$/m.test(read('/proc/self/status') ?? ''),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}
