import { UsageError } from '../../common/errors.ts';
import type { SectionHeader } from '../../common/header.ts';

export { isAboutOther } from '../../analysis/about-other.ts';

/** What the tracks of an event log are: tasks, or CPUs. */
export const TRACK_CHOICES = ['auto', 'pid', 'cpu'] as const;
export type TrackChoice = (typeof TRACK_CHOICES)[number];
export type TrackKind = 'pid' | 'cpu';

/** The kinds of tracks that a section has the fields for. */
export function trackKinds(header: SectionHeader): TrackKind[] {
  if (header.datatype !== 'event') return [];
  return (['pid', 'cpu'] as const).filter((kind) => header.fields?.includes(kind) === true);
}

/**
 * The tracks of a section: those asked for, else tasks, or CPUs where the events name no task.
 * @throws UsageError (2) where the section lacks the field.
 */
export function chooseTracks(header: SectionHeader, asked: TrackChoice): TrackKind {
  const kinds = trackKinds(header);
  const chosen = asked === 'auto' ? kinds[0] : kinds.find((kind) => kind === asked);
  if (chosen !== undefined) return chosen;
  throw new UsageError(
    `the events of ${header.interface} cannot be put on tracks by ${asked === 'auto' ? 'pid or cpu' : asked}: they have no such field`,
    kinds.length === 0 ? 'marple display -l lists what the file holds' : `marple display --track ${kinds[0]}`,
  );
}
