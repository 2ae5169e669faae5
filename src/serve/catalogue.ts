import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { sectionSeconds } from '../analysis/notes.ts';
import { decodeBytes } from '../common/decode-bytes.ts';
import { DamagedFileError, errorCode, MarpleError, UsageError } from '../common/errors.ts';
import { DATA_FILE, isPartialFolder, PARTIAL } from '../common/partial.ts';
import { type DataFile, openDataFile } from '../common/reader.ts';
import { systemReason } from '../common/system-reason.ts';
import { visible } from '../common/text.ts';
import type { FileListing } from '../display/shape/listing.ts';
import { openData } from '../formats/open.ts';

/*
 * Which data files there are: those that the user named, and those in the folders that the user named, which are looked for anew
 * each time. A request knows them by a number: no part of an address is ever taken for a path.
 */

/** A file that is given out. */
interface Entry {
  readonly id: string;
  /** Bytes: a name need not be UTF-8. */
  readonly path: Buffer;
  readonly name: string;
  readonly folder: string;
  /** Whether the user named it. A link that stands in a folder is not followed. */
  readonly isNamed: boolean;
}

/** A file that is open. */
export interface OpenFile {
  readonly name: string;
  readonly file: DataFile;
}

export class Catalogue {
  readonly #folders: readonly string[];
  readonly #files: readonly string[];
  #entries: ReadonlyMap<string, Entry> = new Map();
  /** What files were when they were looked into, by fingerprint. */
  #known: ReadonlyMap<string, FileListing> = new Map();
  #scanning: Promise<FileListing[]> | undefined;

  private constructor(folders: readonly string[], files: readonly string[]) {
    this.#folders = folders;
    this.#files = files;
  }

  /**
   * The data files of some paths: files, folders of runs that were cut off, and folders of such.
   * @throws UsageError (2) where there is nothing there.
   */
  static async of(paths: readonly string[]): Promise<Catalogue> {
    const folders = new Set<string>();
    const files = new Set<string>();
    for (const path of paths) {
      if (path === '-') throw new UsageError('stdin cannot be served', 'put it into a file: cat > x.marple');
      const kind = await kindOf(path);
      if (kind === 'folder') folders.add(resolve(path));
      else files.add(resolve(kind === 'cut off' ? `${path}${PARTIAL}` : path));
    }
    return new Catalogue([...folders], [...files]);
  }

  /** All files that are there now. @throws UsageError where a folder cannot be read any more. */
  list(): Promise<FileListing[]> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  /**
   * Opens a file by its id. What has to be decoded for that is kept in `tempDir`.
   * @throws UsageError where it is not there, DamagedFileError where it cannot be read.
   */
  async open(id: string, tempDir: string): Promise<OpenFile> {
    const entry = await this.#entry(id);
    const { name } = entry;
    return opened(entry, async (path) => ({ name, file: await openData(path, tempDir, { name }) }));
  }

  /** What the file is like now, to be compared. */
  async fingerprint(id: string): Promise<string> {
    return opened(await this.#entry(id), async (_, fingerprint) => fingerprint);
  }

  async #entry(id: string): Promise<Entry> {
    if (!this.#entries.has(id)) await this.list();
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new UsageError('there is no such data file here', 'go back to the list of files');
    return entry;
  }

  async #scan(): Promise<FileListing[]> {
    const entries = new Map<string, Entry>();
    const add = (path: Buffer, isNamed: boolean): void => {
      const text = visible(decodeBytes(path));
      const id = hashOf(path);
      entries.set(id, { id, path, name: basename(text), folder: dirname(text), isNamed });
    };
    for (const folder of this.#folders) {
      for (const name of await namesIn(folder)) add(Buffer.concat([Buffer.from(`${folder}/`), name]), false);
    }
    for (const file of this.#files) add(Buffer.from(file), true);
    this.#entries = entries;
    const hasFolders = new Set([...entries.values()].map(({ folder }) => folder)).size > 1;
    const known = new Map<string, FileListing>();
    const listings: FileListing[] = [];
    for (const entry of entries.values()) {
      const found = await this.#look(entry);
      if (found === undefined) continue;
      known.set(found.key, found.listing);
      listings.push(hasFolders ? { ...found.listing, folder: entry.folder } : found.listing);
    }
    this.#known = known;
    return listings;
  }

  /** What is to be said of a file; undefined where it is none, or not there any more. */
  async #look(entry: Entry): Promise<{ key: string; listing: FileListing } | undefined> {
    const { id, name, path, isNamed } = entry;
    try {
      const status = await (isNamed ? stat(path) : lstat(path));
      // Pipes and devices are not even opened.
      if (!(status.isFile() || status.isDirectory())) throw new UsageError(whyNot(status.isSymbolicLink()));
      return await opened(entry, async (place, fingerprint) => {
        const key = `${id} ${fingerprint}`;
        const listing = this.#known.get(key) ?? (await look(entry, place));
        return { key, listing };
      });
    } catch (error) {
      if (errorCode(error) === 'ENOENT' && !isNamed) return undefined;
      const problem = error instanceof MarpleError ? error.message : systemReason(error);
      return { key: id, listing: { id, name, size: 0, isPartial: name.endsWith(PARTIAL), problem } };
    }
  }
}

/** 16 hexadecimal digits. */
function hashOf(what: Buffer | string): string {
  return createHash('sha256').update(what).digest('hex').slice(0, 16);
}

/** @throws UsageError (2) where there is no such thing, or one that is no data. */
async function kindOf(path: string): Promise<'file' | 'folder' | 'cut off'> {
  const hint = 'name data files, or a folder of them: marple serve marple_out';
  const refuse = (error: unknown): never => {
    throw new UsageError(`${path} cannot be served: ${systemReason(error)}`, hint, { cause: error });
  };
  const found = await stat(path).catch(async (error: unknown) => {
    const partial = await stat(`${path}${PARTIAL}`).catch(() => undefined);
    return partial?.isDirectory() === true ? undefined : refuse(error);
  });
  if (found === undefined) return 'cut off';
  if (found.isFile()) return 'file';
  if (!found.isDirectory()) throw new UsageError(`${path} is neither a file nor a folder`, hint);
  return isPartialFolder(path, await readdir(path).catch(refuse)) ? 'file' : 'folder';
}

function whyNot(isLink: boolean): string {
  return isLink ? 'it is a link, and links in a folder are not followed' : 'it is no file';
}

async function namesIn(folder: string): Promise<Buffer[]> {
  const names = await readdir(folder, { encoding: 'buffer' }).catch((error: unknown) => {
    throw new UsageError(`the folder ${folder} cannot be read: ${systemReason(error)}`, `ls -ld ${folder}`, {
      cause: error,
    });
  });
  return names.filter((name) => DATA_FILE.test(name.toString('latin1')));
}

/**
 * Opens what is at the path of an entry, and gives a path that leads to just that, whatever is put in its place in the meantime.
 * @throws UsageError where it is a link, or has one in it, that the user has not named.
 */
async function opened<T>(
  { path, name, isNamed }: Entry,
  use: (path: string, fingerprint: string) => Promise<T>,
): Promise<T> {
  const follow = isNamed ? 0 : constants.O_NOFOLLOW;
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | follow);
  } catch (error) {
    const reason = errorCode(error) === 'ELOOP' && !isNamed ? whyNot(true) : systemReason(error);
    throw new UsageError(`${name} cannot be read: ${reason}`, `ls -l ${name}`, { cause: error });
  }
  try {
    const place = `/proc/${process.pid}/fd/${handle.fd}`;
    const { dev, ino, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
    const own = [dev, ino, size, mtimeNs, ctimeNs].join(':');
    const isFolder = (await handle.stat()).isDirectory();
    return await use(place, hashOf(isFolder ? `${own} ${await contentsOf(`${place}/`, name)}` : own));
  } finally {
    await handle.close();
  }
}

/** What all is in the folder of a run that was cut off. @throws UsageError where there is a link in it. */
async function contentsOf(folder: string, name: string): Promise<string> {
  const prints: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!(entry.isFile() || entry.isDirectory())) {
      throw new UsageError(`${name} holds what no run writes: ${visible(entry.name)}`);
    }
    const path = join(entry.parentPath, entry.name);
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    prints.push(`${path.slice(folder.length)}:${ino}:${size}:${mtimeNs}`);
  }
  return prints.sort().join('\n');
}

/** Reads the headers of a file. */
async function look({ id, name }: Entry, place: string): Promise<FileListing> {
  const isPartial = (await stat(place)).isDirectory();
  const about = { id, name, isPartial, size: await sizeOf(place) };
  let file: DataFile;
  try {
    file = await openDataFile(place, { name });
  } catch (error) {
    if (!(error instanceof MarpleError)) throw error;
    return { ...about, problem: error instanceof DamagedFileError ? error.problem : error.message };
  }
  try {
    const headers = file.sections.map(({ header }) => header);
    const [first] = headers;
    if (first === undefined) return { ...about, problem: 'it has no sections' };
    return {
      ...about,
      ...(first.host === undefined ? {} : { host: visible(first.host) }),
      start: first.start,
      seconds: sectionSeconds(first),
      interfaces: [...new Set(headers.map((header) => visible(header.interface)))],
    };
  } finally {
    await file.close();
  }
}

async function sizeOf(place: string): Promise<number> {
  const found = await stat(place);
  if (!found.isDirectory()) return found.size;
  const entries = await readdir(place, { withFileTypes: true, recursive: true });
  const sizes = entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)));
  return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
}
