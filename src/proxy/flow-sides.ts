// Both sides of a flow as the kernel sees them: MPTCP or not, and the subflows, sampled while they last.

import type { SocketConfig } from '../config/config.ts';
import type { Connection } from '../dataplane/connection.ts';
import { isLoopback } from '../routing/access.ts';
import { AUTO } from '../socket/congestion.ts';
import { localEndpoint } from '../socket/connect.ts';
import { type MptcpState, staysMptcp } from '../socket/mptcp.ts';
import { type MptcpSample, type SubflowSample, sampleMptcp, sampleTcp } from '../socket/subflows.ts';
import type { Endpoint } from '../wire/destination.ts';
import type { SideRecord } from './flow-record.ts';
import { SubflowLog } from './subflow-log.ts';
import { CongestionKeeper } from './tuning/congestion-keeper.ts';
import type { CongestionMemory } from './tuning/congestion-memory.ts';
import { SendBufferKeeper } from './tuning/send-buffer-keeper.ts';
import { SendTuner } from './tuning/send-tuner.ts';

class Side {
  readonly connection: Connection | undefined;
  readonly remote: Endpoint;
  mptcp: MptcpState;
  #congestion: CongestionKeeper | undefined;
  #sendBuffer: SendBufferKeeper | undefined;
  #tuner: SendTuner | undefined;
  #log: SubflowLog | undefined;
  /** MPTCP refuses TCP_USER_TIMEOUT; this is the same, as of the last sample. */
  silent = false;
  /** Sent data has been waiting for its acknowledgement, at this sequence number, since this time. */
  #stuck: { readonly at: bigint; readonly since: number } | undefined;
  #local: Endpoint | undefined;
  readonly #userTimeout: number;

  /** `connection`: undefined where the kernel's figures are out of reach. */
  constructor(connection: Connection | undefined, remote: Endpoint, mptcp: MptcpState, userTimeout: number) {
    this.connection = connection;
    this.remote = remote;
    this.mptcp = mptcp;
    this.#userTimeout = userTimeout;
  }

  keep(memory: CongestionMemory, { congestion, sendBuffer }: SocketConfig, now: number): void {
    if (this.connection === undefined || isLoopback(this.remote.address)) return;
    const { fd } = this.connection;
    if (congestion === AUTO) this.#congestion = new CongestionKeeper(memory, this.remote.address, fd, now);
    if (sendBuffer === AUTO && this.mptcp === 'mptcp') this.#sendBuffer = new SendBufferKeeper(fd);
    const observers = [this.#congestion, this.#sendBuffer].filter((keeper) => keeper !== undefined);
    if (observers.length > 0) this.#tuner = new SendTuner(fd, observers);
  }

  /** Call only while the connection is open. Returns whether the kernel was asked. */
  tune(now: number, bytes: number): boolean {
    return this.#tuner?.look(now, bytes, this.mptcp === 'mptcp') === true;
  }

  /** Call only while the connection is open. */
  sample(now: number, ending: boolean): void {
    if (this.connection === undefined) return;
    const { fd } = this.connection;
    if (this.mptcp === 'mptcp') {
      const sample = sampleMptcp(fd);
      if (sample !== undefined) {
        this.#watch(sample, now);
        return this.#keep(sample.subflows, ending);
      }
      if (staysMptcp(fd)) return;
      this.mptcp = 'fell-back';
      this.silent = false;
    }
    this.#local ??= localEndpoint(fd);
    const sample = sampleTcp(fd, this.#local, this.remote);
    if (sample !== undefined) this.#keep([sample], ending);
  }

  record(): SideRecord {
    const congestion = this.#congestion?.record;
    const sendBuffer = this.#sendBuffer?.bytes;
    return {
      mptcp: this.mptcp,
      subflows: this.#log?.subflows() ?? [],
      ...(congestion === undefined ? {} : { congestion }),
      ...(sendBuffer === undefined ? {} : { sendBuffer }),
    };
  }

  #watch({ unacked, acknowledged, lastAckMs }: MptcpSample, now: number): void {
    if (unacked === 0) this.#stuck = undefined;
    else if (this.#stuck?.at !== acknowledged) this.#stuck = { at: acknowledged, since: now };
    const limit = this.#userTimeout;
    // Both: after a pause the latest acknowledgement is old although nothing is amiss, and a peer whose window is full
    // acknowledges nothing new although it is there.
    this.silent = limit > 0 && lastAckMs > limit && this.#stuck !== undefined && now - this.#stuck.since > limit;
  }

  #keep(subflows: readonly SubflowSample[], ending: boolean): void {
    this.#log ??= new SubflowLog();
    this.#log.update(subflows, ending);
  }
}

export class FlowSides {
  readonly #client: Side;
  #server: Side | undefined;

  /** `client`: undefined where the client's socket is in other hands; nothing is sampled then. */
  constructor(client: Connection | undefined, remote: Endpoint, mptcp: MptcpState, userTimeout: number) {
    this.#client = new Side(client, remote, mptcp, userTimeout);
  }

  setServer(server: Connection, remote: Endpoint, mptcp: MptcpState, userTimeout: number): void {
    this.#server = new Side(server, remote, mptcp, userTimeout);
  }

  /** From now on sides are tuned in what their configuration leaves to us. */
  keepTuned(memory: CongestionMemory, client: SocketConfig, server: SocketConfig, now: number): void {
    this.#client.keep(memory, client, now);
    this.#server?.keep(memory, server, now);
  }

  /** `down` and `up`: bytes sent to the client and to the server. Returns how many sides the kernel was asked about. */
  tune(now: number, down: number, up: number): number {
    return (this.#client.tune(now, down) ? 1 : 0) + (this.#server?.tune(now, up) === true ? 1 : 0);
  }

  get reached(): Endpoint | undefined {
    return this.#server?.remote;
  }

  /** Began as MPTCP, and was found to be plain TCP later. */
  get fellBack(): { readonly client: boolean; readonly server: boolean } {
    return { client: this.#client.mptcp === 'fell-back', server: this.#server?.mptcp === 'fell-back' };
  }

  /** One of them has subflows that may come and go. */
  get isMptcp(): boolean {
    return this.#client.mptcp === 'mptcp' || this.#server?.mptcp === 'mptcp';
  }

  get serverIsMptcp(): boolean {
    return this.#server?.mptcp === 'mptcp';
  }

  /** A peer has left sent data unacknowledged for longer than its `userTimeout`. */
  get isSilent(): boolean {
    return this.#client.silent || this.#server?.silent === true;
  }

  /**
   * Reads the kernel's figures. Call only while the connections are open. `now` is the loop's. `ending`: a side has
   * ended its direction already, so that subflows may be closing in order.
   */
  sample(now: number, ending: boolean): void {
    this.#client.sample(now, ending);
    this.#server?.sample(now, ending);
  }

  records(): { readonly clientSide: SideRecord; readonly serverSide: SideRecord | undefined } {
    return { clientSide: this.#client.record(), serverSide: this.#server?.record() };
  }
}
