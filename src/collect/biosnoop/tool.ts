import { UnavailableError } from '../../common/errors.ts';
import { findExecutable } from '../../common/executables.ts';
import { describeExit, startTool, type ToolProcess } from '../../common/process.ts';
import { isTitle } from '../../formats/biosnoop.ts';
import { linesOf } from '../../formats/lines.ts';

/** The two of this name: of libbpf-tools, which needs no kernel headers, and of BCC in Python. */
const PROGRAMS = [
  { name: 'biosnoop (libbpf-tools)', program: 'biosnoop', argv: ['stdbuf', '-oL', 'biosnoop'] },
  { name: 'biosnoop (BCC)', program: 'biosnoop-bpfcc', argv: ['biosnoop-bpfcc'] },
] as const;

/** A biosnoop that traces. */
export interface RunningBiosnoop {
  readonly name: string;
  readonly tool: ToolProcess;
  /** What it prints behind its title. */
  readonly lines: AsyncGenerator<readonly string[]>;
}

/**
 * Starts the first biosnoop that comes to trace, unless `stop` aborts before.
 * @throws UnavailableError that says of each why it does not.
 */
export async function startBiosnoop(stop: AbortSignal): Promise<RunningBiosnoop> {
  const reasons: string[] = [];
  for (const { name, program, argv } of PROGRAMS) {
    if (findExecutable(program, { optional: true }) === undefined) {
      reasons.push(`${name}: ${program} is not installed`);
      continue;
    }
    const tool = startTool(argv, { graceMs: 2_000, mustBegin: stop, env: { PYTHONUNBUFFERED: '1' } });
    const lines = linesOf(tool.stdout as AsyncIterable<Buffer>);
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true) break;
      const title = value.findIndex(isTitle);
      if (title < 0) continue;
      tool.begun();
      return { name, tool, lines: behind(value.slice(title + 1), lines) };
    }
    reasons.push(`${name} ${describeExit(await tool.stop(), tool.stderr())}`);
  }
  throw new UnavailableError(
    `biosnoop does not run: ${reasons.join('; ')}`,
    'its probes need a kernel with CONFIG_KPROBES; use ftrace: --tool disklat=ftrace',
  );
}

async function* behind(
  first: readonly string[],
  rest: AsyncGenerator<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  yield first;
  yield* rest;
}
