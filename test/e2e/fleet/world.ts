import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Ended, makePlace, type Place, type Running, type RunOptions, sleep } from '../marple.ts';

/*
 * Hosts on this machine: network namespaces joined by a bridge, an sshd in each with its own key, name (UTS namespace) and
 * folder of temporary files. The machine that collects is one more namespace, which holds the bridge: nothing of it
 * touches the network of this machine, and nothing listens outside.
 */

const CLI = join(import.meta.dirname, '../../../dist/marple.cjs');
const SUBNET = '10.214.0';
/** Nobody is there. */
const NOWHERE = `${SUBNET}.250`;

export interface TestHost {
  readonly name: string;
  /** What runs there, but its sshd that waits for connections. */
  processes(): { readonly pid: number; readonly command: string }[];
  /** What lies in its folder of temporary files. */
  files(): string[];
  /** Takes all the room that is left for temporary files. */
  fill(): void;
  /** Gives it back. */
  empty(): void;
  /** Ends all that runs there at once, its sshd too. */
  kill(): void;
  /** Starts its sshd again. */
  revive(): Promise<void>;
}

export interface World {
  readonly place: Place;
  readonly hosts: readonly TestHost[];
  host(name: string): TestHost;
  /** Runs `marple` on the machine that collects. */
  marple(args: readonly string[], options?: RunOptions): Promise<Ended>;
  start(args: readonly string[], options?: RunOptions): Running;
  /** The settings of MARPLE there: those of [Fleet]. */
  configure(fleet: Readonly<Record<string, string>>): void;
  /** Gives --push a program that does what MARPLE does, and has some bytes more. */
  push(more: Buffer): void;
  /** ClusterShell's topology.conf; none by default. */
  routes(lines: readonly string[] | undefined): void;
  /** What is left on the hosts: processes, and temporary files. */
  leftovers(): string[];
  remove(): void;
}

export interface HostSpec {
  readonly name: string;
  /** A small disk for temporary files, as tmpfs takes its size. */
  readonly tempSize?: string;
  /** What runs there in the place of MARPLE. */
  readonly program?: string;
}

const ip = (...args: readonly string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

/** Makes hosts of these names, and one more name, `nowhere`, that nobody answers to. */
export async function makeWorld(specs: readonly HostSpec[]): Promise<World> {
  const place = makePlace();
  const prefix = `marple-${process.pid}-`;
  const home = `${prefix}home`;
  const madeRun = !existsSync('/run/sshd');
  mkdirSync('/run/sshd', { recursive: true });
  ip('netns', 'add', home);
  ip('-n', home, 'link', 'add', 'br0', 'type', 'bridge');
  ip('-n', home, 'addr', 'add', `${SUBNET}.1/24`, 'dev', 'br0');
  for (const device of ['br0', 'lo']) ip('-n', home, 'link', 'set', device, 'up');
  const key = place.path('key');
  keygen(key);
  const wrapper = place.path('marple-of-hosts');
  const special = specs.flatMap(({ name, program }) => (program === undefined ? [] : [`${name}) exec ${program};;`]));
  const run = `exec '${process.execPath}' '${CLI}' "$@"`;
  writeFileSync(wrapper, ['#!/bin/sh', 'case $(hostname) in', ...special, `*) ${run};;`, 'esac', ''].join('\n'), {
    mode: 0o755,
  });

  const hosts = specs.map((spec, i) => makeHost(spec, i, prefix, home, place));
  const names = [...hosts.map(({ name }, i) => [name, `${SUBNET}.${10 + i}`]), ['nowhere', NOWHERE]];
  writeFileSync(
    place.path('ssh_config'),
    [
      ...names.map(([name, address]) => `Host ${name}\n  HostName ${address}\n  HostKeyAlias ${name}\n`),
      `Host *\n  User root\n  IdentityFile ${key}\n  IdentitiesOnly yes\n  StrictHostKeyChecking yes`,
      `  UserKnownHostsFile ${place.path('known_hosts')}\n  GlobalKnownHostsFile /dev/null\n`,
    ].join('\n'),
  );
  const known = hosts.map(({ name }) => `${name} ${readFileSync(place.path(`${name}/key.pub`), 'utf8')}`);
  writeFileSync(place.path('known_hosts'), known.join(''));
  mkdirSync(place.path('clustershell'));
  writeFileSync(
    place.path('clustershell/clush.conf'),
    `[Main]\nfanout: 64\nconnect_timeout: 4\nssh_options: -F ${place.path('ssh_config')}\n`,
  );
  const configure = (fleet: Readonly<Record<string, string>>): void => {
    mkdirSync(place.path('config/marple'), { recursive: true });
    const lines = Object.entries({ marple: wrapper, ...fleet }).map(([name, value]) => `${name} = ${value}`);
    writeFileSync(place.path('config/marple/config.txt'), ['[Fleet]', ...lines, ''].join('\n'));
  };
  configure({});
  for (const host of hosts) await host.revive();

  const through = [...inNetns(home), 'unshare', '--uts', 'sh', '-c', 'hostname home; exec "$@"', 'sh'];
  const env = {
    CLUSTERSHELL_CFGDIR: place.path('clustershell'),
    CLUSTERSHELL_GW_LOG_DIR: place.path('.'),
    CLUSTERSHELL_GW_PYTHON_EXECUTABLE: '/usr/bin/python3',
  };
  const start = (args: readonly string[], options: RunOptions = {}): Running =>
    place.start(args, { ...options, through, env: { ...env, ...options.env } });
  return {
    place,
    hosts,
    host: (name) => hosts.find((host) => host.name === name)!,
    start,
    marple: (args, options) => start(args, options).ended,
    configure,
    push: (more) => {
      const program = place.path('program');
      writeFileSync(program, Buffer.concat([Buffer.from(`#!/bin/sh\n${run}\n`), more]), { mode: 0o755 });
      configure({ binary: program });
    },
    routes: (lines) => {
      const file = place.path('clustershell/topology.conf');
      rmSync(file, { force: true });
      if (lines !== undefined) writeFileSync(file, ['[routes]', ...lines, ''].join('\n'));
    },
    leftovers: () =>
      hosts.flatMap(({ name, files, processes }) => [
        ...processes().map(({ command }) => `${name}: ${command}`),
        ...files().map((file) => `${name}: ${file}`),
      ]),
    remove: () => {
      for (const host of hosts) host.kill();
      for (const host of hosts) ip('netns', 'del', `${prefix}${host.name}`);
      ip('netns', 'del', home);
      place.remove();
      if (madeRun) rmSync('/run/sshd', { recursive: true, force: true });
    },
  };
}

/** Not `ip netns exec`: that takes /sys/kernel/tracing away. */
function inNetns(name: string): string[] {
  return ['nsenter', `--net=/run/netns/${name}`];
}

function keygen(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
}

function makeHost({ name, tempSize }: HostSpec, index: number, prefix: string, home: string, place: Place): TestHost {
  const netns = `${prefix}${name}`;
  const folder = place.path(name);
  const temp = join(folder, 'temp');
  const log = join(folder, 'sshd.log');
  mkdirSync(temp, { recursive: true });
  ip('netns', 'add', netns);
  ip('-n', home, 'link', 'add', `v${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
  ip('-n', home, 'link', 'set', `v${index}`, 'master', 'br0', 'up');
  ip('-n', netns, 'addr', 'add', `${SUBNET}.${10 + index}/24`, 'dev', 'eth0');
  for (const device of ['eth0', 'lo']) ip('-n', netns, 'link', 'set', device, 'up');
  keygen(join(folder, 'key'));
  writeFileSync(
    join(folder, 'sshd_config'),
    [
      `HostKey ${join(folder, 'key')}`,
      `AuthorizedKeysFile ${place.path('key.pub')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin prohibit-password',
      `SetEnv TMPDIR=${temp} XDG_STATE_HOME=${join(folder, 'state')} XDG_CONFIG_HOME=${join(folder, 'config')}`,
      '',
    ].join('\n'),
  );
  const mount = tempSize === undefined ? '' : `mount -t tmpfs -o size=${tempSize} marple-test '${temp}' && `;
  const daemon = `hostname ${name} && ${mount}exec /usr/sbin/sshd -D -E '${log}' -f '${join(folder, 'sshd_config')}'`;
  const [program, ...args] = [...inNetns(netns), 'unshare', '--uts', '--mount', 'sh', '-c', daemon];
  let sshd = -1;
  /** Runs something with its file systems. */
  const within = (script: string): string =>
    execFileSync('nsenter', ['--mount', `--target=${sshd}`, 'sh', '-c', script], { encoding: 'utf8', stdio: 'pipe' });
  const processes = (): { pid: number; command: string }[] =>
    ip('netns', 'pids', netns)
      .split('\n')
      .filter((pid) => pid !== '')
      .flatMap((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
          return command === '' ? [] : [{ pid: Number(pid), command }];
        } catch {
          return [];
        }
      });
  return {
    name,
    processes: () => processes().filter(({ pid }) => pid !== sshd),
    files: () => (existsSync(`/proc/${sshd}/ns/mnt`) ? within(`ls -A '${temp}'`) : '').split('\n').filter(Boolean),
    fill: () => void within(`head -c 1G /dev/zero >'${temp}/filled' 2>/dev/null || true`),
    empty: () => void within(`rm '${temp}/filled'`),
    kill: () => {
      for (const { pid } of processes()) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      }
    },
    revive: async () => {
      rmSync(log, { force: true });
      rmSync(temp, { recursive: true });
      mkdirSync(temp);
      sshd = spawn(program as string, args, { stdio: 'ignore' }).pid as number;
      await listening(log);
    },
  };
}

async function listening(log: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (existsSync(log) && readFileSync(log, 'utf8').includes('Server listening')) return;
    await sleep(20);
  }
  throw new Error(`sshd does not listen: ${existsSync(log) ? readFileSync(log, 'utf8') : log}`);
}

/** Waits until nothing is left on the hosts, ten seconds at most, and expects that. */
export async function expectNothingLeft(world: World): Promise<void> {
  for (let i = 0; i < 200 && world.leftovers().length > 0; i++) await sleep(50);
  expect(world.leftovers()).toEqual([]);
}

/** What `collect --json` says of a host. */
export interface HostResult {
  readonly node: string;
  readonly file: string | null;
  readonly is_cut: boolean;
  readonly problems: readonly { readonly what: string; readonly hint: string | null }[];
  readonly sections: readonly { readonly interface: string; readonly records: number }[];
}

export function jsonOf(
  world: World,
  name: string,
): { readonly hosts: readonly HostResult[]; readonly exit_code: number } {
  return JSON.parse(readFileSync(world.place.path(name), 'utf8'));
}
