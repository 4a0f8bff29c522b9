// What the tests of the HTTP forwarder share: a forwarder behind a real listener, whose connections are handed over as
// the data plane does it, and raw clients and servers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { accept4, recv } from '#anabranch/ffi/sockets.js';
import type { DialRequest } from '#anabranch/proxy/http-client-connection.js';
import { DialError } from '#anabranch/proxy/http-failure.js';
import { createHttpForward, type HttpForward, type HttpForwardOptions } from '#anabranch/proxy/http-forward.js';
import { openListener } from '#anabranch/socket/listen.js';

const SOCK_NONBLOCK_CLOEXEC = 0o2004000;
const MSG_DONTWAIT = 0x40;

export interface SceneOptions extends Partial<HttpForwardOptions> {
  readonly transport?: 'tcp' | 'mptcp';
  readonly withUsers?: boolean;
}

export interface Scene {
  readonly forward: HttpForward;
  readonly port: number;
  readonly dials: DialRequest[];
  readonly refused: string[];
}

export async function openScene(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const dials: DialRequest[] = [];
  const refused: string[] = [];
  const defects: unknown[] = [];
  const { transport = 'tcp', withUsers = false, ...rest } = options;
  const forward = createHttpForward({
    pseudonym: 'us',
    headersMs: 5000,
    requestMs: 0,
    idleMs: 5000,
    keepAliveMs: 5000,
    connectionsMax: 100,
    requestsMax: 1000,
    headBytesMax: 65_536,
    authenticate: async (_inbound, name, password) => name === 'guest' && password === 'p:ss wörd',
    onDefect: (error) => void defects.push(error),
    onRefused: (_connection, reason) => void refused.push(reason),
    dial: (request) => {
      dials.push(request);
      return dialLoopback(request);
    },
    ...rest,
  });
  const socket = { congestion: undefined, mark: undefined, interface: undefined, sourceAddress: [] };
  const listener = openListener({
    address: '127.0.0.1',
    port: 0,
    transport,
    shared: false,
    fastOpen: false,
    socket: { ...socket, notsentLowat: undefined, keepalive: 0 },
  });
  const polling = setInterval(() => handOver(listener.fd, forward, withUsers), 2);
  t.after(() => {
    clearInterval(polling);
    forward.close();
    close(listener.fd);
    assert.deepEqual(defects, []);
  });
  return { forward, port: listener.local.port, dials, refused };
}

const address = new NativeBuffer(128);
const length = new NativeBuffer(4);
const bytes = new NativeBuffer(65_536);

/** Accepts, reads what is there, as a handshake would have, and gives both away. */
function handOver(listenerFd: number, forward: HttpForward, authenticate: boolean): void {
  const fd = accept4(listenerFd, address, length, SOCK_NONBLOCK_CLOEXEC);
  if (fd < 0) return;
  const got = Math.max(0, recv(fd, bytes, 0, bytes.size, MSG_DONTWAIT));
  const read = Uint8Array.from(bytes.bytes.subarray(0, got));
  forward.accept({
    fd,
    read,
    client: { address: '127.0.0.1', port: 1 },
    inbound: 'http',
    mptcp: 'not-asked',
    authenticate,
  });
}

async function dialLoopback({ destination, signal }: DialRequest): Promise<Socket> {
  if (destination.host === 'denied.example') throw new DialError('denied', 'denied by rule');
  if (destination.host === 'absent.example') throw new DialError('name-not-found', 'no such name');
  const socket = connect({ host: '127.0.0.1', port: destination.port, allowHalfOpen: true });
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await once(socket, 'connect').catch((error: NodeJS.ErrnoException) => {
    throw new DialError(error.code === 'ECONNREFUSED' ? 'refused' : 'general', error.message);
  });
  return socket;
}

/** A server of raw bytes: `onRequest` gets each connection with what came first. */
export async function openRawServer(
  t: TestContext,
  onRequest: (socket: Socket, first: string) => void,
): Promise<{ port: number; server: Server; connections: Socket[] }> {
  const connections: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    socket.once('data', (data) => onRequest(socket, data.toString('latin1')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  const at = server.address();
  return { port: typeof at === 'object' && at ? at.port : 0, server, connections };
}

export interface RawClient {
  readonly socket: Socket;
  /** All that has come. */
  text(): string;
  /** Waits until what has come matches. */
  until(pattern: RegExp): Promise<string>;
  /** `end`, or the code of the error that ended it. */
  readonly ended: Promise<string>;
}

const WAIT_MS = 4000;

export async function openClient(t: TestContext, port: number, first = ''): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  let ended = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  const end = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
  void end.then((how) => {
    ended = how;
  });
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  if (first !== '') socket.write(first, 'latin1');
  const until = async (pattern: RegExp): Promise<string> => {
    const start = performance.now();
    while (!pattern.test(text)) {
      if (ended !== '' || performance.now() - start > WAIT_MS) {
        throw new Error(`waited for ${pattern}; got (${ended || 'open'}): ${JSON.stringify(text)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return text;
  };
  return { socket, text: () => text, until, ended: end };
}

/** Sends `first`, returns all until the connection ends. */
export async function converse(t: TestContext, port: number, first: string): Promise<{ text: string; end: string }> {
  const client = await openClient(t, port, first);
  const end = await client.ended;
  client.socket.destroy();
  return { text: client.text(), end };
}

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
