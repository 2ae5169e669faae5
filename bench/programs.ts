import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Command } from './process.ts';

/** Folders of programs that are not in PATH: of packages, what setup.sh links, and what is built here. */
const FOLDERS = ['/usr/sbin', '/usr/share/perl5/Devel/NYTProf', 'vendor/FlameGraph', 'dist'];

/** Finds what is compared. */
export class Programs {
  readonly #folders: readonly string[];

  /** `folders` go before PATH. */
  constructor(folders: readonly string[]) {
    this.#folders = [...folders, ...(process.env['PATH'] ?? '').split(delimiter), ...FOLDERS];
  }

  /** MARPLE, built, with these arguments. */
  marple(...args: readonly string[]): Command {
    return [process.execPath, resolve('dist/marple.cjs'), ...args];
  }

  /** A part of MARPLE by itself, of bench/parts/. */
  part(name: string, ...args: readonly string[]): Command {
    return [process.execPath, resolve(`dist/bench/parts/${name}.cjs`), ...args];
  }

  /** Path of a program, undefined where it is not installed. */
  find(name: string): string | undefined {
    return this.#folders.map((folder) => resolve(join(folder, name))).find(isExecutable);
  }

  /** The first Python that has these modules. */
  python(...modules: readonly string[]): string | undefined {
    const script = modules.map((module) => `import ${module}`).join('\n');
    return ['/usr/bin/python3', this.find('python3')].find(
      (python) => python !== undefined && spawnSync(python, ['-c', script]).status === 0,
    );
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
