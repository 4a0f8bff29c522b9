// Opens the way to a destination: route, name, connection race, and the handshakes of the proxies on the way.

import type { OutboundConfig, SocketConfig } from '../config/config.ts';
import { formatWish } from '../config/wish.ts';
import type { Connection, ConnectionHandler } from '../dataplane/connection.ts';
import { Race, type RaceOwner } from '../dataplane/race.ts';
import { createHttpClient } from '../handshake/http-client.ts';
import type { ConnectFailure } from '../handshake/inbound.ts';
import type { OutboundEffect, OutboundHandshake } from '../handshake/outbound.ts';
import { createSocksClient } from '../handshake/socks-client.ts';
import { isLoopback } from '../routing/access.ts';
import { initialCongestion } from '../socket/congestion.ts';
import { errnoName } from '../socket/errno.ts';
import { type MptcpState, staysMptcp } from '../socket/mptcp.ts';
import { initialSendBuffer } from '../socket/send-buffer.ts';
import { sendBytes } from '../socket/send-bytes.ts';
import { type Destination, type Endpoint, formatHostPort } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { failureOf } from './connect-failures.ts';
import type { Context } from './context.ts';
import { fallbackCounter } from './counter-layout.ts';
import type { NameWaiter } from './main-thread.ts';
import type { PathUse } from './path-sources.ts';
import type { Purpose } from './purpose.ts';
import type { Route, RouteSearch } from './routes.ts';

export interface Dialed {
  /** The caller's; its handler is to be set. */
  readonly connection: Connection;
  readonly reached: Endpoint;
  readonly mptcp: MptcpState;
  /** The options it was opened with; those for a long life are still to be applied. */
  readonly socket: SocketConfig;
  /** The destination's first bytes, when they came with a proxy's reply. */
  readonly early: Uint8Array;
}

export interface DialOwner {
  onDialed(dialed: Dialed): void;
  onDialFailed(failure: ConnectFailure, detail: string | undefined): void;
  /** Bytes the client has sent already, for an outbound that can carry them along; they count as delivered. */
  takeEarly(): Uint8Array | undefined;
}

const EAGAIN = 11;
const NOTHING = new Uint8Array(0);

/** Has no limit of time of its own: the owner cancels. */
export class Dial implements NameWaiter, RaceOwner, ConnectionHandler {
  readonly #context: Context;
  readonly #purpose: Purpose;
  readonly #search: RouteSearch;
  readonly #owner: DialOwner;
  #destination: Destination;
  #route: Route | undefined;
  #question = 0;
  #race: Race | undefined;
  /** Over which paths; `undefined`: as the kernel chooses. */
  #use: PathUse | undefined;
  #connection: Connection | undefined;
  #reached: Endpoint = { address: '0.0.0.0', port: 0 };
  #mptcp: MptcpState = 'not-asked';
  /** Proxies still to be asked, the next one first. */
  #hops: OutboundConfig[] = [];
  /** What is being resolved is the destination's name, to find or to check the route; else it is where we connect to. */
  #judging = false;
  #handshake: OutboundHandshake | undefined;
  #asksMptcp = false;

  constructor(context: Context, purpose: Purpose, destination: Destination, owner: DialOwner) {
    this.#context = context;
    this.#purpose = purpose;
    this.#search = purpose.find();
    this.#destination = destination;
    this.#owner = owner;
  }

  /** Name of the outbound, once it is decided. */
  get outbound(): string | undefined {
    return this.#route?.name;
  }

  /** Where the TCP connection goes: to the first proxy, or straight to the destination. */
  get #target(): Destination {
    return this.#hops[0]?.server ?? this.#destination;
  }

  get #first(): OutboundConfig {
    return this.#route?.chain[0] as OutboundConfig;
  }

  start(): void {
    if (this.#search.kind === 'denied') return this.#owner.onDialFailed('denied', 'denied by a rule');
    if (this.#search.kind === 'found') this.#take(this.#search.route);
    this.#judging = this.#route === undefined || (this.#route.checked && this.#hops.length > 0);
    this.#resolve(this.#judging ? this.#destination : this.#target);
  }

  /** Ends whatever is under way; the owner hears nothing more. */
  cancel(): void {
    if (this.#question !== 0) this.#context.main.forget(this.#question);
    this.#race?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
  }

  onAddresses(addresses: readonly string[], complete: boolean): void {
    if (this.#judging) {
      if (complete) this.#judge(addresses);
      return;
    }
    // A proxy on the way is the configuration's choice; where we connect to for the client is judged.
    const allowed = this.#hops.length > 0 ? addresses : addresses.filter((address) => this.#route?.permits(address));
    if (complete && allowed.length === 0) return this.#deny();
    this.#race ??= this.#createRace(allowed, complete);
    const reachable = allowed.filter((address) => this.#use?.permits(address) ?? true);
    if (complete && reachable.length === 0) return this.#failUnreachable();
    this.#race.add(reachable, complete);
  }

  onNoName(failure: ConnectFailure, detail: string): void {
    this.#owner.onDialFailed(failure, detail);
  }

  onBegun(fd: number): void {
    if (this.#asksMptcp) this.#purpose.begun(fd);
  }

  onConnected(connection: Connection, address: string): void {
    const { port } = this.#target;
    const judged = this.#hops.length === 0 ? address : canonicalIp(this.#destination.host);
    this.#purpose.stands(connection.fd, judged);
    this.#connection = connection;
    this.#reached = { address, port };
    this.#mptcp = this.#stateOf(connection);
    const fallback = fallbackCounter('server', this.#mptcp);
    if (fallback !== undefined) this.#context.counters.add(fallback);
    connection.handler = this;
    this.#nextHop(NOTHING);
    // A proxy that turns everybody away speaks, or hangs up, at once; what came with the connection raises no new edge.
    if (this.#connection === connection && connection.readable) this.onReady(connection);
  }

  onRaceLost(errno: number, option: string | undefined): void {
    const { host, port } = this.#target;
    const detail = option ?? `${errnoName(errno)} from ${formatHostPort(host, port)}`;
    const failure = this.#hops.length > 0 ? 'upstream-failed' : failureOf(errno);
    this.#owner.onDialFailed(failure, detail);
  }

  onReady(connection: Connection): void {
    const { buffer } = this.#context.resources;
    while (this.#handshake !== undefined && connection.readable) {
      const got = connection.receive(buffer, 16_384);
      if (got === -EAGAIN) return;
      if (got <= 0) return this.#fail('upstream-failed', 'the proxy on the way closed the connection');
      this.#apply(this.#handshake.onBytes(buffer.bytes.subarray(0, got)));
    }
  }

  #resolve({ host }: Destination): void {
    const { loop, main } = this.#context;
    if (canonicalIp(host) !== undefined) this.onAddresses([host], true);
    else this.#question = main.resolve(host, loop.now, this);
  }

  #take(route: Route): void {
    this.#route = route;
    this.#purpose.decided(route);
    this.#hops = route.chain.filter((hop) => hop.server !== undefined);
  }

  /** All addresses of the destination are known: they decide the route, or which of them a proxy is asked for. */
  #judge(addresses: readonly string[]): void {
    this.#judging = false;
    const route = this.#search.kind === 'by-address' ? this.#search.among(addresses) : this.#route;
    const allowed = addresses.filter((address) => route?.permits(address));
    const [address] = allowed;
    if (route === undefined || address === undefined) return this.#deny();
    this.#take(route);
    if (this.#hops.length === 0) return this.onAddresses(allowed, true);
    this.#destination = { host: address, port: this.#destination.port };
    this.#resolve(this.#target);
  }

  #failUnreachable(): void {
    this.#race?.cancel();
    const detail = `no path works that the wish \`${formatWish(this.#purpose.wish)}\` allows`;
    this.#owner.onDialFailed('network-unreachable', detail);
  }

  #deny(): void {
    this.#race?.cancel();
    this.#owner.onDialFailed('denied', 'no address of the destination is allowed');
  }

  #createRace(addresses: readonly string[], complete: boolean): Race {
    const { loop, mptcpAvailable, plainPeers, paths } = this.#context;
    const first = this.#first;
    const { port } = this.#target;
    const isPlain = (address: string) => isLoopback(address) || plainPeers.has(`${address} ${port}`, loop.now);
    const skip = first.transport === 'auto' && addresses.some(isPlain);
    this.#asksMptcp = first.transport !== 'tcp' && mptcpAvailable && !skip;
    const { sourceAddress, interface: device, mark } = first.socket;
    const isFree = sourceAddress.length === 0 && device === undefined && mark === undefined;
    const isNear = addresses.every((address) => paths.isNear(address));
    const others = isFree && !isNear ? paths.forConnection(this.#asksMptcp, this.#purpose.choice) : undefined;
    this.#use = others;
    const hasChoice = sourceAddress.length > 1 || others !== undefined;
    const options = {
      mptcp: this.#asksMptcp,
      sourceAddress: others?.sources ?? sourceAddress,
      socket: {
        ...first.socket,
        congestion: initialCongestion(first.socket.congestion),
        sendBuffer: initialSendBuffer(first.socket.sendBuffer),
      },
      // A proxy's handshake begins with our bytes, so there is something to put into the SYN; but it makes every
      // attempt look connected, so it is for a single address only, from a single source.
      fastOpen: first.socket.fastOpen && this.#hops.length > 0 && complete && addresses.length === 1 && !hasChoice,
    };
    return new Race(loop, port, options, this, others);
  }

  #stateOf(connection: Connection): MptcpState {
    const { loop, mptcpAvailable, plainPeers, counters } = this.#context;
    if (!this.#asksMptcp) {
      if (this.#first.transport === 'tcp' || isLoopback(this.#reached.address)) return 'not-asked';
      return mptcpAvailable ? 'peer-without-mptcp' : 'no-kernel-support';
    }
    if (staysMptcp(connection.fd)) {
      counters.add('mptcpServers');
      return 'mptcp';
    }
    counters.add('fallbacksServer');
    plainPeers.remember(`${this.#reached.address} ${this.#reached.port}`, loop.now);
    return 'peer-without-mptcp';
  }

  /** Begins the next proxy's handshake, or is done. */
  #nextHop(early: Uint8Array): void {
    const hop = this.#hops.shift();
    if (hop === undefined) {
      const connection = this.#connection as Connection;
      this.#connection = undefined;
      this.#handshake = undefined;
      const { socket } = this.#first;
      return this.#owner.onDialed({ connection, reached: this.#reached, mptcp: this.#mptcp, socket, early });
    }
    const destination = this.#target;
    const { credentials, optimistic } = hop;
    const create = hop.type === 'socks' ? createSocksClient : createHttpClient;
    this.#handshake = create({ destination, optimistic, ...(credentials === undefined ? {} : { credentials }) });
    const effects = this.#handshake.start();
    this.#apply(optimistic && this.#hops.length === 0 ? this.#withEarly(effects) : effects);
    if (early.length > 0 && this.#handshake !== undefined) this.#apply(this.#handshake.onBytes(early));
  }

  #withEarly(effects: OutboundEffect[]): OutboundEffect[] {
    const bytes = this.#owner.takeEarly();
    return bytes === undefined ? effects : [...effects, { kind: 'send', bytes }];
  }

  #apply(effects: readonly OutboundEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'failed') return this.#fail(effect.failure, effect.detail);
      if (effect.kind === 'established') {
        this.#handshake = undefined;
        return this.#nextHop(effect.early);
      }
      const connection = this.#connection as Connection;
      if (sendBytes(connection.fd, effect.bytes) < effect.bytes.length) {
        return this.#fail('upstream-failed', 'the proxy on the way takes no bytes');
      }
    }
  }

  #fail(failure: ConnectFailure, detail: string): void {
    this.cancel();
    this.#owner.onDialFailed(failure, detail);
  }
}
