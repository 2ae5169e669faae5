import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { connectionKey, type End, isLoopback, mirrored, type Party } from './connections.ts';

/*
 * Which sockets are in a network namespace. Trace events do not tell, so it is worked out: from the namespaces of
 * processes as /proc shows them from time to time, from the addresses of the namespace, and from its table of sockets,
 * where closed connections stay for a minute (TIME_WAIT).
 */

/** What was noted when a recording began. */
export const netnsSchema = z.object({
  /** As it was named by the user. */
  name: z.string(),
  inode: z.number(),
  /** Those of its interfaces. */
  addresses: z.array(z.string()),
});
export type NetnsDetails = z.infer<typeof netnsSchema>;

/** A line of the file of what was noted during the recording. */
const noteSchema = z.union([
  /** A process was seen in a network namespace: when it was first seen there, and last. Nanoseconds since the origin. */
  z.object({ pid: z.number(), netns: z.number(), time: z.number() }),
  /** Keys of connections in the namespace's table (connectionKey). */
  z.object({ connections: z.array(z.string()) }),
]);
export type NetnsNote = z.infer<typeof noteSchema>;

export function netnsNotesFile(dir: string): string {
  return join(dir, 'netns.jsonl');
}

/** Decides which ends are in the namespace. */
export class NetnsMembers {
  /** Ends that were left out although it is not sure that they belong to another namespace. */
  readonly doubtful = new Set<End>();
  /** By pid, in the order of their times. */
  readonly #sightings = new Map<number, { readonly time: number; readonly netns: number }[]>();
  readonly #connections = new Set<string>();
  readonly #known = new Map<End, number>();

  constructor(
    readonly details: NetnsDetails,
    dir: string,
  ) {
    const path = netnsNotesFile(dir);
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) this.#add(line);
  }

  /** An end whose namespace was seen: that of a socket in the list of the beginning. */
  know(end: End, netns: number): void {
    this.#known.set(end, netns);
  }

  /** Whether an end is in the namespace where `by` did something at this time. */
  includes(end: End, by: Party | undefined, time: number): boolean {
    const seen = this.#known.get(end) ?? this.#seen(by, time);
    if (seen !== undefined) return seen === this.details.inode;
    const { address, peer } = end;
    if (address === undefined) return this.#inherited(by, time);
    if (!isLoopback(address.addr)) return this.details.addresses.includes(address.addr);
    // Over loopback both ends are in one namespace.
    const others = peer === undefined ? undefined : (this.#known.get(peer) ?? this.#seen(peer.maker, time));
    if (others !== undefined) return others === this.details.inode;
    const keys = [connectionKey(address), connectionKey(mirrored(address))];
    if (keys.some((key) => this.#connections.has(key))) return true;
    const included = this.#inherited(by, time);
    if (!included) this.doubtful.add(end);
    return included;
  }

  /**
   * Where a process was at a time; undefined where that is not sure. One that was seen elsewhere before may have moved since:
   * `ip netns exec` begins where it is called.
   */
  #seen(party: Party | undefined, time: number): number | undefined {
    const sightings = this.#sightings.get(party?.pid ?? -1) ?? [];
    const before = sightings.findLast((sighting) => sighting.time <= time)?.netns;
    const after = sightings.find((sighting) => sighting.time >= time)?.netns;
    if (after === undefined) return before === this.details.inode ? before : undefined;
    return before === undefined || before === after ? after : undefined;
  }

  /** A new process is where its parent was, unless it moved. */
  #inherited(by: Party | undefined, time: number): boolean {
    for (let party = by?.parent; party !== undefined; party = party.parent) {
      const seen = this.#seen(party, time);
      if (seen !== undefined) return seen === this.details.inode;
    }
    return false;
  }

  // {"pid":812,"netns":4026532281,"time":1204331876}
  #add(line: string): void {
    if (line === '') return;
    let note: NetnsNote;
    try {
      note = noteSchema.parse(JSON.parse(line));
    } catch {
      // The last line of a recording that was cut off.
      return;
    }
    if ('pid' in note) {
      const known = this.#sightings.get(note.pid);
      if (known === undefined) this.#sightings.set(note.pid, [note]);
      else known.push(note);
    } else for (const key of note.connections) this.#connections.add(key);
  }
}
