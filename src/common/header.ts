import * as z from 'zod';
import { DATATYPES } from './datatypes.ts';
import { DamagedFileError } from './errors.ts';

/** The version of the data file format that this MARPLE writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const isoTime = z.iso.datetime();
const axisSchema = z.looseObject({ label: z.string(), unit: z.string() });

/**
 * How far the wall clock of the host was before that of the machine that collected from it (`reference`), as measured when
 * the run began and when it had ended. Nanoseconds; the true offset lies within `ns` ± `uncertainty_ns`.
 */
const offsetSchema = z.looseObject({ ns: z.number().int(), uncertainty_ns: count });
const clockOffsetSchema = z.looseObject({
  reference: z.string(),
  start: offsetSchema.optional(),
  end: offsetSchema.optional(),
});

/**
 * Says that a section is a summary: of how many records and hosts, from which share on (0 .. 1) something has a line of its own,
 * seconds of a slice of time, and of counted points the field that says for how many each stands, and how far y may be off.
 */
const summarySchema = z.looseObject({
  of: count,
  hosts: count,
  min_share: z.number().optional(),
  interval: z.number().positive().optional(),
  counted: z.string().optional(),
  relative_accuracy: z.number().optional(),
});

/** What an axis or a weight measures: its label and its unit (`s`, `ms`, `MiB`, `samples`, `bytes`, ...). */
export type Axis = { label: string; unit: string };

/**
 * The header line of a section: one JSON object. Keys that are not known here survive reading and writing.
 * `end`, `records` and `bytes` are null where a run was cut off before it was finished. `host` is what the host calls itself,
 * `node` what it was reached by (`collect --on`). A section of several hosts has `hosts`, their names, instead: each of its
 * records has a field `host`.
 */
export const headerSchema = z.looseObject({
  marple: z.number().int(),
  interface: z.string().min(1),
  datatype: z.enum(DATATYPES),
  start: isoTime,
  end: isoTime.nullable(),
  clock: z.looseObject({ name: z.string(), origin: z.string().regex(/^\d+$/), realtime: isoTime }).optional(),
  records: count.nullable().optional(),
  bytes: count.nullable().optional(),
  x: axisSchema.optional(),
  y: axisSchema.optional(),
  weight: axisSchema.optional(),
  fields: z.array(z.string()).optional(),
  links: z.array(z.tuple([z.string(), z.string()])).optional(),
  host: z.string().optional(),
  node: z.string().min(1).optional(),
  hosts: z.array(z.string()).optional(),
  clock_offset: clockOffsetSchema.optional(),
  kernel: z.string().optional(),
  cpus: count.optional(),
  tool: z.looseObject({ name: z.string(), version: z.string(), command: z.array(z.string()) }).optional(),
  substitute: z.looseObject({ for: z.string(), why: z.string() }).optional(),
  options: z.record(z.string(), z.unknown()).optional(),
  scope: z.record(z.string(), z.unknown()).optional(),
  lost: count.optional(),
  skipped: count.optional(),
  overhead: z.record(z.string(), z.unknown()).optional(),
  summary: summarySchema.optional(),
  warnings: z.array(z.string()).optional(),
  notes: z.array(z.string()).optional(),
});

export type SectionHeader = z.infer<typeof headerSchema>;

/** What a header line begins with, and no record line. */
export const HEADER_START = 0x7b;

/** Raises a header from the version of its index + 1 to the next. Version 1 is the first, so there is none yet. */
const UPGRADES: readonly ((header: Record<string, unknown>) => Record<string, unknown>)[] = [];

const NO_DATA_FILE_HINT = 'data files are written by: marple collect -o FILE';

// {"marple":1,"interface":"memtime","datatype":"datapoint","start":"2026-03-01T09:30:00.000Z","end":null,"fields":["comm","pid"]}
/**
 * Reads a header line (without its newline). `where` is `path:line`, for the error.
 * @throws DamagedFileError (65) where the line is no header, or one of a newer version.
 */
export function parseHeader(line: string, where: string): SectionHeader {
  const raw = upgrade(parseObject(line, where), where);
  const parsed = headerSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DamagedFileError(
    where,
    `the header's '${issue?.path.join('.')}' is wrong: ${issue?.message}`,
    NO_DATA_FILE_HINT,
  );
}

function parseObject(line: string, where: string): Record<string, unknown> {
  if (line.includes('\r')) {
    throw new DamagedFileError(
      where,
      'the line holds a carriage return: lines end in \\n and nothing else',
      "take them out with: tr -d '\\r' < FILE > REPAIRED",
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new DamagedFileError(where, 'this is no header of a MARPLE data file', NO_DATA_FILE_HINT, { cause: error });
  }
  if (isDeeper(value, MOST_LEVELS)) {
    throw new DamagedFileError(where, `the header has values within values, more than ${MOST_LEVELS} deep`);
  }
  if (typeof value === 'object' && value !== null && 'marple' in value) return value as Record<string, unknown>;
  throw new DamagedFileError(
    where,
    "this is no header of a MARPLE data file: it has no key 'marple'",
    NO_DATA_FILE_HINT,
  );
}

/** What is deeper could be read, and not be written again: JSON.stringify() calls itself. */
const MOST_LEVELS = 500;

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}

function upgrade(raw: Record<string, unknown>, where: string): Record<string, unknown> {
  const version = raw['marple'];
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw new DamagedFileError(where, "the header's 'marple' is no format version", NO_DATA_FILE_HINT);
  }
  if (version > FORMAT_VERSION) {
    throw new DamagedFileError(
      where,
      `the data file is of format version ${version}, and this MARPLE reads up to version ${FORMAT_VERSION}`,
      'update MARPLE: git pull && ./setup.sh',
    );
  }
  return UPGRADES.slice(version - 1).reduce((header, step) => step(header), raw);
}
