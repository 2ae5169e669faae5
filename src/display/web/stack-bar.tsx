import type { RefObject } from 'preact';
import { formatCount } from '../../common/text.ts';

interface SearchProps {
  readonly text: string;
  readonly onInput: (text: string) => void;
  /** What useSearch made of the text. */
  readonly pattern: RegExp | 'wrong' | undefined;
  /** For a view that puts the cursor here at the key `/`. */
  readonly field?: RefObject<HTMLInputElement | null>;
}

/** The search field of a view of stacks. */
export function SearchField({ text, onInput, pattern, field }: SearchProps) {
  return (
    <input
      {...(field === undefined ? {} : { ref: field })}
      type="search"
      class={pattern === 'wrong' ? 'bad' : ''}
      placeholder={`Search: regular expression${field === undefined ? '' : ' ( / )'}`}
      aria-label="Search"
      size={30}
      value={text}
      onInput={(event) => onInput(event.currentTarget.value)}
    />
  );
}

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
      Idle ({formatCount(idle)} {unit})
    </button>
  );
}
