import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { makePlace } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

describe('a mistake is one sentence, a hint and the right exit code', () => {
  const mistakes: [string, string[], RegExp, RegExp][] = [
    ['no interface', ['collect'], /nothing was asked for/, /marple collect --stack/],
    ['unknown flag', ['collect', '--dsk'], /unknown option '--dsk'/, /^did you mean --disk\?.*--help/],
    ['unknown flag, short', ['display', '-hw'], /unknown option '-hw'/, /--help/],
    ['a flag of another command', ['display', '--disk'], /unknown option '--disk'/, /marple collect --help/],
    ['unknown flag before a command', ['--versoin'], /unknown option '--versoin'/, /^did you mean --version\?/],
    ['unknown command', ['colect'], /unknown command 'colect'/, /^did you mean marple collect\?.*--help/],
    ['a file without -i', ['display', 'x.marple'], /too many arguments/, /marple display -i x\.marple/],
    ['unknown interface', ['collect', 'dislkat'], /no interface or group 'dislkat'/, /^did you mean disklat\?/],
    ['unknown group', ['doctor', 'overviw'], /no interface or group 'overviw'/, /^did you mean overview\?/],
    ['unknown kind as interface', ['collect', 'latncy'], /'latncy'/, /^did you mean --disk=latency\?/],
    [
      'unknown format to import',
      ['import', import.meta.filename, '--format', 'perfdata'],
      /'perfdata'/,
      /^did you mean perf-data\?/,
    ],
    [
      'unknown format to export',
      ['export', '-i', 'x', '--format', 'spedscope', '-o', 'y'],
      /no format 'spedscope'/,
      /^did you mean speedscope\?/,
    ],
    ['unknown tool', ['collect', '--mem', '--tool', 'memtime=smen'], /no tool called smen/, /^did you mean smem\?/],
    ['a kind as interface', ['collect', 'latency'], /no interface or group 'latency'/, /--disk=latency/],
    ['unknown kind', ['collect', '--disk=lateny'], /--disk has no kind 'lateny'/, /^did you mean --disk=latency\?/],
    ['-t 0', ['collect', '--mem', '-t', '0'], /-t takes a number of seconds above 0, not '0'/, /-t 10/],
    ['-t abc', ['collect', '--mem', '-t', 'abc'], /-t takes .* not 'abc'/, /-t 10/],
    ['-t -1', ['collect', '--mem', '-t', '-1'], /-t takes .* not '-1'/, /-t 10/],
    ['-t without a value', ['collect', '--mem', '-t'], /argument missing/, /--help/],
    ['a pid that is not there', ['collect', '--mem', '-p', '4194000'], /no process with pid 4194000/, /ps -e/],
    ['a bad pid', ['collect', '--mem', '-p', 'x'], /-p takes a whole number/, /-p 1/],
    ['a bad regex', ['collect', '--mem', '--comm', '('], /--comm takes a regular expression/, /--comm/],
    ['no command behind --', ['collect', '--mem', '--'], /no command behind --/, /marple collect/],
    ['an unknown tool', ['collect', '--mem', '--tool', 'memtime=perf'], /memtime has no tool called perf/, /smem/],
    ['a tool of nothing', ['collect', '--mem', '--tool', 'disklat=perf'], /not collected/, /disklat/],
    [
      '--json without a file, with a command',
      ['collect', '--mem', '--json', '--', 'true'],
      /stdout is taken/,
      /--json=FILE/,
    ],
    ['bad call graph', ['collect', '--stack', '--call-graph', 'x'], /--call-graph/, /--help/],
    ['a file that is missing', ['display', '-i', 'nothing.marple'], /nothing\.marple/, /marple collect/],
    ['nothing collected yet', ['display'], /no data has been collected yet/, /marple collect/],
    ['two views', ['display', '-hm', '-fg'], /one view at a time/, /marple display/],
    ['a range that is none', ['display', '--from', '3', '--to', '2'], /not before/, /--from/],
  ];
  test.each(mistakes)('%s', async (_, args, sentence, hint) => {
    const ended = await place.marple(args);
    expect(ended.stderr).toMatch(sentence);
    expect(ended.stderr).toMatch(/^hint: /m);
    expect(ended.stderr.split('hint: ')[1]).toMatch(hint);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
    expect(ended.stdout).toBe('');
    expect(ended.code).toBe(2);
  });

  test('an outfile that exists is refused, and left as it was', async () => {
    writeFileSync(place.path('there.marple'), 'precious\n');
    const ended = await place.marple(['collect', '--mem', '-t', '0.2', '-o', 'there.marple']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/there\.marple exists already/);
    expect(ended.stderr).toMatch(/hint: .*--force/);
    expect(readdirSync(place.dir)).not.toContain('there.marple.partial');
  });

  test('a folder that is not there or cannot be written', async () => {
    const missing = await place.marple(['collect', '--mem', '-t', '0.2', '-o', 'no/such/folder/x.marple']);
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toMatch(/no\/such\/folder/);
    mkdirSync(place.path('readonly'), { mode: 0o555 });
    const through = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
    const refused = await place.marple(['collect', '--mem', '-t', '0.2', '-o', `${place.dir}/readonly/x.marple`], {
      through,
    });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toMatch(/readonly/);
  });

  test('a wrong config names file, line and what is allowed', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[General]\ntimes = 3\n');
    const ended = await place.marple(['collect', '--mem', '-t', '0.2']);
    writeFileSync(place.path('config/marple/config.txt'), '');
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/config\.txt:2: .*times/);
    expect(ended.stderr).toMatch(/hint: did you mean time\? .*time, /);
  });
});

describe('what is no mistake', () => {
  test('--version and --help', async () => {
    expect(await place.marple(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    const help = await place.marple(['collect', '--help']);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const word of ['--disk', '--mem', '--cpu', '--stack', '-t,', '-o,', 'callstack', 'disklat', 'memtime']) {
      expect(help.stdout).toContain(word);
    }
  });

  test('no arguments: the help, exit 2', async () => {
    expect(await place.marple([])).toMatchObject({ code: 2, stdout: expect.stringContaining('collect') });
  });

  test('--dry-run says what would be used, remembers it, and writes nothing', async () => {
    const ended = await place.marple(['collect', '--mem', '--dry-run']);
    expect(Object.keys(JSON.parse(readFileSync(place.path('state/marple/probes.json'), 'utf8')).probes)).toContain(
      'memtime/proc/all',
    );
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/^memtime: proc/) });
    expect(existsSync(place.path('marple_out'))).toBe(false);
  });

  test('what the Python MARPLE called otherwise', async () => {
    const collected = await place.marple(['--collect', 'memtime', '-t', '0.3', '--outfile', 'py.marple']);
    expect(collected.code, collected.stderr).toBe(0);
    expect(await place.marple(['-d', '--infile', 'py.marple', '-l'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('memtime'),
    });
    const shown = await place.marple(['--display', '--infile=py.marple', '-sp', '--outfile=py.html']);
    expect(shown).toMatchObject({ code: 0, stdout: 'py.html\n' });
    expect((await place.marple(['-c', 'memusage', '--dry-run', '--json'])).stdout).toContain('"memleak"');
    const help = await place.marple(['display', '--help']);
    expect(help.stdout).not.toMatch(/infile|outfile|tcpplot/);
  });

  test('a section of its config is told what it is now', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), '[Aliases]\nboot: memleak\n');
    const ended = await place.marple(['config']);
    writeFileSync(place.path('config/marple/config.txt'), '[Aliases]\nboot = memleak\n');
    const named = await place.marple(['config']);
    writeFileSync(place.path('config/marple/config.txt'), '');
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^hint: write \[Section\] or key = value$/m),
    });
    expect(named).toMatchObject({ code: 2, stderr: expect.stringMatching(/^hint: .*\[Groups\]/m) });
  });
});
