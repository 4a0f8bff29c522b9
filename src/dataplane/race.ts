// Connection racing (RFC 8305, happy eyeballs): the next address is tried when the one before has failed or has not
// answered within the attempt delay; the first connection that stands wins and the others are closed. Where there are
// several source addresses, all destinations are tried from the first, then all from the second: each source is a path,
// and a path may be dead without anybody having noticed. Where paths are managed, each destination that the kernel
// reaches over one of them is tried over the others too.

import { LinuxError } from '../ffi/linux-error.ts';
import { orderAddresses } from '../routing/address-order.ts';
import { beginConnect, type ConnectOptions, localEndpoint } from '../socket/connect.ts';
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
const ECONNREFUSED = 111;

export interface RaceOwner {
  /** An attempt is on its way; the descriptor is the race's. */
  onBegun?(fd: number): void;
  /** The connection stands and is the owner's, writable, with the owner as its handler to be set. */
  onConnected(connection: Connection, address: string): void;
  /** No address is left. `errno` is the first attempt's, 0 when there was none; `option` names one the kernel refused. */
  onRaceLost(errno: number, option: string | undefined): void;
}

/** The managed paths, as far as a race is concerned. */
export interface OtherPaths {
  /** Beside a connection from `local`: addresses to try from as well, one after the other, and how long to wait for each. */
  besides(
    local: string,
    remote: string,
    now: number,
  ): { readonly sources: readonly string[]; readonly delayMs: number };
  /** A connection over the path that the kernel chose stood after this time. */
  answered(remote: string, ms: number): void;
  /** Another path was faster than the kernel's choice, although it began later. */
  overtaken(now: number): void;
}

interface Attempt {
  readonly connection: Connection;
  readonly address: string;
  /** When it began, if the kernel chose the path. */
  readonly chosenAt: number | undefined;
}

/** Bounded by ATTEMPTS_MAX sockets. The owner sets the limit of time and calls `cancel`. */
export class Race implements ConnectionHandler, Timed {
  readonly #loop: EventLoop;
  readonly #port: number;
  readonly #options: ConnectOptions;
  readonly #owner: RaceOwner;
  readonly #paths: OtherPaths | undefined;
  readonly #timer = new Timer(this);
  /** Which source of each family is used at the moment. */
  #round = 0;
  readonly #rounds: number;
  /** Still to be tried in this round, in order. */
  #waiting: readonly string[] = [];
  /** Bounded by ATTEMPTS_MAX over the number of rounds. */
  #seen: readonly string[] = [];
  /** Under way. */
  readonly #attempts: Attempt[] = [];
  /** Sources from which the address tried last is still to be tried, and when each of them is due. */
  #others: { readonly address: string; readonly sources: readonly string[]; readonly delayMs: number } | undefined;
  /** Attempts over other paths than the kernel's choice. */
  #detours = 0;
  #complete = false;
  #over = false;
  #errno = 0;
  #option: string | undefined;
  #family: 4 | 6 = 4;

  /** `paths`: only where the options leave the choice of the path to the kernel. */
  constructor(loop: EventLoop, port: number, options: ConnectOptions, owner: RaceOwner, paths?: OtherPaths) {
    this.#loop = loop;
    this.#port = port;
    this.#options = options;
    this.#owner = owner;
    this.#paths = paths;
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
    const attempted = this.#take(attempt);
    if (errno === 0 && !attempt.failed) return this.#win(attempt, attempted);
    attempt.close();
    // The server's own word: it would say the same over any path.
    if (errno === ECONNREFUSED && this.#others?.address === attempted.address) this.#others = undefined;
    this.#lose(errno, undefined);
    this.#loop.disarm(this.#timer);
    this.#next();
  }

  #win(connection: Connection, { address, chosenAt }: Attempt): void {
    this.cancel();
    if (chosenAt === undefined) this.#paths?.overtaken(this.#loop.now);
    else this.#paths?.answered(address, this.#loop.now - chosenAt);
    this.#owner.onConnected(connection, address);
  }

  #take(attempt: Connection): Attempt {
    const at = this.#attempts.findIndex(({ connection }) => connection === attempt);
    return this.#attempts.splice(at, 1)[0] as Attempt;
  }

  #lose(errno: number, option: string | undefined): void {
    if (this.#errno !== 0) return;
    this.#errno = errno;
    this.#option = option;
  }

  /** Begins the next attempt, passing over those that fail at once. */
  #next(): void {
    for (;;) {
      if (this.#others !== undefined) {
        if (this.#detour()) return;
        continue;
      }
      const [address, ...rest] = this.#waiting;
      if (address === undefined) {
        if (!this.#nextRound()) break;
        continue;
      }
      this.#waiting = rest;
      // In the first round beginConnect chooses as it is wanted.
      const sources = this.#round === 0 ? undefined : this.#sourcesFor(address).slice(this.#round, this.#round + 1);
      const connection = this.#begin(address, sources);
      if (connection === undefined) continue;
      this.#family = familyOf(address);
      this.#attempts.push({ connection, address, chosenAt: this.#loop.now });
      if (this.#paths !== undefined) this.#lookAside(connection, address);
      this.#awaitNext();
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

  /** Which other paths are worth a try shows the one that the kernel took. */
  #lookAside(connection: Connection, address: string): void {
    const { sources, delayMs } = this.#paths!.besides(localEndpoint(connection.fd).address, address, this.#loop.now);
    const left = ATTEMPTS_MAX - this.#seen.length - this.#detours;
    if (left > 0 && sources.length > 0) this.#others = { address, sources: sources.slice(0, left), delayMs };
  }

  /** Tries the address from the next source; false when there was none, or it failed at once. */
  #detour(): boolean {
    const { address, sources, delayMs } = this.#others!;
    const [source, ...rest] = sources;
    this.#others = rest.length === 0 ? undefined : { address, sources: rest, delayMs };
    const connection = this.#begin(address, source === undefined ? [] : [source]);
    if (connection === undefined) return false;
    this.#detours++;
    this.#attempts.push({ connection, address, chosenAt: undefined });
    this.#awaitNext();
    return true;
  }

  /** What comes next waits for its time; the first attempt's failure brings it forward. */
  #awaitNext(): void {
    const isMore = this.#waiting.length > 0 || !this.#complete || this.#round + 1 < this.#rounds;
    if (this.#others === undefined && !isMore) return;
    this.#loop.arm(this.#timer, this.#loop.now + (this.#others?.delayMs ?? ATTEMPT_DELAY_MS));
  }

  /** `undefined`: it failed at once. */
  #begin(address: string, sourceAddress: readonly string[] | undefined): Connection | undefined {
    try {
      const options = sourceAddress === undefined ? this.#options : { ...this.#options, sourceAddress };
      const fd = beginConnect(address, this.#port, options);
      if (fd < 0) {
        this.#lose(-fd, undefined);
        return undefined;
      }
      this.#owner.onBegun?.(fd);
      const connection = new Connection(this.#loop, fd, this.#options.mptcp, this);
      if (!connection.failed) return connection;
      // Not watched, so nothing would ever be heard of it.
      connection.close();
      this.#lose(ENOBUFS, undefined);
    } catch (error) {
      if (!(error instanceof LinuxError)) throw error;
      this.#lose(error.errno, error.message);
    }
    return undefined;
  }
}
