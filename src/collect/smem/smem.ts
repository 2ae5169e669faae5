import { EXIT, MarpleError } from '../../common/errors.ts';
import { describeExit, PRINTED_TOO_MUCH, readOutput, runTool, startTool } from '../../common/process.ts';
import type { Probe, Tool } from '../collecter.ts';

/** The command: no header line; the name last, for it may hold spaces. */
export const SMEM_COMMAND = ['smem', '-H', '-c', 'pid pss name'] as const;

/** At the end of a run, smem has so long to print what it has gathered. */
const LAST_RUN_MS = 5_000;

/** One process as smem shows it. */
export interface SmemRow {
  readonly pid: number;
  /** kB */
  readonly pss: number;
  /** At most 24 characters, and cut at the first `)`; `?` where it is not UTF-8 or the process had gone. */
  readonly name: string;
}

// ` 5670      215 memfd:sealed-91          `
/** The rows of smem's output, lazily. A line that is none goes to `unreadable`. */
export function* parseSmem(lines: Iterable<string>, unreadable: (line: string) => void): Generator<SmemRow> {
  for (const line of lines) {
    const match = /^ *(\d+) +(\d+) (.*)$/.exec(line);
    if (match !== null) yield { pid: Number(match[1]), pss: Number(match[2]), name: (match[3] as string).trimEnd() };
    else if (line !== '') unreadable(line);
  }
}

/** smem at work: it prints nothing before it has read all processes. */
export interface SmemRun {
  readonly pid: number;
  /**
   * Its output lines; undefined where it was cut off since the run was over.
   * @throws MarpleError where smem failed.
   */
  readonly lines: Promise<readonly string[] | undefined>;
}

export function startSmem(stop: AbortSignal): SmemRun {
  const tool = startTool(SMEM_COMMAND, { graceMs: 10_000 });
  let cutOff = false;
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => {
    timer = setTimeout(() => {
      cutOff = true;
      void tool.stop();
    }, LAST_RUN_MS);
  };
  if (stop.aborted) end();
  else stop.addEventListener('abort', end, { once: true });
  const read = async (): Promise<readonly string[] | undefined> => {
    const { bytes, isWhole } = await readOutput(tool);
    const exit = await tool.exit;
    stop.removeEventListener('abort', end);
    clearTimeout(timer);
    if (cutOff) return undefined;
    if (exit.code !== 0 || !isWhole) {
      throw new MarpleError(
        `smem ${isWhole ? describeExit(exit, tool.stderr()) : PRINTED_TOO_MUCH}`,
        EXIT.allFailed,
        'read /proc directly: marple collect --tool memtime=proc memtime',
      );
    }
    return bytes.toString('utf8').split('\n');
  };
  return { pid: tool.pid, lines: read() };
}

export const SMEM: Tool = {
  name: 'smem',
  async probe(): Promise<Probe> {
    const output = await runTool(SMEM_COMMAND);
    if (output.code !== 0) return { usable: false, why: `smem ${describeExit(output, output.stderr)}` };
    const unreadable: string[] = [];
    const rows = [...parseSmem(output.stdout.split('\n'), (line) => unreadable.push(line))];
    if (unreadable.length > rows.length) {
      return { usable: false, why: `smem printed what cannot be read: ${JSON.stringify(unreadable[0])}` };
    }
    // It lists itself at least, where the kernel has PSS at all.
    if (!rows.some((row) => row.pss > 0)) return { usable: false, why: 'smem shows no process with a PSS above 0' };
    return { usable: true, version: await packageVersion() };
  },
};

/** smem cannot say its version; the package knows it, where dpkg does. */
async function packageVersion(): Promise<string> {
  try {
    const output = await runTool(['dpkg-query', '--status', 'smem']);
    return /^Version: (.+)$/m.exec(output.stdout)?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
