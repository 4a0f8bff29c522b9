// The server behind every proxy: one epoll thread that sinks, sends, echoes or answers, as a connection's first byte
// asks. It costs as little as it can, for it shares the machine with the proxy that is measured.

import { parentPort, workerData } from 'node:worker_threads';
import { EventLoop, type Watcher } from '#anabranch/dataplane/event-loop.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { EPOLLIN, EPOLLOUT } from '#anabranch/ffi/epoll.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { accept4, recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOCK_CLOEXEC, SOCK_NONBLOCK } from '#anabranch/socket/constants.js';
import { openListener } from '#anabranch/socket/listen.js';
import { acceptedIsMptcp } from '#anabranch/socket/mptcp.js';
import { SharedCounts } from './shared.ts';
import { ANSWER_BYTES, DISCARD_BYTES, EAGAIN, MSG_TRUNC, REQUEST_BYTES, SEND_BYTES, Wish } from './wishes.ts';

const ACCEPTS_PER_ROUND = 64;
/** Sends or receives in a row for one connection, before the others have their turn. */
const CALLS_PER_ROUND = 8;

const { memory } = workerData as { memory: SharedArrayBuffer };
const counts = new SharedCounts(memory);
const loop = new EventLoop(() => {
  if (counts.get('stop') === 1) loop.stop();
});
const peer = new NativeBuffer(128);
const peerLength = new NativeBuffer(4);
const buffer = new NativeBuffer(DISCARD_BYTES);

class Served implements Watcher {
  readonly fd: number;
  #wish = 0;
  #got = 0;

  constructor(fd: number) {
    this.fd = fd;
    if (loop.watch(fd, EPOLLIN, this) < 0) close(fd);
  }

  onReady(): void {
    if (this.#wish === Wish.sink) return this.#sink();
    if (this.#wish === Wish.source) return this.#source();
    const got = recv(this.fd, buffer, 0, 1 << 16, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got <= 0) return this.#close();
    if (this.#wish === 0) this.#begin(buffer.bytes[0] as number);
    this.#got += got;
    if (this.#wish === Wish.echo) this.#put(got);
    else if (this.#wish === Wish.answer && this.#got >= REQUEST_BYTES) {
      this.#put(ANSWER_BYTES);
      this.#close();
    } else if (this.#wish === Wish.sink) counts.add('bytes', got);
  }

  #begin(wish: number): void {
    this.#wish = wish;
    counts.add('opened', 1);
    if (wish === Wish.source) loop.change(this.fd, EPOLLOUT);
    if ((wish === Wish.source || wish === Wish.sink) && acceptedIsMptcp(this.fd)) counts.add('mptcp', 1);
  }

  #sink(): void {
    for (let i = 0; i < CALLS_PER_ROUND; i++) {
      const got = recv(this.fd, buffer, 0, DISCARD_BYTES, MSG_DONTWAIT | MSG_TRUNC);
      if (got === -EAGAIN) return;
      if (got <= 0) return this.#close();
      counts.add('bytes', got);
      if (got < DISCARD_BYTES) return;
    }
  }

  #source(): void {
    for (let i = 0; i < CALLS_PER_ROUND; i++) {
      const put = send(this.fd, buffer, 0, SEND_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 0 && put !== -EAGAIN) return this.#close();
      if (put < SEND_BYTES) return;
    }
  }

  /** An answer always fits: the client asks again only when it has the last one. */
  #put(length: number): void {
    if (send(this.fd, buffer, 0, length, MSG_DONTWAIT | MSG_NOSIGNAL) < length) counts.add('failed', 1);
  }

  #close(): void {
    loop.forget(this.fd);
    close(this.fd);
  }
}

function listenOn(transport: 'tcp' | 'mptcp'): number {
  const options = { address: '127.0.0.1', port: 0, transport, shared: false, fastOpen: false, socket: {} };
  const { fd, local } = openListener(options);
  const accept = (): void => {
    for (let i = 0; i < ACCEPTS_PER_ROUND; i++) {
      const taken = accept4(fd, peer, peerLength, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (taken < 0) return;
      new Served(taken);
    }
  };
  loop.watch(fd, EPOLLIN, { onReady: accept });
  return local.port;
}

const tcpPort = listenOn('tcp');
let mptcpPort = 0;
try {
  mptcpPort = listenOn('mptcp');
} catch {
  // Without MPTCP in the kernel its measurements are left out; port 0 says so.
}
parentPort?.postMessage({ kind: 'ready', wakeFd: loop.wakeFd, ports: [tcpPort, mptcpPort] });
loop.run();
