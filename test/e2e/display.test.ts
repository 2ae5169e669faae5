import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serialiseHeader } from '../../src/common/codec.ts';
import { sectionFileName } from '../../src/common/partial.ts';
import { elements, parseXml, shownTexts } from '../display/svg.ts';
import { headerOf, type TestSection, writeFile } from '../support/data-files.ts';
import { ROOT } from '../support/folder.ts';
import { type Ended, makePlace, type Place, sleep } from './marple.ts';

const END = '2026-03-01T09:30:10.000Z';
const SECONDS = { label: 'time', unit: 's' };

/** A profile of two processes and the idle task, with its samples; latencies; memory. */
const SECTIONS: readonly TestSection[] = [
  {
    header: headerOf('stack', {
      interface: 'callstack',
      end: END,
      weight: { label: 'samples', unit: 'samples' },
      tool: { name: 'perf', version: '6.1', command: ['perf', 'record'] },
    }),
    records: [
      { weight: 60, stack: ['fio', 'read', 'io_submit'] },
      { weight: 30, stack: ['nginx', 'worker', 'sendfile'] },
      { weight: 10, stack: ['swapper', 'do_idle'] },
    ],
  },
  {
    header: headerOf('event', { interface: 'callstack', end: END, fields: ['stack', 'cpu', 'pid', 'tid', 'weight'] }),
    records: Array.from({ length: 100 }, (_, i) => ({
      time: i * 1e8,
      type: 'cpu-clock',
      datum: i < 60 ? ['0', '0', '10', '10', '1'] : i < 90 ? ['1', '1', '20', '20', '1'] : ['2', '0', '0', '0', '1'],
    })),
  },
  {
    header: headerOf('datapoint', {
      interface: 'disklat',
      end: END,
      x: SECONDS,
      y: { label: 'latency', unit: 'ms' },
      fields: ['comm', 'pid'],
      lost: 4,
    }),
    records: Array.from({ length: 1000 }, (_, i) => ({
      x: i / 100,
      y: 0.1 + (i % 50) / 1000,
      info: i % 4 === 0 ? ['nginx', '20'] : ['fio', '10'],
    })),
  },
  {
    header: headerOf('datapoint', {
      interface: 'memtime',
      end: END,
      x: SECONDS,
      y: { label: 'PSS', unit: 'MiB' },
      fields: ['comm', 'pid'],
    }),
    records: Array.from({ length: 40 }, (_, i) => ({
      x: Math.floor(i / 2) / 2,
      y: 10 + i,
      info: i % 2 === 0 ? ['nginx', '20'] : ['fio', '10'],
    })),
  },
];

let place: Place;
beforeEach(async () => {
  place = makePlace();
  await writeFile(place.path('x.marple'), SECTIONS);
});
afterEach(() => place.remove());

const display = (...args: string[]): Promise<Ended> => place.marple(['display', '-i', 'x.marple', ...args]);
const signature = (name: string) => readFileSync(place.path(name)).subarray(0, 8).toString('latin1');
const PNG = '\x89PNG\r\n\x1a\n';

/** The number of samples that a flame graph stands for. */
async function samples(...args: string[]): Promise<string | undefined> {
  const drawn = await display('-fg', '-o', '-.svg', '-q', ...args);
  expect([drawn.code, drawn.stderr]).toEqual([0, '']);
  return /· (only .* · )?([\d,]+) samples/.exec(shownTexts(parseXml(drawn.stdout)).join('\n'))?.[2];
}

describe('marple display', () => {
  it('makes a report of several interfaces, beside the data file, and prints its path', async () => {
    const { code, stdout, stderr } = await display();
    expect([code, stdout]).toEqual([0, 'x.report.html\n']);
    expect(stderr).toContain('warning: disklat: 4 records lost by the kernel or the tool');
    expect(signature('x.report.html')).toBe('<!doctyp');
  });

  it.each([
    ['1,2', 'x.callstack.flamegraph.svg', '<?xml ve'],
    ['3', 'x.disklat.heatmap.png', PNG],
    ['4', 'x.memtime.stackplot.png', PNG],
  ])('draws the sections %s in the view that config names: %s', async (pick, name, start) => {
    const { code, stdout } = await display('-e', pick);
    expect([code, stdout]).toEqual([0, `${name}\n`]);
    expect(readdirSync(place.dir).filter((file) => file.startsWith('x.'))).toEqual([name, 'x.marple'].sort());
    expect(signature(name)).toBe(start);
  });

  it('hides idle time in a flame graph, and says so', async () => {
    const { stderr } = await display('-fg', '-o', 'x.svg');
    expect(stderr).toContain('callstack: 10 idle samples hidden (10 %); --idle shows them');
    expect(elements(parseXml(readFileSync(place.path('x.svg'))), 'title').map(({ text }) => text)).toContain(
      'io_submit (60 samples, 66.67%)',
    );
  });

  it('draws its own pictures anew without being asked', async () => {
    await display();
    expect((await display()).code).toBe(0);
  });

  it('lists the sections', async () => {
    const { code, stdout } = await display('-l');
    expect(code).toBe(0);
    expect(stdout).toBe(
      [
        '#  interface  datatype   of       records  seconds  tool      lost',
        '1  callstack  stack      samples        3     10.0  perf 6.1     -',
        '2  callstack  event      -            100     10.0  -            -',
        '3  disklat    datapoint  latency     1000     10.0  -            4',
        '4  memtime    datapoint  PSS           40     10.0  -            -',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['-fg', 'one.svg', '<?xml ve'],
    ['--flamegraph', 'one.svg', '<?xml ve'],
    ['-hm', 'one.png', PNG],
    ['-sp', 'one.png', PNG],
  ])('draws the view %s into the file of -o', async (flag, name, start) => {
    const { code, stdout } = await display(flag, '-o', name);
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(name);
    expect(signature(name)).toBe(start);
  });

  it('writes a picture to stdout, and nothing else there', async () => {
    const drawn = await display('-fg', '-o', '-.svg');
    expect(drawn.code).toBe(0);
    expect(parseXml(drawn.stdout).tag).toBe('svg');
    expect(drawn.stderr).toContain('idle samples hidden');
  });

  it('does not mind a reader that goes away', async () => {
    const through = ['bash', '-c', 'set -o pipefail; "$@" | head -c 5', 'bash'];
    const { code, stdout, stderr } = await place.marple(
      ['display', '-i', 'x.marple', '-e', '3', '-hm', '-o', '-.png', '-q'],
      { through },
    );
    expect([code, stdout.length > 0, stderr]).toEqual([0, true, '']);
  });

  it('reads a data file from stdin', async () => {
    const input = readFileSync(place.path('x.marple'), 'utf8');
    const { code, stdout } = await place.marple(['display', '-i', '-', '-e', '3'], { input });
    expect([code, stdout]).toEqual([0, 'stdin.disklat.heatmap.png\n']);
  });

  it('shows what was collected last where no file is named', async () => {
    const { code, stderr } = await place.marple(['display', '-l']);
    expect([code, stderr]).toEqual([
      2,
      'marple: no data has been collected yet\nhint: sudo marple collect --stack -t 5, or marple display -i FILE\n',
    ]);
    const collected = await place.marple(['collect', '--mem', '-t', '0.6', '-o', 'last.marple']);
    expect(collected.code).toBe(0);
    const shown = await place.marple(['display']);
    expect([shown.code, shown.stdout.trim().split('/').at(-1)]).toEqual([0, 'last.memtime.stackplot.png']);
    expect(existsSync(place.path('last.memtime.stackplot.png'))).toBe(true);
  });

  it('says what it drew as JSON', async () => {
    const { stdout } = await display('-e', '3', '--json');
    expect(JSON.parse(stdout)).toEqual({
      sections: null,
      outputs: [
        {
          path: 'x.disklat.heatmap.png',
          file: 'x.marple',
          view: 'heatmap',
          section: 3,
          interface: 'disklat',
          notes: [],
          opened: false,
        },
      ],
      warnings: ['disklat: 4 records lost by the kernel or the tool'],
    });
  });
});

describe('text', () => {
  it('goes to stdout for -o -: what stands out, and every interface in its own view and in numbers', async () => {
    const { code, stdout, stderr } = await place.marple(['display', '-i', 'x.marple', '-o', '-'], {
      env: { COLUMNS: '90' },
    });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^callstack, disklat, memtime .*\nFindings\n/s);
    expect(stdout).toContain('90 samples · 10 idle samples hidden (10 %)');
    expect(stdout).toMatch(/\ncallstack: .* 67 % +67 % .*fio › read › io_submit.*\n1 {2}callstack: /s);
    expect(stdout).toMatch(/\ndisklat: latency .*1,000 records · p50 0\.124 ms .*records per bin/s);
    expect(stdout).toMatch(/\n! 4 records lost by the kernel or the tool\n\n3 {2}disklat: 1,000 datapoints .*, 4 lost/);
    expect(stdout).toMatch(/\nmemtime: PSS .*last MiB +most MiB\nb nginx .*\na fio /s);
    expect(Math.max(...stdout.split('\n').map((line) => [...line].length))).toBe(90);
    expect(stdout).not.toContain('\x1b');
  });

  it.each([
    ['-fg', 'fio › read › io_submit'],
    ['-tm', '┌fio 67 %'],
    ['-hm', 'records per bin'],
    ['-sp', 'most ms'],
  ])('of %s goes into a file', async (flag, part) => {
    const { code, stdout } = await display(flag, '-e', /-[ft][gm]/.test(flag) ? '1' : '3', '-o', 'x.txt');
    expect([code, stdout]).toEqual([0, 'x.txt\n']);
    expect(readFileSync(place.path('x.txt'), 'utf8')).toContain(part);
  });

  const PTY = ['python3', '-c', 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'];

  it('has colours on a terminal, unless NO_COLOR is set', async () => {
    const args = ['display', '-i', 'x.marple', '-e', '3', '-o', '-'];
    const coloured = await place.marple(args, { through: PTY, env: { TERM: 'xterm' } });
    expect([coloured.code, coloured.stdout]).toEqual([0, expect.stringMatching(/\x1b\[0;38;5;\d+m/)]);
    const plain = await place.marple(args, { through: PTY, env: { TERM: 'xterm', NO_COLOR: '1' } });
    expect([plain.code, plain.stdout]).toEqual([0, expect.not.stringContaining('\x1b')]);
  });

  it('is all that a terminal is given: a picture is refused', async () => {
    const args = ['display', '-i', 'x.marple', '-hm', '-e', '3', '-o', '-.png'];
    const { code, stdout } = await place.marple(args, { through: PTY });
    expect(code).toBe(2);
    expect(stdout).toContain('a heatmap in png is nothing that a terminal shows\r\n');
    expect(stdout).toContain('as text: -o -');
  });
});

describe('filters', () => {
  it.each([
    [['--idle'], '100'],
    [[], '90'],
    [['--from', '5'], '40'],
    [['--to', '2.95'], '30'],
    [['--from', '5', '--to', '6.95'], '20'],
    [['--pid', '20'], '30'],
    [['--pid', '10,20', '--from', '1'], '80'],
    [['--comm', '^ng'], '30'],
    [['--comm', 'fio|nginx', '--to', '0.05'], '1'],
    [['--pid', '999'], '0'],
  ])('%j leaves %s samples', async (args, count) => {
    expect(await samples(...args)).toBe(count);
  });

  it('count in heat maps too', async () => {
    const bytes = async (...args: string[]) => (await display('-hm', '-e', '3', '-o', '-.png', '-q', ...args)).stdout;
    expect(await bytes('--pid', '10')).not.toBe(await bytes('--pid', '20'));
    expect(await bytes('--pid', '20')).not.toBe(await bytes());
  });

  it('are refused where the data cannot answer them', async () => {
    await writeFile(place.path('profile.marple'), SECTIONS.slice(0, 1));
    const { code, stderr } = await place.marple(['display', '-i', 'profile.marple', '--from', '1', '--pid', '3']);
    expect(code).toBe(2);
    expect(stderr).toBe(
      'marple: section 1 (callstack, stack) cannot answer --from and --pid: its records have no time and pid\n' +
        'hint: leave --from and --pid out, or choose other sections with -e (marple display -l lists them)\n',
    );
  });
});

describe('refusals', () => {
  it.each<[string[], string, string]>([
    [['-fg', '-e', '3'], '-fg does not fit what the file holds: disklat (fits -hm, -sp)', 'marple display -hm'],
    [['-hm', '-fg'], 'one view at a time, not -fg and -hm', 'marple display -fg'],
    [['-e', '9'], 'x.marple has no section 9: its sections are 1 to 4', 'marple display -l lists them'],
    [['-hm', '-o', '-.png'], 'only one picture goes to stdout, not 3', 'choose one with -e'],
    [['-hm', '-o', 'x.gif'], 'a heatmap cannot be written as .gif', '-o x.png'],
    [
      ['-hm', '-o', 'missing/x.png'],
      'missing/x.png cannot be written: there is no such file or folder',
      'mkdir -p missing',
    ],
    [['--from', '3', '--to', '2'], '--from 3 is not before --to 2', '--from 1 --to 2.5'],
    [['--comm', '('], "--comm takes a regular expression, and '(' is none", "--comm '^fio'"],
    [['--width', 'wide'], "--width takes a whole number from 200 to 20000, not 'wide'", '--width 200'],
    [['-hm', '--height', '100'], 'a heat map of 1200 x 100 pixels has no room for its bins', '--height 700'],
    [['--piechart'], "unknown option '--piechart'", 'marple display --help'],
  ])('%j is a usage error with a hint', async (args, message, hint) => {
    const { code, stdout, stderr } = await display(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^marple: .*\nhint: .*\n$/);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(readdirSync(place.dir).filter((name) => /\.(png|svg)$/.test(name))).toEqual([]);
  });

  it('spares a file that exists, unless forced', async () => {
    writeFileSync(place.path('mine.svg'), 'mine');
    const refused = await display('-fg', '-o', 'mine.svg');
    expect([refused.code, refused.stderr]).toEqual([
      2,
      'marple: mine.svg exists already\nhint: overwrite it with --force, or name another file with -o\n',
    ]);
    expect(readFileSync(place.path('mine.svg'), 'utf8')).toBe('mine');
    expect((await display('-fg', '-o', 'mine.svg', '--force')).code).toBe(0);
    expect(signature('mine.svg')).toBe('<?xml ve');
  });

  it('names path and line of a damaged file, and leaves no picture', async () => {
    const lines = readFileSync(place.path('x.marple'), 'utf8').split('\n');
    const line = lines.findIndex((text) => text.startsWith('5,'));
    lines[line] = lines[line]!.replace('5,', '5;');
    writeFileSync(place.path('x.marple'), lines.join('\n'));
    const { code, stdout, stderr } = await display('-e', '3');
    expect([code, stdout]).toEqual([65, '']);
    expect(stderr).toMatch(new RegExp(`^marple: x\\.marple:${line + 1}: .*\nhint: .*\n$`));
    expect(readdirSync(place.dir).filter((name) => /png/.test(name))).toEqual([]);
  });

  it('is 65 for a file that is none of ours, and 2 for one that is not there', async () => {
    writeFileSync(place.path('other'), 'hello\n');
    const other = await place.marple(['display', '-i', 'other']);
    expect([other.code, other.stderr.split('\n')[0]]).toEqual([65, 'marple: other:1: this is no MARPLE data file']);
    const gone = await place.marple(['display', '-i', 'gone.marple']);
    expect([gone.code, gone.stderr]).toEqual([
      2,
      expect.stringMatching(/^marple: there is no file gone\.marple\nhint: /),
    ]);
  });
});

describe('a run that was cut off', () => {
  it('is shown from its partial folder, under either name, and said to be partial', async () => {
    // As a kill leaves it: a section per file, without counts, the last line cut.
    const folder = place.path('cut.marple.partial');
    mkdirSync(folder);
    const header = { ...SECTIONS[2]!.header, end: null, records: null, bytes: null };
    const records = '0.5,1,fio,7\n0.6,1.5,fio,7\n0.7,1.';
    writeFileSync(join(folder, sectionFileName(header, 0)), `${serialiseHeader(header)}\n${records}`);
    for (const name of ['cut.marple', 'cut.marple.partial']) {
      const { code, stdout, stderr } = await place.marple(['display', '-i', name]);
      expect([code, stdout]).toEqual([0, 'cut.disklat.heatmap.png\n']);
      expect(stderr).toContain('cut off');
      expect(stderr).toContain('the last line was cut off, and is left out');
    }
    expect((await place.marple(['display', '-i', 'cut.marple', '-l'])).stdout).toMatch(
      /1 {2}disklat +datapoint +latency +\? +\?/,
    );
  });
});

describe('a run that was killed', () => {
  it('is shown as far as it came', async () => {
    const run = place.start(['collect', '--mem', '-t', '60', '-o', 'killed.marple']);
    await run.says('recording memtime');
    const partial = place.path('killed.marple.partial');
    const written = () => readdirSync(partial).some((name) => /section$/.test(name) && lines(join(partial, name)) > 3);
    while (!existsSync(partial) || !written()) await sleep(20);
    run.kill('SIGKILL');
    await run.ended;
    const { code, stdout, stderr } = await place.marple(['display', '-i', 'killed.marple']);
    expect([code, stdout]).toEqual([0, 'killed.memtime.stackplot.png\n']);
    expect(stderr).toContain('killed.marple.partial is what a run had written when it was cut off');
  });
});

const lines = (path: string): number => readFileSync(path, 'utf8').split('\n').length - 1;

describe('flame graphs without the script', () => {
  const HIDE = (path: string) => ['unshare', '-m', 'bash', '-c', `mount --bind /dev/null ${path} && exec "$@"`, 'bash'];

  // A mount namespace of its own takes root.
  it.runIf(ROOT).each([
    ['/usr/bin/perl', 'drawn by the built-in renderer: perl is not installed'],
    [
      '/usr/share/perl5/Devel/NYTProf/flamegraph.pl',
      'drawn by the built-in renderer: flamegraph.pl gave something other than a graph',
    ],
  ] as const)('are drawn by the built-in renderer where %s is not there, and it is said', async (path, said) => {
    const { code, stderr } = await place.marple(['display', '-i', 'x.marple', '-fg', '-o', 'x.svg'], {
      through: HIDE(path),
    });
    expect(code).toBe(0);
    expect(stderr).toContain(said);
    const root = parseXml(readFileSync(place.path('x.svg')));
    expect(elements(root, 'title').map(({ text }) => text)).toContain('io_submit (60 samples, 66.67%)');
  });

  it('take title, count name and colours from the config file', async () => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    const config = place.path('config/marple/config.txt');
    writeFileSync(config, '[flamegraph]\ntitle = Where it goes\ncountname = ticks\ncolors = blue\n');
    const hot = await display('-fg', '-o', '-.svg', '-q');
    expect(shownTexts(parseXml(hot.stdout))).toContain('Where it goes');
    expect(hot.stdout).toContain('io_submit (60 ticks, 66.67%)');
    appendFileSync(config, 'engine = builtin\n');
    const builtin = await display('-fg', '-o', '-.svg', '-q');
    expect(builtin.stdout).toContain('io_submit (60 ticks, 66.67%)');
    expect(builtin.stdout).not.toBe(hot.stdout);
    writeFileSync(config, '[flamegraph]\ncolors = plaid\n');
    const wrong = await display('-fg', '-o', '-.svg', '-q');
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('config.txt:2: colors of [flamegraph]')]);
  });
});
