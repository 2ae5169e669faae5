import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { errorCode, errorMessage, MarpleError, UsageError } from '../common/errors.ts';
import { log } from '../common/log.ts';
import { systemReason } from '../common/system-reason.ts';
import { hostNames, hostOf, inAddress, isLoopback } from './hosts.ts';
import { ownUsers, peerUser } from './peer.ts';

/** Milliseconds that a request may take to come, and that a connection without one is kept. */
const REQUEST_TIME = 10_000;
const IDLE_TIME = 5_000;
/** Connections at a time: a browser has six. */
const CONNECTIONS = 100;
/** Bytes of a request line and headers. */
const HEADER_SIZE = 16 * 1024;

/** What is answered to a request. */
export interface Answer {
  readonly type: string;
  /** At once, or as it comes. */
  readonly body: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

/**
 * What there is at a path (without a query; as it came, nothing in it is decoded). `signal` says that nobody waits any more.
 * Undefined where there is nothing. What it throws that is no MarpleError is a bug.
 */
export type Resolver = (path: string, query: URLSearchParams, signal: AbortSignal) => Promise<Answer | undefined>;

export interface Serving {
  /** `http://127.0.0.1:6277/` */
  readonly url: string;
  readonly port: number;
  /** Whether others than this machine's own users can connect. */
  readonly isOpen: boolean;
  /** Ends it at once, with all connections. */
  close(): Promise<void>;
}

/**
 * Sent with everything. The pages run the server's own script alone, ask nobody else for anything, stand in no frame, and no other
 * site gets to see any of it.
 */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data: blob:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/**
 * Starts to serve what `resolve` finds.
 * @param port 0: a free one.
 * @throws UsageError (2) where that host and port cannot be had.
 */
export async function startServer(host: string, port: number, resolve: Resolver): Promise<Serving> {
  const server = createServer({
    maxHeaderSize: HEADER_SIZE,
    headersTimeout: REQUEST_TIME,
    requestTimeout: REQUEST_TIME,
    keepAliveTimeout: IDLE_TIME,
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = CONNECTIONS;
  await listen(server, host, port);
  const { address, port: own } = server.address() as AddressInfo;
  const gate = new Gate(host, address);
  const stop = new AbortController();
  server.on('connection', (socket) => gate.meet(socket));
  server.on('clientError', refuseBroken);
  server.on('request', (request, response) => {
    void answer(request, response, gate, resolve, stop.signal);
  });
  return {
    url: `http://${inAddress(address === '0.0.0.0' || address === '::' ? 'localhost' : host)}:${own}/`,
    port: own,
    isOpen: !isLoopback(address),
    close: async () => {
      stop.abort();
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, reject) => {
    server.once('error', (error) => reject(cannotListen(error, host, port)));
    server.listen({ host, port }, done);
  });
}

export class PortInUseError extends UsageError {}

function cannotListen(error: Error, host: string, port: number): Error {
  const options = { cause: error };
  switch (errorCode(error)) {
    case 'EADDRINUSE':
      return new PortInUseError(
        `port ${port} of ${host} is in use`,
        'take another: --port 0 takes a free one',
        options,
      );
    case 'EADDRNOTAVAIL':
      return new UsageError(`${host} is no address of this machine`, 'ip -brief address lists them', options);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new UsageError(`the host ${host} is not known here`, 'name an address: --host 127.0.0.1', options);
    case 'EACCES':
      return new UsageError(`port ${port} is for root alone`, 'take one above 1023: --port 6277', options);
    default:
      return new UsageError(`${host} port ${port} cannot be listened at: ${systemReason(error)}`, '--port 0', options);
  }
}

type Refusal = readonly [status: number, sentence: string];

/** Who may ask, and by what name. */
class Gate {
  readonly #names: ReadonlySet<string>;
  readonly #users: ReadonlySet<number> | undefined;
  readonly #peers = new WeakMap<Socket, Promise<number | undefined>>();

  constructor(host: string, address: string) {
    this.#names = hostNames(host, address);
    this.#users = isLoopback(address) ? ownUsers() : undefined;
  }

  /** A connection is known from its beginning on: later its other end may be gone. */
  meet(socket: Socket): void {
    if (this.#users !== undefined) this.#peers.set(socket, peerUser(socket));
  }

  /** Why a request is refused, with its status; undefined where it is not. */
  async refusal({ method, headers, headersDistinct, socket }: IncomingMessage): Promise<Refusal | undefined> {
    const hosts = headersDistinct['host'] ?? [];
    if (hosts.length > 1) return [400, 'a request has one host'];
    if (!this.#names.has(hostOf(hosts[0]) ?? '')) {
      return [403, `this server is called ${[...this.#names].join(', ')}, and by no other name`];
    }
    const user = await this.#peers.get(socket);
    if (this.#users !== undefined && !(user !== undefined && this.#users.has(user))) {
      return [403, 'this server is for the user alone who started it'];
    }
    // What another site's page asks for, but that one goes here from it.
    const { 'sec-fetch-site': site = 'none', 'sec-fetch-mode': mode } = headers;
    if (site !== 'same-origin' && site !== 'none' && mode !== 'navigate')
      return [403, 'this is for its own pages alone'];
    return method === 'GET' || method === 'HEAD' ? undefined : [405, 'nothing can be changed here: GET and HEAD alone'];
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  gate: Gate,
  resolve: Resolver,
  stop: AbortSignal,
): Promise<void> {
  const left = new AbortController();
  response.once('close', () => left.abort());
  const signal = AbortSignal.any([stop, left.signal]);
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  try {
    const refusal = await gate.refusal(request);
    if (refusal !== undefined) {
      refuse(response, ...refusal);
      return;
    }
    const [path = '', query = ''] = splitAt(request.url ?? '', '?');
    const found = await resolve(path, new URLSearchParams(query), signal);
    if (found === undefined) refuse(response, 404, 'there is nothing here');
    else await send(response, found, request.method === 'HEAD', signal);
  } catch (error) {
    if (signal.aborted) response.destroy();
    else fail(response, error);
  }
}

function splitAt(text: string, mark: string): string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

async function send(
  response: ServerResponse,
  { type, body }: Answer,
  isHead: boolean,
  signal: AbortSignal,
): Promise<void> {
  response.setHeader('content-type', type);
  if (typeof body === 'string' || body instanceof Uint8Array) {
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(isHead ? undefined : body);
    return;
  }
  if (isHead) {
    response.end();
    return;
  }
  for await (const piece of body) {
    signal.throwIfAborted();
    if (!response.write(piece)) await once(response, 'drain', { signal });
  }
  response.end();
}

function refuse(response: ServerResponse, status: number, sentence: string): void {
  response.statusCode = status;
  if (status === 405) response.setHeader('allow', 'GET, HEAD');
  // What is left of the request is not read.
  response.setHeader('connection', 'close');
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`${sentence}\n`);
}

function fail(response: ServerResponse, error: unknown): void {
  const isOurs = error instanceof MarpleError;
  if (!isOurs) log('error', 'bug', { stack: error instanceof Error ? error.stack : errorMessage(error) });
  if (response.headersSent) response.destroy();
  else refuse(response, isOurs ? 404 : 500, isOurs ? error.message : 'this is a bug of MARPLE: its log says more');
}

/** A request that is none, or too long, or too slow. */
function refuseBroken(error: Error, socket: Socket): void {
  const status =
    { HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large', ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout' }[
      errorCode(error) ?? ''
    ] ?? '400 Bad Request';
  if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  else socket.destroy();
}
