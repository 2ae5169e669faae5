import { createCanvas, loadImage } from 'canvas';
import { describe, expect, it } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { MarpleError } from '../../src/common/errors.ts';
import type { Rendered } from '../../src/display/generic-display.ts';
import { READY_COLOUR, RUNNING_COLOUR, typeColour } from '../../src/display/shape/timeline-draw.ts';
import { type TimelineOptions, TimelineView } from '../../src/display/timeline.ts';
import { cpusched } from '../analysis/stats/sections.ts';
import { headerOf, type TestSection } from '../support/data-files.ts';
import { jobOf } from './job.ts';
import { readPng } from './png.ts';

const at = (time: number, type: string, ...datum: string[]): EventData => ({ time, type, datum });

/** So many tasks, each of which runs for a millisecond on CPU 0, one after the other, the later ones longer. */
function tasks(count: number): TestSection {
  const events: EventData[] = [];
  let time = 0;
  for (let i = 0; i <= count; i++) {
    const [leaver, comer] = [
      i === 0 ? ['0', 'swapper/0'] : [String(i), `t${i}`],
      i === count ? ['0', 'swapper/0'] : [String(i + 1), `t${i + 1}`],
    ];
    events.push(at(time, 'switch', '0', ...leaver, ...comer, 'S'));
    time += 1e6 + 1000 * i;
  }
  return cpusched(events);
}

const draw = async (
  section: TestSection,
  options: Partial<TimelineOptions> = {},
  more: Parameters<typeof jobOf<TimelineOptions>>[3] = {},
): Promise<{ png: ReturnType<typeof readPng>; notes: readonly string[] }> => {
  const view = new TimelineView(await jobOf(TimelineView.description, [section], options, { format: 'png', ...more }));
  return { png: readPng((await view.render()) as Uint8Array), notes: view.notes };
};

/** Pixels: the key, and what is below it. */
const FOOT = 28 + 14;

/** The colours of the lowest pixels of a PNG. */
async function coloursBelow(png: Rendered, height: number): Promise<Set<string>> {
  const image = await loadImage(Buffer.from(png as Uint8Array));
  const canvas = createCanvas(image.width, height);
  canvas.getContext('2d').drawImage(image, 0, height - image.height);
  const { data } = canvas.getContext('2d').getImageData(0, 0, image.width, height);
  const colours = new Set<string>();
  for (let i = 0; i < data.length; i += 4) {
    colours.add(
      `#${[data[i]!, data[i + 1]!, data[i + 2]!].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`,
    );
  }
  return colours;
}

describe('the timeline as PNG', () => {
  it('is as high as its tracks need, and signed', async () => {
    const { png, notes } = await draw(tasks(10));
    // Title, ruler, ten tracks of 24 pixels, and the key.
    expect([png.width, png.height]).toEqual([1600, 62 + 26 + 10 * 24 + FOOT]);
    expect(png.texts['Software']).toBe('Drawn by MARPLE');
    expect(notes).toEqual([]);
    expect((await draw(tasks(10), { track: 'cpu' })).png.height).toBe(62 + 26 + 24 + FOOT);
  });

  it('shows the tracks where most goes on, and counts the others', async () => {
    const { png, notes } = await draw(tasks(50), { tracks: 5 });
    expect(png.height).toBe(62 + 26 + 5 * 24 + FOOT);
    expect(notes).toEqual(['45 tracks not shown, where less goes on: [plot] tracks in config.txt, or --height']);
    const fixed = await draw(tasks(50), {}, { width: 900, height: 400 });
    expect([fixed.png.width, fixed.png.height]).toEqual([900, 400]);
    expect(fixed.notes[0]).toMatch(/^39 tracks not shown/);
  });

  it('has a key of what the bars mean, and the marks', async () => {
    const colours = async (section: TestSection, options: Partial<TimelineOptions>): Promise<Set<string>> => {
      const job = await jobOf(TimelineView.description, [section], options, { format: 'png' });
      return coloursBelow(await new TimelineView(job).render(), FOOT);
    };
    const ofTasks = await colours(tasks(3), { track: 'pid' });
    expect([RUNNING_COLOUR, READY_COLOUR].map((colour) => ofTasks.has(colour))).toEqual([true, true]);
    expect((await colours(tasks(3), { track: 'cpu' })).has(READY_COLOUR)).toBe(false);
    const header = headerOf('event', { interface: 'x', fields: ['pid', 'comm'] });
    const ofEvents = await colours({ header, records: [at(5, 'open', '7', 'p')] }, {});
    expect(ofEvents.has(RUNNING_COLOUR)).toBe(false);
    expect(ofEvents.has(typeColour('open'))).toBe(true);
  });

  it('refuses what has no room for a track', async () => {
    const refused = draw(tasks(3), {}, { width: 600, height: 110 });
    await expect(refused).rejects.toThrow(MarpleError);
    await expect(refused).rejects.toThrow('has no room for a track');
  });

  it('is drawn of nothing, of hostile names and of one event', async () => {
    expect((await draw(cpusched([]))).png.height).toBe(62 + 26 + 24 + FOOT);
    const header = headerOf('event', { interface: 'x\x1b[2J', fields: ['pid', 'comm'] });
    await draw({ header, records: [at(5, '\u202e</script>', '7', '\x00'.repeat(300))] });
  });

  it('refuses tracks that the events cannot be put on', async () => {
    const header = headerOf('event', { interface: 'ipc', fields: ['pid', 'comm'] });
    await expect(draw({ header, records: [] }, { track: 'cpu' })).rejects.toThrow(/by cpu: they have no such field/);
    expect(TimelineView.description.fits(headerOf('event', { fields: ['addr'] }))).toBe(false);
    expect(TimelineView.description.fits(headerOf('stack'))).toBe(false);
  });
});

describe('the timeline as text', () => {
  const text = async (section: TestSection, more: Parameters<typeof draw>[2] = {}): Promise<string[]> => {
    const job = await jobOf(TimelineView.description, [section], {}, { format: 'txt', ...more });
    return Buffer.from((await new TimelineView(job).render()) as Uint8Array)
      .toString()
      .split('\n');
  };
  /** a runs for the first half of 100 ms, b waits meanwhile and runs in the second. */
  const HALVES = cpusched([
    at(0, 'switch', '0', '0', 'swapper/0', '1', 'a', 'R'),
    at(1, 'wakeup', '0', '1', 'a', '2', 'b', '>0'),
    at(50e6, 'switch', '0', '1', 'a', '2', 'b', 'S'),
    at(100e6, 'switch', '0', '2', 'b', '0', 'swapper/0', 'S'),
  ]);
  const SCREEN = { columns: 100, rows: 30, hasColours: false };

  it('shows by blocks who ran, and who waited for a CPU', async () => {
    const lines = await text(HALVES, { filter: { from: 0, to: 0.1 }, screen: SCREEN });
    expect(lines).toContain(`a(1)${' '.repeat(22)}${'█'.repeat(32)}${' '.repeat(38)}50 %`);
    expect(lines).toContain(`b(2)${' '.repeat(22)}${'░'.repeat(32)}${'█'.repeat(32)}${' '.repeat(6)}50 %`);
    expect(lines.find((line) => line.includes('╷0 ms'))).toContain('╷50 ms');
  });

  it('of other events how many there were', async () => {
    const header = headerOf('event', { interface: 'x', end: '2026-03-01T09:30:01.000Z', fields: ['pid', 'comm'] });
    const records = [at(0, 'a', '7', 'p'), ...Array.from({ length: 50 }, (_, i) => at(500e6 + i, 'b', '7', 'p'))];
    const lines = await text({ header, records }, { filter: { from: 0, to: 1 }, screen: SCREEN });
    expect(lines).toContain(`p(7)${' '.repeat(22)}▂${' '.repeat(31)}█${' '.repeat(31)}${' '.repeat(8)}51`);
  });

  it('has room for some tracks only, and says so; no line is too long', async () => {
    const screen = { columns: 60, rows: 20, hasColours: true };
    const lines = await text(tasks(50), { screen });
    expect(lines.some((line) => /^\d+ more tracks, where less goes on$/.test(line))).toBe(true);
    expect(lines.length).toBeLessThanOrEqual(20);
    for (const line of lines) expect(line.replace(/\x1b\[[\d;]*m/g, '').length).toBeLessThanOrEqual(60);
  });

  it('lets no control character of a name reach the terminal', async () => {
    const header = headerOf('event', { interface: 'x\x1b[2J', fields: ['pid', 'comm'] });
    const lines = await text({ header, records: [at(5, '\x1b', '7', '\x1b[31m\u202e')] });
    expect(lines.join('')).not.toMatch(/[\x00-\x1f\u202e]/);
    expect(lines.join('')).toContain('\\x1b[31m');
  });
});
