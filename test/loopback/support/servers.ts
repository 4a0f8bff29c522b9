// Servers behind the proxy: each does one thing with what it is sent, on a real port of loopback.

import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { close } from '#anabranch/ffi/descriptors.js';
import { bind, connect, getsockname, listen, socket } from '#anabranch/ffi/sockets.js';
import { AF_INET, AF_INET6, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '#anabranch/socket/constants.js';
import { SockaddrBuffer } from '#anabranch/socket/sockaddr.js';
import { Peer } from './peer.ts';
import { until } from './wait.ts';

export interface TestServer {
  readonly port: number;
  /** In the order they came. */
  readonly peers: Peer[];
  /** The i-th connection, once it has come. */
  peer(i?: number): Promise<Peer>;
}

export interface ServerOptions {
  readonly host?: string;
  readonly port?: number;
  /** Nothing is read unless the test does. */
  readonly paused?: boolean;
}

/** Keeps every connection for the test; `onPeer` answers, if anybody does. */
export async function openServer(
  t: TestContext,
  onPeer: (peer: Peer) => void = () => {},
  { host = '127.0.0.1', port = 0, paused = false }: ServerOptions = {},
): Promise<TestServer> {
  const peers: Peer[] = [];
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: paused }, (socket: Socket) => {
    const peer = new Peer(socket);
    if (paused) socket.pause();
    peers.push(peer);
    onPeer(peer);
  });
  server.listen({ port, host, backlog: 4096 });
  await once(server, 'listening');
  t.after(() => {
    for (const { socket } of peers) socket.destroy();
    server.close();
  });
  const peer = async (i = 0): Promise<Peer> => {
    await until(
      () => peers.length > i,
      () => `connection ${i} of the server`,
    );
    return peers[i] as Peer;
  };
  return { port: (server.address() as AddressInfo).port, peers, peer };
}

/** Sends everything back, and ends when the client has ended. */
export function openEcho(t: TestContext, options: ServerOptions = {}): Promise<TestServer> {
  return openServer(t, ({ socket }) => void socket.pipe(socket), options);
}

export async function openHttpServer(
  t: TestContext,
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly port: number }> {
  const server = createHttpServer(onRequest);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port };
}

const scratch = new SockaddrBuffer();

/**
 * A port that never answers: a listener whose queue is full, so that the kernel drops every further SYN. Works without
 * a firewall and without waiting for a network that is not there.
 */
export function openBlackHole(t: TestContext, host = '127.0.0.1', port = 0): number {
  const family = host.includes(':') ? AF_INET6 : AF_INET;
  const listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 6);
  const fds = [listener];
  t.after(() => fds.forEach((fd) => void close(fd)));
  const bound = bind(listener, scratch.address, scratch.write(host, port));
  if (bound < 0) throw new Error(`bind: errno ${-bound}`);
  listen(listener, 0);
  getsockname(listener, scratch.address, scratch.length);
  const taken = scratch.read().port;
  // A queue of 0 holds one; the second is there so that no SYN queue is left either.
  for (let i = 0; i < 3; i++) {
    const fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 6);
    connect(fd, scratch.address, scratch.write(host, taken));
    fds.push(fd);
  }
  return taken;
}

/** A port nobody listens on: bound, so that nobody else gets it, and not listening. */
export function openRefused(t: TestContext, host = '127.0.0.1'): number {
  const family = host.includes(':') ? AF_INET6 : AF_INET;
  const fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 6);
  t.after(() => void close(fd));
  bind(fd, scratch.address, scratch.write(host, 0));
  getsockname(fd, scratch.address, scratch.length);
  return scratch.read().port;
}
