// One client connection from accept to end:  handshake ─▶ (password) ─▶ dial ─▶ relay ─▶ record.

import type { InboundConfig, SocketConfig } from '../config/config.ts';
import { Connection, type ConnectionHandler } from '../dataplane/connection.ts';
import { Relay, type RelayEnd, type RelayOwner } from '../dataplane/relay.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import type { ConnectFailure, InboundEffect, InboundHandshake } from '../handshake/inbound.ts';
import { localEndpoint } from '../socket/connect.ts';
import { errnoName } from '../socket/errno.ts';
import type { MptcpState } from '../socket/mptcp.ts';
import { settleAcceptedTcp, settleConnection } from '../socket/options.ts';
import { sendBytes } from '../socket/send-bytes.ts';
import type { Destination, Endpoint } from '../wire/destination.ts';
import type { ClientAccount } from './client-account.ts';
import type { Context, LiveFlow } from './context.ts';
import { Dial, type Dialed, type DialOwner } from './dial.ts';
import type { FlowEnd, FlowRecord } from './flow-record.ts';
import { FlowSides } from './flow-sides.ts';
import type { FlowPhase, FlowStatus } from './flow-status.ts';
import { Purpose } from './purpose.ts';

const EAGAIN = 11;
/** Read at once from a client in its handshake. */
const READ_BYTES = 16_384;
/** How long a refused client may go on sending before it is cut, and how much. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 1 << 18;

/** A connection that is still there after this time gets keepalives and the like; most are gone by then. */
const SETTLE_MS = 5_000;

export interface FlowOrigin {
  readonly inbound: InboundConfig;
  readonly client: Endpoint;
  /** How the client came to us. */
  readonly mptcp: MptcpState;
  readonly account: ClientAccount;
  /** The descriptor is one end of a pair of our own, with the client beyond the other. */
  readonly isPair?: boolean;
  /** Speaks to the client; `undefined` for a flow whose destination is known from the start. */
  readonly handshake: InboundHandshake | undefined;
  /** Called when the flow is over, once; `handedOver`: its descriptor lives on. */
  readonly onClosed: (handedOver: boolean) => void;
  /** Takes the client's descriptor of a stream that broke off, for a client to whom a reset cannot be sent. */
  readonly onBroken?: (fd: number) => void;
  /** Told how the dialing went, for a flow that somebody else asked for. */
  readonly onDialed?: (failure: ConnectFailure | undefined, detail: string | undefined) => void;
}

/** Owns its client's descriptor, and the server's once it is dialed. */
export class Flow implements ConnectionHandler, Timed, RelayOwner, DialOwner, LiveFlow {
  readonly id: string;
  readonly sides: FlowSides;
  user: string | undefined;
  purpose: Purpose | undefined;
  readonly #context: Context;
  readonly #origin: FlowOrigin;
  readonly #client: Connection;
  readonly #timer = new Timer(this);
  /** In the loop's milliseconds; 0: has not come to pass. */
  readonly #acceptedAt: number;
  #requestedAt = 0;
  #connectedAt = 0;
  #phase: FlowPhase = 'handshake';
  #asked: Destination | undefined;
  #outbound: string | undefined;
  #question = 0;
  #dial: Dial | undefined;
  #server: Connection | undefined;
  #relay: Relay | undefined;
  /** Delivered with the outbound's handshake, before the relay began. */
  #earlyBytes = 0;
  /** When, in the loop's milliseconds; 0: there were none. */
  #earlyAt = 0;
  #end: FlowEnd = 'done';
  #detail: string | undefined;
  #lingered = 0;
  /** The options for a long life, the server's here, and when to apply them. */
  #settle: { readonly at: number; readonly socket: SocketConfig } | undefined;

  constructor(context: Context, fd: number, origin: FlowOrigin) {
    const { loop } = context;
    this.#context = context;
    this.#origin = origin;
    this.id = context.nextFlowId();
    this.#acceptedAt = loop.now;
    const { client, mptcp, inbound, isPair = false } = origin;
    this.#client = new Connection(loop, fd, mptcp === 'mptcp' && !isPair, this);
    this.sides = new FlowSides(isPair ? undefined : this.#client, client, mptcp, inbound.socket.userTimeout);
    context.flows.add(this);
    context.counters.add('active');
    loop.arm(this.#timer, loop.now + context.config.timeouts.handshake);
  }

  /** For a client that speaks first. */
  start(): void {
    this.#client.readable = true;
    this.onReady(this.#client);
  }

  /** For a flow whose destination is known. */
  connectTo(destination: Destination, user?: string): void {
    this.user = user;
    this.#connect(destination);
  }

  onReady(client: Connection): void {
    if (this.#phase === 'handshake') this.#readHandshake();
    else if (this.#phase === 'closing') this.#discard();
    // A client that only ended its direction may still wait for the answer; one that hung up does not.
    else if (client.failed && this.#relay === undefined) this.#finish('client-gone', undefined);
  }

  onTimer(now: number): void {
    const { timeouts } = this.#context.config;
    if (this.#phase === 'closing') return this.#close(false);
    if (this.#phase === 'connecting') return this.onDialFailed('timed-out', 'no connection within the time allowed');
    if (this.#relay === undefined) return this.#finish('handshake-timeout', undefined);
    if (this.#settle !== undefined && now >= this.#settle.at) this.#settleSides(this.#settle.socket);
    const { halfClosed, activeAt } = this.#relay;
    const deadline = activeAt + (halfClosed ? timeouts.halfClosed : timeouts.idle);
    if (now < deadline) return this.#armRelay();
    this.#finish(halfClosed ? 'half-closed-timeout' : 'idle-timeout', undefined);
  }

  onDialed(dialed: Dialed): void {
    const { loop, counters, histograms, resources } = this.#context;
    this.#outbound = this.#dial?.outbound;
    this.#dial = undefined;
    this.#server = dialed.connection;
    this.#connectedAt = loop.now;
    histograms.observe('connect', (loop.now - this.#requestedAt) / 1000);
    this.sides.setServer(dialed.connection, dialed.reached, dialed.mptcp, dialed.socket.userTimeout);
    this.sides.keepTuned(this.#context.congestion, this.#origin.inbound.socket, dialed.socket, loop.now);
    this.#settle = { at: loop.now + SETTLE_MS, socket: dialed.socket };
    this.#phase = 'relaying';
    this.#relay = new Relay(loop, this.#client, dialed.connection, resources, this);
    this.#relay.down.prepend(dialed.early);
    counters.add('flows');
    // A reset takes all that MPTCP knew with it: at least the first subflow shall be told of, however early that comes.
    if (this.#context.recording && this.sides.isMptcp) this.sides.sample(loop.now, false);
    this.#origin.onDialed?.(undefined, undefined);
    this.#armRelay();
    const { handshake } = this.#origin;
    if (handshake === undefined) this.#relay.start();
    else this.#apply(handshake.onConnected(localEndpoint(dialed.connection.fd)));
  }

  onDialFailed(failure: ConnectFailure, detail: string | undefined): void {
    this.#outbound = this.#dial?.outbound;
    this.#dial?.cancel();
    this.#dial = undefined;
    this.#end = failure;
    this.#detail = detail;
    this.#origin.onDialed?.(failure, detail);
    const { handshake } = this.#origin;
    if (handshake === undefined) return this.#finish(failure, detail);
    this.#apply(handshake.onFailed(failure));
  }

  takeEarly(): Uint8Array | undefined {
    if (this.#origin.handshake !== undefined) return undefined;
    const { buffer } = this.#context.resources;
    const got = this.#client.receive(buffer, READ_BYTES);
    // An end, or an error, must be seen again by the relay.
    if (got === 0 || (got < 0 && got !== -EAGAIN)) this.#client.readable = true;
    if (got <= 0) return undefined;
    this.#earlyBytes = got;
    this.#earlyAt = this.#context.loop.now;
    this.#context.counters.add('bytesUp', got);
    return buffer.bytes.slice(0, got);
  }

  /** What MPTCP sockets can tell of their subflows is gone once both ends are through. */
  onRelayHalfClosed(): void {
    if (this.#context.recording) this.sides.sample(this.#context.loop.now, false);
  }

  onStall(ms: number): void {
    this.#context.histograms.observe('stall', ms / 1000);
  }

  onRelayEnd(end: RelayEnd, errno: number): void {
    this.#finish(end, errno === 0 ? undefined : errnoName(errno));
  }

  cut(end: FlowEnd): void {
    this.#finish(end, undefined);
  }

  get isMptcp(): boolean {
    return this.sides.isMptcp;
  }

  watch(): void {
    this.sides.sample(this.#context.loop.now, this.#relay?.halfClosed === true);
    if (this.sides.isSilent) this.#finish('peer-silent', undefined);
  }

  tune(now: number): number {
    return this.#relay === undefined ? 0 : this.sides.tune(now, this.#relay.down.bytes, this.#relay.up.bytes);
  }

  status(): FlowStatus {
    const { epoch, loop } = this.#context;
    this.sides.sample(loop.now, this.#relay?.halfClosed === true);
    const { inbound, client } = this.#origin;
    return {
      id: this.id,
      phase: this.#phase,
      inbound: inbound.name,
      client,
      user: this.user,
      asked: this.#asked,
      reached: this.sides.reached,
      outbound: this.#dial?.outbound ?? this.#outbound,
      acceptedAt: Math.round(epoch + this.#acceptedAt),
      idleMs: Math.round(loop.now - (this.#relay?.activeAt ?? this.#acceptedAt)),
      bytesUp: this.#earlyBytes + (this.#relay?.up.bytes ?? 0),
      bytesDown: this.#relay?.down.bytes ?? 0,
      ...this.sides.records(),
    };
  }

  #readHandshake(): void {
    const { buffer } = this.#context.resources;
    const handshake = this.#origin.handshake as InboundHandshake;
    while (this.#phase === 'handshake' && this.#client.readable) {
      const got = this.#client.receive(buffer, READ_BYTES);
      if (got === -EAGAIN) return;
      if (got <= 0) return this.#finish('client-gone', got < 0 ? errnoName(-got) : undefined);
      this.#apply(handshake.onBytes(buffer.bytes.subarray(0, got)));
    }
  }

  #apply(effects: readonly InboundEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          if (sendBytes(this.#client.fd, effect.bytes) < effect.bytes.length)
            return this.#finish('client-gone', undefined);
          break;
        case 'authenticate':
          this.#authenticate(effect.name, effect.password);
          break;
        case 'connect':
          this.#connect(effect.destination);
          break;
        case 'relay':
          this.#relay?.up.prepend(effect.early);
          this.#relay?.start();
          break;
        case 'hand-over':
          return this.#handOver(effect.read);
        case 'close':
          if (effect.reason !== 'connect-failed') this.#end = effect.reason;
          return this.#closeSoon();
      }
    }
  }

  #authenticate(name: string, password: string): void {
    this.#phase = 'authenticating';
    const { main } = this.#context;
    this.#question = main.authenticate(this.#origin.inbound.name, name, password, (ok) => {
      if (ok) this.user = name;
      this.#phase = 'handshake';
      const handshake = this.#origin.handshake as InboundHandshake;
      this.#apply(handshake.onAuthenticated(ok));
      if (this.#phase === 'handshake') this.#readHandshake();
    });
  }

  #connect(destination: Destination): void {
    const { loop, config, histograms } = this.#context;
    const { inbound, client, account } = this.#origin;
    const query = { inbound, source: client.address, user: this.user, account, destination };
    this.#phase = 'connecting';
    this.#asked = destination;
    this.#requestedAt = loop.now;
    if (this.#origin.handshake !== undefined) histograms.observe('handshake', (loop.now - this.#acceptedAt) / 1000);
    this.purpose = new Purpose(this.#context, query);
    loop.arm(this.#timer, loop.now + config.timeouts.connect);
    this.#dial = new Dial(this.#context, this.purpose, destination, this);
    this.#dial.start();
  }

  #armRelay(): void {
    const { timeouts } = this.#context.config;
    const { halfClosed, activeAt } = this.#relay as Relay;
    // Looked at in time for the shorter of the two, since a half-close does not re-arm.
    const wait = halfClosed ? timeouts.halfClosed : Math.min(timeouts.idle, timeouts.halfClosed);
    const { loop } = this.#context;
    const check = Math.max(activeAt, loop.now - wait + 1) + wait;
    loop.arm(this.#timer, Math.min(check, this.#settle?.at ?? check));
  }

  #settleSides(socket: SocketConfig): void {
    this.#settle = undefined;
    const { inbound, mptcp, isPair } = this.#origin;
    if (mptcp === 'client-without-mptcp' && !isPair) settleAcceptedTcp(this.#client.fd, inbound.socket);
    settleConnection((this.#server as Connection).fd, socket, this.sides.serverIsMptcp);
  }

  #handOver(read: Uint8Array): void {
    const { inbound, client, mptcp } = this.#origin;
    const fd = this.#client.detach();
    // The bytes may be a view of the shared buffer; posting copies them.
    this.#context.post({ kind: 'hand-over', fd, read, inbound: inbound.name, client, mptcp });
    this.#end = 'handed-over';
    this.#leave();
  }

  /** Lets the reply reach the client: closing on unread bytes would send a reset that can overtake it. */
  #closeSoon(): void {
    const { loop } = this.#context;
    this.#phase = 'closing';
    this.#client.endWriting();
    this.#client.readable = true;
    loop.arm(this.#timer, loop.now + LINGER_MS);
    this.#discard();
  }

  #discard(): void {
    const { buffer } = this.#context.resources;
    while (this.#client.readable) {
      const got = this.#client.receive(buffer, buffer.size);
      if (got === -EAGAIN) return;
      this.#lingered += Math.max(got, 0);
      if (got <= 0 || this.#lingered > LINGER_BYTES) return this.#close(got > 0);
    }
  }

  #finish(end: FlowEnd, detail: string | undefined): void {
    this.#end = end;
    this.#detail = detail;
    // A stream that did not end in order must not look as if it had.
    this.#close(end !== 'done' && this.#relay !== undefined);
  }

  #close(reset: boolean): void {
    if (this.#context.flows.has(this)) {
      if (this.#context.recording) this.sides.sample(this.#context.loop.now, true);
      this.#dial?.cancel();
      this.#context.main.forget(this.#question);
      this.#relay?.stop();
      if (reset) this.#server?.reset();
      else this.#server?.close();
      if (!reset) this.#client.close();
      else if (this.#origin.onBroken === undefined) this.#client.reset();
      else this.#origin.onBroken(this.#client.detach());
      this.#leave();
    }
  }

  #leave(): void {
    const { loop, counters, histograms, flows } = this.#context;
    if (!flows.delete(this)) return;
    loop.disarm(this.#timer);
    counters.add('active', -1);
    counters.add(`end:${this.#end}`);
    if (this.#relay !== undefined) histograms.observe('duration', (loop.now - this.#acceptedAt) / 1000);
    const { client, server } = this.sides.fellBack;
    if (client) counters.add('client:fell-back');
    if (server) counters.add('server:fell-back');
    if (this.#context.recording) this.#context.record(this.#record());
    this.#origin.onClosed(this.#end === 'handed-over');
  }

  #record(): FlowRecord {
    const { epoch, loop } = this.#context;
    const at = (time: number) => (time === 0 ? undefined : Math.round((epoch + time) * 1000) / 1000);
    const { inbound, client } = this.#origin;
    return {
      id: this.id,
      inbound: inbound.name,
      client,
      user: this.user,
      asked: this.#asked,
      reached: this.sides.reached,
      outbound: this.#outbound,
      acceptedAt: at(this.#acceptedAt) as number,
      requestedAt: at(this.#requestedAt),
      connectedAt: at(this.#connectedAt),
      firstByteUpAt: at(this.#earlyAt || (this.#relay?.firstUpAt ?? 0)),
      firstByteDownAt: at(this.#relay?.firstDownAt ?? 0),
      endedAt: at(loop.now) as number,
      bytesUp: this.#earlyBytes + (this.#relay?.up.bytes ?? 0),
      bytesDown: this.#relay?.down.bytes ?? 0,
      longestStallMs: Math.round(this.#relay?.stallMsMax ?? 0),
      end: this.#end,
      detail: this.#detail,
      ...this.sides.records(),
    };
  }
}
