import { describe, expect, it } from 'vitest';
import { footerLines, sectionNotes, sectionOrigin, sectionSeconds } from '../../src/display/notes.ts';
import { headerOf } from '../support/data-files.ts';

const END = '2026-03-01T09:30:05.250Z';

describe('sectionNotes', () => {
  it('has nothing to say of a flawless section', () => {
    expect(sectionNotes(headerOf('stack', { end: END, lost: 0, skipped: 0 }))).toEqual([]);
  });

  it('says what was lost, skipped, replaced, cut off and warned of', () => {
    const header = headerOf('datapoint', {
      lost: 1200,
      skipped: 1,
      substitute: { for: 'cycles', why: 'no PMU' },
      warnings: ['a\x1b[31m warning'],
    });
    expect(sectionNotes(header)).toEqual([
      'the collection was cut off: this is what had been written by then',
      '1,200 records lost by the kernel or the tool',
      '1 line of the tool could not be read',
      'stands in for cycles: no PMU',
      'a\\x1b[31m warning',
    ]);
  });
});

describe('sectionOrigin', () => {
  it('says where, when, how long, by what, and what of it', () => {
    const header = headerOf('datapoint', {
      end: END,
      host: 'web-3',
      tool: { name: 'perf', version: '6.1', command: [] },
    });
    expect(sectionOrigin(header, { from: 1, to: 2.5, pids: [7, 8], comm: /^fio/u })).toEqual([
      'web-3',
      '2026-03-01 09:30:00 UTC',
      '5.3 s',
      'perf 6.1',
      'only 1 to 2.5 s',
      'only pid 7, 8',
      'only processes like ^fio',
    ]);
    expect(sectionOrigin(headerOf('stack'), { to: 3 })).toEqual(['2026-03-01 09:30:00 UTC', 'only up to 3 s']);
    expect(sectionOrigin(headerOf('stack'), { from: 0 })).toEqual(['2026-03-01 09:30:00 UTC', 'only from 0 s']);
  });
});

describe('sectionSeconds', () => {
  it('is null where the end is not known, and never below 0', () => {
    expect(sectionSeconds(headerOf('stack'))).toBeNull();
    expect(sectionSeconds(headerOf('stack', { end: END }))).toBe(5.25);
    expect(sectionSeconds(headerOf('stack', { end: '2026-03-01T09:29:00.000Z' }))).toBe(0);
  });
});

describe('footerLines', () => {
  it('has all notes where there is room', () => {
    expect(footerLines([], 10)).toEqual([]);
    expect(footerLines(['one', 'two three four'], 9)).toEqual(['one', 'two three', 'four']);
    expect(footerLines(['1', '2', '3', '4', '5'], 9)).toEqual(['1', '2', '3', '4', '5']);
  });

  it('says how many more there are where they would crowd the picture', () => {
    expect(footerLines(['1', '2', '3', '4', '5', '6'], 60)).toEqual([
      ...['1', '2', '3', '4'],
      'and 2 more notes, printed by marple display',
    ]);
    expect(footerLines(['long '.repeat(200)], 20)).toEqual(['1 note, printed by marple display']);
  });
});
