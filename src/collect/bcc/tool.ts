import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { UnavailableError } from '../../common/errors.ts';
import { findExecutable, installHint } from '../../common/executables.ts';
import { installRoot } from '../../common/paths.ts';
import { describeExit, type ProcessExit, runTool, startTool, type ToolProcess } from '../../common/process.ts';
import { noteBcc } from './note.ts';

/** BCC's tools are for the system's own Python. */
const PYTHON = '/usr/bin/python3';

/** A BCC tool: as ./setup.sh links it, else as the package installs it. @throws UnavailableError where it is missing. */
export function bccTool(name: string): string {
  const candidates = [join(installRoot(), 'vendor/bcc-tools', name), `${name}-bpfcc`, `/usr/share/bcc/tools/${name}`];
  for (const candidate of candidates) {
    const path = findExecutable(candidate, { optional: true });
    if (path !== undefined) return path;
  }
  throw new UnavailableError(`BCC's ${name} is not installed`, installHint(name));
}

/**
 * Starts a BCC tool of Python, which is ended where `stop` aborts before it has begun. When it has ended, what it may have left of its probes is removed: where the kernel refuses
 * one at first, BCC makes it another way, and then forgets it.
 * @throws UnavailableError where it is missing.
 */
export function startBcc(name: string, args: readonly string[], stop: AbortSignal): ToolProcess {
  // Some begin with the name of a Python that is not there.
  const argv = [PYTHON, bccTool(name), ...args];
  const tool = startTool(argv, { env: bccEnvironment(), graceMs: 30_000, mustBegin: stop });
  const ended = noted(tool);
  const exit = tool.exit.then((how) => {
    ended();
    return how;
  });
  return { ...tool, exit, stop: () => tool.stop().then(() => exit) };
}

function noted(tool: ToolProcess): () => void {
  const isStarted = tool.pid > 0;
  if (!isStarted) return () => undefined;
  try {
    return noteBcc(tool.pid);
  } catch (error) {
    void tool.stop();
    throw error;
  }
}

/** A BCC tool that looks at one process. */
export interface BccRun {
  readonly tool: ToolProcess;
  /** Resolves when its probes are in place. @throws UnavailableError where it ended before. */
  readonly attached: Promise<void>;
}

/** The kernel can refuse a probe that another tool is just putting or removing. */
const ATTEMPTS = 3;

/** Starts a tool for each process, all or none. @throws UnavailableError where one does not run. */
export async function startForEach<T extends BccRun>(pids: readonly number[], start: (pid: number) => T): Promise<T[]> {
  const settled = await Promise.allSettled(pids.map((pid) => startAttached(() => start(pid))));
  const runs = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  const failed = settled.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return runs;
  await Promise.all(runs.map(({ tool }) => tool.stop()));
  throw failed.reason;
}

async function startAttached<T extends BccRun>(start: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const run = start();
    try {
      await run.attached;
      run.tool.begun();
      return run;
    } catch (error) {
      await run.tool.stop();
      if (attempt === ATTEMPTS || !run.tool.stderr().includes('Failed to attach')) throw error;
    }
  }
}

/** Why a BCC tool ended, in words. */
export function bccFailure(name: string, exit: ProcessExit, stderr: string): UnavailableError {
  // Exception: Failed to compile BPF module <text>   behind   Unable to find kernel headers. Try rebuilding kernel with CONFIG_IKHEADERS=m
  if (/Unable to find kernel headers|\/lib\/modules\/\S+\/build/.test(stderr)) {
    return new UnavailableError(
      `BCC's ${name} finds no kernel headers to compile with`,
      './setup.sh (it links those that there are)',
    );
  }
  if (/Operation not permitted|need to run as root|EPERM/i.test(stderr)) {
    return new UnavailableError(`BCC's ${name} may not load its program`, 'run it as root: sudo marple collect ...');
  }
  return new UnavailableError(
    `BCC's ${name} ${describeExit(exit, stderr)}`,
    `see whether it works by itself: sudo python3 ${bccTool(name)} --help`,
  );
}

/** Its output comes line by line, and it compiles for the version of the kernel headers that it finds, whatever runs. */
export function bccEnvironment(): Record<string, string> {
  const version = headersVersion();
  return { PYTHONUNBUFFERED: '1', ...(version === undefined ? {} : { BCC_LINUX_VERSION_CODE: version }) };
}

export async function bccVersion(): Promise<string> {
  const { stdout } = await runTool([PYTHON, '-c', 'import bcc; print(bcc.__version__)']);
  return stdout.trim();
}

// #define LINUX_VERSION_CODE 396288
function headersVersion(): string | undefined {
  try {
    const path = `/lib/modules/${release()}/build/include/generated/uapi/linux/version.h`;
    return /^#define LINUX_VERSION_CODE (\d+)$/mu.exec(readFileSync(path, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
