import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';

/** A network namespace with a pair of virtual cards into the namespace of the test. It goes with the test. */
export interface TestNetns {
  readonly name: string;
  /** Addresses of both ends of the pair: outside, inside. */
  readonly outside: string;
  readonly inside: string;
  /** Runs a program in it. */
  readonly through: readonly string[];
}

const ip = (...args: readonly string[]): void => void execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

export function makeNetns(): TestNetns {
  const name = `marple-test-${process.pid}`;
  const [outside, inside] = ['10.213.7.1', '10.213.7.2'];
  const card = `mt${process.pid}`;
  ip('netns', 'add', name);
  // The cards go with the namespace.
  onTestFinished(() => ip('netns', 'del', name));
  ip('link', 'add', card, 'type', 'veth', 'peer', 'name', 'veth0', 'netns', name);
  ip('addr', 'add', `${outside}/24`, 'dev', card);
  ip('link', 'set', card, 'up');
  ip('-n', name, 'addr', 'add', `${inside}/24`, 'dev', 'veth0');
  ip('-n', name, 'link', 'set', 'veth0', 'up');
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return { name, outside, inside, through: ['ip', 'netns', 'exec', name] };
}
