// Connection racing (RFC 8305, happy eyeballs): the next address is tried when the one before has failed or has not
// answered within the attempt delay; the first connection that stands wins and the others are closed. Where there are
// several source addresses, all destinations are tried from the first, then all from the second: each source is a path,
// and a path may be dead without anybody having noticed.

import { LinuxError } from '../ffi/linux-error.ts';
import { orderAddresses } from '../routing/address-order.ts';
import { beginConnect, type ConnectOptions } from '../socket/connect.ts';
import { takeError } from '../socket/options.ts';
import { familyOf } from '../wire/ip.ts';
import { Connection, type ConnectionHandler } from './connection.ts';
import type { EventLoop } from './event-loop.ts';
import { type Timed, Timer } from './timers.ts';

/** RFC 8305 §8, Connection Attempt Delay. */
const ATTEMPT_DELAY_MS = 250;

/** Attempts for one connection, from whatever source; a name may list hundreds of addresses. */
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
  /** Which source of each family is used at the moment. */
  #round = 0;
  readonly #rounds: number;
  /** Still to be tried in this round, in order. */
  #waiting: readonly string[] = [];
  /** Bounded by ATTEMPTS_MAX over the number of rounds. */
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
    const isSingle = options.sourceAddress.length <= 1;
    const most = isSingle ? 1 : Math.max(this.#sourcesFor('0.0.0.0').length, this.#sourcesFor('::').length);
    this.#rounds = Math.min(most, ATTEMPTS_MAX);
  }

  /** Adds addresses as the resolver finds them; `complete` says that no more will come. */
  add(addresses: readonly string[], complete: boolean): void {
    if (this.#over) return;
    const fresh = addresses.filter((address) => !this.#seen.includes(address));
    const seenMax = Math.floor(ATTEMPTS_MAX / this.#rounds);
    fresh.length = Math.min(fresh.length, seenMax - this.#seen.length);
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
      if (address === undefined) {
        if (!this.#nextRound()) break;
        continue;
      }
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
      this.#family = familyOf(address);
      this.#attempts.push({ connection, address });
      if (this.#waiting.length > 0 || !this.#complete || this.#round + 1 < this.#rounds) {
        this.#loop.arm(this.#timer, this.#loop.now + ATTEMPT_DELAY_MS);
      }
      return;
    }
    if (!this.#complete || this.#attempts.length > 0 || this.#over) return;
    this.#over = true;
    this.#owner.onRaceLost(this.#errno, this.#option);
  }

  /** Goes on with the next source of each family, once all addresses are known and tried. */
  #nextRound(): boolean {
    if (!this.#complete || this.#over || this.#round + 1 >= this.#rounds) return false;
    this.#round++;
    this.#waiting = this.#seen.filter((address) => this.#sourcesFor(address).length > this.#round);
    return true;
  }

  /** The source addresses of a destination's family. */
  #sourcesFor(address: string): readonly string[] {
    const family = familyOf(address);
    return this.#options.sourceAddress.filter((source) => familyOf(source) === family);
  }

  #begin(address: string): number {
    const round = this.#round;
    try {
      // In the first round beginConnect chooses as it is wanted.
      const sourceAddress = round === 0 ? undefined : this.#sourcesFor(address).slice(round, round + 1);
      const options = sourceAddress === undefined ? this.#options : { ...this.#options, sourceAddress };
      const fd = beginConnect(address, this.#port, options);
      if (fd < 0) this.#lose(-fd, undefined);
      return fd;
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      this.#lose(error.errno, error.message);
      return -1;
    }
  }
}
