import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errorMessage, UsageError } from '../common/errors.ts';
import { toolPath } from '../common/executables.ts';
import { didYouMean } from '../common/suggest.ts';
import { writeUserFile } from '../common/user.ts';
import type { CollecterClass, Probe, ProbeRequest, Tool } from './collecter.ts';

/** A tool that was passed over, and why. */
export interface PassedOver {
  readonly tool: string;
  readonly why: string;
  readonly hint?: string;
}

/** The tool that an interface will use here; undefined `tool` where none works. */
export interface Choice {
  readonly interface: string;
  readonly tool: string | undefined;
  readonly version: string;
  /** Whether the user named the tool, so that no other was tried. */
  readonly forced: boolean;
  readonly passedOver: readonly PassedOver[];
}

const probeSchema = z.discriminatedUnion('usable', [
  z.object({ usable: z.literal(true), version: z.string() }),
  z.object({ usable: z.literal(false), why: z.string(), hint: z.string().optional() }),
]);
const memorySchema = z.object({ fingerprint: z.string(), probes: z.record(z.string(), probeSchema) });

/**
 * What earlier probes of this boot showed, one file per user. It is forgotten when the machine was rebooted, when a
 * program was installed or removed, or when a kernel setting that the tools depend on has changed.
 */
export class ProbeMemory {
  readonly #probes: Map<string, Probe>;

  private constructor(
    readonly path: string,
    readonly fingerprint: string,
    probes: Iterable<[string, Probe]>,
  ) {
    this.#probes = new Map(probes);
  }

  /** @param options.fresh forgets it all. */
  static async load(path: string, options: { readonly fresh?: boolean } = {}): Promise<ProbeMemory> {
    const fingerprint = environmentFingerprint();
    if (options.fresh) return new ProbeMemory(path, fingerprint, []);
    try {
      const kept = memorySchema.parse(JSON.parse(await readFile(path, 'utf8')));
      if (kept.fingerprint === fingerprint) {
        return new ProbeMemory(path, fingerprint, Object.entries(kept.probes) as [string, Probe][]);
      }
    } catch {
      // No memory, or an unreadable one: everything is probed anew.
    }
    return new ProbeMemory(path, fingerprint, []);
  }

  get(key: string): Probe | undefined {
    return this.#probes.get(key);
  }

  set(key: string, probe: Probe): void {
    this.#probes.set(key, probe);
  }

  async save(): Promise<void> {
    const text = JSON.stringify({ fingerprint: this.fingerprint, probes: Object.fromEntries(this.#probes) });
    writeUserFile(this.path, `${text}\n`);
  }
}

/** What a probe's answer hangs on, beside the scope: a short text that changes when any of it does. */
function environmentFingerprint(): string {
  const settings = ['random/boot_id', 'perf_event_paranoid', 'kptr_restrict'].map((name) => {
    try {
      return readFileSync(join('/proc/sys/kernel', name), 'utf8').trim();
    } catch {
      return '-';
    }
  });
  const places = [...toolPath().split(':'), '/sys/kernel/tracing/events', '/lib/modules'].map((folder) => {
    try {
      return String(statSync(folder).mtimeMs);
    } catch {
      return '-';
    }
  });
  const parts = [process.geteuid?.() ?? '-', toolPath(), ...settings, ...places];
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32);
}

/** Probes depend on whether a run is system-wide, of some pids, or of a command; not on which. */
function memoryKey(interfaceName: string, tool: Tool, request: ProbeRequest): string {
  const { pids, root } = request.scope;
  const scope = pids === undefined ? (root === undefined ? 'all' : 'command') : 'pids';
  return `${interfaceName}/${tool.name}/${scope}`;
}

/** Tries a tool, or gives what trying it showed before. A probe that throws says that the tool is not usable. */
async function probeTool(
  interfaceName: string,
  tool: Tool,
  request: ProbeRequest,
  memory: ProbeMemory | undefined,
): Promise<Probe> {
  const key = memoryKey(interfaceName, tool, request);
  const known = memory?.get(key);
  if (known !== undefined) return known;
  let probe: Probe;
  try {
    probe = await tool.probe(request);
  } catch (error) {
    probe = { usable: false, why: errorMessage(error) };
  }
  memory?.set(key, probe);
  return probe;
}

/** Says that a tool's output could not be believed: the next one in the order is taken next time. */
export function distrust(
  memory: ProbeMemory,
  interfaceName: string,
  tool: Tool,
  request: ProbeRequest,
  why: string,
): void {
  memory.set(memoryKey(interfaceName, tool, request), { usable: false, why });
}

/**
 * Picks the tool of one interface: the one the user names, else the first of the order that was seen to work.
 * `preferred` are names from --tool (then `forced`: it is used even where its probe has doubts) or from config.
 * @throws UsageError where a named tool does not serve the interface.
 */
export async function chooseTool(
  collecter: CollecterClass,
  request: ProbeRequest,
  memory: ProbeMemory,
  preferred: { readonly tool?: string | undefined; readonly forced: boolean },
): Promise<Choice> {
  const { interface: name, tools } = collecter.description;
  const order = [...tools];
  if (preferred.tool !== undefined) {
    const index = order.findIndex((tool) => tool.name === preferred.tool);
    if (index < 0) {
      const known = tools.map((tool) => tool.name);
      throw new UsageError(
        `${name} has no tool called ${preferred.tool}`,
        didYouMean(preferred.tool, known, `use one of: ${known.join(', ')}`),
      );
    }
    order.unshift(...order.splice(index, 1));
  }
  const passedOver: PassedOver[] = [];
  for (const tool of order) {
    const probe = await probeTool(name, tool, request, memory);
    if (probe.usable)
      return { interface: name, tool: tool.name, version: probe.version, forced: preferred.forced, passedOver };
    passedOver.push({ tool: tool.name, why: probe.why, ...(probe.hint === undefined ? {} : { hint: probe.hint }) });
    if (preferred.forced) return { interface: name, tool: tool.name, version: '', forced: true, passedOver };
  }
  return { interface: name, tool: undefined, version: '', forced: false, passedOver };
}
