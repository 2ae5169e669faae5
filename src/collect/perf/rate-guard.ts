import { statSync } from 'node:fs';
import { log } from '../../common/log.ts';
import { pause } from '../waiting.ts';
import type { PerfRecording } from './record.ts';

/** What the guard does when a recording is above its budget, as it does it; `unanswered`: perf did not do it. */
export type GuardStep = 'without-event' | 'with-event' | 'ended' | 'unanswered';

export interface RateGuardOptions {
  /** What may be written to the file on the average, bytes a second. */
  readonly bytesPerSecond: number;
  /** The event that can be left out for a while, since others tell what it does not. */
  readonly event: string;
  /** Path of the perf.data. */
  readonly output: string;
  onStep(step: GuardStep): void;
}

const LOOK_SECONDS = 0.1;
/** The file may be ahead of its budget by what that allows in so many seconds. */
const BURST_S = 1;
/** Where the file is beyond its budget by so many seconds even without the event, the recording ends. */
const PATIENCE_S = 5;

/**
 * Keeps what perf writes within a budget: `event` is switched off while the file is ahead of it, and the recording is
 * ended where that is not enough, or perf too busy to listen. Returns when `over` aborts.
 */
export async function guardRate(
  recording: PerfRecording,
  { bytesPerSecond, event, output, onStep }: RateGuardOptions,
  over: AbortSignal,
): Promise<void> {
  const begin = performance.now();
  let isOn = true;
  for (;;) {
    await pause(LOOK_SECONDS, over);
    if (over.aborted) return;
    const elapsed = (performance.now() - begin) / 1000;
    const ahead = sizeOf(output) / bytesPerSecond - elapsed;
    const step = nextStep(isOn, ahead);
    if (step === undefined) continue;
    log('info', 'rate guard', { step, ahead });
    if (step === 'ended') {
      onStep(step);
      await recording.end();
      return;
    }
    const answered = await recording.tell(`${step === 'with-event' ? 'enable' : 'disable'} ${event}`);
    onStep(answered ? step : 'unanswered');
    if (answered) isOn = step === 'with-event';
  }
}

/** What is to be done, where the file is `ahead` of its budget by so many seconds. */
function nextStep(isOn: boolean, ahead: number): GuardStep | undefined {
  if (ahead > PATIENCE_S) return 'ended';
  if (isOn && ahead > BURST_S) return 'without-event';
  return !isOn && ahead < 0 ? 'with-event' : undefined;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
