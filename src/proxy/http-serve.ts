// Serves one request of a client: who is it, where to, may it go round again; then the exchange. Everything that cannot
// be served gets an answer that says what is wrong.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { HttpFailure } from '../handshake/http-failure.ts';
import type { ConnectFailure, HandshakeEnd } from '../handshake/inbound.ts';
import { parseBasicCredentials } from '../wire/basic-auth.ts';
import { type Destination, parseHostPort } from '../wire/destination.ts';
import { type ClientConnection, type Dial, dialFor } from './http-client-connection.ts';
import { askServer, type Exchange, type ExchangeOptions, hasBody, sendResponse } from './http-exchange.ts';
import { DialError, ExchangeFailure, httpFailureOf } from './http-failure.ts';
import { countVia, interimHeaders, listed } from './http-hop-headers.ts';
import { parseTarget } from './http-target.ts';
import { joinSockets, resetClient } from './http-tunnel.ts';

/** How often a request may come by: two of us in a row have the same name unless told otherwise. */
const VIA_MAX = 4;

/** A CONNECT request on a connection that had been handed over for an earlier request. Everything is the receiver's. */
export interface ConnectRequest {
  readonly connection: ClientConnection;
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Client bytes behind the request; they belong to the stream. */
  readonly head: Buffer;
  readonly destination: Destination;
  readonly user: string | undefined;
}

export interface ServeOptions extends ExchangeOptions {
  readonly dial: Dial;
  /** Checks a password; must not reject. */
  readonly authenticate: (inbound: string, name: string, password: string) => Promise<boolean>;
  /** Takes over a CONNECT, the answer to it included; without it, it is relayed here. */
  readonly connect?: (request: ConnectRequest) => Promise<void>;
  /** A request was not served; to be counted under this reason. */
  readonly onRefused?: (connection: ClientConnection, reason: HandshakeEnd | ConnectFailure) => void;
  /** No further request on this connection, please: we are stopping. */
  readonly isDraining: () => boolean;
}

interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly reason: HandshakeEnd | ConnectFailure;
  readonly headers?: readonly string[];
  /** Where this request ends is not to be relied on. */
  readonly last?: boolean;
}

const AUTHENTICATE = ['Proxy-Authenticate', 'Basic realm="anabranch", charset="UTF-8"'];

export async function serveRequest(
  connection: ClientConnection,
  request: IncomingMessage,
  response: ServerResponse,
  options: ServeOptions,
): Promise<void> {
  if (options.isDraining()) response.shouldKeepAlive = false;
  const refusal = await refusalOf(connection, request, options);
  if (refusal) return refuse(connection, response, refusal, options);
  const target = parseTarget(request.method ?? '', request.url ?? '');
  if ('fault' in target) {
    return refuse(connection, response, { status: 400, text: target.fault, reason: 'bad-request' }, options);
  }
  const maxForwards = maxForwardsOf(request);
  if (maxForwards === 0) return answerForUs(request, response);
  const upgrade = upgradeOf(request);
  const exchange: Exchange = {
    connection,
    request,
    response,
    target,
    upgrade,
    maxForwards: maxForwards === undefined ? undefined : maxForwards - 1,
  };
  await runExchange(exchange, options);
}

async function runExchange(exchange: Exchange, options: ServeOptions): Promise<void> {
  const { connection, request, response } = exchange;
  const leaving = new AbortController();
  const onClose = (): void => leaving.abort();
  response.once('close', onClose);
  try {
    const answer = await askServer(exchange, options, leaving.signal);
    if (answer.kind === 'switched') {
      response.removeListener('close', onClose);
      await switchProtocol(connection, response, answer, options);
    } else {
      if (options.isDraining()) response.shouldKeepAlive = false;
      await sendResponse(exchange, answer.message, options.pseudonym);
      // The agent has the connection back by the next turn; a request that waits already is to find it.
      await nextTurn();
    }
  } catch (error) {
    if (response.destroyed || connection.socket.destroyed) return;
    if (isDefect(error)) throw error;
    if (response.headersSent) {
      resetClient(connection.socket);
      return;
    }
    const reason = error instanceof DialError ? error.code : 'upstream-failed';
    answerFailure(request, response, httpFailureOf(error), options);
    options.onRefused?.(connection, reason);
  } finally {
    // A server that still reads or sends has nobody to do it for.
    if (!response.writableEnded) leaving.abort();
  }
}

/** A fault of ours and not of the network or the server; those have codes. */
function isDefect(error: unknown): boolean {
  const isPlain = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  return isPlain && (error as NodeJS.ErrnoException).code === undefined;
}

/** 101: from here on the two ends talk to each other. */
async function switchProtocol(
  connection: ClientConnection,
  response: ServerResponse,
  answer: { readonly message: IncomingMessage; readonly socket: Socket; readonly head: Buffer },
  options: ServeOptions,
): Promise<void> {
  const { socket } = connection;
  const { message } = answer;
  connection.over = true;
  response.detachSocket(socket);
  const fields = interimHeaders(message.rawHeaders);
  let head = `HTTP/1.1 101 ${message.statusMessage}\r\nConnection: Upgrade\r\nUpgrade: ${message.headers.upgrade}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  socket.write(`${head}Via: ${message.httpVersion} ${options.pseudonym}\r\n\r\n`, 'latin1');
  await joinSockets(socket, answer.socket, { fromClient: Buffer.alloc(0), fromServer: answer.head }, options.idleMs);
}

export async function serveConnect(
  connection: ClientConnection,
  request: IncomingMessage,
  response: ServerResponse,
  head: Buffer,
  options: ServeOptions,
): Promise<void> {
  const { socket } = connection;
  const refusal = await refusalOf(connection, request, options);
  if (refusal) return refuse(connection, response, refusal, options);
  const destination = parseHostPort(request.url ?? '');
  if (destination === undefined) {
    const text = 'CONNECT needs host:port.';
    return refuse(connection, response, { status: 400, text, reason: 'bad-request' }, options);
  }
  if (options.connect) {
    response.detachSocket(socket);
    return options.connect({ connection, request, socket, head, destination, user: connection.user });
  }
  const leaving = new AbortController();
  socket.once('close', () => leaving.abort());
  try {
    const dialed = await dialFor(connection, destination, options.dial, leaving.signal);
    response.detachSocket(socket);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    await joinSockets(socket, dialed, { fromClient: head, fromServer: Buffer.alloc(0) }, options.idleMs);
  } catch (error) {
    if (isDefect(error)) throw error;
    answerFailure(request, response, httpFailureOf(error), options);
    options.onRefused?.(connection, error instanceof DialError ? error.code : 'general');
  }
}

/** Why a request is not even looked at: its credentials, its framing, its going round in a loop. */
async function refusalOf(
  connection: ClientConnection,
  request: IncomingMessage,
  options: ServeOptions,
): Promise<Refusal | undefined> {
  const auth = await checkCredentials(connection, request, options);
  if (auth) return auth;
  const coding = request.headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked') {
    // RFC 9112 §6.1: passed on without it, the body would be unreadable.
    return { status: 501, text: 'Only the chunked transfer coding is supported.', reason: 'unsupported', last: true };
  }
  if (coding !== undefined && request.headers['content-length'] !== undefined) {
    // RFC 9112 §6.3: Node's strict parser refuses it already; this must not hang on a flag of the process.
    return { status: 400, text: 'Content-Length beside Transfer-Encoding.', reason: 'bad-request', last: true };
  }
  if (request.rawHeaders.filter((field, i) => i % 2 === 0 && field.toLowerCase() === 'host').length > 1) {
    return { status: 400, text: 'More than one Host field.', reason: 'bad-request', last: true };
  }
  if (countVia(request.rawHeaders, options.pseudonym) > VIA_MAX) {
    return { ...ExchangeFailure.loop, reason: 'bad-request' };
  }
  return undefined;
}

async function checkCredentials(
  connection: ClientConnection,
  request: IncomingMessage,
  options: ServeOptions,
): Promise<Refusal | undefined> {
  if (!connection.authenticate) return undefined;
  const field = request.headers['proxy-authorization'];
  const refusal = { status: 407, headers: AUTHENTICATE };
  if (field === undefined) {
    return { ...refusal, text: 'This proxy needs a name and a password.', reason: 'auth-required' };
  }
  if (connection.credentials === field) return undefined;
  const credentials = parseBasicCredentials(field);
  const ok =
    credentials !== undefined &&
    (await options.authenticate(connection.inbound, credentials.name, credentials.password));
  if (!ok) return { ...refusal, text: 'The name or the password is wrong.', reason: 'auth-failed' };
  // Rules go by user: another user's connections are not to be used.
  if (connection.user !== undefined && connection.user !== credentials.name) {
    for (const sockets of Object.values(connection.agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }
  connection.user = credentials.name;
  connection.credentials = field;
  return undefined;
}

/** RFC 9110 §7.6.2: only these two methods count hops. */
function maxForwardsOf(request: IncomingMessage): number | undefined {
  const value = request.headers['max-forwards'];
  if ((request.method !== 'OPTIONS' && request.method !== 'TRACE') || typeof value !== 'string') return undefined;
  return /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}

/** We are the last one a TRACE or OPTIONS shall reach. */
function answerForUs(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'OPTIONS') {
    response.writeHead(200, ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE', 'Content-Length', '0']);
    response.end();
    return;
  }
  let echo = `TRACE ${request.url} HTTP/${request.httpVersion}\r\n`;
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i] ?? '';
    // RFC 9110 §9.3.8: what is secret is left out.
    if (/^(?:authorization|proxy-authorization|cookie)$/i.test(name)) continue;
    echo += `${name}: ${request.rawHeaders[i + 1]}\r\n`;
  }
  response.writeHead(200, ['Content-Type', 'message/http']);
  response.end(`${echo}\r\n`, 'latin1');
}

/** RFC 9113 §3.1 has done away with h2c, and its settings would end at us anyway: such a request goes on without. */
function upgradeOf(request: IncomingMessage): string | undefined {
  if (!listed(request.rawHeaders, 'connection').includes('upgrade') || hasBody(request)) return undefined;
  const protocols = listed(request.rawHeaders, 'upgrade').filter((protocol) => protocol !== 'h2c');
  return protocols.length > 0 ? protocols.join(', ') : undefined;
}

function refuse(connection: ClientConnection, response: ServerResponse, refusal: Refusal, options: ServeOptions): void {
  if (refusal.last) response.shouldKeepAlive = false;
  answerText(response, refusal.status, refusal.text, refusal.headers ?? []);
  options.onRefused?.(connection, refusal.reason);
}

function answerFailure(
  request: IncomingMessage,
  response: ServerResponse,
  failure: HttpFailure,
  options: ServeOptions,
): void {
  if (!request.complete) response.shouldKeepAlive = false;
  answerText(response, failure.status, failure.text, [
    'Proxy-Status',
    `${options.pseudonym}; error=${failure.proxyStatus}`,
  ]);
}

function answerText(response: ServerResponse, status: number, text: string, headers: readonly string[]): void {
  if (response.destroyed) return;
  // A body that nobody reads must not be waited for, nor be taken for the next request.
  if (!response.req.complete) response.shouldKeepAlive = false;
  const body = `${text}\n`;
  response.writeHead(status, [
    'Content-Type',
    'text/plain; charset=utf-8',
    'Content-Length',
    String(Buffer.byteLength(body)),
    ...headers,
  ]);
  response.end(body);
}
