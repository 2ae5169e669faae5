import { basename, dirname, extname, join, resolve } from 'node:path';
import { UsageError } from './errors.ts';
import { lastDataFile, rememberDataFile } from './last-file.ts';
import { expandHome } from './paths.ts';
import { randomName } from './random-name.ts';
import { systemReason } from './system-reason.ts';
import { makeUserFolder } from './user.ts';

const DATA_EXTENSION = 'marple';

export interface FileNameParts {
  /** Goes between the stem and the extension. */
  readonly option?: string | undefined;
  /** Without the dot. */
  readonly extension?: string | undefined;
  /** A path from the user: taken literally, against the working directory. */
  readonly givenName?: string | undefined;
  /** Folder of a name that was not given. */
  readonly path?: string | undefined;
  readonly now?: Date | undefined;
}

/** Base class of the names of files that MARPLE writes: `<path>/<date>_<time>[.<option>].<extension>`, or the given name. */
export class FileName {
  readonly givenName: string | undefined;
  readonly path: string;
  protected option: string;
  protected extension: string;
  protected stem: string;

  constructor(parts: FileNameParts = {}) {
    this.givenName = parts.givenName;
    this.path = parts.path ?? '.';
    this.option = parts.option ?? '';
    this.extension = parts.extension ?? '';
    this.stem = dateTime(parts.now ?? new Date());
  }

  toString(): string {
    const name = [this.stem, this.option, this.extension].filter((part) => part !== '').join('.');
    return this.givenName ?? join(this.path, name);
  }

  /** The name of one of several files: NAME.EXT becomes NAME-2.EXT. */
  numbered(number: number): string {
    const name = this.toString();
    const tail = `.${this.extension}`;
    const cut = name.endsWith(tail) && basename(name) !== tail ? name.length - tail.length : name.length;
    return `${name.slice(0, cut)}-${number}${name.slice(cut)}`;
  }
}

/** The name of a data file: `<out_dir>/<date>_<time>.marple`. */
export class DataFileName extends FileName {
  /** @param parts.path comes from the config: `~/` is the user's home. */
  constructor(parts: Pick<FileNameParts, 'givenName' | 'path' | 'now' | 'extension'> = {}) {
    super({ ...parts, path: expandHome(parts.path ?? '.'), extension: parts.extension ?? DATA_EXTENSION });
  }

  /**
   * Makes the folder of a name that was not given. The folder of a given name must be there already.
   * @throws UsageError where it cannot be made.
   */
  makeFolder(): void {
    if (this.givenName !== undefined) return;
    try {
      makeUserFolder(this.path, 0o777);
    } catch (error) {
      throw new UsageError(`the folder ${this.path} cannot be made: ${systemReason(error)}`, 'name a file with -o', {
        cause: error,
      });
    }
  }

  /** Remembers the name, so that it can be displayed without being named. Returns what rememberDataFile() does. */
  exportFileName(): string | undefined {
    return rememberDataFile(resolve(this.toString()));
  }

  /** The name that was exported last, by this user. */
  static importFileName(): DataFileName | undefined {
    const file = lastDataFile();
    return file === undefined ? undefined : new DataFileName({ givenName: file });
  }
}

/** The name of a folder of data files, one of each host: `<out_dir>/<date>_<time>`. */
export class DataFolderName extends DataFileName {
  override toString(): string {
    return this.givenName ?? join(this.path, this.stem);
  }
}

/** The name of a picture: beside its data file, with the view's name added, so `x.marple` gives `x.heatmap.png`. */
export class DisplayFileName extends FileName {
  /** @param dataFile path of the data file or its partial directory; `-` is stdin. */
  constructor(dataFile: string, parts: Pick<FileNameParts, 'givenName'> = {}) {
    const { givenName } = parts;
    super({ ...parts, path: dataFile === '-' ? '.' : dirname(dataFile) });
    if (givenName !== undefined) this.extension = extname(givenName).slice(1);
    this.stem = dataFile === '-' ? 'stdin' : dataStem(dataFile);
  }

  /**
   * Sets what the view is called and which extension it has; a given name keeps its own.
   * @param option may come from a data file: whatever could lead to another folder is replaced.
   */
  setOptions(option: string, extension: string): void {
    this.option = option.replace(/[^\p{L}\p{N}._-]/gu, '_');
    if (this.givenName === undefined) this.extension = extension;
  }
}

/** The name of a temporary file in a temporary folder (makeTempDir() in temp.ts). No two are alike. */
export class TempFileName extends FileName {
  constructor(path: string, parts: Pick<FileNameParts, 'now'> = {}) {
    super({ ...parts, path, extension: 'tmp', option: randomName() });
  }
}

/** 2026-03-01_14-05-09.120, local time: no colons, for file systems and tools that do not take them. */
function dateTime(now: Date): string {
  const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');
  const date = [pad(now.getFullYear(), 4), pad(now.getMonth() + 1), pad(now.getDate())].join('-');
  const time = [pad(now.getHours()), pad(now.getMinutes()), pad(now.getSeconds())].join('-');
  return `${date}_${time}.${pad(now.getMilliseconds(), 3)}`;
}

/** The data file's name without its extension; a partial directory counts as the file that it would have become. */
function dataStem(path: string): string {
  return basename(path)
    .replace(/\.partial$/, '')
    .replace(/\.marple$/, '');
}
