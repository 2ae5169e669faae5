import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { ROOT, testFolder } from '../support/folder.ts';

// Each run starts a hundred programs.
vi.setConfig({ testTimeout: 60_000 });

const REPOSITORY = join(import.meta.dirname, '../..');
const VENDOR = ['FlameGraph', 'perf-tools', 'bcc-tools'];
const NOBODY = 65534;
/** What setup.sh takes from the machine; all else that it calls is a stand-in of the test, since it changes the machine. */
const REAL = (
  'awk bash cat chmod cmp cp cut dirname env find grep id install mktemp paste printf readlink rm sed sha256sum ' +
  'sort stat tail tee touch'
).split(' ');

/** Stand-ins, as bash. Each call is written to $CALLS; $STATE holds what the pretended machine has. */
const STAND_INS: Readonly<Record<string, string>> = {
  uname: '[[ $1 == -m ]] && echo x86_64 || echo 6.99-test',
  dpkg: '[[ $1 == --print-architecture ]] && echo amd64 || exec /usr/bin/dpkg "$@"',
  'dpkg-query': `
    name=\${@: -1}
    [[ $* == *Depends* ]] && { echo "linux-headers-6.1.0-9-amd64 (= 6.1)"; exit; }
    grep -qx "$name" $STATE/installed && echo -n installed`,
  'apt-cache': `
    version=$(sed -n "s/^$2 //p" $STATE/packages)
    [[ -z $version ]] || printf '%s:\\n  Installed: (none)\\n  Candidate: %s\\n' "$2" "$version"`,
  'apt-get': `
    [[ -e $STATE/offline ]] && { echo "Err:1 http://deb.example bookworm InRelease"; exit 0; }
    [[ -e $STATE/broken && $* == *" install "* ]] && { echo "E: dpkg was interrupted"; exit 100; }
    for name in "$@"; do
      echo "$name" >>$STATE/installed
      [[ $name == nodejs ]] && echo v20.19.2 >$STATE/node
      [[ $name == libcairo2-dev ]] && touch $STATE/libraries
    done
    true`,
  node: `
    [[ -s $STATE/node ]] || exit 127
    [[ $1 == --version ]] && exec cat $STATE/node
    [[ $2 == man ]] && { for name in marple marple-collect; do echo "$name" >"$4/$name.1"; done; exit; }
    [[ $2 == completion ]] && { echo "complete marple"; exit; }
    [[ -e node_modules/canvas-built ]]`,
  npm: `
    case "$1" in
      ci) rm -rf node_modules; /usr/bin/mkdir node_modules ;;
      rebuild) [[ -e $STATE/prebuilt || -e $STATE/libraries ]] && touch node_modules/canvas-built ;;
    esac`,
  // The links and folders that it would make elsewhere on the machine are only written down.
  ln: `[[ \${@: -1} != $PLACE/* ]] || exec /usr/bin/ln "$@"`,
  mkdir: `[[ \${@: -1} != $PLACE/* ]] || exec /usr/bin/mkdir "$@"`,
  tar: '',
  curl: '[[ -e $STATE/tampered ]] || exit 6; while [[ $1 != -o ]]; do shift; done; echo other >"$2"',
  sudo: 'while [[ $1 == -* ]]; do [[ $1 == -u ]] && shift; shift; done; exec "$@"',
};

let place: string;
let clone: string;

beforeEach(() => {
  place = testFolder();
  clone = join(place, 'clone');
  for (const folder of ['bin', 'state', 'tmp', 'prefix/bin', ...VENDOR.map((name) => `clone/vendor/${name}`)]) {
    mkdirSync(join(place, folder), { recursive: true });
  }
  for (const file of ['setup.sh', 'package.json', 'package-lock.json'])
    copyFileSync(join(REPOSITORY, file), join(clone, file));
  for (const name of REAL) symlinkSync(`/usr/bin/${name}`, join(place, 'bin', name));
  for (const [name, script] of Object.entries(STAND_INS)) {
    const path = join(place, 'bin', name);
    writeFileSync(path, `#!/bin/bash\necho "${name} $*" >>$CALLS\n${script}\n`);
    chmodSync(path, 0o755);
  }
  state('installed', '');
  state('packages', '');
  state('node', 'v20.20.2\n');
  state('prebuilt', '');
});

function state(name: string, text: string | undefined): void {
  const path = join(place, 'state', name);
  if (text === undefined) rmSync(path, { force: true });
  else writeFileSync(path, text);
}

function giveCloneTo(uid: number): void {
  const inside = readdirSync(clone, { recursive: true, encoding: 'utf8' }).map((name) => join(clone, name));
  for (const path of [clone, ...inside]) chownSync(path, uid, uid);
}

/** What the distribution has; the names are those of Debian 12. */
function distribution(options: { readonly node?: string; readonly without?: readonly string[] } = {}): void {
  const names =
    'linux-perf perf-tools-unstable bpfcc-tools libbpf-tools bpftrace smem binutils clustershell openssh-client perl libdevel-nytprof-perl gcc libc6-dev fio ' +
    'stress-ng chromium less man-db mandoc libcap2-bin openssh-server iproute2 curl ca-certificates xz-utils npm linux-headers-amd64 libcairo2-dev libpango1.0-dev libjpeg-dev ' +
    'libgif-dev librsvg2-dev pkg-config g++ make python3';
  const packages = names.split(' ').filter((name) => !options.without?.includes(name));
  state(
    'packages',
    `${packages.map((name) => `${name} 1.0`).join('\n')}\nnodejs ${options.node ?? '18.20.4+dfsg-1'}\n`,
  );
}

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The stand-ins that were called, in order, each with its arguments. */
  readonly calls: readonly string[];
}

function setup(args: readonly string[] = [], env: Record<string, string> = {}, through: readonly string[] = []): Ran {
  const calls = join(place, 'state/calls');
  writeFileSync(calls, '');
  chmodSync(calls, 0o666);
  const [program = '', ...rest] = [...through, join(clone, 'setup.sh'), ...args];
  const ran = spawnSync(program, rest, {
    cwd: place,
    encoding: 'utf8',
    env: {
      PATH: join(place, 'bin'),
      HOME: place,
      TMPDIR: join(place, 'tmp'),
      PREFIX: join(place, 'prefix'),
      PLACE: place,
      STATE: join(place, 'state'),
      CALLS: calls,
      ...env,
    },
  });
  if (ran.error !== undefined) throw ran.error;
  const lines = readFileSync(calls, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr, calls: lines };
}

const callsOf = ({ calls }: Ran, name: string): string[] => calls.filter((call) => call.startsWith(`${name} `));
/** The packages of each apt-get install. */
const installs = (ran: Ran): string[][] =>
  callsOf(ran, 'apt-get')
    .filter((call) => call.includes(' install '))
    .map((call) => call.replace(/^.*--no-install-recommends /, '').split(' '));

/** A failure is one sentence and a hint, behind what the failed command had said last. */
function expectFailure(ran: Ran, sentence: RegExp, hint: RegExp): void {
  expect(ran.code).toBe(1);
  const [hintLine, sentenceLine] = ran.stderr.trimEnd().split('\n').reverse();
  expect(sentenceLine).toMatch(sentence);
  expect(sentenceLine).toMatch(/^setup\.sh: /);
  expect(hintLine).toMatch(hint);
  expect(hintLine).toMatch(/^hint: /);
}

describe('on a bare machine', () => {
  beforeEach(() => distribution());

  test('installs the packages at once, the npm packages, and links marple', () => {
    const ran = setup();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(callsOf(ran, 'apt-get').filter((call) => call.endsWith(' update'))).toHaveLength(1);
    const [packages = []] = installs(ran);
    expect(packages).toEqual(
      expect.arrayContaining(['linux-perf', 'bpfcc-tools', 'smem', 'chromium', 'libdevel-nytprof-perl']),
    );
    expect(callsOf(ran, 'npm').map((call) => call.split(' ').slice(0, 3).join(' '))).toEqual([
      'npm ci --ignore-scripts',
      'npm rebuild canvas',
      'npm run build',
    ]);
    // A link, or a script where the machine's own node is not where sudo looks.
    const marple = join(place, 'prefix/bin/marple');
    const leadsTo = lstatSync(marple).isSymbolicLink() ? readlinkSync(marple) : readFileSync(marple, 'utf8');
    expect(leadsTo).toContain(join(clone, 'dist/marple.cjs'));
    const share = join(place, 'prefix/share');
    expect(readFileSync(join(share, 'man/man1/marple-collect.1'), 'utf8')).toBe('marple-collect\n');
    expect(readFileSync(join(share, 'bash-completion/completions/marple'), 'utf8')).toBe('complete marple\n');
    expect(readdirSync(join(place, 'tmp'))).toEqual([]);
  });

  test('a second run finds all in place', () => {
    setup();
    const ran = setup();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(callsOf(ran, 'apt-get')).toEqual([]);
    expect(callsOf(ran, 'npm')).toEqual(['npm run build']);
    expect(callsOf(ran, 'ln').filter((call) => !call.includes('/lib/modules/'))).toEqual([]);
  });

  test('a new lock file is a reason to install the npm packages again', () => {
    setup();
    appendFileSync(join(clone, 'package-lock.json'), '\n');
    expect(callsOf(setup(), 'npm')).toContainEqual(expect.stringMatching(/^npm ci /));
    expect(callsOf(setup(), 'npm')).toEqual(['npm run build']);
  });

  test('a package is installed again when it is gone', () => {
    setup();
    const installed = readFileSync(join(place, 'state/installed'), 'utf8');
    state('installed', installed.replace(/^smem\n/m, ''));
    expect(installs(setup())).toEqual([['smem']]);
  });

  test('--collect-only leaves out what draws and what only the tests need', () => {
    const ran = setup(['--collect-only']);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const installed = installs(ran).flat();
    expect(installed).toEqual(expect.arrayContaining(['linux-perf', 'perf-tools-unstable', 'bpftrace', 'smem']));
    expect(installed.filter((name) => /cairo|nytprof|chromium|fio|stress|gcc/.test(name))).toEqual([]);
    expect(callsOf(ran, 'npm').filter((call) => call.includes('rebuild'))).toEqual([]);
    // The rest comes when it is asked for.
    const rest = setup();
    expect(installs(rest).flat()).toContain('libdevel-nytprof-perl');
    expect(callsOf(rest, 'npm')).toEqual([expect.stringMatching(/^npm rebuild canvas/), 'npm run build']);
  });

  test('canvas is built where its prebuilt binary cannot be fetched', () => {
    state('prebuilt', undefined);
    const ran = setup();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(installs(ran)).toContainEqual(expect.arrayContaining(['libcairo2-dev', 'make']));
    expect(callsOf(ran, 'npm').filter((call) => call.startsWith('npm rebuild canvas'))).toHaveLength(2);
  });

  test("the distribution's kernel headers stand in for those of the running kernel", () => {
    const ran = setup();
    expect(installs(ran)).toContainEqual(['linux-headers-amd64']);
    expect(callsOf(ran, 'ln').filter((call) => call.includes('/lib/modules/'))).toEqual([
      'ln -sfn /usr/src/linux-headers-6.1.0-9-amd64 /lib/modules/6.99-test/build',
      'ln -sfn /usr/src/linux-headers-6.1.0-9-common /lib/modules/6.99-test/source',
    ]);
    expect(ran.stdout).toMatch(/^kernel headers: none for 6\.99-test, so linux-headers-6\.1\.0-9-amd64 stands in/m);
  });

  test('headers of the running kernel are preferred', () => {
    appendFileSync(join(place, 'state/packages'), 'linux-headers-6.99-test 1.0\n');
    const ran = setup();
    expect(installs(ran)).toContainEqual(['linux-headers-6.99-test']);
    expect(callsOf(ran, 'ln').filter((call) => call.includes('/lib/modules/'))).toEqual([]);
  });

  test("Ubuntu's name of perf is found, and a tool that is in no package is named and left out", () => {
    distribution({ without: ['linux-perf', 'libbpf-tools'] });
    appendFileSync(join(place, 'state/packages'), 'linux-tools-generic 1.0\n');
    const ran = setup();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(installs(ran)[0]).toContain('linux-tools-generic');
    expect(installs(ran).flat()).not.toContain('libbpf-tools');
    expect(ran.stdout).toMatch(/left out, this distribution does not have them: libbpf-tools$/m);
  });

  test('vendor/ has the links that its READMEs name', () => {
    setup();
    for (const folder of VENDOR) {
      const readme = readFileSync(join(REPOSITORY, 'vendor', folder, 'README.md'), 'utf8');
      const rows = [...readme.matchAll(/^\| `([^`]+)` *\|[^|]+\| (\/[^ |]+) *\|$/gm)].map(
        ([, link = '', path = '']) => [link, path],
      );
      expect(rows.length).toBeGreaterThan(0);
      const there = rows.filter(([, path = '']) => existsSync(path));
      expect(readdirSync(join(clone, 'vendor', folder)).sort()).toEqual(there.map(([link]) => link).sort());
      for (const [link = '', path] of there) expect(readlinkSync(join(clone, 'vendor', folder, link))).toBe(path);
    }
  });

  test.runIf(ROOT)('under sudo the clone stays with the user who called it', () => {
    giveCloneTo(NOBODY);
    const ran = setup([], { SUDO_USER: 'nobody' });
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const asUser = callsOf(ran, 'sudo').filter((call) => call.startsWith('sudo -H -u nobody env '));
    for (const command of ['npm ci', 'npm rebuild canvas', 'npm run build']) {
      expect(asUser).toContainEqual(expect.stringContaining(command));
    }
    expect(callsOf(ran, 'sudo').filter((call) => call.includes('apt-get'))).toEqual([]);
  });
});

describe('Node.js', () => {
  test('the distribution has one that is new enough', () => {
    distribution({ node: '20.19.2+dfsg-1' });
    state('node', undefined);
    const ran = setup();
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(installs(ran)).toContainEqual(['nodejs']);
    expect(callsOf(ran, 'curl')).toEqual([]);
  });

  test.each([
    ['none', undefined],
    ['v18.20.4', 'v18.20.4\n'],
    ['v20.9.0', 'v20.9.0\n'],
  ])('%s here, too old a package, and no way to nodejs.org', (name, version) => {
    distribution();
    state('node', version);
    expectFailure(
      setup(),
      new RegExp(
        `needs Node.js 20.19 or newer: here is ${name}, this distribution has 18.20.4.*nodejs.org cannot be reached$`,
      ),
      /install Node.js 20.19 or newer/,
    );
  });

  test('a release with another checksum is not unpacked', () => {
    distribution();
    state('node', undefined);
    state('tampered', '');
    const ran = setup();
    expectFailure(ran, /has another checksum than v\d+\.\d+\.\d+ should$/, /install Node.js/);
    expect(callsOf(ran, 'tar')).toEqual([]);
    expect(readdirSync(join(place, 'tmp'))).toEqual([]);
  });
});

describe('failures', () => {
  test('no apt-get', () => {
    rmSync(join(place, 'bin/apt-get'));
    const ran = setup();
    expectFailure(ran, /no apt-get here/, /npm ci && npm run build/);
    expect(callsOf(ran, 'npm')).toEqual([]);
  });

  test('no network', () => {
    state('offline', '');
    expectFailure(setup(), /package lists could not be fetched/, /apt-get update/);
  });

  test('a package cannot be installed: the last lines of apt-get are shown, all of it is in the log', () => {
    distribution();
    state('broken', '');
    const ran = setup();
    expectFailure(ran, /^setup\.sh: apt-get could not install linux-perf /, /setup\.log/);
    expect(ran.stderr).toMatch(/^ {2}\| E: dpkg was interrupted$/m);
    expect(readFileSync(join(clone, 'setup.log'), 'utf8')).toContain('E: dpkg was interrupted');
  });

  test('an unknown option', () => {
    const ran = setup(['--colect-only']);
    expectFailure(ran, /unknown option '--colect-only'/, /--help/);
    expect(ran.calls.filter((call) => !call.startsWith('uname'))).toEqual([]);
  });

  test('--help says what it does, and does nothing', () => {
    const ran = setup(['--help']);
    expect(ran).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('--collect-only') });
    expect(readdirSync(clone)).not.toContain('setup.log');
  });

  test.runIf(ROOT)('neither root nor sudo', () => {
    distribution();
    rmSync(join(place, 'bin/sudo'));
    chmodSync(place, 0o755);
    giveCloneTo(NOBODY);
    const through = ['/usr/bin/setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
    const ran = setup([], {}, through);
    expectFailure(ran, /installing packages needs root, and there is no sudo here/, /su -c/);
    expect(callsOf(ran, 'apt-get')).toEqual([]);
  });
});

test('CI runs the second line of the README as it stands there', () => {
  const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');
  const run = readFileSync(join(REPOSITORY, '.ci/run'), 'utf8');
  const line = './setup.sh && npm test';
  expect(readme.split('\n')).toContain(line);
  expect(run.trimEnd().split('\n').at(-1)).toBe(line);
  expect(readme.split('\n')).toContain('./setup.sh && sudo marple collect --stack --disk --mem -t 5 && marple display');
});
