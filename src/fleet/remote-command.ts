import { GOT, OVER } from './protocol.ts';

/*
 * What the shells of the hosts are given: one line that is the same for all of them. Neither the names of hosts nor the
 * arguments of `marple collect` are in it: those go through stdin.
 */

/** Characters that mean only themselves to every shell, at any place of a word. */
const PLAIN = /^[\w./:=,@+-]+$/;

/**
 * A word for a POSIX shell: within single quotes nothing has a meaning. clush itself replaces %h, %host, %hosts, %n and
 * %rank, and puts all hosts in one where it sees %hosts: behind each % the quotes are closed and opened again.
 */
export function quoted(word: string): string {
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''").replaceAll('%', "%''")}'`;
}

/** A path that may begin with the home of whoever logs in. */
function quotedPath(path: string): string {
  return path.startsWith('~/') ? `~/${quoted(path.slice(2))}` : quoted(path);
}

export interface Remote {
  /** The program on the hosts. */
  readonly marple: string;
  readonly sudo: boolean;
}

/** Runs the MARPLE that is installed. */
export function remoteCommand({ marple, sudo }: Remote): string {
  return `${sudo ? 'sudo -n ' : ''}${quotedPath(marple)} collect --host-side; echo ${OVER}`;
}

/** Bytes of the program that are sent at once. */
export const PIECE = 256 * 1024;

/**
 * Reads a compressed program of so many pieces from stdin into a private folder, runs it, and removes it however that ends.
 * It is for a POSIX shell, whatever shell the user has, and holds nothing that one of those would read otherwise.
 */
export function pushCommand(pieces: number, { sudo }: Pick<Remote, 'sudo'>): string {
  const script = [
    'umask 077',
    'd=$(mktemp -d) || exit 1',
    'gone() { rm -rf "$d"; }',
    'trap gone EXIT',
    'trap "exit 1" HUP INT TERM PIPE',
    'n=0',
    `while [ $n -lt ${pieces} ]; do head -c ${PIECE} >>"$d/marple.gz" || exit 1; n=$((n+1)); echo ${GOT} $n; done`,
    'gzip -dc "$d/marple.gz" >"$d/marple" && rm "$d/marple.gz" && chmod 700 "$d/marple" || exit 1',
    `${sudo ? 'sudo -n ' : ''}"$d/marple" collect --host-side`,
  ].join('; ');
  return `sh -c ${quoted(script)}; echo ${OVER}`;
}
