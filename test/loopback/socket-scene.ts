// Sockets of tests, closed at their end.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { accept4, recv, send } from '#anabranch/ffi/sockets.js';
import { beginConnect, type ConnectOptions } from '#anabranch/socket/connect.js';
import * as k from '#anabranch/socket/constants.js';
import { type Listener, type ListenOptions, openListener } from '#anabranch/socket/listen.js';
import { SockaddrBuffer } from '#anabranch/socket/sockaddr.js';
import type { Endpoint } from '#anabranch/wire/destination.js';

const buffer = new NativeBuffer(1 << 16);
const peer = new SockaddrBuffer();

/** Blocks this thread; the kernel goes on meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What `attempt` returns once it is not undefined. */
export function eventually<T>(attempt: () => T | undefined, what: string): T {
  for (let i = 0; i < 5_000; i++) {
    const got = attempt();
    if (got !== undefined) return got;
    pause(2);
  }
  return assert.fail(`in ten seconds there was no ${what}`);
}

export function openListening(t: TestContext, options: Partial<ListenOptions> = {}): Listener {
  const listener = openListener({
    address: '127.0.0.1',
    port: 0,
    transport: 'tcp',
    shared: false,
    fastOpen: false,
    socket: {},
    ...options,
  });
  t.after(() => close(listener.fd));
  return listener;
}

export function openConnecting(t: TestContext, to: Endpoint, options: Partial<ConnectOptions> = {}): number {
  const fd = beginConnect(to.address, to.port, {
    mptcp: false,
    sourceAddress: [],
    socket: {},
    fastOpen: false,
    ...options,
  });
  if (fd >= 0) t.after(() => close(fd));
  return fd;
}

export interface Accepted {
  readonly fd: number;
  readonly client: Endpoint;
}

export function acceptNext(t: TestContext, listener: Listener): Accepted {
  const accepted = eventually(() => {
    const fd = accept4(listener.fd, peer.address, peer.length, k.SOCK_NONBLOCK | k.SOCK_CLOEXEC);
    return fd >= 0 ? { fd, client: peer.read() } : undefined;
  }, 'connection');
  t.after(() => close(accepted.fd));
  return accepted;
}

export interface PairOptions {
  readonly listen?: Partial<ListenOptions>;
  readonly connect?: Partial<ConnectOptions>;
  /** Connect here instead of the listener's own address. */
  readonly address?: string;
}

export interface SocketPair {
  readonly client: number;
  readonly server: number;
  readonly listener: Listener;
  /** The client's address as the server sees it. */
  readonly from: Endpoint;
}

/** A client and the socket accepted for it. */
export function openConnected(t: TestContext, options: PairOptions = {}): SocketPair {
  const listener = openListening(t, options.listen);
  const to = { address: options.address ?? listener.local.address, port: listener.local.port };
  const client = openConnecting(t, to, options.connect);
  assert.ok(client >= 0, `${client}`);
  const accepted = acceptNext(t, listener);
  return { client, server: accepted.fd, listener, from: accepted.client };
}

/** Sends a short text; returns how much went, or −errno. */
export function say(fd: number, text: string): number {
  const bytes = Buffer.from(text);
  buffer.bytes.set(bytes);
  return send(fd, buffer, 0, bytes.length, k.MSG_DONTWAIT | k.MSG_NOSIGNAL);
}

/** What there is to read, waiting for it to come; −errno when there is an error, '' at the end of the stream. */
export function hear(fd: number): string | number {
  return eventually(() => {
    const got = recv(fd, buffer, 0, buffer.size, k.MSG_DONTWAIT);
    if (got === -11) return undefined;
    return got < 0 ? got : Buffer.from(buffer.bytes.subarray(0, got)).toString();
  }, 'bytes');
}
