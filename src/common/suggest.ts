import { closestMatch } from 'leven';

/**
 * What a hint says of a word that is none of the known ones: the one that was probably meant, where there is one, before
 * what there is at all.
 * @param written how the suggestion is to be typed; as it is known where this is not given.
 */
export function didYouMean(
  word: string,
  known: readonly string[],
  otherwise: string,
  written: (known: string) => string = (name) => name,
): string {
  const near = nearest(word, known);
  return near === undefined ? otherwise : `did you mean ${written(near)}? If not, ${otherwise}`;
}

/** The known word that is closest to one that was mistyped or cut; undefined where none is close. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const typed = plain(word);
  const names = [...new Set(known)].filter((name) => name !== word);
  const longer = typed.length < 3 ? [] : names.filter((name) => plain(name).startsWith(typed));
  if (longer.length === 1) return longer[0];
  // Two letters that changed places count as two.
  const maxDistance = typed.length < 4 ? 1 : Math.max(2, Math.floor(typed.length / 3));
  const near = closestMatch(typed, names.map(plain), { maxDistance });
  return near === undefined ? undefined : names.find((name) => plain(name) === near);
}

/** Dashes and capitals are not what makes two words alike. */
function plain(word: string): string {
  return word.toLowerCase().replace(/^-+|[_-]/g, '');
}
