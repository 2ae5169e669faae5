import type { Stacks } from './model.ts';

/** The same stacks, each on top of the name of its host. The lines keep their numbers. */
export function onHosts(stacks: Stacks, hosts: readonly string[]): Stacks {
  const { lineHosts, names } = stacks;
  if (lineHosts === undefined) return stacks;
  const parents = [0];
  const frames = [0];
  const add = (parent: number, frame: number): number => {
    frames.push(frame);
    return parents.push(parent) - 1;
  };
  /** By host: the nodes that stand for those of all hosts; 0 above all is the host itself. */
  const known = hosts.map(() => new Map<number, number>());
  const nodeOf = (host: number, node: number): number => {
    const own = known[host]!;
    let found = own.get(node);
    if (found === undefined) {
      found = node === 0 ? add(0, names.length + host) : add(nodeOf(host, stacks.parents[node]!), stacks.frames[node]!);
      own.set(node, found);
    }
    return found;
  };
  const ends = Int32Array.from(stacks.ends, (end, line) => (end === 0 ? 0 : nodeOf(lineHosts[line]!, end)));
  return {
    ...stacks,
    names: [...names, ...hosts],
    parents: Int32Array.from(parents),
    frames: Int32Array.from(frames),
    ends,
  };
}
