// One connection of a client: dials, through a SOCKS proxy where there is one, asks, and checks what comes.

import { Connection, type ConnectionHandler } from '../../dataplane/connection.ts';
import type { EventLoop } from '../../dataplane/event-loop.ts';
import { type Timed, Timer } from '../../dataplane/timers.ts';
import type { OutboundEffect, OutboundHandshake } from '../../handshake/outbound.ts';
import { createSocksClient } from '../../handshake/socks-client.ts';
import { beginConnect } from '../../socket/connect.ts';
import { errnoName } from '../../socket/errno.ts';
import { staysMptcp } from '../../socket/mptcp.ts';
import { takeError } from '../../socket/options.ts';
import { formatHostPort } from '../../wire/destination.ts';
import { monotonicMs } from '../measures/clock.ts';
import { Arrivals } from './arrivals.ts';
import type { ClientJob } from './job.ts';
import { type Payload, streamOf } from './payload.ts';
import { type PayloadOwner, PayloadSocket } from './payload-socket.ts';
import { encodeRequest, type Request } from './request.ts';
import { WorkloadErrorCode } from './workload.ts';

export interface FlowError {
  readonly code: string;
  readonly message: string;
}

/** Who drives a flow. Nothing is called after `onFailed`, nor once the flow was closed. */
export interface FlowOwner {
  /** The request is on its way. */
  onOpen(flow: Flow): void;
  /** Payload came, and was checked. */
  onPayload(flow: Flow, bytes: number, nowMs: number): void;
  onSentAll(flow: Flow): void;
  onPeerEnd(flow: Flow): void;
  onFailed(flow: Flow, error: FlowError): void;
}

export interface FlowContext {
  readonly loop: EventLoop;
  readonly job: ClientJob;
  readonly payload: Payload;
}

/** From dialling to the request's sending. */
const CONNECT_MS_MAX = 30_000;
/** What is no payload of an upload's flow: its receipt. */
const MESSAGE_BYTES_MAX = 64;

export class Flow implements PayloadOwner, ConnectionHandler, Timed {
  readonly number: number;
  readonly arrivals: Arrivals;
  readonly startedMs = monotonicMs();
  connectedMs: number | undefined;
  /** As last seen: when it was opened, or ended in order. */
  isMptcp = false;
  /** In its incoming stream. */
  firstBadOffset: number | undefined;
  /** What came instead of payload, where a receipt is expected. Bounded by MESSAGE_BYTES_MAX. */
  message = new Uint8Array(0);
  readonly #context: FlowContext;
  readonly #request: Request;
  readonly #owner: FlowOwner;
  readonly #timer = new Timer(this);
  #connection: Connection | undefined;
  #socket: PayloadSocket | undefined;
  #handshake: OutboundHandshake | undefined;
  #over = false;
  /** The descriptor is closed already. */
  #broken = false;

  constructor(context: FlowContext, number: number, request: Omit<Request, 'key' | 'flow'>, owner: FlowOwner) {
    this.#context = context;
    this.number = number;
    this.#request = { ...request, key: context.payload.key, flow: number };
    this.#owner = owner;
    this.arrivals = new Arrivals(this.startedMs);
  }

  /** May fail at once, and then calls the owner. */
  dial(): void {
    const { job, loop } = this.#context;
    const { address, port } = job.proxy ?? job.server;
    const options = { mptcp: job.mptcp, sourceAddress: [], socket: job.socket, fastOpen: false };
    let fd: number;
    try {
      fd = beginConnect(address, port, options);
    } catch (error) {
      const { code, message } = error as FlowError;
      return this.#fail(code, message);
    }
    if (fd < 0) return this.#failErrno('connect', -fd);
    this.#connection = new Connection(loop, fd, job.mptcp, this);
    loop.arm(this.#timer, loop.now + CONNECT_MS_MAX);
  }

  get sent(): number {
    return this.#socket?.sent ?? 0;
  }

  sendUpTo(limit: number): void {
    this.#socket?.sendUpTo(streamOf(this.number, 'up'), limit);
  }

  endWriting(): void {
    this.#socket?.endWriting();
  }

  close(): void {
    this.#end(() => this.#connection?.close());
  }

  reset(): void {
    this.#end(() => this.#connection?.reset());
  }

  onReady(connection: Connection): void {
    if (!connection.writable && !connection.failed) return;
    const errno = connection.failed ? takeError(connection.fd) : 0;
    if (errno !== 0) return this.#failErrno('connect', errno);
    const { loop, payload, job } = this.#context;
    this.#socket = new PayloadSocket(loop, connection, payload, this);
    if (job.proxy === undefined) this.#open();
    else {
      const destination = { host: job.server.address, port: job.server.port };
      const { credentials } = job.proxy;
      this.#handshake = createSocksClient({
        destination,
        optimistic: false,
        ...(credentials === undefined ? {} : { credentials }),
      });
      this.#shake(this.#handshake.start());
    }
    this.#socket.onReady();
  }

  onTimer(): void {
    this.#fail(WorkloadErrorCode.connectTimeout, `no connection within ${CONNECT_MS_MAX / 1000} s to ${this.#where()}`);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#handshake !== undefined) this.#shake(this.#handshake.onBytes(bytes));
    else this.#take(bytes);
  }

  onPeerEnd(): void {
    if (this.connectedMs === undefined) {
      this.#fail(WorkloadErrorCode.socks, `${this.#where()} ended the connection before it stood`);
    } else if (!this.#over) this.#owner.onPeerEnd(this);
  }

  onSentAll(): void {
    if (!this.#over) this.#owner.onSentAll(this);
  }

  onBroken(errno: number): void {
    this.#broken = true;
    this.#failErrno(this.connectedMs === undefined ? 'handshake' : 'transfer', errno);
  }

  #open(): void {
    this.#context.loop.disarm(this.#timer);
    this.connectedMs = monotonicMs();
    this.#noteMptcp();
    this.#socket!.sendMessage(encodeRequest(this.#request));
    if (!this.#over) this.#owner.onOpen(this);
  }

  #shake(effects: readonly OutboundEffect[]): void {
    for (const effect of effects) {
      if (this.#over) return;
      if (effect.kind === 'send') this.#socket!.sendMessage(effect.bytes);
      else if (effect.kind === 'failed') this.#fail(WorkloadErrorCode.socks, `${this.#where()}: ${effect.detail}`);
      else {
        this.#handshake = undefined;
        this.#open();
        if (effect.early.length > 0) this.#take(effect.early);
      }
    }
  }

  #take(bytes: Uint8Array): void {
    if (this.#request.requestBytes === Number.POSITIVE_INFINITY) {
      this.message = Buffer.concat([this.message, bytes]).subarray(0, MESSAGE_BYTES_MAX);
      return;
    }
    const now = monotonicMs();
    const offset = this.arrivals.bytes;
    this.firstBadOffset ??= this.#context.payload.findBad(streamOf(this.number, 'down'), offset, bytes);
    this.arrivals.add(now, bytes.length);
    if (!this.#over) this.#owner.onPayload(this, bytes.length, now);
  }

  #noteMptcp(): void {
    this.isMptcp = this.#context.job.mptcp && staysMptcp(this.#connection!.fd);
  }

  #where(): string {
    const { address, port } = this.#context.job.proxy ?? this.#context.job.server;
    return formatHostPort(address, port);
  }

  #failErrno(what: string, errno: number): void {
    const code = errnoName(errno);
    this.#fail(code, `${what} with ${this.#where()} failed: ${code}`);
  }

  #fail(code: string, message: string): void {
    if (this.#over) return;
    this.reset();
    this.#owner.onFailed(this, { code, message });
  }

  #end(how: () => void): void {
    if (this.#over) return;
    this.#over = true;
    this.#context.loop.disarm(this.#timer);
    if (this.connectedMs !== undefined && !this.#broken) this.#noteMptcp();
    how();
    // The socket must know, or its turn would go on.
    this.#socket?.close();
  }
}
