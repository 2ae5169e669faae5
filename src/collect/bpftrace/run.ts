import { closeSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, errorMessage, MarpleError } from '../../common/errors.ts';
import { log } from '../../common/log.ts';
import { describeExit, type ProcessExit, runTool, startTool, type ToolProcess } from '../../common/process.ts';

export interface BpftraceProgram {
  /** The program's text, without an END of its own. */
  readonly text: string;
  /** Names of the maps that are not to be printed at the end. */
  readonly hidden: readonly string[];
  /** Keys that a map can hold. */
  readonly mapKeys: number;
  /** The file that what it prints goes to, at the end its maps. */
  readonly output: string;
  /** Whether it looks up names for user addresses, at the end, when the maps are printed: processes may be gone by then. */
  readonly userSymbols: boolean;
  /** Size of each CPU's buffer for what is printed, in pages; bpftrace's default (64) where it is missing. */
  readonly bufferPages?: number;
}

/** A bpftrace whose probes are all in place. */
export interface BpftraceRun {
  readonly tool: ToolProcess;
  /** Ends it; the maps are in the file then. @throws MarpleError where it failed. */
  stop(): Promise<void>;
}

const POLL_MS = 20;

/** A probe in a program can fail while one of the processes that run it is just beginning or ending (seen on kernel 6.18). */
const ATTEMPTS = 3;

/**
 * Runs a program until it is stopped. Resolves when its probes are in place; undefined where `stop` aborted first.
 * @throws UnavailableError where it is not installed; MarpleError where it does not run.
 */
export async function startBpftrace(program: BpftraceProgram, stop: AbortSignal): Promise<BpftraceRun | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await attach(program, stop);
    } catch (error) {
      if (attempt === ATTEMPTS || !errorMessage(error).includes('Error attaching probe')) throw error;
      log('warn', 'bpftrace is tried again', { error: errorMessage(error) });
    }
  }
}

async function attach(program: BpftraceProgram, stop: AbortSignal): Promise<BpftraceRun | undefined> {
  const { output, mapKeys, userSymbols, bufferPages } = program;
  rmSync(output, { force: true });
  // bpftrace would make it readable by all.
  writeFileSync(output, '', { flag: 'wx', mode: 0o600 });
  // A file, and not a pipe: bpftrace loses what it prints while nobody reads, and the maps are there after a kill too.
  // Large maps take a while to print: it has all the time that a tool may have.
  const tool = startTool(['bpftrace', '-o', output, '-e', marked(program)], {
    mustBegin: stop,
    completesFiles: true,
    env: {
      ...(userSymbols ? {} : { BPFTRACE_NO_USER_SYMBOLS: '1' }),
      ...(bufferPages === undefined ? {} : { BPFTRACE_PERF_RB_PAGES: `${bufferPages}` }),
      // The older and the newer name.
      BPFTRACE_MAP_KEYS_MAX: `${mapKeys}`,
      BPFTRACE_MAX_MAP_KEYS: `${mapKeys}`,
    },
  });
  let ended: ProcessExit | undefined;
  void tool.exit.then((exit) => (ended = exit));
  const marks = new MarkWatch(output);
  while (!marks.areThere()) {
    if (stop.aborted) {
      await tool.stop();
      return undefined;
    }
    if (ended !== undefined) throw failure(tool, ended);
    await sleep(POLL_MS);
  }
  tool.begun();
  return {
    tool,
    stop: async () => {
      const before = ended;
      const exit = await tool.stop();
      if (before !== undefined || (exit.code !== 0 && exit.signal !== 'SIGINT')) throw failure(tool, exit);
    },
  };
}

/** bpftrace v0.17.0 */
export async function bpftraceVersion(): Promise<string> {
  const { stdout } = await runTool(['bpftrace', '--version']);
  return stdout.trim().replace(/^bpftrace v?/u, '');
}

const MARKS = ['first', 'last'] as const;

/**
 * Probes are attached in the order of the program, or the other way round: when those before and behind all others have
 * both been heard of, all are. print() comes through at once, unlike printf(). The outermost probes end it when this
 * process is gone: a signal that comes while bpftrace attaches is lost (0.17).
 */
function marked({ text, hidden }: BpftraceProgram): string {
  const orphaned = `tracepoint:sched:sched_process_exit /tid == ${process.pid}/ { exit(); }`;
  const [first, last] = MARKS.map(
    (mark) => `interval:ms:20 /@marple_${mark} == 0/ { @marple_${mark} = 1; print("marple ${mark}"); }`,
  );
  const cleared = [...MARKS.map((mark) => `marple_${mark}`), ...hidden].map((map) => `clear(@${map});`);
  return [orphaned, first, text, last, orphaned, `END { ${cleared.join(' ')} }`].join('\n');
}

/** Looks for the marks in a file that grows. */
class MarkWatch {
  readonly #missing = new Set<string>(MARKS);
  readonly #block = Buffer.alloc(1 << 16);
  #read = 0;
  /** The end of what was read: a mark may have come in part. */
  #tail = '';

  constructor(readonly path: string) {}

  areThere(): boolean {
    let file: number;
    try {
      file = openSync(this.path, 'r');
    } catch {
      return false;
    }
    try {
      for (let length = this.#next(file); length > 0; length = this.#next(file)) {
        const text = this.#tail + this.#block.toString('latin1', 0, length);
        for (const mark of this.#missing) if (text.includes(`marple ${mark}\n`)) this.#missing.delete(mark);
        this.#tail = text.slice(-'marple first\n'.length);
        if (this.#missing.size === 0) break;
      }
    } finally {
      closeSync(file);
    }
    return this.#missing.size === 0;
  }

  #next(file: number): number {
    const length = readSync(file, this.#block, 0, this.#block.length, this.#read);
    this.#read += length;
    return length;
  }
}

function failure(tool: ToolProcess, exit: ProcessExit): MarpleError {
  // ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. If your program is not loading, ...
  const lines = tool
    .stderr()
    .split('\n')
    .filter((line) => !line.includes('RLIMIT_MEMLOCK'));
  const complaint = lines.filter((line) => /error|fail|root/i.test(line)).at(-1);
  return new MarpleError(
    `bpftrace ${describeExit(exit, complaint ?? lines.join('\n'))}`,
    EXIT.someFailed,
    "see whether bpftrace works by itself: sudo bpftrace -e 'BEGIN { exit() }'",
  );
}
