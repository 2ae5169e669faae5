import { statSync } from 'node:fs';
import { monotonicNow } from '../../common/clock.ts';
import type { Report } from '../../common/section.ts';
import { perfDataFile } from '../../formats/perf-recording.ts';
import { elapsed, pause } from '../waiting.ts';
import type { PerfRecording } from './record.ts';

const LOOK_SECONDS = 0.1;

/** Ends a recording when its file has so many MB, and says so: for events of which none can be left out. Returns when `over` aborts. */
export async function endAtSize(
  recording: PerfRecording,
  dir: string,
  maxMb: number,
  report: Report,
  over: AbortSignal,
): Promise<void> {
  const begin = monotonicNow();
  while (!over.aborted) {
    const { size } = statSync(perfDataFile(dir), { throwIfNoEntry: false }) ?? { size: 0 };
    if (size > maxMb * 1e6) {
      report.warn(
        `the recording was ended after ${elapsed(begin).toFixed(1)} s, when it had ${maxMb} MB (max_mb): what came then is not in it`,
      );
      await recording.end();
      return;
    }
    await pause(LOOK_SECONDS, over);
  }
}
