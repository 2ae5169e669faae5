import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicNow, readWallClock, type WallClock, wallTimeAt } from '../common/clock.ts';
import { log } from '../common/log.ts';
import type { StopSignal } from '../common/stop-signals.ts';
import { Arrival, type ArrivalOptions, type Origin, reasonOf } from './arrival.ts';
import { offsetOf, surest } from './clock-offset.ts';
import { type Clush, type ClushEvent, startClush } from './clush.ts';
import { Host, type HostProblem } from './host.ts';
import { type HomeMessage, type HostLine, type HostMessage, homeLine, PROTOCOL, parseHostLine } from './protocol.ts';
import { PIECE, pushCommand, type Remote, remoteCommand } from './remote-command.ts';

export interface FleetRequest {
  readonly nodes: readonly string[];
  /** Arguments of `marple collect` on each host. */
  readonly args: readonly string[];
  readonly command: readonly string[] | undefined;
  /** Ask only which tools would be taken. */
  readonly dry: boolean;
  /** Undefined: until the command ends. */
  readonly seconds: number | undefined;
  readonly remote: Remote;
  /** The program that is taken to the hosts (program.ts). */
  readonly program: Buffer | undefined;
  readonly arrival: ArrivalOptions;
  /** Seconds that a tool may take to begin, to answer and to end. */
  readonly toolTimeout: number;
}

export interface FleetEvents {
  /** A line of the command, from a host. */
  said(node: string, on: 'stdout' | 'stderr', text: string): void;
  /** Something has changed with a host. */
  changed(): void;
  /** All that could be reached record now. */
  recording(): void;
}

/** Questions for the time in a row; the one with the shortest way counts. */
const ROUNDS = 10;
const ROUND_MS = 30;
/** Seconds that a connection may take beyond what ssh itself allows it. */
const CONNECTING_S = 30;
/** Seconds without a sign of life. */
const SILENT_S = 30;
/** Seconds beside the time that a run takes, and takes again to be decoded. */
const MARGIN_S = 60;
/** Files that come home at once. */
const AT_ONCE = 16;
/** Pieces of the program that are on their way at once. */
const PIECES_AHEAD = 8;

/** Collects on many hosts through one clush. Its hosts hold all that is known of them, at any time. */
export class Conductor {
  readonly hosts: readonly Host[];
  readonly #byNode: ReadonlyMap<string, Host>;
  readonly #arrivals = new Map<Host, Arrival>();
  readonly #clush: Clush;
  /** What clush, or a gateway, said of itself last. */
  #words = '';
  #wakers = new Set<() => void>();
  #isOver = false;
  #stoppedBy: StopSignal | undefined;
  #round = 0;
  readonly #asked = new Map<number, { instant: bigint; clock: WallClock }>();
  #pieces = new Map<Host, number>();
  #queue: Host[] = [];
  #bringing: Promise<void> = Promise.resolve();

  constructor(
    readonly request: FleetRequest,
    readonly events: FleetEvents,
    tempDir: string,
  ) {
    const { nodes, program, remote } = request;
    this.hosts = nodes.map((node) => new Host(node));
    this.#byNode = new Map(this.hosts.map((host) => [host.node, host]));
    const command = program === undefined ? remoteCommand(remote) : pushCommand(program.length / PIECE, remote);
    this.#clush = startClush(nodes, command, tempDir);
  }

  get stoppedBy(): StopSignal | undefined {
    return this.#stoppedBy;
  }

  /** Collects; nothing of it is left on the hosts when this resolves, as far as they can be reached. */
  async run(): Promise<void> {
    const heard = this.#hearAll();
    try {
      await this.#lead();
      await this.#bringing;
    } finally {
      this.#clush.closeInput();
      await Promise.race([heard, sleep(CLOSING_MS, undefined, { ref: false })]);
      await this.#clush.stop();
    }
  }

  /** Ends the run early: what the hosts have is brought home. */
  stop(signal: StopSignal): void {
    this.#stoppedBy ??= signal;
    this.#tell({ is: 'stop' });
    this.#changed();
  }

  /** Leaves all as it is: the hosts see that the connection has ended, and clear up. */
  async quit(): Promise<void> {
    for (const host of this.hosts) if (!host.isOver) this.#fail(host, { what: 'was given up' });
    await this.#clush.stop();
  }

  async #lead(): Promise<void> {
    const { program, args, command, dry, toolTimeout } = this.request;
    if (program !== undefined) await this.#push(program);
    this.#tell({ is: 'request', args: [...args], command: command === undefined ? null : [...command], dry });
    const patience = CONNECTING_S + toolTimeout;
    if (dry) {
      await this.#until(() => this.#isAll((host) => host.isOver), patience);
      this.#giveUp((host) => !host.isOver, { what: `had not answered after ${patience} s` });
      return;
    }
    await this.#until(() => this.#isAll((host) => host.phase !== 'connecting' && host.phase !== 'connected'), patience);
    if (this.#stoppedBy === undefined) {
      this.#giveUp(isStarting, { what: `was not ready after ${patience} s`, hint: 'give it more: tool_timeout' });
      await this.#start(this.hosts.filter(({ phase }) => phase === 'ready'));
    }
    if (this.#stoppedBy !== undefined) this.#giveUp(isStarting, { what: 'was stopped before it was ready' });
    await this.#bringHome();
  }

  /** All begin at the same moment, each by its own clock. */
  async #start(ready: readonly Host[]): Promise<void> {
    if (ready.length === 0) return;
    await this.#measure(ready, (host) => host.before);
    const offsets = ready.map((host) => ({ host, offset: surest(host.before) }));
    const slowest = Math.max(0, ...offsets.map(({ offset }) => offset?.uncertainty_ns ?? 0));
    const clock = readWallClock();
    // Twice the time that the slowest answer took to come, and what clush takes to write to all.
    const wait = 300 + (4 * slowest) / 1e6 + 2 * ready.length;
    const at = wallTimeAt(clock, monotonicNow()) + BigInt(Math.round(wait * 1e6));
    this.#tell({
      is: 'start',
      at: Object.fromEntries(offsets.map(({ host, offset }) => [host.id, String(at + BigInt(offset?.ns ?? 0))])),
    });
    await this.#until(() => this.#isAll((host) => host.phase !== 'ready'), wait / 1000 + this.request.toolTimeout);
    if (this.hosts.some(({ phase }) => phase === 'recording')) this.events.recording();
  }

  async #bringHome(): Promise<void> {
    const { seconds, toolTimeout } = this.request;
    // A long recording takes its time to be decoded.
    const limit = seconds === undefined ? undefined : 2 * seconds + toolTimeout + MARGIN_S;
    const start = performance.now();
    let wasCut = false;
    const isDue = (after: number): boolean => limit !== undefined && performance.now() - start > after * 1000;
    // Files that have arrived are still being read then.
    while (!this.#isOver && !this.#isAll((host) => host.isOver)) {
      await this.#until(() => this.#isAll(({ isOver }) => isOver) || this.hosts.some(hasJustEnded), 1);
      const ended = this.hosts.filter(hasJustEnded);
      if (ended.length > 0) {
        await this.#measure(ended, (host) => host.after);
        for (const host of ended) host.isMeasured = true;
        this.#queue.push(...ended);
      }
      this.#sendNext();
      for (const host of this.hosts) this.#checkLife(host);
      if (!isDue(limit ?? 0)) continue;
      const late = this.hosts.filter(({ phase }) => isRunning(phase));
      if (!wasCut) this.#tell({ is: 'cut', ids: idsOf(late) });
      else if (isDue((limit ?? 0) + MARGIN_S)) {
        this.#giveUp(({ phase }) => isRunning(phase), {
          what: `had not ended ${Math.round(limit ?? 0)} s after it began`,
        });
      }
      wasCut = true;
    }
  }

  #checkLife(host: Host): void {
    const silent = (performance.now() - host.heard) / 1000;
    const isExpected = isRunning(host.phase) || host.phase === 'sending' || host.phase === 'ended';
    if (isExpected && silent > SILENT_S) this.#fail(host, { what: `nothing was heard of it for ${SILENT_S} s` });
  }

  #sendNext(): void {
    const free = AT_ONCE - this.hosts.filter(({ phase }) => phase === 'sending').length;
    const next = this.#queue.splice(0, Math.max(0, free)).filter(({ phase }) => phase === 'ended');
    for (const host of next) host.phase = 'sending';
    if (next.length > 0) this.#tell({ is: 'send', ids: idsOf(next) });
  }

  /** Takes the program to the hosts, all at the pace of the slowest. */
  async #push(program: Buffer): Promise<void> {
    const count = program.length / PIECE;
    const arrived = (host: Host): number => this.#pieces.get(host) ?? 0;
    for (let piece = 0; piece < count; piece++) {
      const isNear = (host: Host): boolean => host.isOver || arrived(host) > piece - PIECES_AHEAD;
      await this.#until(() => this.#stoppedBy !== undefined || this.#isAll(isNear), CONNECTING_S);
      if (this.#stoppedBy !== undefined) return;
      this.#giveUp((host) => !isNear(host), { what: `took no more of the program for ${CONNECTING_S} s` });
      if (this.#isAll(({ isOver }) => isOver)) return;
      this.#clush.writeBytes(program.subarray(piece * PIECE, (piece + 1) * PIECE));
    }
  }

  /** Asks hosts for the time, several times. */
  async #measure(hosts: readonly Host[], into: (host: Host) => unknown[]): Promise<void> {
    for (let i = 0; i < ROUNDS; i++) {
      const round = ++this.#round;
      const clock = readWallClock();
      this.#asked.set(round, { instant: monotonicNow(), clock });
      this.#tell({ is: 'time', round, ids: idsOf(hosts) });
      await sleep(ROUND_MS);
    }
    // One answer at least, of those who live.
    await this.#until(() => hosts.every((host) => host.isOver || into(host).length > 0), MEASURING_S);
  }

  async #hearAll(): Promise<void> {
    for await (const event of this.#clush.events()) await this.#hear(event);
    const { code } = await this.#clush.exit;
    this.#isOver = true;
    log('info', 'clush ended', { code, words: this.#words });
    for (const host of this.hosts) if (!host.isOver && host.phase !== 'arrived') this.#lost(host);
    this.#changed();
  }

  async #hear(event: ClushEvent): Promise<void> {
    if (!('node' in event)) {
      if (event.line !== '') this.#words = event.line;
      return;
    }
    const host = this.#byNode.get(event.node) as Host;
    if ('code' in event) this.#lost(host);
    else if (event.on === 'stdout') await this.#take(host, parseHostLine(event.line));
    // What helps there is told by a line of its own, behind what happened.
    else if (event.line.trim() !== '' && !event.line.startsWith('hint: ')) host.words = event.line.trim();
    this.#changed();
  }

  /** Its connection has ended. */
  #lost(host: Host): void {
    if (host.isOver || host.phase === 'arrived') return;
    const words = host.words === '' && !host.hasLeft ? this.#words : host.words;
    const why = words === '' ? '' : `: ${words}`;
    if (host.id !== undefined) this.#fail(host, { what: `the connection was lost ${WHILE[host.phase]}${why}` });
    else if (host.hasLeft) this.#fail(host, { what: `its marple did not start${why}`, hint: NOT_STARTED });
    else this.#fail(host, { what: `could not be reached${why}`, hint: `try: ssh ${host.node} true` });
  }

  async #take(host: Host, line: HostLine | undefined): Promise<void> {
    if (line === undefined || host.isOver) return;
    host.heard = performance.now();
    switch (line.is) {
      case 'data':
        return this.#data(host, line.base64);
      case 'got':
        this.#pieces.set(host, line.pieces);
        return;
      case 'over':
        host.hasLeft = true;
        // What was said on stderr comes another way.
        setTimeout(() => this.#lost(host), WORDS_MS).unref();
        return;
      default:
        this.#message(host, line);
    }
  }

  #message(host: Host, message: HostMessage): void {
    switch (message.is) {
      case 'hello':
        if (host.id !== undefined) return;
        // All hosts hear the numbers of the others.
        if (this.hosts.some(({ id }) => id === message.id)) {
          this.#fail(host, { what: 'it took the number of another host' });
          return;
        }
        host.id = message.id;
        host.version = message.version;
        if (host.phase === 'connecting') host.phase = 'connected';
        if (message.protocol !== PROTOCOL) {
          this.#fail(host, { what: `its marple is ${message.version}, which speaks otherwise`, hint: 'use --push' });
        }
        return;
      case 'ready':
        if (host.phase === 'connected') host.phase = 'ready';
        return;
      case 'time':
        this.#time(host, message);
        return;
      case 'recording':
        if (isRunning(host.phase)) host.phase = 'recording';
        return;
      case 'alive':
        host.records = message.records;
        return;
      case 'said':
        this.#said(host, message);
        return;
      case 'ended':
        this.#ended(host, message);
        return;
      case 'file':
        if (host.phase !== 'sending' || this.#arrivals.has(host)) return;
        host.isCut = message.cut;
        this.#arrivals.set(host, new Arrival(host.node, message.kind, this.request.arrival));
        return;
      case 'whole':
        this.#whole(host, message.bytes);
        return;
      case 'none':
        if (host.phase === 'sending') this.#fail(host, this.#reason(host) ?? { what: message.why });
    }
  }

  #said(host: Host, { on, text }: HostMessage & { is: 'said' }): void {
    if (on === 'stderr' && text.startsWith('marple: ')) host.sentence = text.slice('marple: '.length);
    else if (on === 'stderr' && text.startsWith('hint: ')) host.hint = text.slice('hint: '.length);
    else this.events.said(host.node, on, text);
  }

  #time(host: Host, { round, received, sent, error }: HostMessage & { is: 'time' }): void {
    const asked = this.#asked.get(round);
    if (asked === undefined) return;
    const { clock, instant } = asked;
    const offset = offsetOf({
      asked: wallTimeAt(clock, instant),
      received: BigInt(received),
      sent: BigInt(sent),
      answered: wallTimeAt(clock, monotonicNow()),
      error: error + clock.error,
    });
    if (!Number.isSafeInteger(offset.ns) || !Number.isSafeInteger(offset.uncertainty_ns)) return;
    (host.phase === 'ended' ? host.after : host.before).push(offset);
  }

  #ended(host: Host, { code, result, why }: HostMessage & { is: 'ended' }): void {
    if (!isRunning(host.phase)) return;
    host.code = code;
    host.take(result);
    if (why !== undefined) host.sentence ??= `its marple ${why}`;
    host.phase = 'ended';
    if (this.request.dry) {
      if (host.choices === undefined) this.#fail(host, this.#reason(host) ?? { what: `ended with status ${code}` });
      else host.phase = 'home';
      this.#dismiss([host]);
    }
  }

  /** Why its run was not whole, where it was not. */
  #reason({ sentence, hint, code }: Host): HostProblem | undefined {
    if (sentence !== undefined) return { what: sentence, hint };
    return code === undefined || code === 0 ? undefined : { what: `its marple ended with status ${code}` };
  }

  async #data(host: Host, base64: string): Promise<void> {
    const arrival = this.#arrivals.get(host);
    if (arrival === undefined || host.phase !== 'sending') return;
    try {
      await arrival.add(base64);
      host.bytes = arrival.bytes;
    } catch (error) {
      this.#fail(host, reasonOf(error));
    }
  }

  #whole(host: Host, bytes: number): void {
    const arrival = this.#arrivals.get(host);
    if (arrival === undefined || host.phase !== 'sending') return;
    if (bytes !== arrival.bytes) {
      this.#fail(host, { what: `sent ${bytes} bytes, of which ${arrival.bytes} came` });
      return;
    }
    host.phase = 'arrived';
    this.#dismiss([host]);
    this.#bringing = this.#bringing.then(() => this.#complete(host, arrival));
  }

  async #complete(host: Host, arrival: Arrival): Promise<void> {
    try {
      host.file = await arrival.complete(this.#origin(host));
      host.phase = 'home';
      const reason = host.isCut || host.run === undefined ? this.#reason(host) : undefined;
      if (reason !== undefined) host.problems.push(reason);
    } catch (error) {
      host.fail(reasonOf(error));
    }
    this.#arrivals.delete(host);
    this.#changed();
  }

  #origin(host: Host): Origin {
    const [start, end] = [surest(host.before), surest(host.after)];
    const node = host.node;
    if (start === undefined && end === undefined) return { node };
    return {
      node,
      clock_offset: {
        reference: hostname(),
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
      },
    };
  }

  #fail(host: Host, problem: HostProblem): void {
    host.fail(problem);
    this.#dismiss([host]);
    const arrival = this.#arrivals.get(host);
    this.#arrivals.delete(host);
    if (arrival !== undefined) this.#bringing = this.#bringing.then(() => arrival.abandon());
    this.#changed();
  }

  #giveUp(which: (host: Host) => boolean, problem: HostProblem): void {
    for (const host of this.hosts) if (!host.isOver && which(host)) this.#fail(host, problem);
  }

  /** They clear up and go. */
  #dismiss(hosts: readonly Host[]): void {
    const ids = idsOf(hosts);
    if (ids.length > 0) this.#tell({ is: 'leave', ids });
  }

  #tell(message: HomeMessage): void {
    if (!this.#isOver) this.#clush.write(homeLine(message));
  }

  #isAll(condition: (host: Host) => boolean): boolean {
    return this.hosts.every(condition);
  }

  #changed(): void {
    for (const wake of this.#wakers) wake();
    this.events.changed();
  }

  /** Waits for a condition, so many seconds at most. */
  async #until(condition: () => boolean, seconds: number): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    for (let left = seconds * 1000; left > 0 && !this.#isOver && !condition(); left = deadline - performance.now()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#wakers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.#wakers.add(wake);
      });
    }
  }
}

const NOT_STARTED = 'install it there, name its path ([Fleet] marple), or --push';
const WORDS_MS = 300;
const CLOSING_MS = 5_000;
const MEASURING_S = 5;

/** What was going on, in words. */
const WHILE: Readonly<Record<Host['phase'], string>> = {
  connecting: 'before anything was heard',
  connected: 'before it was ready',
  ready: 'before it began',
  recording: 'while it recorded',
  ended: 'when it had recorded',
  sending: 'while it sent its file',
  arrived: '',
  home: '',
  failed: '',
};

function isRunning(phase: Host['phase']): boolean {
  return phase === 'connected' || phase === 'ready' || phase === 'recording';
}

function isStarting({ phase }: Host): boolean {
  return phase === 'connecting' || phase === 'connected';
}

function hasJustEnded({ phase, isMeasured }: Host): boolean {
  return phase === 'ended' && !isMeasured;
}

function idsOf(hosts: readonly Host[]): string[] {
  return hosts.flatMap(({ id }) => id ?? []);
}
