/**
 * Colours that are told apart by people with any colour vision. Heat: from pale yellow-green to dark violet, lightness
 * falling evenly (the hues of viridis, light end first, so that few is pale and many is dark on white paper).
 */
const HEAT: readonly (readonly [number, number, number])[] = [
  [189, 223, 38],
  [122, 209, 81],
  [68, 190, 112],
  [34, 168, 132],
  [33, 144, 141],
  [42, 120, 142],
  [53, 95, 141],
  [65, 68, 135],
  [72, 36, 117],
  [50, 10, 66],
];

export type Rgb = readonly [red: number, green: number, blue: number];

/** On a dark ground the darkest colours would not be seen. */
const DARKEST = 0.88;

/** Colour of a share of 0 .. 1: few is pale and many dark; on a dark ground few is dark and many bright. */
export function heatRgb(share: number, isDark = false): Rgb {
  const clamped = Math.min(1, Math.max(0, share));
  const position = (isDark ? DARKEST * (1 - clamped) : clamped) * (HEAT.length - 1);
  const index = Math.min(HEAT.length - 2, Math.floor(position));
  const [from, to] = [HEAT[index]!, HEAT[index + 1]!];
  const mix = (channel: 0 | 1 | 2) => Math.round(from[channel] + (position - index) * (to[channel] - from[channel]));
  return [mix(0), mix(1), mix(2)];
}

/** The same as CSS colour. */
export function heatColour(share: number, isDark = false): string {
  return `rgb(${heatRgb(share, isDark).join(',')})`;
}

/** Colours of layers: neighbours differ in lightness as well as in hue. */
export const LAYER_COLOURS = [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#56b4e9',
  '#d55e00',
  '#f0e442',
  '#7b4fa3',
  '#8c6d31',
  '#a6d96a',
  '#b2182b',
  '#4d4d9a',
  '#80cdc1',
  '#ffcbbd',
  '#c7a0d8',
  '#35754a',
] as const;

export const OTHER_COLOUR = '#b5b5b5';

/**
 * A colour for each label: chosen by the label's own text, so that a process looks alike in every picture, and the
 * next free one where two would share it. Labels keep the colours that `given` has, which learns the new ones: so they stay
 * when others come and go.
 */
export function layerColours(
  labels: readonly string[],
  hash: (text: string) => number,
  given: Map<string, string> = new Map(),
): string[] {
  const used = new Set<string>(labels.flatMap((label) => given.get(label) ?? []));
  return labels.map((label) => {
    let colour = given.get(label);
    if (colour === undefined) {
      if (used.size === LAYER_COLOURS.length) used.clear();
      let slot = hash(label) % LAYER_COLOURS.length;
      while (used.has(LAYER_COLOURS[slot]!)) slot = (slot + 1) % LAYER_COLOURS.length;
      colour = LAYER_COLOURS[slot]!;
      given.set(label, colour);
    }
    used.add(colour);
    return colour;
  });
}

/** `#0072b2` in numbers. */
export function rgbOf(colour: string): Rgb {
  const value = Number.parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 0xff, value & 0xff];
}
