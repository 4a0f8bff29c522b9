// One connection at the server: the client's request first, then payload both ways as it asked.

import type { Connection, ConnectionHandler } from '../../dataplane/connection.ts';
import type { EventLoop } from '../../dataplane/event-loop.ts';
import { type Timed, Timer } from '../../dataplane/timers.ts';
import { ProtocolError } from '../../wire/protocol-error.ts';
import { monotonicMs } from '../measures/clock.ts';
import type { Arrivals } from './arrivals.ts';
import { type Payload, streamOf } from './payload.ts';
import { type PayloadOwner, PayloadSocket } from './payload-socket.ts';
import { encodeReceipt, parseRequest, REQUEST_BYTES, type Request } from './request.ts';
import { WorkloadErrorCode } from './workload.ts';

/** Where a server writes down what it sees. */
export interface ServerBook {
  /** Of all flows. */
  readonly arrivals: Arrivals;
  openUpload(flow: number): Arrivals;
  onCorrupt(flow: number, firstBadOffset: number): void;
  onError(code: string, message: string, flow: number | undefined): void;
}

/** How often a paced response is let out. */
const PACE_MS = 5;

export class ServedFlow implements PayloadOwner, Timed {
  readonly #loop: EventLoop;
  readonly #payload: Payload;
  readonly #book: ServerBook;
  readonly #socket: PayloadSocket;
  readonly #timer = new Timer(this);
  /** Until the request is whole; bounded by its length. */
  #held = new Uint8Array(0);
  #request: Request | undefined;
  #upload: Arrivals | undefined;
  #received = 0;
  #corrupt = false;
  #startedMs = 0;
  #peerEnded = false;

  constructor(
    loop: EventLoop,
    payload: Payload,
    book: ServerBook,
    connect: (handler: ConnectionHandler) => Connection,
  ) {
    this.#loop = loop;
    this.#payload = payload;
    this.#book = book;
    this.#socket = new PayloadSocket(loop, connect({ onReady: () => undefined }), payload, this);
  }

  onBytes(bytes: Uint8Array): void {
    let from = 0;
    if (this.#request === undefined) {
      from = REQUEST_BYTES - this.#held.length;
      this.#held = Buffer.concat([this.#held, bytes.subarray(0, from)]);
      if (!this.#begin()) return;
    }
    if (bytes.length > from) this.#take(bytes.subarray(from));
    this.#answer();
  }

  onPeerEnd(): void {
    this.#peerEnded = true;
    const request = this.#request;
    if (request?.requestBytes === Number.POSITIVE_INFINITY) {
      this.#socket.sendMessage(encodeReceipt(this.#received));
      this.#close();
    } else if (request === undefined || this.#socket.sent >= this.#due(request)) this.#close();
  }

  onSentAll(): void {
    const request = this.#request;
    if (request !== undefined && this.#isLast(request) && this.#socket.sent === request.responseBytes) {
      this.#socket.endWriting();
    }
    if (this.#peerEnded) this.#close();
  }

  onBroken(): void {
    // A client that has enough resets; what it missed otherwise, it reports itself.
    this.#loop.disarm(this.#timer);
  }

  onTimer(): void {
    this.#answer();
  }

  /** False when nothing can be done yet, or at all. */
  #begin(): boolean {
    try {
      const parsed = parseRequest(this.#held);
      if (parsed === undefined) return false;
      const { value } = parsed;
      if (value.key !== this.#payload.key) throw new ProtocolError('malformed', 'a client of another workload');
      this.#request = value;
      this.#startedMs = monotonicMs();
      if (value.requestBytes === Number.POSITIVE_INFINITY) this.#upload = this.#book.openUpload(value.flow);
      return true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#book.onError(WorkloadErrorCode.corrupt, error.message, undefined);
      this.#socket.reset();
      return false;
    }
  }

  #take(bytes: Uint8Array): void {
    const { flow } = this.#request!;
    const now = monotonicMs();
    this.#book.arrivals.add(now, bytes.length);
    this.#upload?.add(now, bytes.length);
    if (!this.#corrupt) {
      const bad = this.#payload.findBad(streamOf(flow, 'up'), this.#received, bytes);
      this.#corrupt = bad !== undefined;
      if (bad !== undefined) this.#book.onCorrupt(flow, bad);
    }
    this.#received += bytes.length;
  }

  /** Payload of the response that is due by now. */
  #due({ requestBytes, responseBytes, bitsPerSecond, once }: Request): number {
    if (requestBytes === Number.POSITIVE_INFINITY) return 0;
    if (bitsPerSecond > 0) {
      const made = Math.floor(((monotonicMs() - this.#startedMs) * bitsPerSecond) / 8_000);
      return Math.min(responseBytes, made);
    }
    if (requestBytes === 0) return responseBytes;
    const exchanges = Math.floor(this.#received / requestBytes);
    return (once ? Math.min(1, exchanges) : exchanges) * responseBytes;
  }

  #answer(): void {
    const request = this.#request!;
    const due = this.#due(request);
    if (due > this.#socket.sent) this.#socket.sendUpTo(streamOf(request.flow, 'down'), due);
    else if (this.#isLast(request) && due === request.responseBytes && this.#received >= request.requestBytes) {
      // Nothing was asked for but the connection itself.
      this.onSentAll();
    }
    if (request.bitsPerSecond > 0 && due < request.responseBytes && !this.#peerEnded) {
      this.#loop.arm(this.#timer, performance.now() + PACE_MS);
    }
  }

  /** Whether there is only one response. */
  #isLast({ once, requestBytes }: Request): boolean {
    return once || requestBytes === 0;
  }

  #close(): void {
    this.#loop.disarm(this.#timer);
    this.#socket.close();
  }
}
