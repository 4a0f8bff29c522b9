// Connection racing (RFC 8305, happy eyeballs): the next address is tried when the one before has failed or has not
// answered within the attempt delay; the first connection that stands wins and the others are closed.

import { LinuxError } from '../ffi/linux-error.ts';
import { orderAddresses } from '../routing/address-order.ts';
import { beginConnect, type ConnectOptions } from '../socket/connect.ts';
import { takeError } from '../socket/options.ts';
import { Connection, type ConnectionHandler } from './connection.ts';
import type { EventLoop } from './event-loop.ts';
import { type Timed, Timer } from './timers.ts';

/** RFC 8305 §8, Connection Attempt Delay. */
const ATTEMPT_DELAY_MS = 250;

/** Addresses tried for one connection; a name may list hundreds. */
const ATTEMPTS_MAX = 12;

const ENOBUFS = 105;

export interface RaceOwner {
  /** The connection stands and is the owner's, writable, with the owner as its handler to be set. */
  onConnected(connection: Connection, address: string): void;
  /** No address is left. `errno` is the first attempt's, 0 when there was none; `option` names one the kernel refused. */
  onRaceLost(errno: number, option: string | undefined): void;
}

/** Bounded by ATTEMPTS_MAX sockets. The owner sets the limit of time and calls `cancel`. */
export class Race implements ConnectionHandler, Timed {
  readonly #loop: EventLoop;
  readonly #port: number;
  readonly #options: ConnectOptions;
  readonly #owner: RaceOwner;
  readonly #timer = new Timer(this);
  /** Still to be tried, in order. */
  #waiting: readonly string[] = [];
  /** Bounded by ATTEMPTS_MAX. */
  #seen: readonly string[] = [];
  /** Under way. */
  readonly #attempts: { readonly connection: Connection; readonly address: string }[] = [];
  #complete = false;
  #over = false;
  #errno = 0;
  #option: string | undefined;
  #family: 4 | 6 = 4;

  constructor(loop: EventLoop, port: number, options: ConnectOptions, owner: RaceOwner) {
    this.#loop = loop;
    this.#port = port;
    this.#options = options;
    this.#owner = owner;
  }

  /** Adds addresses as the resolver finds them; `complete` says that no more will come. */
  add(addresses: readonly string[], complete: boolean): void {
    if (this.#over) return;
    const fresh = addresses.filter((address) => !this.#seen.includes(address));
    fresh.length = Math.min(fresh.length, ATTEMPTS_MAX - this.#seen.length);
    this.#seen = [...this.#seen, ...fresh];
    // The family tried last comes second, so that a late family gets its turn at once.
    const first = this.#family === 4 ? 6 : 4;
    this.#waiting = this.#seen.length > 1 ? orderAddresses([...this.#waiting, ...fresh], { first }) : fresh;
    this.#complete = complete;
    if (this.#timer.index < 0) this.#next();
  }

  /** Closes every attempt; the owner hears nothing more. */
  cancel(): void {
    this.#over = true;
    this.#loop.disarm(this.#timer);
    for (const { connection } of this.#attempts.splice(0)) connection.close();
  }

  onTimer(): void {
    this.#next();
  }

  onReady(attempt: Connection): void {
    if (!attempt.writable && !attempt.failed) return;
    const errno = attempt.failed ? takeError(attempt.fd) : 0;
    if (errno === 0 && !attempt.failed) return this.#win(attempt);
    this.#take(attempt);
    attempt.close();
    this.#lose(errno, undefined);
    this.#loop.disarm(this.#timer);
    this.#next();
  }

  #win(attempt: Connection): void {
    const address = this.#take(attempt);
    this.cancel();
    this.#owner.onConnected(attempt, address);
  }

  #take(attempt: Connection): string {
    const at = this.#attempts.findIndex(({ connection }) => connection === attempt);
    const [taken] = this.#attempts.splice(at, 1);
    return taken?.address ?? '';
  }

  #lose(errno: number, option: string | undefined): void {
    if (this.#errno !== 0) return;
    this.#errno = errno;
    this.#option = option;
  }

  /** Begins the next attempt, passing over those that fail at once. */
  #next(): void {
    for (;;) {
      const [address, ...rest] = this.#waiting;
      if (address === undefined) break;
      this.#waiting = rest;
      const fd = this.#begin(address);
      if (fd < 0) continue;
      const connection = new Connection(this.#loop, fd, this.#options.mptcp, this);
      if (connection.failed) {
        // Not watched, so nothing would ever be heard of it.
        connection.close();
        this.#lose(ENOBUFS, undefined);
        continue;
      }
      this.#family = address.includes(':') ? 6 : 4;
      this.#attempts.push({ connection, address });
      if (this.#waiting.length > 0 || !this.#complete) {
        this.#loop.arm(this.#timer, this.#loop.now + ATTEMPT_DELAY_MS);
      }
      return;
    }
    if (!this.#complete || this.#attempts.length > 0 || this.#over) return;
    this.#over = true;
    this.#owner.onRaceLost(this.#errno, this.#option);
  }

  #begin(address: string): number {
    try {
      const fd = beginConnect(address, this.#port, this.#options);
      if (fd < 0) this.#lose(-fd, undefined);
      return fd;
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      this.#lose(error.errno, error.message);
      return -1;
    }
  }
}
