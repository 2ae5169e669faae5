import { describeExit, type ProcessExit } from '../../common/process.ts';
import type { PerfSettings } from './settings.ts';

/** Why a perf record ended before it had begun, as far as its words tell. */
export type Refusal = 'no-control' | 'buffer' | 'permission' | 'no-process' | 'other';

/** Sorts what perf wrote to stderr (perf 6.1; the words are those of tools/perf/builtin-record.c and util/evsel.c). */
export function classifyRefusal(stderr: string): Refusal {
  // Error: unknown option `control'
  if (stderr.includes("unknown option `control'")) return 'no-control';
  // Permission error mapping pages. Consider increasing /proc/sys/kernel/perf_event_mlock_kb, or try again with a smaller value of -m
  if (stderr.includes('Permission error mapping pages')) return 'buffer';
  // Couldn't create thread/CPU maps: No such process
  if (stderr.includes('No such process')) return 'no-process';
  if (
    /Access to performance monitoring|Operation not permitted|Permission denied|don't have permission/i.test(stderr)
  ) {
    return 'permission';
  }
  return 'other';
}

/** A refusal in words: what stands in the way and what it costs, and the command that helps. */
export function explainRefusal(
  exit: ProcessExit,
  stderr: string,
  settings: PerfSettings,
): { readonly why: string; readonly hint?: string } {
  if (classifyRefusal(stderr) === 'permission') return explainPermission(settings);
  // \___ can't access trace events
  if (/can't access trace events/.test(stderr)) {
    return {
      why: 'the events of the kernel are in tracefs, which only root may read here',
      hint: 'run it as root: sudo marple collect ...',
    };
  }
  // cpu-clock:ppp: PMU Hardware or event type doesn't support branch stack sampling.
  if (/branch stack sampling/.test(stderr)) {
    return {
      why: "this CPU has no records of branches that perf could use for call graphs ('lbr')",
      hint: 'find callers another way: --call-graph fp, or --call-graph dwarf',
    };
  }
  if (classifyRefusal(stderr) === 'no-process')
    return { why: 'a process that was to be sampled is not there (any more)' };
  if (/Too many events are opened|Too many open files/i.test(stderr)) {
    return { why: 'perf needs more open files than are allowed', hint: 'ulimit -n 65536' };
  }
  return {
    why: `perf record ${describeExit(exit, complaint(stderr))}`,
    hint: 'see whether perf works by itself: perf record -a -g -o /dev/null sleep 1',
  };
}

function explainPermission(settings: PerfSettings): { readonly why: string; readonly hint: string } {
  const { root, paranoid, lockdown, seccomp } = settings;
  if (!root) {
    const denied =
      paranoid !== undefined && paranoid > 2
        ? 'nobody but root may sample at all'
        : 'only root may sample all processes';
    return {
      why: `kernel.perf_event_paranoid is ${paranoid ?? 'not readable'}: ${denied}`,
      hint: 'run it as root (sudo marple collect ...), or allow it until the next boot: sudo sysctl kernel.perf_event_paranoid=-1',
    };
  }
  if (lockdown === 'confidentiality') {
    return {
      why: 'the kernel is locked down (confidentiality): not even root may sample it',
      hint: 'boot without lockdown=confidentiality; see: cat /sys/kernel/security/lockdown',
    };
  }
  return {
    why: seccomp
      ? 'perf_event_open is refused even to root: a container or sandbox filters system calls'
      : 'perf_event_open is refused even to root: the capability CAP_PERFMON is missing',
    hint: 'run it outside the container, or start that with: docker run --cap-add PERFMON --cap-add SYS_PTRACE --security-opt seccomp=unconfined',
  };
}

/** Without what perf says of its progress, and the list of options that it prints after a wrong one. */
function complaint(stderr: string): string {
  const lines = (stderr.split(/^ Usage:/m)[0] as string).split('\n');
  return lines
    .filter((line) => !/^(Events (en|dis)abled|\[ perf record:.*)$/.test(line))
    .join('\n')
    .trim();
}
