import { expect, test } from 'vitest';
import { type Maker, WaitingRequests } from '../../src/formats/waiting-requests.ts';

const READS = 1;
const WRITES = 2;
const maker = (comm: string): Maker => ({ comm, tid: 7, pid: 7, kept: true });

/** The names of the makers that the queue tells of these issues, `[sector, sectors]` each. */
function makers(waiting: WaitingRequests, ...issues: readonly (readonly [number, number])[]): (string | undefined)[] {
  return issues.map(([sector, sectors]) => waiting.issue(READS, sector, sectors)?.comm);
}

test('a request is its maker’s, once; what was not inserted has none', () => {
  const waiting = new WaitingRequests();
  waiting.insert(READS, 64, 8, maker('a'));
  waiting.insert(READS, 128, 8, maker('b'));
  waiting.insert(WRITES, 256, 8, maker('c'));
  expect(makers(waiting, [128, 8], [64, 8], [64, 8], [256, 8])).toEqual(['b', 'a', undefined, undefined]);
  expect(waiting.issue(WRITES, 256, 8)?.comm).toBe('c');
});

test('two at the same place come out in order, and by their size', () => {
  const waiting = new WaitingRequests();
  waiting.insert(READS, 64, 8, maker('a'));
  waiting.insert(READS, 64, 16, maker('b'));
  waiting.insert(READS, 64, 8, maker('c'));
  expect(makers(waiting, [64, 16], [64, 8], [64, 8])).toEqual(['b', 'a', 'c']);
});

test.each([
  ['behind', 64, 16],
  ['before', 56, 16],
  ['at both ends', 56, 24],
])('one that grew %s is its maker’s', (_, sector, sectors) => {
  const waiting = new WaitingRequests();
  waiting.insert(READS, 64, 8, maker('a'));
  waiting.insert(READS, 640, 8, maker('b'));
  expect(makers(waiting, [sector, sectors], [640, 8])).toEqual(['a', 'b']);
});

test.each([0, 1000])(
  'one that swallowed others is the first one’s, and nothing is left of them (%i wait)',
  (others) => {
    const waiting = new WaitingRequests();
    for (let i = 0; i < others; i++) waiting.insert(READS, 1000 + 8 * i, 8, maker('x'));
    waiting.insert(READS, 72, 8, maker('a'));
    waiting.insert(READS, 64, 8, maker('b'));
    waiting.insert(READS, 80, 8, maker('c'));
    expect(makers(waiting, [64, 24])).toEqual(['a']);
    waiting.insert(READS, 80, 8, maker('d'));
    expect(makers(waiting, [80, 8], [64, 8], [72, 8])).toEqual(['d', undefined, undefined]);
  },
);

test('one that came back is still its maker’s where a worker inserts it again; others at its place are other ones', () => {
  const waiting = new WaitingRequests();
  waiting.requeue(READS, 64, 8, maker('a'));
  waiting.insert(READS, 64, 8, maker('b'));
  waiting.insert(READS, 64, 8, maker('kworker/0:1H'));
  expect(makers(waiting, [64, 8], [64, 8], [64, 8])).toEqual(['a', 'b', undefined]);
  waiting.insert(READS, 64, 8, maker('c'));
  waiting.requeue(READS, 64, 8, maker('d'));
  expect(makers(waiting, [64, 8], [64, 8], [64, 8])).toEqual(['d', 'c', undefined]);
});

test('memory is bounded where requests never come out', () => {
  const waiting = new WaitingRequests();
  for (let i = 0; i < 100_000; i++) waiting.insert(READS, 8 * i, 8, maker(`${i}`));
  expect(makers(waiting, [0, 8], [8 * 99_999, 8])).toEqual([undefined, '99999']);
});
