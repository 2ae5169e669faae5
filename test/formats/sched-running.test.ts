import { describe, expect, test } from 'vitest';
import { RunningTasks } from '../../src/formats/sched-running.ts';

interface Noted {
  readonly time: number;
  readonly what: string;
}

/** Follows CPUs, and gives what comes out as text. */
function follow() {
  const surprises: [number, number][] = [];
  const running = new RunningTasks<Noted>(
    (cpu, time, from, to) => ({ time, what: `inferred ${cpu}:${from === 0 ? '' : `${from}>`}${to}` }),
    (expected, tid) => surprises.push([expected, tid]),
  );
  const out: string[] = [];
  const note = (time: number, what: string): void => running.add({ time, what });
  const taken = (): string[] => {
    out.push(...running.take().map(({ time, what }) => `${time} ${what}`));
    return out;
  };
  const all = (): string[] => {
    out.push(...running.end().map(({ time, what }) => `${time} ${what}`));
    return out;
  };
  return { running, surprises, note, taken, all };
}

describe('a switch out of idle that is missing', () => {
  test('is put where the task came on the run queue, among records of other CPUs', () => {
    const { running, surprises, note, taken, all } = follow();
    running.switched(1, 10, 5, 0);
    note(10, 'to idle');
    running.queued(1, 20, 7);
    note(20, 'wakeup of 7');
    note(30, 'elsewhere');
    expect(taken()).toEqual(['10 to idle']);
    running.switched(1, 40, 7, 0);
    note(40, '7 leaves');
    expect(taken()).toEqual(['10 to idle', '20 wakeup of 7', '20 inferred 1:7', '30 elsewhere', '40 7 leaves']);
    expect(all()).toHaveLength(5);
    expect(surprises).toEqual([]);
  });

  test('is not put in where the switch is there', () => {
    const { running, note, all } = follow();
    running.switched(1, 10, 5, 0);
    running.queued(1, 20, 7);
    note(20, 'wakeup of 7');
    running.switched(1, 25, 0, 7);
    note(25, '7 comes');
    running.switched(1, 40, 7, 0);
    note(40, '7 leaves');
    expect(all()).toEqual(['20 wakeup of 7', '25 7 comes', '40 7 leaves']);
  });

  test('of the first of two, the second is switched to', () => {
    const { running, note, all } = follow();
    running.switched(0, 10, 5, 0);
    running.queued(0, 20, 7);
    running.queued(0, 21, 8);
    running.switched(0, 30, 8, 7);
    note(30, '8 leaves for 7');
    expect(all()).toEqual(['21 inferred 0:8', '30 8 leaves for 7']);
  });

  test('is at the first sign of the task where nothing tells when it was put there', () => {
    const { running, note, all } = follow();
    running.switched(0, 10, 5, 0);
    note(12, 'x');
    running.sees(0, 30, 9);
    running.sees(0, 35, 9);
    note(35, 'y');
    expect(all()).toEqual(['12 x', '30 inferred 0:9', '35 y']);
  });

  test('has its exact time where another source tells it', () => {
    const { running, note, all } = follow();
    running.switched(0, 10, 5, 0);
    running.queued(0, 20, 9);
    running.came(0, 23, 9);
    running.switched(0, 30, 9, 0);
    note(30, '9 leaves');
    expect(all()).toEqual(['23 inferred 0:9', '30 9 leaves']);
  });

  test('from another task is put in only where another source tells it', () => {
    const { running, surprises, note, all } = follow();
    running.came(0, 5, 4);
    running.switched(0, 10, 5, 6);
    running.came(0, 11, 6);
    running.came(0, 20, 7);
    running.came(0, 25, 0);
    running.switched(0, 30, 0, 8);
    note(30, '8 comes');
    expect(all()).toEqual(['20 inferred 0:6>7', '25 inferred 0:7>0', '30 8 comes']);
    expect(surprises).toEqual([]);
  });

  test('is not made up: not for a task that was taken away again, not in a hole, not at the end', () => {
    const { running, note, taken, all } = follow();
    running.switched(0, 10, 5, 0);
    running.queued(0, 20, 9);
    running.taken(0, 9);
    note(25, 'x');
    expect(taken()).toEqual(['25 x']);
    running.queued(0, 30, 9);
    running.forget(0);
    running.sees(0, 35, 9);
    running.switched(0, 40, 9, 0);
    running.queued(0, 50, 9);
    note(50, 'wakeup');
    expect(all()).toEqual(['25 x', '50 wakeup']);
  });

  test('that shows very late gets the earliest time that is left', () => {
    const { running, note } = follow();
    running.switched(1, 10, 5, 0);
    running.queued(1, 20, 7);
    for (let time = 21; time < 150_000; time++) note(time, '');
    const given = running.take().length;
    expect(given).toBeGreaterThan(100_000);
    running.sees(1, 150_000, 7);
    const late = running.end();
    expect(late.filter(({ what }) => what !== '')).toEqual([{ time: 149_999, what: 'inferred 1:7' }]);
  });
});

describe('other holes', () => {
  test('a task that runs and was not switched to is told, once, and not made up', () => {
    const { running, surprises, note, all } = follow();
    running.switched(0, 10, 5, 6);
    running.sees(0, 20, 8);
    running.sees(0, 21, 8);
    running.switched(0, 30, 8, 0);
    note(30, 'x');
    expect(surprises).toEqual([[6, 8]]);
    expect(all()).toEqual(['30 x']);
  });

  test('a task that takes another id is the same', () => {
    const { running, surprises } = follow();
    running.switched(0, 10, 5, 6);
    running.renumbered(0, 6, 4);
    running.sees(0, 20, 4);
    expect(surprises).toEqual([]);
  });

  test('what ran before the first sign is not known', () => {
    const { running, surprises, all } = follow();
    running.sees(0, 1, 8);
    running.sees(1, 1, 0);
    expect([surprises, all()]).toEqual([[], []]);
  });
});
