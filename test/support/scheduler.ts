import fc from 'fast-check';
import type { EventData } from '../../src/common/datatypes.ts';

/**
 * Events of a scheduler as they may be in a file: mostly a history that could be, with switches left out here and there, tasks
 * that are woken while they run, and holes.
 */
export const anyHistory: fc.Arbitrary<EventData[]> = fc
  .array(
    fc.record({
      step: fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: 3_000_000 })),
      cpu: fc.nat({ max: 1 }),
      task: fc.nat({ max: 5 }),
      kind: fc.nat({ max: 20 }),
      state: fc.constantFrom('S', 'S', 'D', 'R', 'R+', 'I', 'X'),
    }),
    { maxLength: 120 },
  )
  .map((steps) => {
    let time = 0;
    const current = [0, 0];
    const events: EventData[] = [];
    for (const { step, cpu, task, kind, state } of steps) {
      time += step;
      const [leaver, comer] = [named(current[cpu]!, cpu), named(task, cpu)];
      if (kind === 0) {
        events.push({ time, type: 'lost', datum: [String(cpu), '', '', '', '', ''] });
      } else if (kind < 9) {
        if (task !== 0) events.push({ time, type: 'wakeup', datum: [String(cpu), ...leaver, ...comer, `>${cpu}`] });
      } else if (task !== current[cpu] && (task === 0 || task !== current[1 - cpu])) {
        // Some switches are not in the trace.
        if (kind !== 9) events.push({ time, type: 'switch', datum: [String(cpu), ...leaver, ...comer, state] });
        current[cpu] = task;
      }
    }
    return events;
  });

function named(task: number, cpu: number): [pid: string, comm: string] {
  return task === 0 ? ['0', `swapper/${cpu}`] : [String(100 + task), `task${task}`];
}
