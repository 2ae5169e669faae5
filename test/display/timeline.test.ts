import { describe, expect, it } from 'vitest';
import type { EventData } from '../../src/common/datatypes.ts';
import { MarpleError } from '../../src/common/errors.ts';
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

describe('the timeline as PNG', () => {
  it('is as high as its tracks need, and signed', async () => {
    const { png, notes } = await draw(tasks(10));
    // Title, ruler and ten tracks of 24 pixels.
    expect([png.width, png.height]).toEqual([1600, 76 + 26 + 10 * 24 + 14]);
    expect(png.texts['Software']).toBe('Drawn by MARPLE');
    expect(notes).toEqual([]);
    expect((await draw(tasks(10), { track: 'cpu' })).png.height).toBe(76 + 26 + 24 + 14);
  });

  it('shows the tracks where most goes on, and counts the others', async () => {
    const { png, notes } = await draw(tasks(50), { tracks: 5 });
    expect(png.height).toBe(76 + 26 + 5 * 24 + 14);
    expect(notes).toEqual(['45 tracks not shown, where less goes on: [plot] tracks in config.txt, or --height']);
    const fixed = await draw(tasks(50), {}, { width: 900, height: 400 });
    expect([fixed.png.width, fixed.png.height]).toEqual([900, 400]);
    expect(fixed.notes[0]).toMatch(/^39 tracks not shown/);
  });

  it('refuses what has no room for a track', async () => {
    const refused = draw(tasks(3), {}, { width: 600, height: 110 });
    await expect(refused).rejects.toThrow(MarpleError);
    await expect(refused).rejects.toThrow('has no room for a track');
  });

  it('is drawn of nothing, of hostile names and of one event', async () => {
    expect((await draw(cpusched([]))).png.height).toBe(76 + 26 + 24 + 14);
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
