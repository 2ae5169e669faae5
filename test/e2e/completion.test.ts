import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

beforeAll(async () => {
  const { stdout } = await place.marple(['completion', 'bash']);
  writeFileSync(place.path('marple.bash'), stdout);
  for (const name of ['x.marple', 'a b.marple', 'notes.txt']) writeFileSync(place.path(name), '');
  mkdirSync(place.path('cut.marple.partial'));
  mkdirSync(place.path('config/marple'), { recursive: true });
  writeFileSync(place.path('config/marple/config.txt'), '[General]\ntime = 3\n\n[Groups]\n# mine\nevening = memtime\n');
});

/** What bash's completion function offers for the last word of a line, which it cuts as readline does: at blanks and `=`. */
function offered(line: string): string[] {
  const words = line.split(/( |=)/).filter((word) => word !== ' ' && word !== '');
  if (line.endsWith(' ')) words.push('');
  const script = `source ./marple.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _marple; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { PATH: process.env['PATH'], HOME: place.dir, XDG_CONFIG_HOME: place.path('config') };
  const printed = execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], {
    cwd: place.dir,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return printed.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  test.each([
    ['marple col', ['collect']],
    ['marple co', ['collect', 'config', 'completion']],
    ['marple collect disk', ['disklat', 'diskblockrq']],
    ['marple collect --dis', ['--disk', '--display']],
    ['marple collect --disk ', expect.arrayContaining(['latency', 'block_requests', 'memtime', 'overview'])],
    ['marple collect --disk la', ['latency']],
    ['marple collect --disk=la', ['latency']],
    ['marple collect --disk=', ['latency', 'block_requests']],
    ['marple collect --mem=usage,lea', ['usage,leaks']],
    ['marple collect --stack over', ['overview']],
    ['marple collect eve', ['evening']],
    ['marple collect memtime,', expect.arrayContaining(['memtime,disklat'])],
    ['marple collect --call-graph d', ['dwarf']],
    ['marple collect --tool disklat=io', ['iosnoop']],
    ['marple collect --tool ip', expect.arrayContaining(['ipc=ftrace', 'ipc=perf'])],
    ['marple collect -t ', []],
    ['marple collect --stack -o no', ['notes.txt']],
    ['marple collect --stack -- mapfil', ['mapfile']],
    ['marple collect --stack -- cat no', ['notes.txt']],
    ['marple display -i ', ['a b.marple', 'x.marple', ...['config', 'cut.marple.partial', 'state', 'temp']]],
    ['marple display -i no', ['notes.txt']],
    ['marple display --track ', ['pid', 'cpu']],
    ['marple display -h', ['-hm']],
    ['marple display --json=no', ['notes.txt']],
    ['marple stats --by ', ['comm', 'pid']],
    ['marple import --format perf', ['perf-data', 'perf-script']],
    ['marple import no', ['notes.txt']],
    ['marple export --format spe', ['speedscope']],
    ['marple diff x.marple a', ['a b.marple']],
    ['marple diff --before x', ['x.marple']],
    ['marple man dis', ['display']],
    ['marple man -o con', ['config']],
    ['marple config Gen', ['General']],
    ['marple config General heat', ['heatmap']],
    ['marple completion ', ['bash']],
    ['marple doctor mem', ['memtime', 'memleak', 'memevents', 'memmap']],
    ['marple nothing ', []],
  ] as [string, string[]][])('%s', (line, words) => {
    const found = offered(line);
    expect(Array.isArray(words) ? found.sort() : found).toEqual(Array.isArray(words) ? [...words].sort() : words);
  });

  test('is bound to marple, and defines nothing but its own functions', () => {
    const script = 'source ./marple.bash; complete -p marple; declare -F';
    const printed = execFileSync('bash', ['--norc', '-c', script], { cwd: place.dir, encoding: 'utf8' });
    expect(printed).toContain('complete -F _marple marple');
    expect(printed.match(/^declare -f (?!_marple)/gm)).toBeNull();
  });

  test('another shell is a mistake', async () => {
    const ended = await place.marple(['completion', 'bsh']);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/hint: did you mean bash\?/);
  });
});
