import { EXIT, MarpleError, UsageError } from '../common/errors.ts';
import { describeExit, runTool } from '../common/process.ts';
import { clusterEnvironment } from './clush.ts';

/** Names of hosts and their addresses. They become arguments of ssh, and names of files. */
const NODE = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,252}$/;

const HINT =
  "for example: --on 'web[01-40],db1', or --on @group (marple knows no groups itself: nodeset -l lists them)";

/**
 * The hosts of a node set of ClusterShell, each once, in its order.
 * @throws UsageError (2) where it is none, is empty, or names what can be no host; UnavailableError without ClusterShell.
 */
export async function expandNodes(set: string): Promise<string[]> {
  const run = await runTool(['nodeset', '-e', '--', set], { env: clusterEnvironment() });
  if (run.code !== 0) {
    const why = describeExit(run, run.stderr).replace(/^exited with status \d+: /, '');
    throw new UsageError(`--on ${set}: ${why}`, HINT);
  }
  const nodes = run.stdout.split(/\s+/).filter((name) => name !== '');
  if (nodes.length === 0) throw new UsageError(`--on ${set}: there is no host in it`, HINT);
  const wrong = nodes.find((name) => !NODE.test(name));
  if (wrong !== undefined) throw new UsageError(`--on ${set}: '${wrong}' is no name of a host`, HINT);
  return nodes;
}

/** What is said where nothing could be had of any host. */
export function allFailed(why: string, hint: string): MarpleError {
  return new MarpleError(why, EXIT.allFailed, hint);
}
