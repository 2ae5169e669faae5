import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StackData } from '../../src/common/datatypes.ts';
import { UnavailableError } from '../../src/common/errors.ts';
import { FlameGraph, type FlameGraphOptions } from '../../src/display/flamegraph.ts';
import { type DisplayJob, SIGNATURE } from '../../src/display/generic-display.ts';
import { drawWithScript, findScript } from '../../src/display/perl-flamegraph.ts';
import { frameColour, THEMES } from '../../src/display/shape/frame-colour.ts';
import { StackTree, wideTree } from '../../src/display/shape/tree.ts';
import { anyText, headerOf, type TestSection } from '../support/data-files.ts';
import { jobOf } from './job.ts';
import { type DrawnFrame, drawnFrames, elements, parseXml, shownTexts, type XmlElement } from './svg.ts';

const ENGINES = ['flamegraph.pl', 'builtin'] as const;
type Engine = (typeof ENGINES)[number];

const TWO_THIRDS: readonly StackData[] = [
  { weight: 2000, stack: ['app', 'main', 'hot'] },
  { weight: 900, stack: ['app', 'main', 'cold'] },
  { weight: 100, stack: ['app', 'main'] },
  { weight: 1, stack: ['app', 'rare'] },
];

interface Drawn {
  readonly svg: string;
  readonly root: XmlElement;
  readonly frames: DrawnFrame[];
  readonly notes: readonly string[];
}

async function draw(
  engine: Engine | 'auto',
  records: readonly StackData[],
  options: Partial<FlameGraphOptions> = {},
  more: Partial<Omit<DisplayJob<FlameGraphOptions>, 'options' | 'section' | 'group'>> = {},
  header: Partial<TestSection['header']> = {},
): Promise<Drawn> {
  const section: TestSection = {
    header: headerOf('stack', { weight: { label: 'CPU time', unit: 'samples' }, ...header }),
    records,
  };
  const job = await jobOf(FlameGraph.description, [section], { ...options, engine }, more);
  const display = new FlameGraph(job);
  const svg = Buffer.from((await display.render()) as Uint8Array).toString();
  const root = parseXml(svg);
  return { svg, root, frames: drawnFrames(root), notes: display.notes };
}

/** Where the rectangle of a frame begins, from the top of the picture. */
function topOf(root: XmlElement, name: string): number {
  const frame = elements(root, 'g').find((group) =>
    group.children.some(({ tag, text }) => tag === 'title' && text.startsWith(`${name} (`)),
  );
  return Number(elements(frame as XmlElement, 'rect')[0]?.attributes['y']);
}

describe.each(ENGINES)('a flame graph by %s', (engine) => {
  it('draws frames as wide as their weight, on the frame that called them', async () => {
    const { frames, notes } = await draw(engine, TWO_THIRDS);
    expect(notes).toEqual([]);
    expect(frames.map(({ name, depth, total }) => [depth, name, total])).toEqual([
      [0, 'all', '3,001 samples, 100%'],
      [1, 'app', '3,001 samples, 100%'],
      [2, 'main', '3,000 samples, 99.97%'],
      [2, 'rare', '1 samples, 0.03%'],
      [3, 'cold', '900 samples, 29.99%'],
      [3, 'hot', '2,000 samples, 66.64%'],
    ]);
    const width = (name: string) => frames.find((frame) => frame.name === name)?.width ?? Number.NaN;
    expect(width('all')).toBeCloseTo(1180, 0);
    expect(width('hot') / width('app')).toBeCloseTo(2000 / 3001, 3);
  });

  it('is signed, so that it can be drawn anew, and has the width that was asked for', async () => {
    const { svg, root } = await draw(engine, TWO_THIRDS, { width: 900 });
    expect(svg.slice(0, 4096)).toContain(SIGNATURE);
    expect(root.attributes['width']).toBe('900');
    expect((await draw(engine, TWO_THIRDS, { width: 900 }, { width: 700 })).root.attributes['width']).toBe('700');
  });

  it('is the same picture every time', async () => {
    expect((await draw(engine, TWO_THIRDS)).svg).toBe((await draw(engine, TWO_THIRDS)).svg);
  });

  it('takes title, count name and colours from the config, and the title from the flag before that', async () => {
    const options = { title: 'Where it <goes>', countname: 'blood & sweat', colors: 'blue' as const };
    const { root, frames, svg } = await draw(engine, TWO_THIRDS, options);
    expect(shownTexts(root)).toContain('Where it <goes>');
    expect(frames[0]?.total).toMatch(/^3,001 blood (&|_) sweat, 100%$/);
    expect(svg).not.toBe((await draw(engine, TWO_THIRDS, { ...options, colors: 'green' })).svg);
    const flagged = await draw(engine, TWO_THIRDS, options, { title: 'Mine' });
    expect(shownTexts(flagged.root)).toContain('Mine');
    expect(shownTexts(flagged.root)).not.toContain('Where it <goes>');
  });

  it('hangs down as an icicle, and begins with the innermost function where it is reversed', async () => {
    const up = await draw(engine, TWO_THIRDS);
    const down = await draw(engine, TWO_THIRDS, { icicle: true });
    const byName = (frames: readonly DrawnFrame[]) => new Map(frames.map((frame) => [frame.name, frame]));
    const [standing, hanging] = [byName(up.frames), byName(down.frames)];
    for (const [name, { x, width }] of standing) expect(hanging.get(name)).toMatchObject({ x, width });
    expect(topOf(up.root, 'hot')).toBeLessThan(topOf(up.root, 'app'));
    expect(topOf(down.root, 'hot')).toBeGreaterThan(topOf(down.root, 'app'));
    const { frames } = await draw(engine, TWO_THIRDS, { reversed: true });
    expect(frames.filter(({ depth }) => depth === 1).map(({ name }) => name)).toEqual(['cold', 'hot', 'main', 'rare']);
  });

  it('names interface, weight, origin and filter by itself', async () => {
    const header = { interface: 'callstack', host: 'web-3', tool: { name: 'perf', version: '6.1', command: [] } };
    const { root } = await draw(engine, TWO_THIRDS, {}, { filter: { comm: /app/u } }, header);
    expect(shownTexts(root)).toContain('callstack: CPU time');
    expect(shownTexts(root)).toContain(
      'web-3 · 2026-03-01 09:30:00 UTC · perf 6.1 · only processes like app · 3,001 samples',
    );
  });

  it('counts nanoseconds and bytes in a unit that can be read', async () => {
    const records = [
      { weight: 600e9, stack: ['app', 'wait'] },
      { weight: 237e9, stack: ['app'] },
    ];
    const { frames, root } = await draw(engine, records, {}, {}, { weight: { label: 'time', unit: 'ns' } });
    expect(frames.map(({ total }) => total)).toEqual(['837,000 ms, 100%', '837,000 ms, 100%', '600,000 ms, 71.68%']);
    expect(shownTexts(root).join()).toContain('UTC · 837 s');
    const named = await draw(engine, records, { countname: 'ticks' }, {}, { weight: { label: 'time', unit: 'ns' } });
    expect(named.frames[0]?.total).toBe('837,000,000,000 ticks, 100%');
    const bytes = await draw(
      engine,
      [{ weight: 3 * 2 ** 24, stack: ['a'] }],
      {},
      {},
      { weight: { label: '', unit: 'bytes' } },
    );
    expect(bytes.frames[0]?.total).toBe('49,152 KiB, 100%');
    expect(shownTexts(bytes.root).join()).toContain('UTC · 48 MiB');
  });

  it('hides idle time, counts it and says so; and shows it where it is asked for', async () => {
    const idle: StackData[] = ['swapper', 'swapper/1', 'swapper-0', 'swapper-0/0'].map((name) => ({
      weight: 250,
      stack: [name, 'do_idle'],
    }));
    const records = [...idle, ...TWO_THIRDS, { weight: 7, stack: ['swapperd', 'work'] }];
    const hidden = await draw(engine, records);
    expect(hidden.frames.map(({ name }) => name)).not.toContain('do_idle');
    expect(hidden.frames.map(({ name }) => name)).toContain('swapperd');
    expect(hidden.frames[0]?.total).toBe('3,008 samples, 100%');
    expect(hidden.notes).toEqual(['1,000 idle samples hidden (25 %); --idle shows them']);
    expect(shownTexts(hidden.root).join()).toContain('3,008 samples · 1,000 idle samples hidden (25 %)');
    const shown = await draw(engine, records, {}, { showIdle: true });
    expect(shown.frames[0]?.total).toBe('4,008 samples, 100%');
    expect(shown.notes).toEqual([]);
  });

  it('leaves out frames narrower than minwidth, and keeps their weight below them', async () => {
    const { frames, root } = await draw(engine, TWO_THIRDS, { minwidth: 1 });
    expect(shownTexts(root).join()).toContain('1 frame too narrow to draw');
    expect(shownTexts((await draw(engine, TWO_THIRDS)).root).join()).not.toContain('narrow');
    expect(frames.map(({ name }) => name)).toEqual(['all', 'app', 'main', 'cold', 'hot']);
    expect(frames[1]?.total).toBe('3,001 samples, 100%');
  });

  it('says below the graph what one has to know of the data, and keeps it off the frames', async () => {
    const warnings = ['half of the stacks are <broken>', ...Array.from({ length: 8 }, (_, i) => `warning ${i}`)];
    const { root, frames } = await draw(engine, TWO_THIRDS, {}, {}, { lost: 12, warnings });
    const texts = shownTexts(root);
    expect(texts).toContain('12 records lost by the kernel or the tool');
    expect(texts).toContain('half of the stacks are <broken>');
    expect(texts).toContain('and 7 more notes, printed by marple display');
    const note = elements(root, 'text').find(({ text }) => text.startsWith('and 7 more'));
    const [, top = 0, , height = 0] = (root.attributes['viewBox'] ?? '').split(' ').map(Number);
    expect(Number(note?.attributes['y'])).toBeLessThan(top + height);
    const bottom = Math.max(
      ...elements(root, 'g')
        .flatMap((g) => elements(g, 'rect'))
        .map(({ attributes }) => Number(attributes['y'])),
    );
    expect(Number(note?.attributes['y'])).toBeGreaterThan(bottom + 16);
    expect(frames).toHaveLength(6);
  });

  it('keeps title and subtitle off the frames of the deepest stack', async () => {
    const deep = Array.from({ length: 60 }, (_, i) => `f${i}`);
    const { root } = await draw(engine, [{ weight: 1, stack: deep }], { title: 'A title' });
    const highest = Math.min(
      ...elements(root, 'g')
        .flatMap((g) => elements(g, 'rect'))
        .map(({ attributes }) => Number(attributes['y'])),
    );
    const subtitle = elements(root, 'text').find(({ text }) => text.includes('UTC'));
    const title = elements(root, 'text').find(({ text }) => text === 'A title');
    expect(Number(subtitle?.attributes['y'])).toBeLessThan(highest - 4);
    expect(Number(title?.attributes['y'])).toBeLessThan(Number(subtitle?.attributes['y']) - 12);
  });

  it('draws a picture that says so where there is nothing to draw', async () => {
    const { root, frames } = await draw(engine, []);
    expect(frames).toEqual([]);
    expect(shownTexts(root)).toContain('no records');
  });

  it('notes that a height cannot be had', async () => {
    expect((await draw(engine, TWO_THIRDS, {}, { height: 500 })).notes).toEqual([
      '--height is not used: the stacks set how high a flame graph is',
    ]);
  });

  const HOSTILE = [
    '</script><script>alert(1)</script>',
    ']]>',
    '<![CDATA[',
    "');alert(1);//",
    "\\');alert(1);//",
    '&#39;);alert(1);//',
    '"><image href="x" onerror="alert(1)"/>',
    'a\x1b[2J\x07\0b',
    'exe.\u202egnp',
    'lone \ud800 surrogate',
    'byte \udcff',
    '%s%n%d $x @y `id` $(id)',
    '&amp; &lt; &',
    'a;b 12',
    ' 5',
    '日本語 😀',
    '__proto__',
    '-',
  ];

  it.each(HOSTILE)('shows the frame %j as text and as nothing else', async (name) => {
    const { root, frames, svg } = await draw(engine, [{ weight: 10, stack: [name, name] }], { title: name });
    expect(frames.map(({ depth }) => depth)).toEqual([0, 1, 2]);
    expect(elements(root, 'script')).toHaveLength(2);
    expect(elements(root, 'image')).toEqual([]);
    expect(svg).not.toMatch(/[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\ud800]/);
    expectHarmlessHandlers(root);
  });

  it('is well-formed XML with harmless handlers, whatever the names are', async () => {
    const stack = fc.array(fc.oneof(anyText, fc.constantFrom(...HOSTILE)), { minLength: 1, maxLength: 4 });
    const records = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 99 }), stack }), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(records, anyText, async (stacks, text) => {
        const { root, frames } = await draw(engine, stacks, { title: text, countname: text }, { showIdle: true });
        expect(frames[0]?.depth).toBe(0);
        expectHarmlessHandlers(root);
      }),
      { numRuns: 20 },
    );
  }, 30_000);
});

/** The handlers of flamegraph.pl call s() with the hover text, which holds names: nothing else may come of them. */
function expectHarmlessHandlers(root: XmlElement): void {
  for (const group of elements(root, 'g')) {
    const handlers = Object.entries(group.attributes).filter(([name]) => name.startsWith('on'));
    const title = elements(group, 'title')[0]?.text ?? '';
    for (const [name, code] of handlers) {
      if (name !== 'onmouseover') expect(['c()', 'zoom(this)']).toContain(code);
      else {
        const said: string[] = [];
        runInNewContext(code, { s: (text: string) => said.push(text) });
        expect(said.map((text) => text.replaceAll('\\', ''))).toEqual([title.replaceAll('\\', '')]);
      }
    }
  }
}

describe('the two engines', () => {
  /** Without the percentage: C rounds one half to the even digit, JavaScript up. */
  const count = ({ total }: DrawnFrame) => total.replace(/, [\d.]+%$/, '');
  /** The script has no other way to show these. */
  const asScript = (name: string) => name.replaceAll('<', '(').replaceAll('>', ')').replaceAll(';', ':');

  const name = fc.constantFrom(
    'main',
    'main.part',
    'do work',
    'std::vector<int>::at',
    'a;b',
    'ünï',
    '7',
    'libc.so.6',
    '[k]',
  );
  const records = fc.array(
    fc.record({ weight: fc.integer({ min: 1, max: 50 }), stack: fc.array(name, { minLength: 1, maxLength: 6 }) }),
    { minLength: 1, maxLength: 25 },
  );

  it('draw the same frames: names, depths, places, widths', async () => {
    await fc.assert(
      fc.asyncProperty(records, async (stacks) => {
        const [script, builtin] = [await draw('flamegraph.pl', stacks), await draw('builtin', stacks)];
        expect(script.notes).toEqual([]);
        expect(builtin.frames.map((frame) => [frame.depth, asScript(frame.name), count(frame)])).toEqual(
          script.frames.map((frame) => [frame.depth, frame.name, count(frame)]),
        );
        for (const [i, { x, width }] of script.frames.entries()) {
          // The script rounds to a tenth of a pixel.
          expect(Math.abs((builtin.frames[i]?.x ?? Number.NaN) - x)).toBeLessThan(0.11);
          expect(Math.abs((builtin.frames[i]?.width ?? Number.NaN) - width)).toBeLessThan(0.21);
        }
      }),
      { numRuns: 25 },
    );
  }, 30_000);
});

describe('by itself', () => {
  /** So many stacks, each of which has so many frames of its own on top of one that all share. */
  const many = (count: number, each: number): StackData[] =>
    Array.from({ length: count }, (_, i) => ({
      weight: 1,
      stack: ['p', ...Array.from({ length: each }, (_, depth) => `f${i}.${depth}`)],
    }));
  const width = { width: 20_000 };

  it('the script is taken', async () => {
    for (const records of [TWO_THIRDS, many(10_000, 1), many(6_666, 3)]) {
      const { svg, notes } = await draw('auto', records, width);
      expect(svg).toBe((await draw('flamegraph.pl', records, width)).svg);
      expect(notes).toEqual([]);
    }
  });

  it.each([
    ['stacks', many(10_001, 1), '10,001 stacks'],
    ['frames', many(6_667, 3), '20,002 frames'],
  ])('but for many %s, which is said', async (_, records, what) => {
    const { svg, notes } = await draw('auto', records, width);
    expect(svg).toBe((await draw('builtin', records, width)).svg);
    expect(notes).toEqual([
      `drawn by the built-in renderer, which is faster, as there are ${what}; for flamegraph.pl set [flamegraph] engine = flamegraph.pl`,
    ]);
    expect((await draw('flamegraph.pl', records, width)).notes).toEqual([]);
  });
});

describe('flamegraph.pl', () => {
  it('has every theme that the config allows', async () => {
    const pictures = new Set<string>();
    for (const colors of THEMES) pictures.add((await draw('flamegraph.pl', TWO_THIRDS, { colors })).svg);
    // An unknown theme would be black.
    for (const svg of pictures) expect(svg).not.toMatch(/<rect [^>]*fill="rgb\(0,0,0\)"/);
    // These names are of the system, and red for java and js too.
    expect(pictures.size).toBe(THEMES.length - 2);
  });

  it('is looked for in several places, and missed with a hint', () => {
    expect(findScript()).toMatch(/\/flamegraph\.pl$/);
    expect(() => findScript(['/nonexistent/flamegraph.pl'])).toThrow(
      expect.objectContaining({ message: 'flamegraph.pl is not installed', hint: './setup.sh' }),
    );
  });

  it.each([
    ['/dev/null', 'flamegraph.pl gave something other than a graph'],
    ['/nonexistent/flamegraph.pl', 'flamegraph.pl exited with status 2'],
  ])('that is really %s is refused, so that the built-in renderer takes over', async (script, reason) => {
    const tree = new StackTree();
    tree.add(['a'], 1);
    const texts = { title: 't', subtitle: 's', footer: [], countname: 'samples' };
    const picture = {
      tree,
      wide: wideTree(tree, 1180, 0.1),
      ...texts,
      unitSize: 1,
      colors: 'hot' as const,
      width: 1200,
      fitsWindow: true,
      minWidth: 0.1,
      icicle: false,
    };
    const error = await drawWithScript(script, picture).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnavailableError);
    expect((error as Error).message).toContain(reason);
  });
});

describe('frameColour', () => {
  it('is the same for a name in every picture, and another in another theme', () => {
    expect(frameColour('main', 'hot')).toBe(frameColour('main', 'hot'));
    expect(new Set(THEMES.map((theme) => frameColour('main', theme))).size).toBeGreaterThan(THEMES.length - 3);
  });

  it('tells languages apart', () => {
    const names = ['std::sort', 'node/lib/fs.js', 'read'];
    expect(new Set(names.map((frame) => frameColour(frame, 'java').split(',')[0])).size).toBe(3);
  });
});
