import type { TimeRange } from '../shape/lanes.ts';
import type { SectionData } from './decode.ts';
import { type Decoded, type PageData, pageData } from './model.ts';
import { decodeFrom } from './read.ts';
import { serverSource } from './source.ts';

/**
 * Reads the report of a file from the server that gave out this page.
 * @throws Error that says what is wrong.
 */
export async function readServed(
  file: string,
  script: HTMLOrSVGScriptElement,
  onProgress: (what: string, share: number) => void,
): Promise<PageData> {
  const address = `/data/${file}`;
  const source = serverSource(address, (share) => onProgress('The server reads the file', share));
  const whole = await decodeFrom(source, script, (share) => onProgress('Reading the data', share));
  const { sections, served } = whole.manifest;
  if (served === undefined || !sections.some(({ records }) => records !== undefined)) return pageData(whole);
  const ofRange = async ({ from, to }: TimeRange, signal: AbortSignal, section?: number): Promise<PageData> => {
    const query = new URLSearchParams({ version: served.version, from: String(from), to: String(to) });
    if (section !== undefined) query.set('section', String(section));
    const part = await decodeFrom(
      serverSource(`${address}?${query}`, () => undefined, signal),
      script,
      () => undefined,
    );
    return { ...pageData(withPart(whole, part)), ofRange };
  };
  return { ...pageData(whole), ofRange };
}

/** A page with some of its sections as they are in a range of time. */
function withPart(whole: Decoded, part: Decoded): Decoded {
  const places = new Map(part.manifest.sections.map(({ number }, place) => [number, place]));
  const merged = whole.manifest.sections.map((page, i) => {
    const data = whole.decoded[i]!;
    const place = places.get(page.number);
    if (place === undefined) return { page, data };
    const own = part.decoded[place]!;
    return own.weights === undefined
      ? { page: part.manifest.sections[place]!, data: own }
      : { page, data: withWeights(data, own.weights) };
  });
  return {
    manifest: { ...whole.manifest, sections: merged.map(({ page }) => page), filter: part.manifest.filter },
    decoded: merged.map(({ data }) => data),
    notes: whole.notes,
  };
}

function withWeights(data: SectionData, weights: Float64Array): SectionData {
  return { ...data, stacks: data.stacks === undefined ? undefined : { ...data.stacks, weights } };
}
