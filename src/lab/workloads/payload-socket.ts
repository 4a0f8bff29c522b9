// One connection of a workload: hands on all that comes, sends payload up to a limit that may grow. In bounded turns, so
// that one flow does not starve the others.

import type { Connection, ConnectionHandler } from '../../dataplane/connection.ts';
import type { Deferred, EventLoop } from '../../dataplane/event-loop.ts';
import { sendBytes } from '../../socket/send-bytes.ts';
import { createTransferBuffer } from '../../socket/transfer-buffer.ts';
import { type Payload, roomInBlock } from './payload.ts';

export interface PayloadOwner {
  /** The bytes are gone once this returns. */
  onBytes(bytes: Uint8Array): void;
  /** The peer has ended its direction. Called once. */
  onPeerEnd(): void;
  /** All payload up to the limit is with the kernel. */
  onSentAll(): void;
  /** The connection failed; nothing is called after it. */
  onBroken(errno: number): void;
}

const EAGAIN = 11;
const EPROTO = 71;
/** Reads and writes in one turn. */
const STEPS = 8;

/** Between `recv` and the owner; nothing is kept in it from one call to the next. */
const received = createTransferBuffer(1 << 18);

/** Owns its connection until `close` or `reset`. */
export class PayloadSocket implements ConnectionHandler, Deferred {
  sent = 0;
  readonly connection: Connection;
  readonly #loop: EventLoop;
  readonly #payload: Payload;
  readonly #owner: PayloadOwner;
  #stream = 0;
  #limit = 0;
  #peerEnded = false;
  #pumping = false;
  #deferred = false;
  #over = false;

  constructor(loop: EventLoop, connection: Connection, payload: Payload, owner: PayloadOwner) {
    this.#loop = loop;
    this.connection = connection;
    this.#payload = payload;
    this.#owner = owner;
    connection.handler = this;
  }

  /** Sends a few bytes that are no payload; for a connection that has nothing unsent. */
  sendMessage(bytes: Uint8Array): void {
    const put = sendBytes(this.connection.fd, bytes);
    if (put !== bytes.length) this.#break(put < 0 ? -put : EPROTO);
  }

  /** Payload of `stream` is to be sent up to this offset; Infinity: without end. */
  sendUpTo(stream: number, limit: number): void {
    this.#stream = stream;
    this.#limit = limit;
    if (!this.#pumping) this.#pump();
  }

  /** Sends no more payload and ends our direction. */
  endWriting(): void {
    this.#limit = this.sent;
    if (!this.#over) this.connection.endWriting();
  }

  close(): void {
    this.#over = true;
    this.connection.close();
  }

  reset(): void {
    this.#over = true;
    this.connection.reset();
  }

  onReady(): void {
    this.#pump();
  }

  resume(): void {
    this.#deferred = false;
    this.#pump();
  }

  #pump(): void {
    this.#pumping = true;
    let busy = true;
    for (let i = 0; i < STEPS && busy; i++) {
      const read = this.#read();
      const written = this.#write();
      busy = read || written;
    }
    this.#pumping = false;
    if (!busy || this.#over || this.#deferred) return;
    this.#deferred = true;
    this.#loop.defer(this);
  }

  #read(): boolean {
    if (this.#over || this.#peerEnded || !this.connection.readable) return false;
    const got = this.connection.receive(received, received.size);
    if (got > 0) this.#owner.onBytes(received.bytes.subarray(0, got));
    else if (got === 0) {
      this.#peerEnded = true;
      this.#owner.onPeerEnd();
    } else if (got !== -EAGAIN) this.#break(-got);
    return got > 0;
  }

  #write(): boolean {
    const left = this.#limit - this.sent;
    if (this.#over || left <= 0 || !this.connection.writable) return false;
    const length = Math.min(left, roomInBlock(this.sent));
    const put = this.connection.send(this.#payload.table, this.#payload.place(this.#stream, this.sent), length);
    if (put < 0) {
      if (put !== -EAGAIN) this.#break(-put);
      return false;
    }
    this.sent += put;
    if (this.sent === this.#limit) this.#owner.onSentAll();
    return true;
  }

  #break(errno: number): void {
    if (this.#over) return;
    this.close();
    this.#owner.onBroken(errno);
  }
}
