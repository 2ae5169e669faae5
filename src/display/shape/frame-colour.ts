import type { Rgb } from './palette.ts';

/** Colours of frames, by the names that flame graph tools have for them. */
export const THEMES = ['hot', 'mem', 'io', 'java', 'js', 'red', 'green', 'blue', 'yellow', 'purple', 'orange'] as const;
export type Theme = (typeof THEMES)[number];

/** Hue, in degrees, and its spread for the themes of one colour. */
const HUES: Readonly<Record<Exclude<Theme, 'java' | 'js'>, readonly [from: number, to: number]>> = {
  hot: [8, 50],
  mem: [95, 150],
  io: [205, 240],
  red: [0, 10],
  green: [100, 120],
  blue: [212, 228],
  yellow: [48, 58],
  purple: [280, 300],
  orange: [24, 36],
};

/** The same name has the same colour in every picture. */
export function frameColour(name: string, theme: Theme): string {
  const { hue, saturation, lightness } = frameHsl(name, theme);
  return `hsl(${hue.toFixed(0)},${saturation}%,${lightness}%)`;
}

/** The same for what knows no CSS. */
export function frameRgb(name: string, theme: Theme): Rgb {
  const { hue, saturation, lightness } = frameHsl(name, theme);
  const light = lightness / 100;
  const spread = (saturation / 100) * Math.min(light, 1 - light);
  // CSS Color 4, section 7.1.
  const channel = (n: number): number => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (light - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** Degrees and percents. */
function frameHsl(name: string, theme: Theme): { hue: number; saturation: number; lightness: number } {
  const [from, to] = HUES[theme === 'java' || theme === 'js' ? languageTheme(name) : theme];
  const hash = hashText(name);
  const hue = from + ((hash & 0xff) / 255) * (to - from);
  return { hue, saturation: 78, lightness: 58 + ((hash >>> 8) & 0xf) };
}

/** Of what weighs more than before red, less blue, and as much grey; `shift` is out of everything, -1 to 1. */
export function shiftColour(shift: number): string {
  if (shift === 0) return 'hsl(0,0%,88%)';
  // Even a small shift is seen to be one.
  const strength = Math.min(1, Math.sqrt(Math.abs(shift)));
  return `hsl(${shift > 0 ? 4 : 215},${(60 + 30 * strength).toFixed(0)}%,${(90 - 34 * strength).toFixed(0)}%)`;
}

/** C++ is yellow, Java and JavaScript (names with a path) green, the system red. */
function languageTheme(name: string): 'yellow' | 'green' | 'red' {
  return name.includes('::') ? 'yellow' : name.includes('/') ? 'green' : 'red';
}

/** A difference of so much of the whole has the full colour. */
const FULL_DIFFERENCE = 0.1;

/** Colour of a difference of shares: orange is more, blue is less, and grey the same; told apart with any colour vision. */
export function differenceColour(difference: number): string {
  const strength = Math.min(1, Math.abs(difference) / FULL_DIFFERENCE);
  if (strength < 0.02) return 'hsl(0,0%,85%)';
  return `hsl(${difference > 0 ? 30 : 210},${(90 * strength).toFixed(0)}%,${(85 - 20 * strength).toFixed(0)}%)`;
}

/** FNV-1a, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The low bits of FNV-1a alone tell similar names poorly apart.
  return (hash ^ (hash >>> 15)) >>> 0;
}
