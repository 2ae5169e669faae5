import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makePlace, type Place } from './marple.ts';

interface Report {
  interfaces: {
    interface: string;
    tool: string | null;
    version: string | null;
    passed_over: { tool: string; why: string; hint: string | null }[];
  }[];
  settings: { name: string; value: string; cost: string | null; command: string | null; interfaces: string[] }[];
}

const ROOT = process.geteuid?.() === 0 || process.env['CI'] === 'true';
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => {
  const left = place.leftovers();
  place.remove();
  expect(left).toEqual([]);
});

async function report(...args: string[]): Promise<Report> {
  const ended = await place.marple(['doctor', ...args, '--json']);
  expect(ended.stderr).toBe('');
  return JSON.parse(ended.stdout) as Report;
}

describe('doctor', () => {
  test('what it says works, works', { timeout: 600_000 }, async () => {
    const { interfaces } = await report();
    const usable = interfaces.filter(({ tool }) => tool !== null);
    expect(usable.length).toBeGreaterThan(0);
    for (const { interface: name, tool } of usable) {
      const ended = await place.marple(['collect', name, '-t', '0.3', '-o', `${name}.marple`, '--json=x.json']);
      expect({ name, ...ended }).toMatchObject({ name, code: 0 });
      const { tools } = JSON.parse(readFileSync(place.path('x.json'), 'utf8')) as { tools: Record<string, string> };
      expect(tools).toEqual({ [name]: tool });
    }
  });

  test('the interfaces and groups that were named; what collect --dry-run says', async () => {
    const all = await report();
    const { interfaces } = await report('overview', 'memtime');
    expect(interfaces.map((choice) => choice.interface)).toEqual(['callstack', 'disklat', 'memtime']);
    const ended = await place.marple(['collect', 'overview', '--dry-run', '--json']);
    const { choices } = JSON.parse(ended.stdout) as { choices: { interface: string; tool?: string }[] };
    for (const { interface: name, tool } of interfaces) {
      expect(choices.find((choice) => choice.interface === name)?.tool ?? null).toBe(tool);
      expect(all.interfaces.find((choice) => choice.interface === name)?.tool).toBe(tool);
    }
    expect(await place.marple(['doctor', 'nothing'])).toMatchObject({ code: 2 });
  });

  test('answers are remembered, and forgotten with --fresh', async () => {
    await report('memtime');
    const memory = place.path('state/marple/probes.json');
    const before = statSync(memory).mtimeMs;
    const kept = JSON.parse(readFileSync(memory, 'utf8')) as { probes: Record<string, unknown> };
    expect(Object.keys(kept.probes)).toEqual(['memtime/proc/all']);
    await report('cpusched');
    const more = JSON.parse(readFileSync(memory, 'utf8')) as { probes: Record<string, unknown> };
    expect(Object.keys(more.probes)).toContain('memtime/proc/all');
    await report('cpusched', '--fresh');
    const fresh = JSON.parse(readFileSync(memory, 'utf8')) as { probes: Record<string, unknown> };
    expect(Object.keys(fresh.probes)).not.toContain('memtime/proc/all');
    expect(statSync(memory).mtimeMs).toBeGreaterThanOrEqual(before);
  });

  test('settings have the values that the kernel has', async () => {
    const { settings } = await report();
    const value = (name: string) => settings.find((setting) => setting.name === name)?.value;
    for (const name of ['perf_event_paranoid', 'kptr_restrict', 'perf_event_max_sample_rate', 'perf_event_mlock_kb']) {
      expect(value(`kernel.${name}`)).toBe(readFileSync(`/proc/sys/kernel/${name}`, 'utf8').trim());
    }
    expect(value('tracefs')).toBe(
      existsSync('/sys/kernel/tracing/instances') ? '/sys/kernel/tracing' : expect.anything(),
    );
    for (const { cost, command } of settings) expect(cost === null).toBe(command === null);
    const ofMemory = (await report('memtime')).settings;
    expect(ofMemory.find(({ name }) => name === 'kernel.perf_event_paranoid')?.interfaces).toEqual([]);
    expect(ofMemory.find(({ name }) => name === 'user')?.interfaces).toEqual(['memtime']);
  });

  test.skipIf(!ROOT)('probes are usable where the kernel has them, and none is left', async () => {
    const { settings } = await report();
    for (const [name, file] of [
      ['kprobes', 'kprobe_events'],
      ['uprobes', 'uprobe_events'],
    ] as const) {
      const found = settings.find((setting) => setting.name === name);
      if (found === undefined) continue;
      const path = `/sys/kernel/tracing/${file}`;
      expect(found.value).toBe(existsSync(path) ? 'usable' : 'not in this kernel');
      if (existsSync(path)) expect(readFileSync(path, 'utf8')).not.toContain('_doctor/');
    }
    expect(readdirSync('/sys/kernel/tracing/instances').filter((name) => name.includes('doctor'))).toEqual([]);
  });

  test('text is readable at 100 columns, with each interface once in the table', async () => {
    const ended = await place.marple(['doctor']);
    const lines = ended.stdout.split('\n');
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    for (const { interface: name } of (await report()).interfaces) {
      expect(lines.filter((line) => line.startsWith(`${name} `)).length).toBe(1);
    }
  });

  test.skipIf(!ROOT)('an ordinary user is told what root would add; the exit code says how much works', async () => {
    const as = (...args: string[]) =>
      place.marple(['doctor', ...args], {
        through: NOBODY,
        env: {
          HOME: place.path('temp'),
          XDG_STATE_HOME: place.path('temp/state'),
          XDG_CONFIG_HOME: place.path('temp/config'),
        },
      });
    const none = await as('disklat');
    expect(none).toMatchObject({ code: 69 });
    expect(none.stdout).toMatch(/^disklat +NONE/m);
    expect(none.stdout).toMatch(/Root has more: tools for disklat\. See: sudo marple doctor/);
    expect(none.stdout).toMatch(/not ftrace: .*\n +hint: .*sudo/);
    expect(await as('disklat', 'memtime')).toMatchObject({ code: 3 });
    const all = await as('memtime');
    expect(all).toMatchObject({ code: 0 });
    expect(all.stdout).not.toMatch(/Root has more/);
    rmSync(place.path('temp/state'), { recursive: true, force: true });
  });
});

describe('config', () => {
  test('every setting, and where it comes from', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[General]\n\ntime = 7\n');
    const ended = await place.marple(['config', '--json']);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    const { settings, files } = JSON.parse(ended.stdout) as {
      settings: { section: string; key: string; value: string; source: string }[];
      files: { shipped: string; own: string };
    };
    const find = (section: string, key: string) => settings.find((s) => s.section === section && s.key === key);
    expect(find('General', 'time')).toMatchObject({
      value: '7',
      source: `${place.path('config/marple/config.txt')}:3`,
    });
    expect(find('General', 'frequency')).toMatchObject({
      value: '99',
      source: expect.stringMatching(/config\.txt:\d+$/),
    });
    expect(find('callstack', 'frequency')).toMatchObject({ source: 'default' });
    expect(files).toEqual({
      shipped: expect.stringMatching(/\/config\.txt$/),
      own: place.path('config/marple/config.txt'),
    });
    const text = await place.marple(['config']);
    expect(text.stdout).toMatch(/^\[General\] +time +7 +.*config\/marple\/config\.txt:3$/m);
    expect(text.stdout).toMatch(/^\[memtime\] +interval +0\.5 +config\.txt:\d+$/m);
  });

  test('of one section; and the file that explains them', async () => {
    const one = await place.marple(['config', 'heatmap', 'Groups']);
    expect(one).toMatchObject({ code: 0, stderr: '' });
    const named = one.stdout.split('\n').flatMap((line) => /^\[(\w+)\]/.exec(line)?.[1] ?? []);
    expect([...new Set(named)].sort()).toEqual(['Groups', 'heatmap']);
    const shipped = await place.marple(['config', '--shipped']);
    expect(shipped).toMatchObject({
      code: 0,
      stderr: '',
      stdout: readFileSync(join(import.meta.dirname, '../../config.txt'), 'utf8'),
    });
    const wrong = await place.marple(['config', 'heatmaps']);
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/^hint: did you mean heatmap\?/m);
  });

  test('a wrong one is an error', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[General]\ntime = soon\n');
    const ended = await place.marple(['config']);
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/config\.txt:2: time of \[General\] cannot be 'soon'/),
    });
  });
});
