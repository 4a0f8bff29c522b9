// Both sides of a flow as the kernel sees them: MPTCP or not, and the subflows, sampled while they last.

import type { Connection } from '../dataplane/connection.ts';
import { localEndpoint } from '../socket/connect.ts';
import type { MptcpState } from '../socket/mptcp.ts';
import { type SubflowSample, sampleMptcp, sampleTcp } from '../socket/subflows.ts';
import type { Endpoint } from '../wire/destination.ts';
import type { SideRecord } from './flow-record.ts';
import { SubflowLog } from './subflow-log.ts';

class Side {
  readonly connection: Connection;
  readonly remote: Endpoint;
  mptcp: MptcpState;
  #log: SubflowLog | undefined;
  /** MPTCP refuses TCP_USER_TIMEOUT; this is the same, as of the last sample. */
  silent = false;
  #local: Endpoint | undefined;
  readonly #userTimeout: number;

  constructor(connection: Connection, remote: Endpoint, mptcp: MptcpState, userTimeout: number) {
    this.connection = connection;
    this.remote = remote;
    this.mptcp = mptcp;
    this.#userTimeout = userTimeout;
  }

  /** Call only while the connection is open. */
  sample(): void {
    const { fd } = this.connection;
    if (this.mptcp === 'mptcp') {
      const sample = sampleMptcp(fd);
      if (sample === undefined) return;
      if (sample.fellBack) this.mptcp = 'fell-back';
      this.silent = this.#userTimeout > 0 && sample.unacked > 0 && sample.lastAckMs > this.#userTimeout;
      return this.#keep(sample.subflows);
    }
    this.#local ??= localEndpoint(fd);
    const sample = sampleTcp(fd, this.#local, this.remote);
    if (sample !== undefined) this.#keep([sample]);
  }

  record(): SideRecord {
    return { mptcp: this.mptcp, subflows: this.#log?.subflows() ?? [] };
  }

  #keep(subflows: readonly SubflowSample[]): void {
    this.#log ??= new SubflowLog();
    this.#log.update(subflows);
  }
}

export class FlowSides {
  readonly #client: Side;
  #server: Side | undefined;

  constructor(client: Connection, remote: Endpoint, mptcp: MptcpState, userTimeout: number) {
    this.#client = new Side(client, remote, mptcp, userTimeout);
  }

  setServer(server: Connection, remote: Endpoint, mptcp: MptcpState, userTimeout: number): void {
    this.#server = new Side(server, remote, mptcp, userTimeout);
  }

  get reached(): Endpoint | undefined {
    return this.#server?.remote;
  }

  /** One of them has subflows that may come and go. */
  get isMptcp(): boolean {
    return this.#client.mptcp === 'mptcp' || this.#server?.mptcp === 'mptcp';
  }

  /** A peer has left sent data unacknowledged for longer than its `userTimeout`. */
  get isSilent(): boolean {
    return this.#client.silent || this.#server?.silent === true;
  }

  /** Reads the kernel's figures. Call only while the connections are open. */
  sample(): void {
    this.#client.sample();
    this.#server?.sample();
  }

  records(): { readonly clientSide: SideRecord; readonly serverSide: SideRecord | undefined } {
    return { clientSide: this.#client.record(), serverSide: this.#server?.record() };
  }
}
