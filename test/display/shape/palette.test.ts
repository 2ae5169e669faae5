import { describe, expect, it } from 'vitest';
import { hashText } from '../../../src/display/shape/frame-colour.ts';
import { heatColour, LAYER_COLOURS, layerColours, rgbOf } from '../../../src/display/shape/palette.ts';

/** Perceived lightness of a colour, 0 .. 1 (relative luminance, WCAG 2). */
function luminance(colour: string): number {
  const channels = (/^rgb\((\d+),(\d+),(\d+)\)$/.exec(colour) ?? []).slice(1).map((channel) => Number(channel) / 255);
  const [r = 0, g = 0, b = 0] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

describe('heatColour', () => {
  it('gets darker with every step, so that it reads without hue as well', () => {
    const steps = Array.from({ length: 101 }, (_, i) => luminance(heatColour(i / 100)));
    for (let i = 1; i < steps.length; i++) expect(steps[i]).toBeLessThan(steps[i - 1] as number);
    expect(steps[0]).toBeGreaterThan(0.5);
    expect(steps.at(-1)).toBeLessThan(0.02);
  });

  it('gets brighter with every step on a dark ground, and is seen there from the first on', () => {
    const steps = Array.from({ length: 101 }, (_, i) => luminance(heatColour(i / 100, true)));
    for (let i = 1; i < steps.length; i++) expect(steps[i]).toBeGreaterThan(steps[i - 1] as number);
    expect(steps[0]).toBeGreaterThan(0.015);
  });

  it('takes shares beyond 0 and 1 for these', () => {
    expect([heatColour(-1), heatColour(2)]).toEqual([heatColour(0), heatColour(1)]);
  });
});

describe('layerColours', () => {
  const names = ['postgres', 'nginx', 'redis', 'node', 'bash', 'java', 'fio'];

  it('gives no two layers one colour while there are enough', () => {
    expect(new Set(layerColours(names, hashText)).size).toBe(names.length);
    const many = Array.from({ length: LAYER_COLOURS.length }, (_, i) => `process ${i}`);
    expect(new Set(layerColours(many, hashText)).size).toBe(LAYER_COLOURS.length);
  });

  it('begins anew where there are more layers than colours', () => {
    const many = Array.from({ length: 40 }, (_, i) => `process ${i}`);
    expect(layerColours(many, hashText)).toHaveLength(40);
  });

  it('gives a name the same colour in every picture where it can', () => {
    expect(layerColours(['postgres', 'x'], hashText)[0]).toBe(layerColours(['postgres', 'y'], hashText)[0]);
  });

  it('stay when others come and go, and new ones take others', () => {
    const given = new Map<string, string>();
    const [postgres, nginx] = layerColours(['postgres', 'nginx'], hashText, given);
    expect(layerColours(['nginx'], hashText, given)).toEqual([nginx]);
    const later = layerColours([...names.slice(2), 'postgres', 'nginx'], hashText, given);
    expect(later.slice(-2)).toEqual([postgres, nginx]);
    expect(new Set(later).size).toBe(later.length);
  });
});

describe('rgbOf', () => {
  it('is the colour in numbers', () => {
    expect(rgbOf('#0072b2')).toEqual([0, 0x72, 0xb2]);
  });
});
