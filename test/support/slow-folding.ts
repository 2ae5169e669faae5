/*
 * A second folding of perf script text, written from the rules of docs/folding.md alone, slowly and plainly, for comparison.
 */

export interface SlowOptions {
  readonly event?: string;
  readonly annotate?: readonly string[];
}

interface SlowSample {
  readonly comm: string;
  readonly pid: string;
  readonly tid: string;
  readonly weight: number;
  readonly event: string;
  readonly isTimed: boolean;
  readonly frames: string[];
}

/** Folded text, sorted bytewise, of the samples of one event: that asked for, else the first that is seen. */
export function slowFold(text: string, { event, annotate = [] }: SlowOptions = {}): string {
  const samples = samplesOf(text);
  const wanted = event ?? samples[0]?.event;
  const weights: Record<string, number> = {};
  for (const sample of samples.filter((one) => one.event === wanted)) {
    const stack = stackOf(sample, new Set(annotate.flatMap((part) => (part === 'all' ? ['kernel', 'jit'] : [part]))));
    weights[stack] = (weights[stack] ?? 0) + sample.weight;
  }
  const lines = Object.entries(weights).map(([stack, weight]) => Buffer.from(`${stack} ${weight}\n`));
  return Buffer.concat(lines.sort(Buffer.compare)).toString();
}

/** The weights of all samples, and one for each that has a time. */
export function slowAmount(text: string): number {
  const samples = samplesOf(text.replace(/^.*PERF_RECORD_.*$/gm, ''));
  return samples.reduce((sum, { weight, isTimed }) => sum + weight + (isTimed ? 1 : 0), 0);
}

function samplesOf(text: string): SlowSample[] {
  const samples: SlowSample[] = [];
  let current: SlowSample | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    if (line.trim() === '') {
      current = undefined;
      continue;
    }
    // A call chain's frames are indented by a tab, what perf aligns to the right by blanks.
    if (line.startsWith('\t')) {
      current?.frames.push(line.trim());
      continue;
    }
    const words = line.trim().split(/\s+/);
    const ids = words[0] === ':-1' ? /^-?\d+(\/-?\d+)?$/ : /^\d+(\/\d+)?$/;
    const number = words.findIndex((word, i) => i > 0 && ids.test(word));
    const [first = '', second] = words[number]!.split('/');
    const rest = words.slice(number + 1);
    const name = rest.findIndex((word) => word.endsWith(':') && !/^\d+\.\d+:$/.test(word));
    const period = /^\d+$/.test(rest[name - 1] ?? '') ? Number(rest[name - 1]) : 0;
    const isFrame = /^[\da-f]+$/.test(rest[name + 1] ?? '') && line.trimEnd().endsWith(')');
    current = {
      comm: words.slice(0, number).join(' '),
      pid: second === undefined || second === '0' ? '?' : first,
      tid: second ?? first,
      weight: period === 0 ? 1 : period,
      isTimed: rest.some((word) => /^\d+\.\d+:$/.test(word)),
      event: name < 0 ? '' : rest[name]!.slice(0, -1),
      frames: isFrame ? [rest.slice(name + 1).join(' ')] : [],
    };
    samples.push(current);
  }
  return samples;
}

function stackOf({ comm, pid, tid, frames }: SlowSample, annotate: ReadonlySet<string>): string {
  const command = comm.split(' ').join('_');
  const root = annotate.has('tid') ? `${command}-${pid}/${tid}` : annotate.has('pid') ? `${command}-${pid}` : command;
  return [root, ...[...frames].reverse().flatMap((frame) => namesOf(frame, root.startsWith('java'), annotate))].join(
    ';',
  );
}

function namesOf(frame: string, isJava: boolean, annotate: ReadonlySet<string>): string[] {
  const [, address = '', symbolAndOffset = '', module = ''] = /^(\S+)\s+(.*) \((.*)\)$/.exec(frame) ?? [];
  const symbol = symbolAndOffset.replace(/\+0x[0-9a-f]+$/, '');
  if (symbol.startsWith('(')) return [];
  return symbol.split('->').map((part, i) => {
    let name = part;
    if (name === '[unknown]') {
      const base = module === '[unknown]' ? 'unknown' : module.replace(/^.*\//, '');
      name = annotate.has('addrs') ? `[${base} <${address}>]` : `[${base}]`;
    }
    name = name.split(';').join(':');
    if (!/\.\(.*\)\./.test(name)) name = name.replace(/\((?!anonymous namespace\)).*$/, '');
    name = name.replace(/["']/g, '');
    if (isJava && name.includes('/')) name = name.replace(/^L/, '');
    if (i > 0) return `${name}_[i]`;
    const isKernel = (module.startsWith('[') || module.endsWith('vmlinux')) && !module.includes('unknown');
    if (annotate.has('kernel') && isKernel) return `${name}_[k]`;
    if (annotate.has('jit') && /\/tmp\/perf-\d+\.map/.test(module)) return `${name}_[j]`;
    return name;
  });
}
