import { formatWeight, visible } from '../../common/text.ts';
import { type Filter, frameFilter } from './filters.ts';
import type { Section } from './model.ts';

interface IdleProps {
  readonly idle: number;
  readonly unit: string;
  readonly isShown: boolean;
  readonly onChange: (isShown: boolean) => void;
}

/** Shows and hides idle time; nothing where there is none. */
export function IdleButton({ idle, unit, isShown, onChange }: IdleProps) {
  if (!(idle > 0)) return null;
  return (
    <button type="button" aria-pressed={isShown} onClick={() => onChange(!isShown)}>
      Idle ({formatWeight(idle, unit)})
    </button>
  );
}

interface FrameButtonsProps {
  readonly section: Section;
  /** Of the function. */
  readonly name: string;
  readonly select: (...filters: readonly Filter[]) => void;
}

/** Narrow all views to a function, or to all but it. */
export function FrameButtons({ section, name, select }: FrameButtonsProps) {
  return (
    <>
      <button
        type="button"
        class="only"
        title={`Only what ${visible(name)} is in, in all views`}
        onClick={() => select(frameFilter(section, name, false))}
      >
        only
      </button>{' '}
      <button
        type="button"
        class="only"
        title={`All but what ${visible(name)} is in, in all views`}
        onClick={() => select(frameFilter(section, name, true))}
      >
        hide
      </button>
    </>
  );
}
