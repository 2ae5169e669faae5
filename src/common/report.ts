import type { SectionHeader } from './header.ts';
import type { Report } from './section.ts';

/** How many of the unreadable lines are quoted; the others are only counted. */
const QUOTED_LINES = 3;
const QUOTED_LENGTH = 120;

/** Gathers what a collecter or decoder says about one interface, for the headers of its sections. */
export class HeaderReport implements Report {
  #tool: { name: string; version: string; command: string[] } | undefined;
  #substitute: { for: string; why: string } | undefined;
  readonly #options: Record<string, unknown> = {};
  readonly #warnings = new Set<string>();
  readonly #notes = new Set<string>();
  readonly #quoted: string[] = [];
  #distrusted: string | undefined;
  #lost = 0;
  #skipped = 0;
  #progress = 0;

  tool(tool: { name: string; version: string; command: readonly string[] }): void {
    this.#tool = { name: tool.name, version: tool.version, command: [...tool.command] };
  }

  warn(sentence: string): void {
    this.#warnings.add(sentence);
  }

  note(sentence: string): void {
    this.#notes.add(sentence);
  }

  distrust(sentence: string): void {
    this.#distrusted ??= sentence;
    this.warn(sentence);
  }

  /** Why the tool's output cannot be believed, where it cannot. */
  get distrusted(): string | undefined {
    return this.#distrusted;
  }

  lost(count: number): void {
    this.#lost += count;
  }

  skipped(line: string): void {
    this.#skipped++;
    if (this.#quoted.length < QUOTED_LINES) this.#quoted.push(line.slice(0, QUOTED_LENGTH));
  }

  substitute(substitute: { for: string; why: string }): void {
    this.#substitute = substitute;
  }

  option(name: string, value: unknown): void {
    this.#options[name] = value;
  }

  progress(records: number): void {
    this.#progress = records;
  }

  get progressed(): number {
    return this.#progress;
  }

  get lostCount(): number {
    return this.#lost;
  }

  get skippedCount(): number {
    return this.#skipped;
  }

  /** All sentences, that about the unreadable lines included. */
  get warnings(): string[] {
    if (this.#skipped === 0) return [...this.#warnings];
    const quoted = this.#quoted.map((line) => JSON.stringify(line)).join(', ');
    return [...this.#warnings, `${this.#skipped} lines could not be read, the first of them: ${quoted}`];
  }

  /** Merges what was said into a header; what is already there (of a partial file) is kept and added to. */
  applyTo(header: SectionHeader): void {
    if (this.#tool !== undefined) header.tool = this.#tool;
    if (this.#substitute !== undefined) header.substitute = this.#substitute;
    if (Object.keys(this.#options).length > 0) header.options = { ...header.options, ...this.#options };
    if (this.#lost > 0) header.lost = (header.lost ?? 0) + this.#lost;
    if (this.#skipped > 0) header.skipped = (header.skipped ?? 0) + this.#skipped;
    const warnings = [...new Set([...(header.warnings ?? []), ...this.warnings])];
    if (warnings.length > 0) header.warnings = warnings;
    const notes = [...new Set([...(header.notes ?? []), ...this.#notes])];
    if (notes.length > 0) header.notes = notes;
  }
}
