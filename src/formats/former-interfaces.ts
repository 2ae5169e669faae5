/** Interfaces that the original MARPLE, in Python, called otherwise. */
export const FORMER_INTERFACES: ReadonlyMap<string, string> = new Map([['memusage', 'memleak']]);
