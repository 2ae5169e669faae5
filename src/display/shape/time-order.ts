import { type NodeWeights, nodeWeights, type TreeArrays } from './flame.ts';
import { Growing, growingFloats } from './growing.ts';

/** Stacks as they followed each other. Node 0 is above all. */
export interface TimeTree extends TreeArrays, NodeWeights {
  /** By node: the weight of all that came before it. */
  readonly starts: Float64Array;
}

/** Samples in the order in which they are to stand beside each other. */
export interface SampleOrder {
  readonly length: number;
  /** The frames of a sample, by their names' places, the outermost first. */
  framesOf(sample: number): Int32Array;
  weightOf(sample: number): number;
}

/** Puts samples beside each other. What follows each other and has frames in common, from the first on, shares them. */
export function timeTree(names: readonly string[], samples: SampleOrder): TimeTree {
  const parents = new Growing((length) => new Int32Array(length));
  const frames = new Growing((length) => new Int32Array(length));
  const starts = growingFloats();
  const self = growingFloats();
  const add = (parent: number, frame: number, start: number): number => {
    parents.push(parent);
    frames.push(frame);
    starts.push(start);
    self.push(0);
    return parents.length - 1;
  };
  const path = [add(0, 0, 0)];
  let before: Int32Array = new Int32Array(0);
  let sum = 0;
  for (let sample = 0; sample < samples.length; sample++) {
    const own = samples.framesOf(sample);
    let same = 0;
    while (same < own.length && same < before.length && own[same] === before[same]) same++;
    path.length = same + 1;
    for (let depth = same; depth < own.length; depth++) path.push(add(path[depth]!, own[depth]!, sum));
    const weight = samples.weightOf(sample);
    self.values[path[own.length]!]! += weight;
    sum += weight;
    before = own;
  }
  return {
    names,
    parents: parents.values,
    frames: frames.values,
    starts: starts.values,
    ...nodeWeights(parents.values, self.values),
  };
}
