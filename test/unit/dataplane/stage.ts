// A stage for what runs in an event loop: pairs of connected sockets, ends that a test holds itself, and a script of
// steps that is played while the loop, which blocks this thread, goes round.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { Timer } from '#anabranch/dataplane/timers.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { accept4, recv, send, shutdown } from '#anabranch/ffi/sockets.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import * as k from '#anabranch/socket/constants.js';
import { openListener } from '#anabranch/socket/listen.js';
import { resetOnClose, setInt } from '#anabranch/socket/options.js';
import { openSocketPair } from '#anabranch/socket/pair.js';
import { SockaddrBuffer } from '#anabranch/socket/sockaddr.js';

export type Transport = 'tcp' | 'mptcp' | 'unix';

const SO_RCVBUF = 8;
const scratch = new NativeBuffer(1 << 20);
const peerAddress = new SockaddrBuffer();

/** Blocks this thread. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Two connected, non-blocking sockets; the caller closes them. */
export function connectedPair(transport: Transport, receiveBytes?: number): [number, number] {
  if (transport === 'unix') return openSocketPair();
  const listener = openListener({
    address: '127.0.0.1',
    port: 0,
    transport,
    shared: false,
    fastOpen: false,
    socket: {},
  });
  if (receiveBytes !== undefined) setInt(listener.fd, k.SOL_SOCKET, SO_RCVBUF, receiveBytes);
  const options = { mptcp: transport === 'mptcp', sourceAddress: [], socket: {}, fastOpen: false };
  const client = beginConnect('127.0.0.1', listener.local.port, options);
  assert.ok(client >= 0);
  let server = -1;
  for (let i = 0; i < 500 && server < 0; i++) {
    server = accept4(listener.fd, peerAddress.address, peerAddress.length, k.SOCK_NONBLOCK | k.SOCK_CLOEXEC);
    if (server < 0) pause(1);
  }
  close(listener.fd);
  assert.ok(server >= 0, 'no connection came');
  return [client, server];
}

/** The end of a connection that the test itself holds; nothing here blocks. */
export class End {
  readonly fd: number;
  /** What came in. */
  received = Buffer.alloc(0);
  /** `EOF`, or the name of the error that a read ended with. */
  how: string | undefined;
  #open = true;

  constructor(t: TestContext, fd: number) {
    this.fd = fd;
    t.after(() => this.close());
  }

  /** Sends as much as goes; returns how much, or −errno. */
  send(bytes: Uint8Array | string, flags = 0): number {
    const data = Buffer.from(bytes);
    let sent = 0;
    while (sent < data.length) {
      const length = Math.min(data.length - sent, scratch.size);
      scratch.bytes.set(data.subarray(sent, sent + length));
      const put = send(this.fd, scratch, 0, length, k.MSG_DONTWAIT | k.MSG_NOSIGNAL | flags);
      if (put < 0) return sent > 0 ? sent : put;
      sent += put;
    }
    return sent;
  }

  /** Reads all there is, at most `most` bytes; true once the stream has ended. */
  take(most = Number.MAX_SAFE_INTEGER): boolean {
    const chunks = [this.received];
    let left = most;
    while (this.how === undefined && left > 0) {
      const got = recv(this.fd, scratch, 0, Math.min(left, scratch.size), k.MSG_DONTWAIT);
      if (got === -11) break;
      if (got > 0) chunks.push(Buffer.from(scratch.bytes.subarray(0, got)));
      else this.how = got === 0 ? 'EOF' : errnoName(-got);
      left -= Math.max(got, 0);
    }
    this.received = chunks.length > 1 ? Buffer.concat(chunks) : this.received;
    return this.how !== undefined;
  }

  get text(): string {
    this.take();
    return this.received.toString('latin1');
  }

  endWriting(): void {
    shutdown(this.fd, k.SHUT_WR);
  }

  reset(): void {
    if (this.#open) resetOnClose(this.fd);
    this.close();
  }

  close(): void {
    if (this.#open) close(this.fd);
    this.#open = false;
  }
}

/** Done when it returns true or nothing; asked again each millisecond while it returns false. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step may be a mere statement
export type Step = () => boolean | void;

/** Runs the loop until the steps have been played one after the other; fails when one is not done in time. */
export function play(loop: EventLoop, steps: readonly Step[], limitMs = 5_000): void {
  const until = performance.now() + limitMs;
  let at = 0;
  let failure: unknown;
  const timer = new Timer({
    onTimer: (now) => {
      try {
        while (at < steps.length && steps[at]?.() !== false) at++;
        if (performance.now() > until) assert.fail(`step ${at + 1} of ${steps.length} is not done in time`);
      } catch (error) {
        failure = error;
      }
      if (failure !== undefined || at === steps.length) loop.stop();
      else loop.arm(timer, now + 1);
    },
  });
  loop.arm(timer, loop.now);
  loop.run();
  close(loop.wakeFd);
  if (failure !== undefined) throw failure;
}

/** A step that is done after a while in which nothing should happen. */
export function wait(ms: number): Step {
  let until = 0;
  return () => {
    if (until === 0) until = performance.now() + ms;
    return performance.now() >= until;
  };
}

export function createLoop(): EventLoop {
  return new EventLoop(() => {});
}

export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0, x = seed >>> 0; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}
