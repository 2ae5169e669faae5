import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Address, connectionKey, End, mirrored, type Party } from '../../src/formats/connections.ts';
import { NetnsMembers, type NetnsNote, netnsNotesFile } from '../../src/formats/netns-members.ts';
import { testFolder } from '../support/folder.ts';

const INSIDE = 7;
const OUTSIDE = 1;
const LOOPBACK: Address = { addr: '127.0.0.1', port: 40_000, otherAddr: '127.0.0.1', otherPort: 80 };
const CARD: Address = { addr: '10.0.0.2', port: 40_000, otherAddr: '10.0.0.1', otherPort: 80 };

function members(notes: readonly NetnsNote[], rest = ''): NetnsMembers {
  const dir = testFolder();
  writeFileSync(netnsNotesFile(dir), notes.map((note) => `${JSON.stringify(note)}\n`).join('') + rest);
  return new NetnsMembers({ name: 'x', inode: INSIDE, addresses: ['127.0.0.1', '10.0.0.2'] }, dir);
}

function endAt(address: Address | undefined, peer?: End): End {
  const end = new End();
  end.address = address;
  end.peer = peer;
  return end;
}

const party = (pid: number, parent?: Party): Party => ({ pid, comm: 'x', kept: true, born: 0, parent });

describe('a process that was seen', () => {
  const moved = [
    { pid: 5, netns: OUTSIDE, time: 100 },
    { pid: 5, netns: OUTSIDE, time: 200 },
    { pid: 5, netns: INSIDE, time: 400 },
    { pid: 5, netns: INSIDE, time: 900 },
  ];

  test.each([
    [50, false],
    [150, false],
    [500, true],
    [1000, true],
  ])('at %i ns', (time, included) => {
    expect(members(moved).includes(endAt(LOOPBACK), party(5), time)).toBe(included);
  });

  test('elsewhere, before: it may have moved since, so that its addresses tell', () => {
    const before = members(moved.slice(0, 2));
    expect(before.includes(endAt(CARD), party(5), 500)).toBe(true);
    expect(before.includes(endAt(mirrored(CARD)), party(5), 500)).toBe(false);
    // While it was seen on both sides of the event.
    expect(before.includes(endAt(CARD), party(5), 150)).toBe(false);
  });
});

describe('a process that was never seen', () => {
  test('over loopback it is where the other end is', () => {
    const notes = [
      { pid: 6, netns: INSIDE, time: 0 },
      { pid: 8, netns: OUTSIDE, time: 900 },
    ];
    for (const [pid, included] of [
      [6, true],
      [8, false],
    ] as const) {
      const peer = endAt(mirrored(LOOPBACK));
      peer.opener = party(pid);
      expect(members(notes).includes(endAt(LOOPBACK, peer), party(5), 500)).toBe(included);
    }
  });

  test('the table of the namespace has its connection, as seen from either end', () => {
    for (const address of [LOOPBACK, mirrored(LOOPBACK)]) {
      const known = members([{ connections: [connectionKey(address)] }]);
      expect(known.includes(endAt(LOOPBACK), party(5), 500)).toBe(true);
    }
  });

  test('else it is where its parent is; elsewhere, that is noted as doubtful', () => {
    const known = members([
      { pid: 4, netns: INSIDE, time: 0 },
      { pid: 3, netns: OUTSIDE, time: 900 },
    ]);
    const end = endAt(LOOPBACK);
    expect(known.includes(end, party(5, party(9, party(4))), 500)).toBe(true);
    expect(known.doubtful.size).toBe(0);
    expect(known.includes(end, party(5, party(3)), 500)).toBe(false);
    expect(known.includes(end, undefined, 500)).toBe(false);
    expect([...known.doubtful]).toEqual([end]);
  });
});

test('a socket in the list of the beginning is where it was found', () => {
  const known = members([{ pid: 5, netns: INSIDE, time: 0 }]);
  const end = endAt(LOOPBACK);
  known.know(end, OUTSIDE);
  expect(known.includes(end, party(5), 500)).toBe(false);
});

test('a line that is cut off, or none, is left out', () => {
  const known = members([{ pid: 5, netns: INSIDE, time: 0 }], '{"pid":5,"netns":1}\nnonsense\n{"pid":6,"ne');
  expect(known.includes(endAt(LOOPBACK), party(5), 500)).toBe(true);
});
