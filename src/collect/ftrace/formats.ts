import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UnavailableError } from '../../common/errors.ts';
import { useTracefs } from './mounts.ts';

/**
 * The text of events/GROUP/NAME/format of each event (`GROUP:NAME`), by event: for a tool that records the kernel's own
 * bytes of them, as perf does.
 * @throws UnavailableError where there is no tracefs, or the kernel does not have an event.
 */
export async function readFormats(events: readonly string[]): Promise<Record<string, string>> {
  const tracefs = await useTracefs();
  try {
    return Object.fromEntries(events.map((event) => [event, readFormat(tracefs.root, event)]));
  } finally {
    tracefs.release();
  }
}

function readFormat(root: string, event: string): string {
  try {
    return readFileSync(join(root, 'events', event.replace(':', '/'), 'format'), 'utf8');
  } catch (error) {
    throw new UnavailableError(`this kernel has no event ${event}`, 'use another tool', { cause: error });
  }
}
