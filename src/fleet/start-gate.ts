import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { defer } from '../common/deferred.ts';
import { EXIT, MarpleError } from '../common/errors.ts';
import { LineCutter } from './line-cutter.ts';

/** More than this is said: what passes between two ticks of a timer is not. Milliseconds. */
const LATE_MS = 10;

/** Where a run waits for the moment that was agreed upon, and tells how it goes on: to the MARPLE that started it (host-side.ts). */
export class StartGate {
  readonly #control: Socket;
  readonly #start = defer<bigint>();

  constructor(fd: number) {
    this.#control = new Socket({ fd });
    const cutter = new LineCutter((line) => {
      const [, at] = /^start (\d{1,20})$/.exec(line) ?? [];
      if (at !== undefined) this.#start.resolve(BigInt(at));
    });
    this.#control.on('data', (chunk: Buffer) => cutter.add(chunk));
    this.#control.on('error', () => undefined);
    this.#control.once('close', () => {
      this.#start.reject(new MarpleError('who was to say when to begin has gone', EXIT.unavailable));
    });
    this.#start.promise.catch(() => undefined);
  }

  /** Says that all is ready, and waits for the start. Gives a sentence where it is too late for that. */
  async open(): Promise<string | undefined> {
    this.#say('ready');
    const at = Number((await this.#start.promise) / 1000n) / 1000;
    const left = at - Date.now();
    if (left > 0) await sleep(left);
    const late = Date.now() - at;
    return late > LATE_MS ? `recording began ${Math.round(late)} ms after the moment that was agreed upon` : undefined;
  }

  recording(): void {
    this.#say('recording');
  }

  progress(records: number): void {
    this.#say(`records ${records}`);
  }

  #say(line: string): void {
    if (!this.#control.destroyed) this.#control.write(`${line}\n`);
  }
}
