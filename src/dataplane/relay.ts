// The relay: two pumps, half-close carried over, a reset carried over as a reset. Every inbound ends up here.

import { takeError } from '../socket/options.ts';
import type { Connection, ConnectionHandler } from './connection.ts';
import type { Deferred, EventLoop } from './event-loop.ts';
import { type ByteCounters, Pump, type PumpResources } from './pump.ts';

/** How a relay ended by itself. `client-…`, `server-…`: which side's socket failed, with its errno. */
export type RelayEnd = 'done' | 'client-reset' | 'server-reset' | 'client-error' | 'server-error';

export interface RelayOwner {
  /** Bytes go on after so many milliseconds of silence in the middle of one direction, STALL_MS_MIN or more. */
  onStall?(ms: number): void;
  /** The first side has ended its direction, and the other is to be told next. Called at most once. */
  onRelayHalfClosed(): void;
  /** Both connections are still open; the owner closes or resets them. Called once. */
  onRelayEnd(end: RelayEnd, errno: number): void;
}

/** Shorter silences are part of every transfer: TCP's shortest retransmission time-out is as long (RTO_MIN). */
export const STALL_MS_MIN = 200;

const ECONNRESET = 104;
const EPIPE = 32;

export class Relay implements ConnectionHandler, Deferred {
  readonly client: Connection;
  readonly server: Connection;
  /** Client to server. */
  readonly up: Pump;
  /** Server to client. */
  readonly down: Pump;
  /** When a byte last moved, in the loop's milliseconds. */
  activeAt: number;
  /** When the first byte went each way; 0: not yet. */
  firstUpAt = 0;
  firstDownAt = 0;
  /**
   * The longest silence in the middle of one direction's bytes, in milliseconds. A byte the other way ends the count:
   * a server that waits for the next question is not stalled.
   */
  stallMsMax = 0;
  readonly #loop: EventLoop;
  readonly #owner: RelayOwner;
  readonly #counters: ByteCounters;
  #latest: Pump | undefined;
  #upShut = false;
  #downShut = false;
  #queued = false;
  #over = false;

  constructor(loop: EventLoop, client: Connection, server: Connection, resources: PumpResources, owner: RelayOwner) {
    this.#loop = loop;
    this.#owner = owner;
    this.#counters = resources.counters;
    this.client = client;
    this.server = server;
    this.up = new Pump(client, server, resources);
    this.down = new Pump(server, client, resources);
    this.activeAt = loop.now;
  }

  /** One side has ended its direction. */
  get halfClosed(): boolean {
    return this.#upShut || this.#downShut;
  }

  /** Takes both connections over. Bytes given to `up.prepend` or `down.prepend` before go first. */
  start(): void {
    this.client.handler = this;
    this.server.handler = this;
    this.resume();
  }

  onReady(): void {
    if (!this.#queued) this.resume();
  }

  resume(): void {
    this.#queued = false;
    if (this.#over) return;
    const again = this.#step(this.up, true);
    if (this.#over) return;
    const more = this.#step(this.down, false);
    if (this.#over) return;
    if (this.#upShut && this.#downShut) return this.#end('done', 0);
    if (again || more) {
      if (this.#queued) return;
      this.#queued = true;
      this.#loop.defer(this);
    } else if (this.client.broken || (this.server.broken && this.#downShut)) this.#broken();
  }

  /**
   * A side is gone and no read or write is under way that would tell: its own direction has ended, or the other side
   * takes nothing at the moment. What a client sent before it gave up is not worth the wait for a stalled server; what a
   * server answered before it closed is worth the wait for a slow client.
   */
  #broken(): void {
    const side = this.client.broken ? 'client' : 'server';
    const errno = takeError(this[side].fd);
    this.#failed(side, errno > 0 ? errno : ECONNRESET);
  }

  /** Stops moving bytes; the connections stay open. */
  stop(): void {
    this.#over = true;
    this.up.dispose();
    this.down.dispose();
  }

  /** Runs one direction; true when it has more to do at once. */
  #step(pump: Pump, isUp: boolean): boolean {
    if (isUp ? this.#upShut : this.#downShut) return false;
    const before = pump.bytes;
    const status = pump.run();
    if (pump.bytes > before) this.#moved(pump, isUp, pump.bytes - before);
    if (status === 'share-used') return true;
    if (status === 'ended') this.#carryEnd(pump, isUp);
    else if (status === 'from-failed') this.#failed(isUp ? 'client' : 'server', pump.errno);
    else if (status === 'to-failed') this.#lastWords(pump, isUp);
    return false;
  }

  #moved(pump: Pump, isUp: boolean, bytes: number): void {
    const { now } = this.#loop;
    this.#counters.add(isUp ? 'bytesUp' : 'bytesDown', bytes);
    if (this.#latest === pump) {
      const silent = now - this.activeAt;
      if (silent > this.stallMsMax) this.stallMsMax = silent;
      if (silent >= STALL_MS_MIN) this.#owner.onStall?.(silent);
    }
    this.#latest = pump;
    this.activeAt = now;
    if (isUp) {
      if (this.firstUpAt === 0) this.firstUpAt = now;
    } else if (this.firstDownAt === 0) this.firstDownAt = now;
  }

  #carryEnd(pump: Pump, isUp: boolean): void {
    if (!this.halfClosed) this.#owner.onRelayHalfClosed();
    if (isUp) this.#upShut = true;
    else this.#downShut = true;
    // When both directions have ended, closing says the same with one call less.
    if (!(this.#upShut && this.#downShut)) pump.to.endWriting();
    this.activeAt = this.#loop.now;
  }

  /** A destination that takes no more may have said something before: deliver that first. */
  #lastWords(pump: Pump, isUp: boolean): void {
    if (isUp && !this.#downShut) {
      const before = this.down.bytes;
      this.server.readable = true;
      this.down.run();
      if (this.down.bytes > before) this.#moved(this.down, false, this.down.bytes - before);
    }
    this.#failed(isUp ? 'server' : 'client', pump.errno);
  }

  #failed(side: 'client' | 'server', errno: number): void {
    const reset = errno === ECONNRESET || errno === EPIPE;
    this.#end(`${side}-${reset ? 'reset' : 'error'}`, errno);
  }

  #end(end: RelayEnd, errno: number): void {
    if (this.#over) return;
    this.stop();
    this.#owner.onRelayEnd(end, errno);
  }
}
