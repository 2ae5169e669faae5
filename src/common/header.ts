import { z } from 'zod';
import { DATATYPES } from './datatypes.ts';

/** The version of the data file format that this MARPLE writes, and the newest that it reads. */
export const FORMAT_VERSION = 1;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const isoTime = z.iso.datetime();
const axisSchema = z.looseObject({ label: z.string(), unit: z.string() });

/** What an axis or a weight measures: its label and its unit (`s`, `ms`, `MiB`, `samples`, `bytes`, ...). */
export type Axis = { label: string; unit: string };

/**
 * The header line of a section: one JSON object. Keys that are not known here survive reading and writing.
 * `end`, `records` and `bytes` are null where a run was cut off before it was finished.
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
  kernel: z.string().optional(),
  cpus: count.optional(),
  tool: z.looseObject({ name: z.string(), version: z.string(), command: z.array(z.string()) }).optional(),
  substitute: z.looseObject({ for: z.string(), why: z.string() }).optional(),
  options: z.record(z.string(), z.unknown()).optional(),
  scope: z.record(z.string(), z.unknown()).optional(),
  lost: count.optional(),
  skipped: count.optional(),
  overhead: z.record(z.string(), z.unknown()).optional(),
  warnings: z.array(z.string()).optional(),
});

export type SectionHeader = z.infer<typeof headerSchema>;
