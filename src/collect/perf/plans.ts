import { readdirSync, statSync } from 'node:fs';
import type { Scope } from '../../common/scope.ts';
import type { PlanOption } from './record.ts';
import type { RecordPlan } from './record-args.ts';

/**
 * What to record for a scope, best first: the processes that were named, else the whole machine, which is filtered
 * when it is decoded (a command and its descendants too: nothing of them is missed then). Where only root may do that,
 * what the user owns: MARPLE itself for the sake of the command that it starts, as perf follows children, or all of the
 * user's processes.
 */
export function planOptions(scope: Scope, what: Omit<RecordPlan, 'target'>): PlanOption[] {
  const { pids } = scope;
  if (pids !== undefined) return [{ plan: () => ({ ...what, target: { pids } }) }];
  const whole: PlanOption = { plan: () => ({ ...what, target: 'all' }) };
  if (process.geteuid?.() === 0) return [whole];
  if (scope.root !== undefined) return [whole, { plan: () => ({ ...what, target: { pids: [scope.own] } }) }];
  return [
    whole,
    {
      plan: () => ({ ...what, target: { pids: ownProcesses(scope.own) } }),
      warning:
        'only your own processes are seen: kernel.perf_event_paranoid allows the whole machine only to root ' +
        '(sudo marple collect ..., or sudo sysctl kernel.perf_event_paranoid=-1)',
    },
  ];
}

/**
 * The same for what a task does itself, and nothing does for it: of a command no more than MARPLE and what it starts, as
 * perf follows children. The rest of the machine is neither recorded nor slowed down.
 */
export function ownPlanOptions(scope: Scope, what: Omit<RecordPlan, 'target'>): PlanOption[] {
  if (scope.root === undefined || scope.pids !== undefined) return planOptions(scope, what);
  return [{ plan: () => ({ ...what, target: { pids: [scope.own] } }) }];
}

/** The processes that this user may look into, MARPLE left out. */
function ownProcesses(own: number): number[] {
  const uid = process.geteuid?.();
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.filter((pid) => pid !== own && ownerOf(pid) === uid);
}

function ownerOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return undefined;
  }
}
