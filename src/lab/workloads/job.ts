// What the lab tells the programs it runs inside hosts, and what they tell back: lines of JSON. The job is the first line
// on standard input, where anything further, or its end, means stop; answers come on standard output.

import type { ByteSeries } from '../../analysis/byte-series.ts';
import type {
  BulkWorkload,
  ConnectCloseWorkload,
  Gap,
  PageWorkload,
  PingPongWorkload,
  Route,
  StreamWorkload,
  WorkloadError,
  WorkloadResult,
} from './workload.ts';

export interface EndOptions {
  readonly congestion?: string | undefined;
  readonly receiveBuffer?: number | undefined;
  readonly sendBuffer?: number | undefined;
}

export interface ServerJob {
  readonly key: number;
  readonly port: number;
  readonly transport: 'auto' | 'tcp';
  readonly socket: EndOptions;
}

/** Without what only concerns the lab. */
type Task<W> = Omit<W, keyof Route>;

export type ClientTask =
  | Task<BulkWorkload>
  | Task<PingPongWorkload>
  | Task<ConnectCloseWorkload>
  | Task<StreamWorkload>
  | Task<PageWorkload>;

export interface Address {
  readonly address: string;
  readonly port: number;
}

export interface ClientJob {
  readonly key: number;
  readonly server: Address;
  readonly proxy:
    | (Address & { readonly credentials?: { readonly name: string; readonly password: string } })
    | undefined;
  readonly mptcp: boolean;
  readonly socket: EndOptions;
  readonly timeoutMs: number;
  readonly task: ClientTask;
}

export type ClientResult = Exclude<WorkloadResult, { kind: 'tool' }>;

/** One line from a client. */
export type ClientLine =
  /** Before the first connection is begun. */
  | { readonly kind: 'started'; readonly atMs: number }
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'result'; readonly result: ClientResult };

/** What the server saw of the payload sent to it. */
export interface ServerReport {
  readonly bytes: number;
  readonly series: ByteSeries;
  readonly longestGap: Gap;
  readonly lastByteMs: number;
  /** The first hundred flows whose payload was not what the client had sent. */
  readonly corrupt: readonly { readonly flow: number; readonly firstBadOffset: number }[];
  /** The first hundred. */
  readonly errors: readonly WorkloadError[];
  /** Of an upload's flows: their bytes, longest gap and first byte. Bounded by the flows of a bulk workload. */
  readonly uploads: readonly {
    readonly flow: number;
    readonly bytes: number;
    readonly longestGapMs: number;
    readonly firstByteMs: number | undefined;
  }[];
}

export type ServerLine =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'report'; readonly report: ServerReport };
