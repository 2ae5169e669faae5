import type { PerfFrame, PerfSample } from './perf-script.ts';

/*
 * How a sample's text becomes the frames of a folded stack: the rules that flame graph tools agree on, so that a profile
 * has the same names everywhere (docs/folding.md).
 */

/** What is added to names, on request. */
export interface FoldingOptions {
  /** Root frame `comm-PID`. */
  readonly pid?: boolean;
  /** Root frame `comm-PID/TID`. */
  readonly tid?: boolean;
  /** `_[k]` on frames of the kernel. */
  readonly kernel?: boolean;
  /** `_[j]` on frames of code that was compiled at run time. */
  readonly jit?: boolean;
  /** The address of frames without a symbol. */
  readonly addrs?: boolean;
}

/** The frames of a sample, root first: its command, then its callers from the outermost inwards. Never empty. */
export function foldSample(sample: PerfSample, options: FoldingOptions = {}): string[] {
  const root = rootFrame(sample, options);
  const stack = [root];
  for (let i = sample.frames.length - 1; i >= 0; i--) {
    stack.push(...frameNames(sample.frames[i] as PerfFrame, root, options));
  }
  return stack;
}

/** The weight of an imported sample: its period where that is printed and not 0, else 1. */
export function sampleWeight(sample: PerfSample): number {
  return sample.period || 1;
}

/** The root frame: the command with `_` for its spaces. */
export function rootFrame(sample: Pick<PerfSample, 'comm' | 'pid' | 'tid'>, options: FoldingOptions = {}): string {
  const comm = sample.comm.replaceAll(' ', '_');
  // The idle task's pid is as good as none.
  const pid = sample.tid === 0 ? '?' : (sample.pid ?? '?');
  if (options.tid) return `${comm}-${pid}/${sample.tid}`;
  return options.pid ? `${comm}-${pid}` : comm;
}

/**
 * The names of one printed frame, outer first: one, or more where functions were inlined (`outer->inner`), or none where
 * the symbol begins with a bracket.
 */
export function frameNames(frame: PerfFrame, root: string, options: FoldingOptions = {}): string[] {
  const symbol = frame.symbol.replace(OFFSET, '');
  if (symbol.startsWith('(')) return [];
  if (!symbol.includes('->')) return [annotate(tidy(ownName(symbol, frame, options), root), frame.module, options)];
  const parts = symbol.split('->');
  while (parts.at(-1) === '') parts.pop();
  return parts.map((part, i) => {
    const name = tidy(ownName(part, frame, options), root);
    if (i === 0) return annotate(name, frame.module, options);
    return name.includes('_[i]') ? name : `${name}_[i]`;
  });
}

// tcp_sendmsg+0x800047c022ec
const OFFSET = /\+0x[\da-f]+$/;
const JIT_MODULE = /\/tmp\/perf-\d+\.map/;

/** The symbol; where there is none the module stands in for it. */
function ownName(symbol: string, { module, address }: PerfFrame, options: FoldingOptions): string {
  if (symbol !== '[unknown]' && symbol !== '') return symbol;
  const name = module === '[unknown]' || module === '' ? 'unknown' : baseName(module);
  return options.addrs ? `[${name} <${address}>]` : `[${name}]`;
}

/** Without the folders, and without the ` (deleted)` of a file that is gone. */
function baseName(module: string): string {
  const path = module.endsWith(' (deleted)') ? module.slice(0, -' (deleted)'.length) : module;
  return path.slice(path.lastIndexOf('/') + 1);
}

function tidy(name: string, root: string): string {
  let tidied = name.includes(';') ? name.replaceAll(';', ':') : name;
  if (tidied.includes('(') && !isGoMethod(tidied)) tidied = withoutArguments(tidied);
  if (tidied.includes('"') || tidied.includes("'")) tidied = tidied.replace(/["']/g, '');
  return root.startsWith('java') && tidied.startsWith('L') && tidied.includes('/') ? tidied.slice(1) : tidied;
}

/** `net/http.(*Client).Do`: its brackets name the receiver. */
function isGoMethod(name: string): boolean {
  const open = name.indexOf('.(');
  return open >= 0 && name.lastIndexOf(').') >= open + 2;
}

const ANONYMOUS = '(anonymous namespace)';

/** Cut at the first bracket that is not that of C++'s `(anonymous namespace)`. */
function withoutArguments(name: string): string {
  let open = name.indexOf('(');
  while (open >= 0 && name.startsWith(ANONYMOUS, open)) open = name.indexOf('(', open + 1);
  return open < 0 ? name : name.slice(0, open);
}

function annotate(name: string, module: string, options: FoldingOptions): string {
  if (options.kernel && isKernel(module)) return name.includes('_[k]') ? name : `${name}_[k]`;
  if (options.jit && JIT_MODULE.test(module)) return name.includes('_[j]') ? name : `${name}_[j]`;
  return name;
}

/** Whether a module is the kernel or one of its modules: `[kernel.kallsyms]`, `[nf_conntrack]`, `/boot/vmlinux`. */
function isKernel(module: string): boolean {
  return (module.startsWith('[') || module.endsWith('vmlinux')) && !module.includes('unknown');
}
