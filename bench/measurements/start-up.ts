import { program } from '../contestants.ts';
import type { Bench, Measurement, Race } from '../measurement.ts';

/** What every command costs before it does anything: against a Node that does nothing at all. */
export const startUp: Measurement = {
  name: 'start-up',
  summary: 'how long marple takes to do next to nothing',
  races,
};

async function* races({ programs, absent }: Bench): AsyncGenerator<Race> {
  const node = program('node -e 0', [process.execPath, '-e', '0']);
  const commands = [['--version'], ['display', '--help'], ['collect', '--stack', '--dry-run'], ['--help']];
  const oneFile = programs.find(`marple-linux-${process.arch}`);
  if (oneFile === undefined) absent('one file', 'npm run binary makes it');
  yield {
    title: 'start-up',
    contestants: [
      node,
      ...commands.map((args) => program(`marple ${args.join(' ')}`, programs.marple(...args))),
      ...(oneFile === undefined ? [] : [program('one file --version', [oneFile, '--version'])]),
    ],
    goals: [{ of: 'marple --version', times: 1.5, against: node.name }],
  };
}
