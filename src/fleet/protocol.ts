import * as z from 'zod';

/*
 * What the machine that collects (home) and its hosts say to each other, through clush: lines of one JSON object each, of
 * ASCII only. What home says goes to all hosts alike, since clush gives its stdin to all; a host knows by the number that it
 * gave itself what is for it. On stdout of a host there may be other things too (what a shell prints when somebody logs in),
 * so its lines have a mark. Times are nanoseconds of the wall clock, as decimal text.
 *
 *   home: request -> host: hello, ready -> home: time, start -> host: recording, alive, ended -> home: time, send
 *   -> host: file, lines of data, whole
 */

/** Both sides must have the same. */
export const PROTOCOL = 1;

/** What the lines of a host begin with. */
const MARK = 'marple-fleet ';
/** Lines of data: base64. */
const DATA_MARK = 'marple-fleet:';
/** What the shell of a host says when MARPLE has ended there. */
export const OVER = 'marple-fleet-over';
/** What it says of each piece of the program that has arrived (--push), with its number. */
export const GOT = 'marple-fleet-got';
/** Bytes of a file in a line of data. */
export const DATA_BYTES = 48 * 1024;
/** Characters of a line, all that is longer is none of ours. */
const LONGEST = 1024 * 1024;

const id = z.string().regex(/^[0-9a-f]{16}$/);
const nanoseconds = z.string().regex(/^\d{1,20}$/);
const count = z.number().int().min(0);
const text = z.string().max(64 * 1024);

const hostMessage = z.discriminatedUnion('is', [
  z.object({ is: z.literal('hello'), protocol: count, version: text, id }),
  /** Its tools are chosen; it waits for the start. */
  z.object({ is: z.literal('ready') }),
  z.object({ is: z.literal('time'), round: count, received: nanoseconds, sent: nanoseconds, error: count }),
  z.object({ is: z.literal('recording') }),
  z.object({ is: z.literal('alive'), records: count }),
  /** A line of its MARPLE, or of the command. */
  z.object({ is: z.literal('said'), on: z.enum(['stdout', 'stderr']), text }),
  /** Its run has ended; `result` is that of `collect --json`. */
  z.object({ is: z.literal('ended'), code: z.number().int(), result: z.unknown(), why: text.optional() }),
  /** Lines of data follow: a data file, or the archive of a partial folder; both compressed by gzip. */
  z.object({ is: z.literal('file'), kind: z.enum(['data', 'partial']), cut: z.boolean() }),
  z.object({ is: z.literal('whole'), bytes: count }),
  /** There is no file, or it could not be read to its end. */
  z.object({ is: z.literal('none'), why: text }),
]);

export type HostMessage = z.infer<typeof hostMessage>;

const ids = z.array(id);

const homeMessage = z.discriminatedUnion('is', [
  z.object({
    is: z.literal('request'),
    args: z.array(z.string()),
    command: z.array(z.string()).nullable(),
    dry: z.boolean(),
  }),
  z.object({ is: z.literal('time'), round: count, ids }),
  /** When to begin to record, by the clock of each. */
  z.object({ is: z.literal('start'), at: z.record(id, nanoseconds) }),
  z.object({ is: z.literal('stop') }),
  /** Do not wait for the end of the run any more: send what there is. */
  z.object({ is: z.literal('cut'), ids }),
  z.object({ is: z.literal('send'), ids }),
  z.object({ is: z.literal('leave'), ids }),
]);

export type HomeMessage = z.infer<typeof homeMessage>;

/** What a line of a host's stdout holds; undefined where it is not of its MARPLE. */
export type HostLine =
  | HostMessage
  | { readonly is: 'data'; readonly base64: string }
  | { readonly is: 'got'; readonly pieces: number }
  | { readonly is: 'over' };

export function hostLine(message: HostMessage): string {
  return MARK + ascii(JSON.stringify(message));
}

export function dataLine(bytes: Buffer): string {
  return DATA_MARK + bytes.toString('base64');
}

export function homeLine(message: HomeMessage): string {
  return ascii(JSON.stringify(message));
}

/** @param line without its end. It is hostile. */
export function parseHostLine(line: string): HostLine | undefined {
  if (line === OVER) return { is: 'over' };
  if (line.length > LONGEST) return undefined;
  if (line.startsWith(GOT)) return { is: 'got', pieces: Number.parseInt(line.slice(GOT.length), 10) || 0 };
  if (line.startsWith(DATA_MARK)) return { is: 'data', base64: line.slice(DATA_MARK.length) };
  return line.startsWith(MARK) ? parse(hostMessage, line.slice(MARK.length)) : undefined;
}

export function parseHomeLine(line: string): HomeMessage | undefined {
  return parse(homeMessage, line);
}

function parse<T>(schema: z.ZodType<T>, json: string): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
