import { access, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What is measured on: made once, and kept in a folder. The same every time, where it is not recorded here. */
export class Inputs {
  constructor(
    readonly folder: string,
    readonly say: (sentence: string) => void,
  ) {}

  /**
   * Path of an input of this name; `make` writes it (a file or a folder) to the path that it is given. Another way to
   * make it is another name.
   */
  async get(name: string, make: (path: string) => Promise<void>): Promise<string> {
    const path = join(this.folder, name);
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
    this.say(`making ${path}`);
    await mkdir(this.folder, { recursive: true });
    const unfinished = join(this.folder, `unfinished-${name}`);
    await rm(unfinished, { recursive: true, force: true });
    await make(unfinished);
    await rename(unfinished, path);
    return path;
  }
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}
