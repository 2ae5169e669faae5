import type { CollecterClass } from '../collect/collecter.ts';
import { COLLECTERS, collectersByArea, findCollecter } from '../collect/registry.ts';
import type { Config } from '../common/config.ts';
import { UsageError } from '../common/errors.ts';
import { didYouMean } from '../common/suggest.ts';
import { FORMER_INTERFACES } from '../formats/former-interfaces.ts';

/** `--disk` and its like, with their kinds: `disk` -> kind -> collecter. */
export const AREA_KINDS = new Map(
  collectersByArea().map(([area, collecters]) => [
    area,
    new Map(collecters.map((collecter) => [collecter.description.kind, collecter])),
  ]),
);

/**
 * The collecters of interfaces and groups, each once.
 * @throws UsageError (2) where a name is neither.
 */
export function collectersNamed(names: readonly string[], config: Config): CollecterClass[] {
  const groups = config.section('Groups');
  const chosen = new Set<CollecterClass>();
  for (const name of names) {
    const group = groups[name];
    const members = group === undefined ? [name] : group.split(',').map((member) => member.trim());
    for (const member of members) chosen.add(collecterNamed(member, group === undefined ? undefined : name, groups));
  }
  return [...chosen];
}

function collecterNamed(name: string, group: string | undefined, groups: Record<string, string>): CollecterClass {
  const collecter = findCollecter(FORMER_INTERFACES.get(name) ?? name);
  if (collecter !== undefined) return collecter;
  const known = [...COLLECTERS.map(({ description }) => description.interface), ...Object.keys(groups)];
  const kinds = new Map([...AREA_KINDS].flatMap(([area, all]) => [...all.keys()].map((kind) => [kind, area])));
  const withFlag = (word: string): string => (kinds.has(word) ? `--${kinds.get(word)}=${word}` : word);
  throw new UsageError(
    group === undefined
      ? `there is no interface or group '${name}'`
      : `group ${group} names '${name}', which is no interface`,
    kinds.has(name)
      ? `'${name}' is a kind: write ${withFlag(name)}`
      : didYouMean(name, [...known, ...kinds.keys()], `use one or more of: ${known.join(', ')}`, withFlag),
  );
}
