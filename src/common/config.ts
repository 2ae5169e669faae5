import { readFileSync } from 'node:fs';
import { isSea } from 'node:sea';
import { text as SHIPPED } from 'virtual:shipped-config';
import { unsafe as decodeIni } from 'ini';
import * as z from 'zod';
import { errorCode, UsageError } from './errors.ts';
import { shippedConfigFile, userConfigFile } from './paths.ts';
import { didYouMean } from './suggest.ts';
import { systemReason } from './system-reason.ts';

/** Names of sections, keys, interfaces, groups. */
const NAME = /^[A-Za-z][\w.-]*$/;

/** Comma-separated names. */
const namesSchema = z.string().regex(/^[\w.-]+(\s*,\s*[\w.-]+)*$/, 'names, separated by commas');

/** The sections that belong to no interface and no view. Values are text: schemas coerce. */
const COMMON_SECTIONS = {
  General: z.strictObject({
    /** Seconds of a collection without -t and without a command. */
    time: z.coerce.number().positive().max(2_000_000).default(5),
    /** Samples per second and CPU of every interface that samples. */
    frequency: z.coerce.number().int().min(1).max(100_000).default(99),
    /** Seconds that a tool may take to begin, to answer and to end. */
    tool_timeout: z.coerce.number().min(1).max(86_400).default(60),
    /** Folder of data files without -o. */
    out_dir: z.string().min(1).default('marple_out'),
  }),
  /** interface = tool */
  Tools: z.record(z.string(), z.string().min(1)),
  /** name = interface, interface, ... */
  Groups: z.record(z.string(), namesSchema),
} as const satisfies Sections;

export const COMMON_SECTION_NAMES: readonly string[] = Object.keys(COMMON_SECTIONS);

/** What may stand in each section, by its name: an object with a default for each key, or a record. */
export type Sections = Readonly<Record<string, z.ZodType>>;

export interface ConfigEntry {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  /** `file:line`, or `default` where no file says anything. */
  readonly source: string;
}

/** A file of settings. */
interface ConfigText {
  readonly path: string;
  readonly text: string;
  /** Whether it is the config.txt of this MARPLE, unchanged: that is known to be right. */
  readonly isShipped?: boolean;
}

/**
 * Reads and checks the configuration: the shipped config.txt, and above it the user's own where there is one.
 * @param sections what the interfaces and views allow; General, Tools and Groups are known here, and can be narrowed.
 * @param files read instead of those two, the later before the earlier; all must exist.
 * @throws UsageError naming file, line and what is allowed.
 */
export function loadConfig(sections: Sections, files?: readonly string[]): Config {
  const texts = files === undefined ? standardFiles() : files.map((path) => ({ path, text: readConfig(path) }));
  return checked(withCommon(sections), texts);
}

/**
 * The part of the configuration that a command uses. What it does not use, and takes a while to load, is checked where
 * somebody has set something of it.
 * @param others all other sections that there may be.
 * @throws UsageError as loadConfig does.
 */
export async function loadPartOfConfig(sections: Sections, others: () => Promise<Sections>): Promise<Config> {
  const used = withCommon(sections);
  const texts = standardFiles();
  const isForeign = ({ section }: ConfigEntry) => !Object.hasOwn(used, section);
  const set = texts.flatMap(({ path, text, isShipped }) => (isShipped ? [] : parseConfig(text, path)));
  return checked(set.some(isForeign) ? withCommon({ ...(await others()), ...sections }) : used, texts);
}

function withCommon(sections: Sections): Sections {
  return { ...COMMON_SECTIONS, ...sections };
}

/** The configuration of some files, the later before the earlier. */
function checked(sections: Sections, texts: readonly ConfigText[]): Config {
  const entries = new Map<string, Map<string, ConfigEntry>>();
  const toCheck = new Set<string>();
  for (const { path, text, isShipped = false } of texts) {
    for (const entry of parseConfig(text, path)) {
      if (!isShipped) {
        checkName(entry, sections);
        toCheck.add(entry.section);
      } else if (!Object.hasOwn(sections, entry.section)) continue;
      const section = entries.get(entry.section) ?? new Map<string, ConfigEntry>();
      entries.set(entry.section, section.set(entry.key, entry));
    }
  }
  const config = new Config(sections, entries);
  for (const name of toCheck) config.get(name, sections[name]!);
  return config;
}

/** The effective configuration. */
export class Config {
  readonly #sections: Sections;
  readonly #entries: ReadonlyMap<string, ReadonlyMap<string, ConfigEntry>>;

  constructor(sections: Sections, entries: ReadonlyMap<string, ReadonlyMap<string, ConfigEntry>>) {
    this.#sections = sections;
    this.#entries = entries;
  }

  /** The values of a section, checked and with defaults. @throws UsageError where they do not fit the schema. */
  get<T>(section: string, schema: z.ZodType<T>): T {
    const entries = this.#entries.get(section);
    for (const entry of entries?.values() ?? []) checkNumber(entry, valueSchema(schema, entry.key));
    const parsed = schema.safeParse(this.section(section));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0] as z.core.$ZodIssue;
    const entry = entries?.get(String(issue.path[0]));
    if (entry === undefined)
      throw new UsageError(
        `config section [${section}]: ${issue.message}`,
        `put what is missing into ${userConfigFile()}`,
      );
    throw badValue(entry, valueSchema(schema, entry.key), issue.message);
  }

  /** What the files say in a section, as text; a key that they leave out is not there. */
  section(name: string): Record<string, string> {
    const entries = this.#entries.get(name)?.values() ?? [];
    return Object.fromEntries([...entries].map(({ key, value }) => [key, value]));
  }

  /** Every setting that has a value, and where the value comes from. */
  entries(): ConfigEntry[] {
    return Object.entries(this.#sections).flatMap(([section, schema]) => {
      const set = this.#entries.get(section) ?? new Map<string, ConfigEntry>();
      const keys = new Set([...(allowedKeys(schema) ?? []), ...set.keys()]);
      return [...keys].flatMap((key) => set.get(key) ?? defaultEntry(section, schema, key));
    });
  }
}

/**
 * The settings of one file, in its order. The dialect is that of the package ini, without what would surprise here: a
 * value is always text (`true`, `null`, `5`), there are no nested sections and no arrays, and a line that is neither
 * section nor setting is an error.
 * @param path for messages only.
 * @throws UsageError naming the line.
 */
export function parseConfig(text: string, path: string): ConfigEntry[] {
  const entries: ConfigEntry[] = [];
  const lines = new Map<string, number>();
  let section: string | undefined;
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    // A byte order mark counts as a blank.
    const line = raw.trim();
    const source = `${path}:${index + 1}`;
    if (line === '' || /^[;#]/.test(line)) continue;
    const header = /^\[([^\]]*)\]\s*(?:[;#].*)?$/.exec(line);
    if (header !== null) {
      section = (header[1] as string).trim();
      if (!NAME.test(section))
        throw new UsageError(`${source}: '${section}' is no name of a section`, 'as in: [General]');
      continue;
    }
    const equals = line.indexOf('=');
    const key = line.slice(0, equals).trim();
    if (equals < 0 || !NAME.test(key)) {
      throw new UsageError(
        `${source}: this is neither a section nor a setting: ${line}`,
        'write [Section] or key = value',
      );
    }
    if (section === undefined) throw new UsageError(`${source}: ${key} stands in no section`, 'put [General] above it');
    const place = `[${section}] ${key}`;
    const earlier = lines.get(place);
    if (earlier !== undefined) {
      throw new UsageError(
        `${source}: ${key} of [${section}] is set already, in line ${earlier}`,
        'remove one of the two',
      );
    }
    lines.set(place, index + 1);
    entries.push({ section, key, value: decodeValue(line.slice(equals + 1).trim(), source, key), source });
  }
  return entries;
}

/**
 * `text`, `"text"` or `'text'`, each with a comment behind it or without. `"` takes the escapes of JSON, `'` takes none;
 * in bare text `\;` and `\#` stand for themselves.
 */
function decodeValue(raw: string, source: string, key: string): string {
  if (!/^["']/.test(raw)) return decodeIni(raw) as string;
  const quoted = /^(?:("(?:[^"\\]|\\.)*")|'([^']*)')\s*(?:[;#].*)?$/.exec(raw);
  if (quoted?.[2] !== undefined) return quoted[2];
  try {
    return JSON.parse(quoted?.[1] ?? '') as string;
  } catch {
    throw new UsageError(
      `${source}: the quotes of ${key} are not closed, or hold an escape that is none`,
      `as in: ${key} = "a text"`,
    );
  }
}

function standardFiles(): ConfigText[] {
  const own = userConfigFile();
  const ownText = readConfig(own, { optional: true });
  const shipped = shippedConfig();
  return [
    { path: shippedConfigFile(), text: shipped, isShipped: shipped === SHIPPED },
    ...(ownText === undefined ? [] : [{ path: own, text: ownText }]),
  ];
}

/** The text of the config.txt that MARPLE ships, as it is now. */
export function shippedConfig(): string {
  return isSea() ? SHIPPED : readConfig(shippedConfigFile());
}

function readConfig(path: string): string;
function readConfig(path: string, options: { optional: true }): string | undefined;
function readConfig(path: string, options?: { optional: true }): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (options !== undefined && errorCode(error) === 'ENOENT') return undefined;
    throw new UsageError(`the config file ${path} cannot be read: ${systemReason(error)}`, `ls -l ${path}`, {
      cause: error,
    });
  }
}

/** What the sections of the original MARPLE, in Python, are now. */
const FORMER_SECTIONS = new Map([
  ['DisplayInterfaces', 'Display'],
  ['Aliases', 'Groups'],
]);

function checkName({ section, key, source }: ConfigEntry, sections: Sections): void {
  if (!Object.hasOwn(sections, section)) {
    const known = Object.keys(sections);
    const now = FORMER_SECTIONS.get(section);
    throw new UsageError(
      `${source}: there is no config section [${section}]`,
      now === undefined
        ? didYouMean(section, known, `allowed sections: ${known.join(', ')}`, (name) => `[${name}]`)
        : `what the Python MARPLE called so is [${now}], with key = value (docs/migration.md)`,
    );
  }
  const allowed = allowedKeys(sections[section] as z.ZodType);
  if (allowed !== undefined && !allowed.includes(key)) {
    throw new UsageError(
      `${source}: [${section}] has no setting '${key}'`,
      didYouMean(key, allowed, `allowed settings: ${allowed.join(', ')}`),
    );
  }
}

/** An empty text would be coerced to 0. */
function checkNumber(entry: ConfigEntry, schema: z.ZodType | undefined): void {
  // Only then is the type asked for, which takes long.
  if (entry.value !== '' || schema === undefined) return;
  const { type } = jsonSchema(schema);
  if (type === 'number' || type === 'integer') throw badValue(entry, schema, 'a number');
}

function badValue(entry: ConfigEntry, schema: z.ZodType | undefined, otherwise: string): UsageError {
  const { section, key, value, source } = entry;
  const allowed = (schema === undefined ? undefined : describe(jsonSchema(schema))) ?? otherwise;
  return new UsageError(`${source}: ${key} of [${section}] cannot be '${value}'`, `allowed: ${allowed}`);
}

/** The keys of an object's schema; undefined for a record, which takes any. */
function allowedKeys(schema: z.ZodType): string[] | undefined {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : undefined;
}

function valueSchema(schema: z.ZodType, key: string): z.ZodType | undefined {
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  return schema instanceof z.ZodObject ? (schema.shape[key] as z.ZodType | undefined) : undefined;
}

function defaultEntry(section: string, schema: z.ZodType, key: string): ConfigEntry[] {
  const { default: value } = jsonSchema(valueSchema(schema, key) as z.ZodType);
  return value === undefined ? [] : [{ section, key, value: String(value), source: 'default' }];
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

function jsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { unrepresentable: 'any' });
}

/** What a schema allows, in words; undefined where it says too little. */
function describe({ type, enum: values, minimum, exclusiveMinimum, maximum }: JsonSchema): string | undefined {
  if (values !== undefined) return values.join(', ');
  if (type === 'boolean') return 'true, false';
  if (type !== 'number' && type !== 'integer') return undefined;
  const from =
    minimum !== undefined ? ` from ${minimum}` : exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : '';
  const to = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? ` to ${maximum}` : '';
  return `${type === 'integer' ? 'a whole number' : 'a number'}${from}${to}`;
}
