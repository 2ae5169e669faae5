import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

interface Package {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly allowScripts?: Readonly<Record<string, boolean>>;
}

interface Locked extends Package {
  readonly version: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(join(ROOT, name), 'utf8')) as T;
}

const own = json<Package>('package.json');
const { packages } = json<{ packages: Record<string, Locked> }>('package-lock.json');
const all = (of: Package): Record<string, string> => ({
  ...of.dependencies,
  ...of.optionalDependencies,
  ...of.devDependencies,
});

test('each has a reason in CONTRIBUTING.md, and no other is named there', () => {
  const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
  const [, section = ''] = page.split('## Packages');
  const rows = [...section.matchAll(/^\| (?<name>[@a-z][\w@/.-]*) +\| (?<why>\S.{4,}?) *\|$/gm)];
  const named = rows.map(({ groups }) => groups?.['name'] as string).filter((name) => name !== 'package');
  expect(named.sort()).toEqual(Object.keys(all(own)).sort());
});

test('the lock file is that of package.json', () => {
  expect(all(packages[''] as Locked)).toEqual(all(own));
});

test('each package is locked to one version, by a hash of what is in it, and comes from the registry', () => {
  for (const [path, { resolved, integrity, version }] of Object.entries(packages)) {
    if (path === '') continue;
    expect({ path, version, integrity }).toEqual({
      path,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
      integrity: expect.stringMatching(/^sha512-/) as string,
    });
    // Without an address npm asks the registry that it is set to; it is given none of a folder, an archive or a repository.
    expect(resolved ?? 'https://registry.npmjs.org/').toMatch(/^https:\/\/registry\.npmjs\.org\//);
  }
});

test('install scripts are in no packages but those that package.json allows them', () => {
  const withScript = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const names = withScript.map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect(names.sort()).toEqual(Object.keys(own.allowScripts ?? {}).sort());
});
