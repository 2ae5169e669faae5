import { join } from 'node:path';
import type { Command } from 'commander';
import * as z from 'zod';
import type { Choice } from '../collect/choose.ts';
import { type Diagnosis, diagnose, type Finding } from '../collect/diagnose.ts';
import { COLLECTERS } from '../collect/registry.ts';
import { EXIT, type ExitCode } from '../common/errors.ts';
import { stateDir } from '../common/paths.ts';
import { table, WIDTH } from '../common/table.ts';
import { makeTempDir } from '../common/temp.ts';
import { wrap } from '../common/text.ts';
import { type Context, GROUPS, type ProgramCommand } from './context.ts';
import { collectersNamed } from './interfaces.ts';
import { loadSettings } from './settings.ts';

const optionsSchema = z.object({ fresh: z.boolean().optional(), json: z.string().optional() });

export const doctorCommand: ProgramCommand = {
  declare,
  examples: [
    ['sudo marple doctor', 'all interfaces, with all that root has'],
    ['marple doctor disklat callstack', 'two of them'],
    ['marple doctor --fresh memtime', 'try again, after something has been installed'],
  ],
  words: { interface: [...COLLECTERS.map(({ description }) => description.interface), GROUPS] },
  run: runDoctor,
};

function declare(command: Command): void {
  command
    .summary('what each interface would use here, and what stands in the way')
    .description('Tries for each interface which tool works here, and says what better ones would need.')
    .argument('[interface...]', 'interfaces and groups; all where none is named')
    .option('--fresh', 'try everything again, whatever is remembered of this boot');
}

async function runDoctor(
  names: readonly string[],
  rawFlags: Record<string, unknown>,
  { output }: Context,
): Promise<number> {
  const flags = optionsSchema.parse(rawFlags);
  const config = await loadSettings();
  const named = new Set(collectersNamed(names, config));
  const diagnosis = await diagnose({
    collecters: COLLECTERS.filter((collecter) => named.size === 0 || named.has(collecter)),
    config,
    tempDir: makeTempDir(),
    probeMemoryPath: join(stateDir(), 'probes.json'),
    fresh: flags.fresh === true,
  });
  if (flags.json === undefined) output.result(doctorText(diagnosis));
  else output.json(jsonResult(diagnosis), flags.json);
  return exitCode(diagnosis.interfaces);
}

function exitCode(choices: readonly Choice[]): ExitCode {
  if (choices.every(({ tool }) => tool === undefined)) return EXIT.unavailable;
  return choices.some(({ tool }) => tool === undefined) ? EXIT.someFailed : EXIT.ok;
}

/** For a person: who uses what, why not something better, and which settings cost something. */
export function doctorText({ interfaces, settings }: Diagnosis): string {
  const tools = table(
    [
      { title: 'interface' },
      { title: 'tool' },
      { title: 'version', shrinks: true },
      { title: 'passed over', shrinks: true },
    ],
    interfaces.map(({ interface: name, tool, version, passedOver }) => [
      name,
      tool ?? 'NONE',
      version || '-',
      passedOver.map((passed) => passed.tool).join(', ') || '-',
    ]),
  );
  const passed = interfaces.flatMap((choice) =>
    choice.passedOver.flatMap(({ tool, why, hint }) => [
      ...wrapped(`${choice.interface}: not ${tool}: ${why}`, '  ', '      '),
      ...(hint === undefined ? [] : wrapped(`hint: ${hint}`, '      ', '      ')),
    ]),
  );
  const found = table(
    [{ title: 'setting' }, { title: 'value' }, { title: 'matters to', shrinks: true }],
    settings.map((setting) => [
      setting.cost === undefined ? setting.name : `${setting.name} !`,
      setting.value,
      setting.interfaces.length === interfaces.length ? 'all' : setting.interfaces.join(', ') || '-',
    ]),
  );
  const costs = settings.flatMap(({ name, cost, command }: Finding) =>
    cost === undefined
      ? []
      : [
          ...wrapped(`! ${name}: ${cost}`, '  ', '      '),
          ...(command === undefined ? [] : wrapped(`hint: ${command}`, '      ', '      ')),
        ],
  );
  const withRoot = interfaces.filter(({ passedOver }) => passedOver.some(({ hint }) => hint?.includes('sudo marple')));
  const names = withRoot.map((choice) => choice.interface).join(', ');
  return [
    tools,
    ...(withRoot.length === 0 ? [] : [wrapped(`Root has more: tools for ${names}. See: sudo marple doctor`, '', '')]),
    ...(passed.length === 0 ? [] : [['Why better tools are passed over:', ...passed]]),
    found,
    ...(costs.length === 0 ? [] : [['What settings cost:', ...costs]]),
  ]
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function wrapped(text: string, first: string, next: string): string[] {
  return wrap(text.replace(/\s*\n\s*/g, ' '), WIDTH - next.length).map((line, i) => `${i === 0 ? first : next}${line}`);
}

function jsonResult({ interfaces, settings }: Diagnosis): unknown {
  return {
    version: 1,
    interfaces: interfaces.map(({ interface: name, tool, version, passedOver }) => ({
      interface: name,
      tool: tool ?? null,
      version: tool === undefined ? null : version,
      passed_over: passedOver.map((passed) => ({ tool: passed.tool, why: passed.why, hint: passed.hint ?? null })),
    })),
    settings: settings.map(({ name, value, cost, command, interfaces: mattersTo }) => ({
      name,
      value,
      cost: cost ?? null,
      command: command ?? null,
      interfaces: mattersTo,
    })),
  };
}
