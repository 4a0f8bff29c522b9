// What one flow's connection to its server is for: which rule it falls under, what that rule wishes of the paths, and
// the path manager's knowing of it, at the beginning and whenever other rules hold.

import type { MessagePort } from 'node:worker_threads';
import type { Config, PathsConfig, Strategy, Wish } from '../config/config.ts';
import type { ChoiceOptions } from '../routing/path-choice.ts';
import { mptcpToken } from '../socket/mptcp.ts';
import type { Route, RouteQuery, RouteSearch, Routes } from './routes.ts';

/** For one MPTCP connection, by its token. */
export interface WishMessage {
  readonly token: number;
  readonly policy: ConnectionPolicy;
}

export interface ConnectionPolicy {
  readonly wish: Wish;
  readonly strategy: Strategy;
}

/** From a data-plane thread straight to the path manager's. */
export class WishLine {
  /** `undefined`: nobody wants to know. Read by the path manager twice a second at the least. */
  port: MessagePort | undefined;

  tell(fd: number, policy: ConnectionPolicy): void {
    const token = this.port === undefined ? undefined : mptcpToken(fd);
    if (token !== undefined) this.port?.postMessage({ token, policy } satisfies WishMessage);
  }
}

/** As it is at each moment. */
export interface PurposeContext {
  readonly config: Config;
  readonly routes: Routes;
  readonly wishes: WishLine;
  /** Milliseconds since 1970, of a clock that may be set. */
  clock(): number;
}

export class Purpose {
  readonly #context: PurposeContext;
  readonly #query: RouteQuery;
  #wish: Wish | undefined;
  /** The connection's, once it stands. */
  #fd = -1;
  /** Where the destination is, if we know. */
  #address: string | undefined;
  /** The path manager was told something else than what holds by default. */
  #isTold = false;
  /** Other rules came to hold while it was being dialed. */
  #isOutdated = false;

  constructor(context: PurposeContext, query: RouteQuery) {
    this.#context = context;
    this.#query = query;
  }

  get wish(): Wish {
    return this.#wish ?? this.#paths.wish;
  }

  /** For the paths of its first subflow. */
  get choice(): ChoiceOptions {
    return { wish: this.wish, bytes: 0, meteredAfter: this.#paths.meteredAfter };
  }

  find(): RouteSearch {
    return this.#context.routes.find(this.#query, this.#context.clock());
  }

  decided({ wish }: Route): void {
    this.#wish = wish;
  }

  /** An MPTCP connection is about to be made: before it stands, so that no subflow is opened that it should not have. */
  begun(fd: number): void {
    this.#tell(fd);
  }

  /** `address` is the destination's, not that of a proxy on the way. The flow is taken out of `flows` before it closes. */
  stands(fd: number, address: string | undefined): void {
    this.#fd = fd;
    this.#address = address;
    if (this.#isOutdated) this.anew();
  }

  /** Other rules hold than before: they were changed, or it is their time. Whether the path manager was told. */
  anew(): boolean {
    this.#isOutdated = this.#fd < 0;
    if (this.#isOutdated) return false;
    const search = this.find();
    // Denied from now on: what stands goes on as it is.
    if (search.kind === 'denied') return false;
    const addresses = this.#address === undefined ? [] : [this.#address];
    const route = search.kind === 'found' ? search.route : search.among(addresses);
    if (route !== undefined) this.#wish = route.wish;
    return this.#tell(this.#fd);
  }

  get #paths(): PathsConfig {
    return this.#context.config.paths;
  }

  #tell(fd: number): boolean {
    const { wishes } = this.#context;
    if (wishes.port === undefined) return false;
    const strategy = this.#query.inbound.strategy ?? this.#paths.strategy;
    const isDefault = this.#wish === undefined && strategy === this.#paths.strategy;
    if (isDefault && !this.#isTold) return false;
    this.#isTold = true;
    wishes.tell(fd, { wish: this.wish, strategy });
    return true;
  }
}
