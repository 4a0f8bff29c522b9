// One request and its response, passed on between a client and a server:
//
//   client ──request──▶ (fields of this hop off, Host and Via on) ──▶ server
//          ◀──response── (interim responses, fields, body, trailers) ◀──
//
// Each side's end ends the other: a client that leaves cancels the request, a server that breaks off resets the client.

import { type ClientRequest, type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { finished } from 'node:stream/promises';

import { type ClientConnection, dropIdle, trimIdle, type UpstreamOptions } from './http-client-connection.ts';
import { ResponseTimeoutError } from './http-failure.ts';
import { interimHeaders, requestHeaders, responseHeaders, trailerFields } from './http-hop-headers.ts';
import type { HttpTarget } from './http-target.ts';

export interface ExchangeOptions {
  /** Our name in Via. */
  readonly pseudonym: string;
  /** Longest silence of the server. */
  readonly idleMs: number;
  /** Longest head of a response, in bytes. */
  readonly headBytesMax: number;
}

export interface Exchange {
  readonly connection: ClientConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: HttpTarget;
  /** The protocol the client wants to change to. */
  readonly upgrade: string | undefined;
  readonly maxForwards: number | undefined;
}

/** What the server said: a response, or that the connection is another protocol's from here on. */
export type Answer =
  | { readonly kind: 'response'; readonly message: IncomingMessage }
  | { readonly kind: 'switched'; readonly message: IncomingMessage; readonly socket: Socket; readonly head: Buffer };

/** RFC 9110 §9.2.2; those of the registered methods that carry no content as a rule. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

const CLOSED: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** Asks the server. Rejects when there is no answer; `signal` cancels. */
export async function askServer(exchange: Exchange, options: ExchangeOptions, signal: AbortSignal): Promise<Answer> {
  const { connection, request, target } = exchange;
  const repeatable = REPEATABLE.has(request.method ?? '') && !hasBody(request) && exchange.upgrade === undefined;
  if (!repeatable) dropIdle(connection.agent, target.destination);
  trimIdle(connection.agent);
  const attempt = await tryServer(exchange, options, signal);
  if ('answer' in attempt) return attempt.answer;
  // RFC 9112 §9.3.1: a kept connection may have been closed by the server just as the request went out.
  const again = repeatable && attempt.onKeptConnection && CLOSED.has(attempt.error.code ?? '') && !signal.aborted;
  if (!again) throw attempt.error;
  dropIdle(connection.agent, target.destination);
  const second = await tryServer(exchange, options, signal);
  if ('answer' in second) return second.answer;
  throw second.error;
}

export function hasBody(request: IncomingMessage): boolean {
  return isChunked(request) || Number(request.headers['content-length'] ?? 0) > 0;
}

function isChunked(message: IncomingMessage): boolean {
  return message.headers['transfer-encoding'] !== undefined;
}

type Attempt =
  | { readonly answer: Answer }
  | { readonly error: NodeJS.ErrnoException; readonly onKeptConnection: boolean };

function tryServer(exchange: Exchange, options: ExchangeOptions, signal: AbortSignal): Promise<Attempt> {
  return new Promise((resolve) => {
    const upstream = openUpstream(exchange, options, signal);
    const cancel = (): void => {
      upstream.destroy();
    };
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    upstream.once('close', () => {
      signal.removeEventListener('abort', cancel);
      // Without a word before, as after a change of protocol that nobody asked for.
      resolve({ error: new Error('the server closed the connection'), onKeptConnection: false });
    });
    upstream.setTimeout(options.idleMs, () => {
      upstream.destroy(new ResponseTimeoutError(options.idleMs));
    });
    upstream.on('error', (error) => resolve({ error, onKeptConnection: upstream.reusedSocket }));
    upstream.on('information', ({ statusCode, statusMessage, rawHeaders }) => {
      sendInterim(exchange.response, statusCode, statusMessage, rawHeaders);
    });
    upstream.on('response', (message) => {
      // Node takes a body without a length as complete when the connection is reset; this way it is an error.
      upstream.on('error', (error) => message.destroy(error));
      resolve({ answer: { kind: 'response', message } });
    });
    if (exchange.upgrade !== undefined) {
      upstream.on('upgrade', (message, socket, head) => {
        socket.setTimeout(0);
        resolve({ answer: { kind: 'switched', message, socket, head } });
      });
    }
    sendBody(exchange.request, upstream);
  });
}

function openUpstream(exchange: Exchange, options: ExchangeOptions, signal: AbortSignal): ClientRequest {
  const { connection, request, target, upgrade, maxForwards } = exchange;
  const method = request.method ?? 'GET';
  const { httpVersion, rawHeaders } = request;
  const chunked = isChunked(request);
  const hasLength = request.headers['content-length'] !== undefined;
  const { authority } = target;
  const forwarded = { method, httpVersion, rawHeaders, authority, chunked, hasLength, upgrade, maxForwards };
  const upstreamOptions: UpstreamOptions = {
    agent: connection.agent,
    host: target.destination.host,
    port: target.destination.port,
    method,
    path: target.path,
    headers: requestHeaders(forwarded, options.pseudonym),
    maxHeaderSize: options.headBytesMax,
    insecureHTTPParser: false,
    destination: target.destination,
    dialSignal: signal,
  };
  const upstream = openRequest(upstreamOptions);
  // Node drops fields beyond a number without a word; the head's size is bound enough.
  upstream.maxHeadersCount = 0;
  return upstream;
}

/**
 * The client's body and trailers. `pipe` and not `pipeline`, which destroys the client's connection when the server's
 * breaks: the client is to get an answer. It breaks off here without a word; the reason shows at the response.
 */
function sendBody(request: IncomingMessage, upstream: ClientRequest): void {
  if (!hasBody(request)) {
    upstream.end();
    return;
  }
  request.pipe(upstream, { end: false });
  request.once('end', () => {
    const trailers = trailerFields(request.rawTrailers);
    if (trailers.length > 0) upstream.addTrailers(trailers);
    upstream.end();
  });
}

/**
 * RFC 9110 §15.2: interim responses are passed on, but not to a client of HTTP/1.0. Node has no call for most of them;
 * written to the socket they are in their place, since requests are served one at a time.
 */
function sendInterim(response: ServerResponse, status: number, reason: string, rawHeaders: readonly string[]): void {
  if (response.headersSent || !response.socket?.writable || response.req.httpVersion === '1.0') return;
  if (status === 100) {
    // Also tells Node that the client will send its body, and that the connection can be kept.
    if (response.req.headers.expect !== undefined) response.writeContinue();
    return;
  }
  const fields = interimHeaders(rawHeaders);
  let head = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  response.socket.write(`${head}\r\n`, 'latin1');
}

/** Passes the server's response on to the client; rejects when it breaks off, or when it cannot be written. */
export async function sendResponse(
  { request, response }: Exchange,
  message: IncomingMessage,
  pseudonym: string,
): Promise<void> {
  const status = message.statusCode ?? 0;
  const { httpVersion, rawHeaders } = message;
  const bodyless = request.method === 'HEAD' || status === 204 || status === 304;
  const trailers = isChunked(message) && !bodyless && request.httpVersion !== '1.0';
  const headers = responseHeaders({ status, httpVersion, rawHeaders, trailers }, pseudonym);
  // What is left of the request will not be read, and must not be taken for the next one.
  if (!request.complete) response.shouldKeepAlive = false;
  // In one packet with the first of the body when that is there already, at once when not.
  const { socket } = response;
  socket?.cork();
  setImmediate(() => socket?.uncork());
  response.writeHead(status, message.statusMessage ?? '', headers);
  response.flushHeaders();
  // Not `pipeline`, which closes the client's connection in order when the server's has broken off.
  message.pipe(response, { end: false });
  await finished(message);
  if (trailers) response.addTrailers(trailerFields(message.rawTrailers));
  response.end();
}
