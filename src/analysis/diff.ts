import { type Comparison, chooseMethod, compare, type Method, type Runs } from './diff/compare.ts';
import type { Metric, SectionMetrics } from './diff/metrics.ts';
import { largest } from './largest.ts';

/** One file, or one of several runs of a side. */
export interface Run {
  readonly file: string;
  readonly sections: readonly SectionMetrics[];
}

export interface DiffSettings {
  readonly seed: number;
  /** Processes, functions and the like that are compared of each section. */
  readonly top: number;
  /** Functions by their share of all stacks, and not by their weight. */
  readonly normalised: boolean;
}

/** A section of both sides. */
export interface SectionDiff {
  readonly key: string;
  readonly datatype: string;
  /** Of the section as a whole. */
  readonly all: readonly Comparison[];
  /** Of processes and the like, those with the most before or after first; their metrics stand together. */
  readonly groups: readonly Comparison[];
  /** Of functions, by self and by total: those that changed most first. */
  readonly by_self: readonly Comparison[];
  readonly by_total: readonly Comparison[];
}

export interface Diff {
  readonly method: Method;
  readonly sections: readonly SectionDiff[];
  /** Sections that some run does not have. */
  readonly leftOut: readonly string[];
}

/** The metrics of one section in every run of both sides. */
interface SectionRuns {
  readonly key: string;
  readonly datatype: string;
  readonly before: readonly ReadonlyMap<string, Metric>[];
  readonly after: readonly ReadonlyMap<string, Metric>[];
}

/** Runs before and after, section by section. */
export class Comparer {
  readonly method: Method;
  readonly leftOut: readonly string[];
  readonly #sections: readonly SectionRuns[];

  constructor(
    before: readonly Run[],
    after: readonly Run[],
    readonly settings: DiffSettings,
  ) {
    this.method = chooseMethod(before.length, after.length, settings.seed);
    const sections = new Map<string, SectionRuns>();
    const leftOut = new Set<string>();
    const runs = [...before, ...after];
    for (const { key, datatype } of runs.flatMap((run) => run.sections)) {
      const id = `${key} (${datatype})`;
      if (sections.has(id) || leftOut.has(id)) continue;
      const found = runs.map((run) => run.sections.find((other) => other.key === key && other.datatype === datatype));
      if (found.includes(undefined)) {
        leftOut.add(id);
        continue;
      }
      const maps = found.map((section) => new Map(section?.metrics.map((metric) => [metric.name, metric])));
      sections.set(id, { key, datatype, before: maps.slice(0, before.length), after: maps.slice(before.length) });
    }
    this.#sections = [...sections.values()];
    this.leftOut = [...leftOut];
  }

  diff(): Diff {
    return {
      method: this.method,
      leftOut: this.leftOut,
      sections: this.#sections.map((section) => this.#section(section)),
    };
  }

  /** The comparison of any metric of both sides, by its name; undefined where no run has it. */
  metric(name: string): Comparison | undefined {
    const section = this.#sections.find(({ before, after }) => [...before, ...after].some((run) => run.has(name)));
    return section === undefined ? undefined : this.#compare(section, name);
  }

  /** The names of the metrics that are of no process, function or the like. */
  get names(): string[] {
    return this.#sections.flatMap((section) => namesOf(section).filter((name) => partOf(section, name) === undefined));
  }

  #compare({ before, after }: SectionRuns, name: string): Comparison {
    const of = (runs: SectionRuns['before']): Runs => runs.map((run) => run.get(name));
    return compare(name, of(before), of(after), this.method);
  }

  #section(section: SectionRuns): SectionDiff {
    const { top, normalised } = this.settings;
    const all: string[] = [];
    const parts = new Map<string, string[]>();
    for (const name of namesOf(section)) {
      const part = partOf(section, name);
      if (part === undefined) all.push(name);
      else {
        const names = parts.get(part);
        if (names === undefined) parts.set(part, [name]);
        else names.push(name);
      }
    }
    const [functions, groups] = [true, false].map((wanted) =>
      [...parts.keys()].filter((part) => part.startsWith('{') === wanted),
    );
    // What there is of a group is told by a count, a weight or a level: of all groups the same, where they have it.
    const [, first = ''] = /([^\]]+)$/.exec(parts.get(groups![0] ?? '')?.[0] ?? '') ?? [];
    const size = (part: string): number => sizeOf(section, `${section.key}${part}${first}`);
    const compared = (names: readonly string[]): Comparison[] => names.map((name) => this.#compare(section, name));
    const suffix = normalised ? '_share' : '';
    const changed = (stat: string): Comparison[] => {
      const names = functions!.map((part) => `${section.key}${part}.${stat}${suffix}`);
      const shifted = names.filter((name) => shiftOf(section, name) !== 0);
      return compared(largest(shifted, top, (name) => Math.abs(shiftOf(section, name))));
    };
    return {
      key: section.key,
      datatype: section.datatype,
      all: compared(all),
      groups: compared(largest(groups!, top, size).flatMap((part) => parts.get(part)!)),
      by_self: changed('self'),
      by_total: changed('total'),
    };
  }
}

function namesOf({ before, after }: SectionRuns): string[] {
  return [...new Set([...before, ...after].flatMap((run) => [...run.keys()]))];
}

/** `[fio]` of `disklat[fio].p99`, `{main}` of `callstack{main}.self`; undefined where it is of the whole section. */
function partOf({ key }: SectionRuns, name: string): string | undefined {
  const rest = name.slice(key.length);
  const close = rest.startsWith('[') ? ']' : rest.startsWith('{') ? '}' : undefined;
  return close === undefined ? undefined : rest.slice(0, rest.lastIndexOf(close) + 1);
}

function meanValue(runs: SectionRuns['before'], name: string): number {
  return runs.reduce((sum, run) => sum + (run.get(name)?.value ?? 0), 0) / runs.length;
}

function shiftOf({ before, after }: SectionRuns, name: string): number {
  return meanValue(after, name) - meanValue(before, name);
}

function sizeOf({ before, after }: SectionRuns, name: string): number {
  return Math.max(meanValue(before, name), meanValue(after, name));
}
