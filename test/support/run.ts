import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Collecter, CollectRun } from '../../src/collect/collecter.ts';
import { startClock } from '../../src/common/clock.ts';
import type { MarpleRecord } from '../../src/common/datatypes.ts';
import { defer } from '../../src/common/deferred.ts';
import { HeaderReport } from '../../src/common/report.ts';
import type { Scope, Task } from '../../src/common/scope.ts';
import { decodeRecording } from '../../src/formats/decoders.ts';
import type { RunInfo } from '../../src/formats/recording.ts';
import { asRead } from './data-files.ts';

export interface TestRunSettings<Options> {
  readonly tool: string;
  readonly options: Options;
  readonly toolVersion?: string;
  /** Added to `{own: this process}`. */
  readonly scope?: Partial<Scope>;
  /** The run stops itself so long after started(); without it only stop() does. */
  readonly seconds?: number;
  /** For `run.info()`, where a decoder needs them. */
  readonly tasks?: readonly Task[];
  readonly bootId?: string;
}

export interface TestRun<Options> {
  readonly run: CollectRun<Options>;
  readonly report: HeaderReport;
  /** Resolves when the collecter has called run.started(). */
  readonly started: Promise<void>;
  /** Ends the run, as the time's end or Ctrl-C does. */
  stop(): void;
  /** Changes the scope while the run goes on, as the start of the user's command does. */
  changeScope(change: Partial<Scope>): void;
}

/** What the controller gives a collecter, for a test that drives one by itself. Its folders go with the test. */
export function testRun<Options>(settings: TestRunSettings<Options>): TestRun<Options> {
  const clock = startClock();
  const tempDir = mkdtempSync(join(tmpdir(), 'marple-test-run-'));
  const recordingDir = mkdtempSync(join(tmpdir(), 'marple-test-recording-'));
  const abort = new AbortController();
  const started = defer<void>();
  const report = new HeaderReport();
  let scope: Scope = { own: process.pid, ...settings.scope };
  let timer: NodeJS.Timeout | undefined;
  onTestFinished(() => {
    clearTimeout(timer);
    abort.abort();
    for (const folder of [tempDir, recordingDir]) rmSync(folder, { recursive: true, force: true });
  });
  const info = (): RunInfo => ({
    origin: String(clock.origin),
    scope,
    tasks: settings.tasks ?? [],
    bootId: settings.bootId ?? '',
  });
  const run: CollectRun<Options> = {
    tool: settings.tool,
    toolVersion: settings.toolVersion ?? 'test',
    options: settings.options,
    clock,
    get scope() {
      return scope;
    },
    info,
    decode: (dir) => decodeRecording(dir, info(), report),
    seconds: settings.seconds,
    stop: abort.signal,
    recordingDir: async () => recordingDir,
    tempDir,
    started: () => {
      started.resolve();
      if (settings.seconds !== undefined) timer ??= setTimeout(() => abort.abort(), settings.seconds * 1000);
    },
    report,
  };
  return {
    run,
    report,
    started: started.promise,
    stop: () => abort.abort(),
    changeScope: (change) => {
      scope = { ...scope, ...change };
    },
  };
}

/** Everything a collecter yields until it returns, by section. */
export async function collectAll<Options>(collecter: Collecter<Options>): Promise<MarpleRecord[][]> {
  const sections: MarpleRecord[][] = [];
  for await (const batch of collecter.collect()) {
    let records = sections[batch.section];
    if (records === undefined) {
      records = [];
      sections[batch.section] = records;
    }
    for (const record of batch.records) records.push(asRead(record));
  }
  return sections;
}
