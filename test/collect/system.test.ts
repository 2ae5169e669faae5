import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { System } from '../../src/collect/system.ts';
import type { Datapoint } from '../../src/common/datatypes.ts';
import type { SectionHeader } from '../../src/common/header.ts';
import { bundleScript } from '../support/bundle.ts';
import { tempFolder } from '../support/data-files.ts';
import { collectAll, testRun } from '../support/run.ts';

const { options: schema, ...description } = System.description;

test('describes itself: a section per quantity', () => {
  expect(description).toMatchObject({ interface: 'system', area: 'system', kind: 'counters', isDefaultKind: true });
  expect(description.sections.map(({ y, fields }) => [y?.label, y?.unit, fields?.join()])).toEqual([
    ['CPU time', 'CPUs', 'mode,cpu'],
    ['memory', 'MiB', 'use'],
    ['swap', 'MiB', 'use'],
    ['disk throughput', 'MiB/s', 'device,direction'],
    ['disk requests', '1/s', 'device,direction'],
    ['network throughput', 'MiB/s', 'interface,direction'],
    ['time waited', '%', 'resource,waiting'],
  ]);
});

test('options come as config has them, and wrong ones are refused', () => {
  expect(schema.parse({})).toEqual({
    interval: 1,
    quantities: ['cpu', 'memory', 'swap', 'disk', 'requests', 'network', 'pressure'],
  });
  expect(schema.parse({ interval: '0.5', quantities: 'network, cpu' })).toEqual({
    interval: 0.5,
    quantities: ['network', 'cpu'],
  });
  for (const wrong of [{ interval: 0 }, { quantities: '' }, { quantities: 'cpu,gpu' }, { intervall: 1 }]) {
    expect(schema.safeParse(wrong).success, JSON.stringify(wrong)).toBe(false);
  }
});

async function collect(settings: Readonly<Record<string, unknown>>, seconds: number) {
  const { run, report } = testRun({ tool: 'proc', options: schema.parse(settings), seconds });
  const sections = (await collectAll(new System(run))) as Datapoint[][];
  const header = {} as SectionHeader;
  report.applyTo(header);
  return { sections, header };
}

test('readings keep to their interval, and those that are rates begin with the second', async () => {
  const { sections, header } = await collect({ interval: 0.1 }, 0.55);
  const timesOf = (section: number): number[] => [...new Set((sections[section] ?? []).map(({ x }) => x))];
  const [rates, levels] = [timesOf(0), timesOf(1)];
  expect(levels.length).toBe(rates.length + 1);
  expect(levels.length).toBeGreaterThan(2);
  for (const times of [rates, levels]) expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(rates[0]).toBeGreaterThan(levels[0]!);
  expect(header.options).toEqual({ interval: 0.1, covers: 'the whole machine' });
});

test('only what is asked for is read', async () => {
  const { sections, header } = await collect({ interval: 0.1, quantities: 'memory' }, 0.15);
  expect(sections.flatMap((records, i) => (records.length > 0 ? [i] : []))).toEqual([1]);
  expect(header.tool?.command).toEqual(['/proc/meminfo']);
});

/** Runs one collection as nobody, where these paths may not be read. */
function withoutPaths(
  paths: readonly string[],
  quantities: string,
): { counts: number[]; warnings: string[]; error: string } {
  const folder = tempFolder();
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'file'), '', { mode: 0 });
  mkdirSync(join(folder, 'folder'), { mode: 0 });
  const program = bundleScript(`
    import { System } from './collect/system.ts';
    import { startClock } from './common/clock.ts';
    import { HeaderReport } from './common/report.ts';
    const report = new HeaderReport();
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const options = System.description.options.parse({ interval: 0.1, quantities: '${quantities}' });
    const counts = [0, 0, 0, 0, 0, 0, 0];
    let error = '';
    const run = { tool: 'proc', toolVersion: '', options, clock: startClock(), scope: { own: 0 }, report, stop: stop.signal, started() {} };
    (async () => {
      try {
        for await (const { section, records } of new System(run as never).collect()) counts[section] += records.length;
      } catch (thrown) {
        error = String((thrown as Error).message);
      }
      process.stdout.write(JSON.stringify({ counts, warnings: report.warnings, error }));
    })();
  `);
  chmodSync(join(program, '..'), 0o755);
  const mounts = paths.map((path) => `mount --bind ${path.endsWith('pressure') ? 'folder' : 'file'} ${path}`);
  const script = [...mounts, 'exec setpriv --reuid 65534 --clear-groups "$0" "$1"'].join(' && ');
  const ended = spawnSync('unshare', ['-m', 'sh', '-c', script, process.execPath, program], {
    cwd: folder,
    encoding: 'utf8',
  });
  expect(ended.stderr).toBe('');
  return JSON.parse(ended.stdout);
}

test.runIf(process.geteuid?.() === 0 || process.env['CI'] === 'true')(
  'what cannot be read is said, and the rest is collected',
  () => {
    const all = 'cpu,memory,disk,requests,network,pressure';
    const { counts, warnings } = withoutPaths(['/proc/pressure', '/proc/diskstats'], all);
    expect(counts.map((count) => count > 0)).toEqual([true, true, false, false, false, true, false]);
    expect(warnings).toEqual([
      expect.stringMatching(/^no disk and requests: EACCES/),
      expect.stringMatching(/^no pressure: this kernel does not measure it .*psi=1/),
    ]);
    const none = withoutPaths(['/proc/stat', '/proc/meminfo'], 'cpu,memory');
    expect(none.error).toMatch(/^nothing can be read/);
  },
);
