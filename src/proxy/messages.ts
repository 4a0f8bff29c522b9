// What the main thread and the data-plane threads tell each other.

import type { MessagePort } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import type { ConnectFailure } from '../handshake/inbound.ts';
import type { PathState } from '../routing/path-choice.ts';
import type { MptcpState } from '../socket/mptcp.ts';
import type { Destination, Endpoint } from '../wire/destination.ts';
import type { FlowRecord } from './flow-record.ts';
import type { FlowStatus } from './flow-status.ts';

/** A listening socket for one thread; the thread owns it. */
export interface ListenerHandle {
  readonly fd: number;
  readonly inbound: string;
  /** `address:port` as configured: the same key after a reload means the same socket goes on. */
  readonly key: string;
  readonly isMptcp: boolean;
}

/** Given to a thread at its start. */
export interface ThreadSetup {
  readonly thread: number;
  /** Prefix of flow ids; differs between runs and machines. */
  readonly run: string;
  readonly counters: SharedArrayBuffer;
  readonly histograms: SharedArrayBuffer;
  readonly sources: SharedArrayBuffer;
  readonly mptcpAvailable: boolean;
  /** Records are wanted even with `log: off`. */
  readonly observed: boolean;
  readonly config: Config;
}

export type ToThread =
  | {
      readonly kind: 'configure';
      readonly config: Config;
      /** New ones only. */
      readonly listeners: readonly ListenerHandle[];
      /** Keys of listeners to close. */
      readonly closing: readonly string[];
    }
  /** For `WishMessage`s, to the path manager; the port comes along. */
  | { readonly kind: 'wishes'; readonly port: MessagePort }
  | { readonly kind: 'paths'; readonly paths: readonly PathState[] }
  | { readonly kind: 'own-addresses'; readonly addresses: readonly string[] }
  | {
      readonly kind: 'resolved';
      readonly id: number;
      readonly addresses: readonly string[];
      readonly complete: boolean;
      readonly ttlMs: number;
    }
  | { readonly kind: 'not-resolved'; readonly id: number; readonly failure: ConnectFailure; readonly detail: string }
  | { readonly kind: 'authenticated'; readonly id: number; readonly ok: boolean }
  | DialRequest
  | { readonly kind: 'list-flows'; readonly id: number; readonly most: number }
  | { readonly kind: 'drain'; readonly limitMs: number }
  | { readonly kind: 'stop' };

/** The HTTP forwarder wants a connection: the thread relays between `fd`, which it owns, and the destination. */
export interface DialRequest {
  readonly kind: 'dial';
  readonly id: number;
  readonly fd: number;
  readonly inbound: string;
  readonly client: Endpoint;
  /** Where the client's connection ends here, while it is open. */
  readonly local: Endpoint | undefined;
  /** How the client came to us. */
  readonly mptcp: MptcpState;
  readonly user: string | undefined;
  readonly destination: Destination;
}

export type FromThread =
  | { readonly kind: 'ready'; readonly wakeFd: number }
  | { readonly kind: 'resolve'; readonly id: number; readonly host: string }
  | {
      readonly kind: 'authenticate';
      readonly id: number;
      readonly inbound: string;
      readonly name: string;
      readonly password: string;
    }
  | { readonly kind: 'records'; readonly records: readonly FlowRecord[] }
  | {
      readonly kind: 'hand-over';
      /** The main thread's from here on. */
      readonly fd: number;
      readonly read: Uint8Array;
      readonly inbound: string;
      readonly client: Endpoint;
      readonly mptcp: MptcpState;
    }
  | {
      readonly kind: 'dialed';
      readonly id: number;
      readonly failure: ConnectFailure | undefined;
      readonly detail: string | undefined;
    }
  /** A dialed connection broke off. `fd`, the main thread's, is the far end of the pair: all that came is in it. */
  | { readonly kind: 'broken'; readonly id: number; readonly fd: number }
  | { readonly kind: 'flows'; readonly id: number; readonly flows: readonly FlowStatus[] }
  /** Other rules hold: connections are for something else, and the path manager has been told. */
  | { readonly kind: 'wished' }
  | { readonly kind: 'log'; readonly level: 'warn' | 'error'; readonly code: string; readonly message: string }
  | { readonly kind: 'drained' /** Connections that had to be cut. */; readonly cut: number };
