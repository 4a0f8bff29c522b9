// The HTTP forwarder: connections whose client speaks plain HTTP to us, handed over by the data plane by descriptor
// with what it has read so far, are served by Node's own HTTP server. Runs on the main thread.
//
//   descriptor + bytes ─▶ socket ─▶ node:http parser ─▶ serveRequest ─▶ dial ─▶ server
//
// The server never listens. Its parser stays strict: what two readers could understand differently is refused.

import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { type ClientConnection, createClientConnection, type HttpClient } from './http-client-connection.ts';
import { hasBody } from './http-exchange.ts';
import { type ServeOptions, serveConnect, serveRequest } from './http-serve.ts';
import { resetClient } from './http-tunnel.ts';

/** What may change while connections live. */
export interface HttpForwardLimits {
  /** From the first byte of a request to the end of its head. */
  readonly headersMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Clients at a time; further ones are closed. */
  readonly connectionsMax: number;
}

export interface HttpForwardOptions
  extends Omit<ServeOptions, 'isDraining' | 'pseudonym' | 'idleMs'>,
    HttpForwardLimits {
  /** Our name in Via and Proxy-Status, a token: `anabranch` unless told otherwise. */
  readonly pseudonym?: string;
  /** From the first byte of a request to the end of its body; 0 for no limit but `idleMs`. */
  readonly requestMs: number;
  /** An idle client connection is closed after this. */
  readonly keepAliveMs: number;
  /** Requests of one connection. */
  readonly requestsMax: number;
  /** A fault in the forwarder itself, to be logged; its client's connection has been cut. */
  readonly onDefect: (error: unknown) => void;
  /** A client's connection has ended, served or not. */
  readonly onClosed?: (client: HttpClient) => void;
}

/** A connection of the data plane's that is the forwarder's from here on. `read` is not changed, and kept. */
export interface HandedOver extends HttpClient {
  /** A connected stream socket, non-blocking; TCP or MPTCP. */
  readonly fd: number;
  readonly read: Uint8Array;
}

export interface HttpForward {
  accept(connection: HandedOver): void;
  /** For requests and connections from here on. */
  limit(limits: HttpForwardLimits): void;
  /** Clients now. */
  readonly connections: number;
  /** Ends idle connections now and the others after their current response. */
  drain(): void;
  /** Cuts all connections. */
  close(): void;
}

/** How often Node looks for requests beyond their time. */
const CHECK_INTERVAL_MS = 1000;
/** How long a client with a faulty request may take to read what was wrong with it. */
const LINGER_MS = 2000;

export function createHttpForward(options: HttpForwardOptions): HttpForward {
  // Bounded by connectionsMax.
  const clients = new Map<Duplex, ClientConnection>();
  let draining = false;
  let { connectionsMax, idleMs } = options;
  const serveOptions: ServeOptions = {
    pseudonym: 'anabranch',
    ...options,
    get idleMs() {
      return idleMs;
    },
    isDraining: () => draining,
  };
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: true,
    maxHeaderSize: options.headBytesMax,
    headersTimeout: options.headersMs,
    requestTimeout: options.requestMs,
    keepAliveTimeout: options.keepAliveMs,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  });
  server.timeout = idleMs;
  server.maxRequestsPerSocket = options.requestsMax;
  // Node drops fields beyond a number without a word; the head's size is bound enough.
  server.maxHeadersCount = 0;
  handleRequests(server, clients, serveOptions);
  // The checks of headersTimeout and requestTimeout begin when a server listens, which this one never does.
  server.emit('listening');

  return {
    accept(handed) {
      const { fd, read } = handed;
      const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
      socket.on('error', () => {});
      socket.once('close', () => options.onClosed?.(handed));
      if (clients.size >= connectionsMax) {
        socket.destroy();
        return;
      }
      const connection = createClientConnection(socket, handed, options.dial, options.onDefect);
      clients.set(socket, connection);
      socket.once('close', () => clients.delete(socket));
      socket.setNoDelay(true);
      // Before the parser takes over: reading from the kernel begins after this turn, so the order is kept.
      socket.unshift(read);
      server.emit('connection', socket);
    },
    limit(limits) {
      ({ connectionsMax, idleMs } = limits);
      server.headersTimeout = limits.headersMs;
      server.timeout = idleMs;
    },
    get connections() {
      return clients.size;
    },
    drain() {
      draining = true;
      server.closeIdleConnections();
    },
    close() {
      draining = true;
      for (const socket of [...clients.keys()]) socket.destroy();
      // Ends the checks; it also says that the server was not listening, which is so.
      server.close(() => {});
    },
  };
}

function handleRequests(server: Server, clients: ReadonlyMap<Duplex, ClientConnection>, options: ServeOptions): void {
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = clients.get(request.socket);
    if (connection === undefined || connection.over) return;
    const serve = async (): Promise<void> => {
      if (connection.over) return;
      await serveRequest(connection, request, response, options);
      // RFC 9112 §9.6: what was sent after the last request is not to be served.
      if (!response.shouldKeepAlive) connection.over = true;
    };
    if (!connection.enqueue(serve)) refuseConnection(connection, options);
  };
  server.on('request', take);
  // The server decides whether it wants the body: its 100 is passed on, ours would be a promise in its name.
  server.on('checkContinue', take);
  server.on('upgrade', (request, socket, head) => {
    const connection = clients.get(socket);
    // Without its parser no further request can be read, and one before it would answer to the wrong place.
    if (connection === undefined || connection.pending > 0) return void socket.destroy();
    const response = lastResponse(connection, request);
    if (hasBody(request)) {
      response.writeHead(501, ['Content-Length', '0']).end();
      return;
    }
    // A client that speaks before it has got its answer gets back what it said, when there is an upgrade.
    if (head.length > 0) connection.socket.unshift(head);
    connection.enqueue(() => serveRequest(connection, request, response, options));
  });
  server.on('connect', (request, socket, head) => {
    const connection = clients.get(socket);
    if (connection === undefined || connection.pending > 0) return void socket.destroy();
    const response = lastResponse(connection, request);
    connection.enqueue(() => serveConnect(connection, request, response, head, options));
  });
  server.on('timeout', (socket) => {
    // While a request waits for its server, the server's clock counts; the client has its answer then.
    if ((clients.get(socket)?.pending ?? 0) === 0) socket.destroy();
  });
  server.on('clientError', (error, socket) => onClientError(error, clients.get(socket), options));
}

/** Node leaves a connection with an upgrade to us: this makes it answerable once more. */
function lastResponse(connection: ClientConnection, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(connection.socket);
  response.once('finish', () => {
    response.detachSocket(connection.socket);
    linger(connection.socket);
  });
  return response;
}

const FAULTS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The bytes are no HTTP, or too slow: say so if an answer can still be told from another one's, and close. */
function onClientError(error: Error, connection: ClientConnection | undefined, options: ServeOptions): void {
  if (connection === undefined || connection.over) return;
  const { socket } = connection;
  connection.over = true;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const broken = !code.startsWith('HPE_') && code !== 'ERR_HTTP_REQUEST_TIMEOUT';
  if (broken || connection.pending > 0 || !socket.writable) {
    resetClient(socket);
    return;
  }
  options.onRefused?.(connection, code === 'HPE_HEADER_OVERFLOW' ? 'too-large' : 'bad-request');
  socket.write(`HTTP/1.1 ${FAULTS[code] ?? '400 Bad Request'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  linger(socket);
}

function refuseConnection(connection: ClientConnection, options: ServeOptions): void {
  connection.over = true;
  options.onRefused?.(connection, 'too-large');
  resetClient(connection.socket);
}

/** RFC 9112 §9.6: closing with unread bytes resets the connection, and the client may lose our last words. */
function linger(socket: Socket): void {
  socket.end();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.once('end', () => socket.destroy());
  socket.resume();
}
