import type { Config } from '../common/config.ts';
import { type Choice, ProbeMemory } from './choose.ts';
import type { CollecterClass } from './collecter.ts';
import { chooseTools } from './controller.ts';
import { type KernelSetting, readKernelSettings } from './kernel-settings.ts';

/** What each interface would use here, chosen as collect chooses, and what stands in the way. */
export interface Diagnosis {
  readonly interfaces: readonly Choice[];
  readonly settings: readonly Finding[];
}

/** A setting, with the interfaces that it matters to: their tool, or one that was passed over for it, hangs on it. */
export interface Finding extends Omit<KernelSetting, 'tools'> {
  readonly interfaces: readonly string[];
}

export interface DiagnoseOptions {
  readonly collecters: readonly CollecterClass[];
  readonly config: Config;
  readonly tempDir: string;
  readonly probeMemoryPath: string;
  /** Try every tool again, whatever is remembered. */
  readonly fresh: boolean;
}

export async function diagnose(options: DiagnoseOptions): Promise<Diagnosis> {
  const { collecters, config, tempDir } = options;
  const memory = await ProbeMemory.load(options.probeMemoryPath, { fresh: options.fresh });
  const request = { scope: { own: process.pid }, tempDir };
  const interfaces = await chooseTools(collecters, request, memory, config, new Map());
  const settings = (await readKernelSettings()).map(({ tools, ...setting }) => ({
    ...setting,
    interfaces: interfaces
      .filter((choice) => triedTools(choice).some((tool) => tools.test(tool)))
      .map((choice) => choice.interface),
  }));
  return { interfaces, settings };
}

/** As INTERFACE/TOOL. */
function triedTools({ interface: name, tool, passedOver }: Choice): string[] {
  return [...passedOver.map((passed) => passed.tool), ...(tool === undefined ? [] : [tool])].map(
    (each) => `${name}/${each}`,
  );
}
