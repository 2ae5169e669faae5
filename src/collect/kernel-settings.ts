import { appendFileSync, closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { errorMessage, MarpleError } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { runTool } from '../common/process.ts';
import { processIdentity } from '../common/process-identity.ts';
import { findPerf } from '../formats/perf-tool.ts';
import { TraceInstance } from './ftrace/instance.ts';
import { mountedTracefs, useTracefs } from './ftrace/mounts.ts';
import { readPerfSettings } from './perf/settings.ts';

/** One thing about this machine that decides what can be collected. */
export interface KernelSetting {
  readonly name: string;
  /** As it was found; `?` where it cannot be read. */
  readonly value: string;
  /** What it costs, one sentence; undefined where it costs nothing. */
  readonly cost?: string;
  /** The command that would change it. */
  readonly command?: string;
  /** What hangs on it, as INTERFACE/TOOL. */
  readonly tools: RegExp;
}

const PERF = /\/perf/;
const BPF = /\/(bpftrace|bcc|biosnoop|tcptracer|libbpf|mallocstacks|memleak)/;
const SAMPLING = /^(callstack|memevents)\/perf/;
const STACKS = /^(callstack|offcpu|memevents|disklat|perf_malloc)\/(perf|bcc|bpftrace)/;
const BUFFERS = /\/(perf|bpftrace|bcc|biosnoop|tcptracer|libbpf|mallocstacks|memleak)/;
const TRACING = /\/(ftrace|iosnoop|perf|bpftrace|bcc|biosnoop|tcptracer|libbpf)/;
const ANY = /./;

/**
 * The settings that matter, with what each costs. What can be tried is tried: probes are made and removed again, a
 * counter is read. Nothing is left changed.
 */
export async function readKernelSettings(): Promise<KernelSetting[]> {
  const isRoot = process.geteuid?.() === 0;
  return [
    {
      name: 'user',
      value: isRoot ? 'root' : `uid ${process.geteuid?.() ?? '?'}`,
      tools: ANY,
      ...(isRoot
        ? {}
        : {
            cost: "tracing, and other users' processes, are for root only",
            command: 'sudo marple doctor',
          }),
    },
    perfEventParanoid(isRoot),
    kptrRestrict(),
    sampleRate(),
    perfMlock(isRoot),
    perfMaxStack(),
    lockdown(),
    seccomp(),
    await tracefs(),
    await dynamicProbes(KPROBES, isRoot),
    await dynamicProbes(UPROBES, isRoot),
    btf(),
    await hardwareCounters(),
    limit('memlock', 'Max locked memory', BUFFERS, 64 * 1024, {
      cost: 'older kernels charge the maps of BPF programs, and perf its buffers, to it: they may be refused',
      command: 'ulimit -l unlimited',
    }),
    limit('open files', 'Max open files', PERF, 64 + 4 * cpus().length * 8, {
      cost: 'perf opens a file for each CPU and event, and may run out of them',
      command: 'ulimit -n 65536',
    }),
  ];
}

// Documentation/admin-guide/sysctl/kernel.rst and perf-security.rst; above 2 in the kernels of Debian and Ubuntu.
function perfEventParanoid(isRoot: boolean): KernelSetting {
  const value = sysctl('perf_event_paranoid');
  const level = Number(value ?? Number.NaN);
  const costs =
    level > 2
      ? 'nobody but root may sample or count anything'
      : level > 1
        ? 'users other than root may sample their own processes only, and nothing of what these do in the kernel'
        : level > -1
          ? 'users other than root may not record trace events, and only part of what runs in the kernel'
          : undefined;
  return setting(
    'kernel.perf_event_paranoid',
    value,
    PERF,
    isRoot ? undefined : costs,
    'sudo sysctl kernel.perf_event_paranoid=-1',
  );
}

function kptrRestrict(): KernelSetting {
  const value = sysctl('kptr_restrict');
  const addresses = /^(?!0+ )[0-9a-f]+ /m.test(beginning('/proc/kallsyms'));
  const cost = addresses
    ? undefined
    : 'kernel functions have no names in call stacks: /proc/kallsyms hides its addresses';
  return setting(
    'kernel.kptr_restrict',
    value,
    STACKS,
    cost,
    'sudo sysctl kernel.kptr_restrict=0 kernel.perf_event_paranoid=1',
  );
}

function sampleRate(): KernelSetting {
  const value = sysctl('perf_event_max_sample_rate');
  const rate = Number(value ?? Number.NaN);
  return setting(
    'kernel.perf_event_max_sample_rate',
    value,
    SAMPLING,
    rate < 1000 ? `no more than ${rate} samples a second: the kernel lowered it, or it was set so` : undefined,
    'sudo sysctl kernel.perf_event_max_sample_rate=100000',
  );
}

/** Memory for perf's buffers beyond memlock, per user and CPU. Root is not held to it. */
function perfMlock(isRoot: boolean): KernelSetting {
  const value = sysctl('perf_event_mlock_kb');
  const small = !isRoot && Number(value ?? Number.NaN) < 516;
  return setting(
    'kernel.perf_event_mlock_kb',
    value,
    PERF,
    small ? "perf's buffers are smaller than it would choose, and overflow earlier" : undefined,
    'sudo sysctl kernel.perf_event_mlock_kb=516',
  );
}

function perfMaxStack(): KernelSetting {
  const value = sysctl('perf_event_max_stack');
  const depth = Number(value ?? Number.NaN);
  return setting(
    'kernel.perf_event_max_stack',
    value,
    STACKS,
    depth < 127 ? `call stacks are cut at ${depth} frames` : undefined,
    'sudo sysctl kernel.perf_event_max_stack=127',
  );
}

function lockdown(): KernelSetting {
  const { lockdown: mode } = readPerfSettings();
  const cost =
    mode === 'confidentiality'
      ? 'not even root may sample the kernel, trace it, or load BPF programs that read memory'
      : undefined;
  return {
    name: 'lockdown',
    value: mode ?? 'not in this kernel',
    tools: /./,
    ...(cost === undefined ? {} : { cost, command: 'boot without lockdown=confidentiality' }),
  };
}

function seccomp(): KernelSetting {
  const filtered = readPerfSettings().seccomp;
  return {
    name: 'seccomp',
    value: filtered ? 'filtered' : 'not filtered',
    tools: ANY,
    ...(filtered
      ? {
          cost: 'a container or sandbox filters system calls: perf_event_open and bpf may be refused',
          command: 'docker run --privileged, or marple on the host itself',
        }
      : {}),
  };
}

async function tracefs(): Promise<KernelSetting> {
  const tools = TRACING;
  const root = mountedTracefs();
  if (root !== undefined) return { name: 'tracefs', value: root, tools };
  try {
    (await useTracefs()).release();
    return { name: 'tracefs', value: 'not mounted; MARPLE mounts it for each run', tools };
  } catch (error) {
    return {
      name: 'tracefs',
      value: 'not usable',
      tools,
      cost: `trace events cannot be recorded: ${errorMessage(error)}`,
      ...(error instanceof MarpleError && error.hint !== undefined ? { command: error.hint } : {}),
    };
  }
}

interface DynamicProbe {
  readonly name: string;
  readonly file: string;
  /** Where it is put: Documentation/trace/kprobetrace.rst and uprobetracer.rst. */
  readonly place: string;
  readonly option: string;
  readonly tools: RegExp;
  readonly without: string;
}

const KPROBES: DynamicProbe = {
  name: 'kprobes',
  file: 'kprobe_events',
  place: 'kernel_clone',
  option: 'CONFIG_KPROBE_EVENTS',
  tools: /^(?!mallocstacks|memleak).*\/(bcc|biosnoop|tcptracer|libbpf)/,
  without: 'tools that hook kernel functions do not work; those on trace events do',
};
const UPROBES: DynamicProbe = {
  name: 'uprobes',
  file: 'uprobe_events',
  place: `${findExecutable('true', { optional: true }) ?? process.execPath}:0x40`,
  option: 'CONFIG_UPROBE_EVENTS',
  tools: /^(mallocstacks|memleak|perf_malloc)\//,
  without: 'functions of programs and libraries (malloc) cannot be probed',
};

/** Makes a probe of our own, enables it in an instance of our own, and removes both: nothing else tells whether it works. */
async function dynamicProbes(
  { name, file, place, option, tools, without }: DynamicProbe,
  isRoot: boolean,
): Promise<KernelSetting> {
  if (!isRoot) return { name, value: 'not tried: it takes root', tools, cost: without, command: 'sudo marple doctor' };
  let instance: TraceInstance | undefined;
  try {
    instance = await TraceInstance.create(`doctor_${name}`);
    const path = join(instance.tracefs.root, file);
    if (!existsSync(path)) {
      return { name, value: 'not in this kernel', tools, cost: without, command: `boot a kernel with ${option}=y` };
    }
    const group = `marple_${process.pid}_${processIdentity()?.startTime ?? 0}_doctor`;
    appendFileSync(path, `p:${group}/${name} ${place}\n`);
    try {
      instance.enable(`${group}:${name}`);
    } finally {
      instance.remove();
      appendFileSync(path, `-:${group}/${name}\n`);
    }
    return { name, value: 'usable', tools };
  } catch (error) {
    return {
      name,
      value: 'refused',
      tools,
      cost: `${without} (${errorMessage(error)})`,
      command: 'cat /sys/kernel/security/lockdown',
    };
  } finally {
    instance?.remove();
  }
}

function btf(): KernelSetting {
  const there = existsSync('/sys/kernel/btf/vmlinux');
  return {
    name: 'BTF',
    value: there ? '/sys/kernel/btf/vmlinux' : 'none',
    tools: BPF,
    ...(there
      ? {}
      : {
          cost: 'BPF tools cannot know the layout of kernel structures: those of libbpf do not work, others need kernel headers',
          command: 'boot a kernel with CONFIG_DEBUG_INFO_BTF=y',
        }),
  };
}

/** Counts cycles for a moment. */
async function hardwareCounters(): Promise<KernelSetting> {
  const name = 'hardware counters';
  const tools = SAMPLING;
  const cost =
    'call stacks are sampled by a timer (cpu-clock) instead of cycles, and memory loads and stores cannot be seen';
  const command = 'on a virtual machine: have the host pass its PMU on; else none';
  const devices = readFolder('/sys/bus/event_source/devices').filter((device) =>
    /^(cpu|cpu_core|cpu_atom|arm\w*)$/.test(device),
  );
  try {
    const perf = await findPerf();
    // <not supported>,,cycles,0,100.00,,   or   512345,,cycles,400000,100.00,,
    const { code, stderr } = await runTool([perf.path, 'stat', '-x,', '-e', 'cycles', '--', 'true']);
    if (code === 0 && /^\d+,/m.test(stderr)) return { name, value: devices.join(', ') || 'usable', tools };
    return {
      name,
      value: devices.length === 0 ? 'none' : `${devices.join(', ')}, but cycles cannot be counted`,
      tools,
      cost,
      command,
    };
  } catch {
    return devices.length === 0
      ? { name, value: 'none', tools, cost, command }
      : { name, value: `${devices.join(', ')} (not tried: there is no perf)`, tools };
  }
}

// Max open files            20000                20000                files
function limit(
  name: string,
  label: string,
  tools: RegExp,
  least: number,
  { cost, command }: { cost: string; command: string },
): KernelSetting {
  const soft = new RegExp(`^${label} +(\\w+)`, 'm').exec(read('/proc/self/limits') ?? '')?.[1];
  const small = soft !== undefined && soft !== 'unlimited' && Number(soft) < least;
  return setting(name, soft, tools, small ? cost : undefined, command);
}

function setting(
  name: string,
  value: string | undefined,
  tools: RegExp,
  cost: string | undefined,
  command: string,
): KernelSetting {
  return { name, value: value ?? '?', tools, ...(cost === undefined ? {} : { cost, command }) };
}

function sysctl(name: string): string | undefined {
  return read(join('/proc/sys/kernel', name));
}

/** The first page of a file that may be long; empty where it cannot be read. */
function beginning(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const buffer = Buffer.alloc(4096);
    return buffer.toString('latin1', 0, readSync(file, buffer));
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}

function readFolder(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
