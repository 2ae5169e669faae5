import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { monotonicNow, readWallClock, wallTimeAt } from '../common/clock.ts';
import { EXIT, errorMessage } from '../common/errors.ts';
import { log } from '../common/log.ts';
import { PARTIAL } from '../common/partial.ts';
import { ownProgram } from '../common/paths.ts';
import { describeExit, type ProcessExit, startTool, type ToolProcess } from '../common/process.ts';
import { takeStopSignals } from '../common/stop-signals.ts';
import { clearStaleTempDirs } from '../common/temp.ts';
import { VERSION } from '../common/version.ts';
import { packRaw } from '../formats/raw-archive.ts';
import { LineCutter } from './line-cutter.ts';
import {
  DATA_BYTES,
  dataLine,
  type HomeMessage,
  type HostMessage,
  hostLine,
  PROTOCOL,
  parseHomeLine,
} from './protocol.ts';

/*
 * The side of a host: `marple collect --host-side`. It runs `marple collect` as a process of its own, so that it can answer
 * while that is busy, and bring home what is left should that be killed. Its stdin is the connection: when that ends,
 * nobody wants the data, and everything here is ended and removed.
 */

export interface HostPipes {
  readonly input: Readable;
  /** Writes a line to stdout; resolves when there is room for the next. */
  write(line: string): Promise<void>;
  readonly tempDir: string;
}

/** Seconds between signs of life. */
const ALIVE_S = 3;
/** A second Ctrl-C counts as one after so many milliseconds (collect/controller.ts). */
const AGAIN_MS = 700;
/** Milliseconds until who does not end is killed. */
const GRACE_MS = 5_000;
/** The descriptor over which the two MARPLEs of a host speak. */
const CONTROL_FD = 3;

/** Serves one request; resolves when the connection has ended, or all is sent. */
export async function serveHost(pipes: HostPipes): Promise<number> {
  const side = new HostSide(pipes);
  const handBack = takeStopSignals(() => side.leave());
  try {
    return await side.run();
  } finally {
    handBack();
  }
}

class HostSide {
  readonly #id = randomBytes(8).toString('hex');
  readonly #file: string;
  readonly #resultFile: string;
  #run: ToolProcess | undefined;
  #records = 0;
  #wasCut = false;
  #hasEnded = false;
  #leave: () => void = () => undefined;
  readonly #left = new Promise<void>((resolve) => {
    this.#leave = resolve;
  });

  constructor(readonly pipes: HostPipes) {
    this.#file = join(pipes.tempDir, 'collected.marple');
    this.#resultFile = join(pipes.tempDir, 'result.json');
  }

  leave(): void {
    this.#leave();
  }

  async run(): Promise<number> {
    this.#say({ is: 'hello', protocol: PROTOCOL, version: VERSION, id: this.#id });
    const cutter = new LineCutter((line) => this.#hear(parseHomeLine(line)));
    this.pipes.input.on('data', (chunk: Buffer) => cutter.add(chunk));
    for (const end of ['end', 'error', 'close']) this.pipes.input.once(end, () => this.leave());
    const alive = setInterval(() => this.#say({ is: 'alive', records: this.#records }), ALIVE_S * 1000);
    await this.#left;
    clearInterval(alive);
    await this.#endRun();
    clearAfterKilled();
    return EXIT.ok;
  }

  #say(message: HostMessage): void {
    void this.pipes.write(hostLine(message));
  }

  #hear(message: HomeMessage | undefined): void {
    switch (message?.is) {
      case 'request':
        void this.#collect(message);
        return;
      case 'time':
        if (message.ids.includes(this.#id)) this.#tellTime(message.round, monotonicNow());
        return;
      case 'start': {
        const at = message.at[this.#id];
        if (at !== undefined) this.#run?.pipes[0]?.write(`start ${at}\n`);
        return;
      }
      case 'stop':
        this.#signal('SIGINT');
        return;
      case 'cut':
        if (!message.ids.includes(this.#id) || this.#hasEnded) return;
        this.#wasCut = true;
        void this.#endRun();
        return;
      case 'send':
        if (message.ids.includes(this.#id)) void this.#send();
        return;
      case 'leave':
        if (message.ids.includes(this.#id)) this.leave();
        return;
      default:
        return;
    }
  }

  #tellTime(round: number, received: bigint): void {
    const clock = readWallClock();
    this.#say({
      is: 'time',
      round,
      received: String(wallTimeAt(clock, received)),
      sent: String(wallTimeAt(clock, monotonicNow())),
      error: clock.error,
    });
  }

  async #collect({ args, command, dry }: HomeMessage & { is: 'request' }): Promise<void> {
    if (this.#run !== undefined) return;
    const own = dry ? ['--dry-run'] : ['-o', this.#file, `--start-by=${CONTROL_FD}`];
    const argv = [...ownProgram(), 'collect', ...args, ...own, '--quiet', `--json=${this.#resultFile}`];
    const errors = new LineCutter((text) => this.#relay('stderr', text));
    try {
      this.#run = startTool(command === null ? argv : [...argv, '--', ...command], {
        pipes: 1,
        env: ownEnvironment(),
        onStderr: (chunk) => errors.add(chunk),
      });
    } catch (error) {
      this.#ended(EXIT.unavailable, undefined, errorMessage(error));
      return;
    }
    const run = this.#run;
    const control = new LineCutter((line) => this.#control(line));
    run.pipes[0]?.on('data', (chunk: Buffer) => control.add(chunk));
    run.pipes[0]?.on('error', () => undefined);
    const prints = new LineCutter((text) => this.#relay('stdout', text));
    run.stdout.on('data', (chunk: Buffer) => prints.add(chunk));
    const exit = await run.exit;
    for (const cutter of [prints, errors]) cutter.end();
    this.#ended(exitCode(exit), this.#result(), exit.signal === undefined ? undefined : describeExit(exit, ''));
  }

  /** What the MARPLE that collects says. */
  #control(line: string): void {
    if (line === 'ready') this.#say({ is: 'ready' });
    else if (line === 'recording') this.#say({ is: 'recording' });
    else if (/^records \d{1,15}$/.test(line)) this.#records = Number(line.slice('records '.length));
  }

  #relay(on: 'stdout' | 'stderr', text: string): void {
    this.#say({ is: 'said', on, text: text.slice(0, MOST_RELAYED) });
  }

  #ended(code: number, result: unknown, why?: string): void {
    this.#hasEnded = true;
    this.#say({ is: 'ended', code, result: result ?? null, ...(why === undefined ? {} : { why }) });
  }

  #result(): unknown {
    try {
      return JSON.parse(readFileSync(this.#resultFile, 'utf8'));
    } catch {
      return undefined;
    }
  }

  /** As Ctrl-C does it: the command of the user gets it too. */
  #signal(signal: NodeJS.Signals): void {
    const pid = this.#run?.pid ?? -1;
    if (pid <= 0 || this.#hasEnded) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has ended.
    }
  }

  /** Ends the run without its file: asked, asked again, killed. */
  async #endRun(): Promise<void> {
    const run = this.#run;
    if (run === undefined) return;
    const isOver = async (ms: number): Promise<boolean> =>
      Promise.race([run.exit.then(() => true), sleep(ms, false, { ref: false })]);
    this.#signal('SIGINT');
    if (await isOver(AGAIN_MS)) return;
    this.#signal('SIGINT');
    if (await isOver(GRACE_MS)) return;
    this.#signal('SIGKILL');
    await isOver(GRACE_MS);
  }

  /** Sends the data file; of a run that could not complete one, what is left of it. */
  async #send(): Promise<void> {
    try {
      if (!existsSync(this.#file) && existsSync(`${this.#file}${PARTIAL}`)) await this.#complete();
      if (existsSync(this.#file)) {
        await this.#sendFile('data', (to) => pipeline(createReadStream(this.#file), createGzip({ level: 3 }), to));
      } else if (existsSync(`${this.#file}${PARTIAL}`)) {
        await this.#sendFile('partial', async (to) => {
          await packRaw(`${this.#file}${PARTIAL}`, to);
          to.end();
        });
      } else this.#say({ is: 'none', why: 'there is no data file' });
    } catch (error) {
      this.#say({ is: 'none', why: `its file could not be read: ${errorMessage(error)}` });
    }
  }

  /** Makes the partial folder whole, here where the names of functions are; where that fails it is taken home as it is. */
  async #complete(): Promise<void> {
    const argv = [...ownProgram(), 'import', `${this.#file}${PARTIAL}`, '-o', this.#file, '--quiet'];
    await startTool(argv, { env: { ...ownEnvironment(), XDG_STATE_HOME: this.pipes.tempDir } }).exit;
  }

  async #sendFile(kind: 'data' | 'partial', write: (to: PassThrough) => Promise<void>): Promise<void> {
    this.#say({ is: 'file', kind, cut: kind === 'partial' || this.#wasCut });
    const stream = new PassThrough();
    const written = write(stream);
    // What goes wrong there ends the stream.
    written.catch((error: unknown) => stream.destroy(error as Error));
    let bytes = 0;
    for await (const piece of pieces(stream)) {
      bytes += piece.length;
      await this.pipes.write(dataLine(piece));
    }
    await written;
    await this.pipes.write(hostLine({ is: 'whole', bytes }));
  }
}

/** Characters of a line of the command that are taken home. */
const MOST_RELAYED = 4096;

/** Bytes of a stream, a line's worth at a time. */
async function* pieces(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    waiting.push(chunk);
    size += chunk.length;
    if (size < DATA_BYTES) continue;
    const all = Buffer.concat(waiting);
    const whole = Math.floor(size / DATA_BYTES) * DATA_BYTES;
    for (let at = 0; at < whole; at += DATA_BYTES) yield all.subarray(at, at + DATA_BYTES);
    waiting = [all.subarray(whole)];
    size -= whole;
  }
  if (size > 0) yield Buffer.concat(waiting);
}

/** What a run leaves that was killed. */
function clearAfterKilled(): void {
  try {
    clearStaleTempDirs();
  } catch (error) {
    log('warn', 'temporary folders not cleared', { error: errorMessage(error) });
  }
}

function exitCode({ code, signal }: ProcessExit): number {
  return code ?? (signal === undefined ? EXIT.bug : 128);
}

/** The run is the user's own, as if it had been typed here. */
function ownEnvironment(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([k, v]) => (v === undefined ? [] : [[k, v]])));
}
