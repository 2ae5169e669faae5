import { describe, expect, it } from 'vitest';
import { bar, CharacterGrid, PAPER, screenOf, sparkline, xtermColour } from '../../../src/display/text/screen.ts';

const TERMINAL = { isTTY: true, columns: 132, rows: 43 };

describe('screenOf', () => {
  it('is as large as the terminal, in colour', () => {
    expect(screenOf(TERMINAL, {}, {})).toEqual({ columns: 132, rows: 43, hasColours: true });
  });

  it('goes by COLUMNS and LINES, on a pipe too', () => {
    const env = { COLUMNS: '90', LINES: '30' };
    expect(screenOf(TERMINAL, {}, env)).toMatchObject({ columns: 90, rows: 30 });
    expect(screenOf({ isTTY: false }, {}, env)).toEqual({ columns: 90, rows: 30, hasColours: false });
    expect(screenOf(TERMINAL, {}, { COLUMNS: 'wide', LINES: '-1' })).toMatchObject({ columns: 132, rows: 43 });
  });

  it('is paper where the terminal does not know its size', () => {
    expect(screenOf({ isTTY: true, columns: 0, rows: 0 }, {}, {})).toEqual({ ...PAPER, hasColours: true });
  });

  it('is paper for a file, whatever the terminal is', () => {
    expect(screenOf(undefined, {}, { COLUMNS: '200' })).toEqual(PAPER);
  });

  it('takes the pixels that were asked for before all', () => {
    expect(screenOf(TERMINAL, { width: 800, height: 480 }, { COLUMNS: '90' })).toMatchObject({
      columns: 100,
      rows: 30,
    });
    expect(screenOf(undefined, { width: 8, height: 8 }, {})).toMatchObject({ columns: 40, rows: 12 });
  });

  it.each([[{ NO_COLOR: '1' }], [{ TERM: 'dumb' }]])('has no colours with %j', (env) => {
    expect(screenOf(TERMINAL, {}, env).hasColours).toBe(false);
  });
});

describe('xtermColour', () => {
  it('is the nearest of the cube and the greys', () => {
    expect(xtermColour([255, 0, 0])).toBe(196);
    expect(xtermColour([0, 0, 0])).toBe(16);
    expect(xtermColour([128, 128, 128])).toBe(244);
    expect(xtermColour([90, 140, 180])).toBe(67);
    // A dark green, to which a grey is closer.
    expect(xtermColour([0x35, 0x75, 0x4a])).toBe(65);
  });
});

describe('CharacterGrid', () => {
  it('places texts, cuts them at its edge, and leaves out spaces at the end', () => {
    const grid = new CharacterGrid(6, 2);
    grid.put(1, 0, 'abc  ');
    grid.put(3, 1, 'wxyz');
    grid.put(0, 5, 'nowhere');
    expect(grid.lines(false)).toEqual([' abc', '   wxy']);
  });

  it('counts wide characters as two columns, and marks as none', () => {
    const grid = new CharacterGrid(6, 1);
    grid.put(0, 0, '漢字');
    grid.put(4, 0, 'e\u0301|');
    expect(grid.lines(false)).toEqual(['漢字e\u0301|']);
  });

  it('writes colours once for all characters that have them, and takes them back', () => {
    const grid = new CharacterGrid(5, 1);
    grid.put(0, 0, 'ab', { front: 1 });
    grid.put(2, 0, 'c', { front: 1, back: 2 });
    grid.put(3, 0, 'd');
    expect(grid.lines(true)).toEqual(['\x1b[0;38;5;1mab\x1b[0;38;5;1;48;5;2mc\x1b[0md']);
    expect(grid.lines(false)).toEqual(['abcd']);
  });
});

describe('bars', () => {
  it('have eighths of a character', () => {
    expect([bar(0, 4), bar(0.5, 4), bar(0.3, 4), bar(1, 4), bar(7, 2)]).toEqual(['', '██', '█▎', '████', '██']);
  });

  it('of a line are as high as their values', () => {
    expect(sparkline([0, 1, 4, 8], 8)).toBe(' ▂▅█');
    expect(sparkline([1], 0)).toBe(' ');
  });
});
