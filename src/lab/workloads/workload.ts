// What can be run in a lab, and what comes out: plain data, fit for JSON. All times are milliseconds of the lab's one
// clock, see ../measures/clock.ts; all figures of bytes are payload.

import type { ByteSeries } from '../../analysis/byte-series.ts';

export type Workload =
  | BulkWorkload
  | PingPongWorkload
  | ConnectCloseWorkload
  | StreamWorkload
  | PageWorkload
  | ToolWorkload;

/** A client on one host, a server on another, and how the one reaches the other. */
export interface Route {
  /** Host that the client runs on. */
  readonly from: string;
  readonly to: {
    readonly host: string;
    /** Any free port unless given. */
    readonly port?: number | undefined;
    /** The server's address; its host's first IPv4 address unless given. */
    readonly address?: string | undefined;
  };
  /** A SOCKS 5 proxy on the way, `host:port`; `host` is a host of the lab (its first address) or an address. */
  readonly via?: { readonly socks: string; readonly name?: string; readonly password?: string } | undefined;
  /** What the client speaks, to the proxy where there is one. */
  readonly transport: 'tcp' | 'mptcp';
  /** Congestion control by name, at both ends; the kernel's default unless given. */
  readonly congestion?: string | undefined;
  /** SO_RCVBUF and SO_SNDBUF at both ends, in bytes; the kernel doubles them, and no longer adapts them itself. */
  readonly receiveBuffer?: number | undefined;
  readonly sendBuffer?: number | undefined;
  /** What is not over by then is given up, with the error `WORKLOAD_TIMEOUT`; see `timeoutOf`. */
  readonly timeoutSeconds?: number | undefined;
  /** Makes the payload; any unless given. */
  readonly key?: number | undefined;
}

/** A transfer of so many bytes in each flow, or of so many seconds; with both, whatever comes first. */
export interface BulkWorkload extends Route {
  readonly kind: 'bulk';
  /** Where the bytes go, seen from the client. */
  readonly direction: 'down' | 'up';
  readonly bytes?: number | undefined;
  readonly seconds?: number | undefined;
  /** Connections at the same time, 1 unless given, 256 at the most. */
  readonly flows?: number | undefined;
}

/** Requests and responses on a standing connection. */
export interface PingPongWorkload extends Route {
  readonly kind: 'ping-pong';
  readonly requestBytes: number;
  readonly responseBytes: number;
  /**
   * From one request to the next, whether or not the one before was answered, so that a silence is felt by every request
   * that falls into it. 0: the next as soon as the one before is answered.
   */
  readonly intervalMs: number;
  readonly count?: number | undefined;
  readonly seconds?: number | undefined;
  readonly flows?: number | undefined;
}

/** Connect, ask, be answered, close: the server closes first. */
export interface ConnectCloseWorkload extends Route {
  readonly kind: 'connect-close';
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Connections begun in a second; as fast as `parallel` allows unless given. */
  readonly perSecond?: number | undefined;
  /** Open at the same time at the most, 32 unless given. */
  readonly parallel?: number | undefined;
  readonly count?: number | undefined;
  readonly seconds?: number | undefined;
}

/** A live stream: the server makes bytes at a constant rate, the client plays them at that rate from a buffer. */
export interface StreamWorkload extends Route {
  readonly kind: 'stream';
  readonly bitsPerSecond: number;
  readonly seconds: number;
  /** Playing begins once this much is in the buffer. */
  readonly bufferMs: number;
  /** And resumes after a stall once this much is; `bufferMs` unless given. */
  readonly resumeMs?: number | undefined;
}

/** A page of objects, each over a connection of its own: the first alone, then the others, `parallel` at a time. */
export interface PageWorkload extends Route {
  readonly kind: 'page';
  /** Bytes of each object. */
  readonly objects: readonly number[];
  readonly requestBytes?: number | undefined;
  /** 6 unless given. */
  readonly parallel?: number | undefined;
  /** How often the page is loaded, one after the other; 1 unless given. */
  readonly count?: number | undefined;
}

/** Any program, inside a host. */
export interface ToolWorkload {
  readonly kind: 'tool';
  readonly from: string;
  readonly command: readonly string[];
  readonly input?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly timeoutSeconds?: number | undefined;
}

export interface WorkloadError {
  /** An errno's name (ECONNRESET), or one of WorkloadErrorCode. */
  readonly code: string;
  readonly message: string;
  readonly atMs: number;
  /** Number of the flow, from 0. */
  readonly flow?: number | undefined;
}

export const WorkloadErrorCode = {
  timeout: 'WORKLOAD_TIMEOUT',
  aborted: 'WORKLOAD_ABORTED',
  connectTimeout: 'WORKLOAD_CONNECT_TIMEOUT',
  socks: 'WORKLOAD_SOCKS',
  /** The stream ended before all was there. */
  cutShort: 'WORKLOAD_CUT_SHORT',
  corrupt: 'WORKLOAD_CORRUPT',
  /** A client or a server ended without a report. */
  crashed: 'WORKLOAD_CRASHED',
  status: 'WORKLOAD_STATUS',
} as const;
export type WorkloadErrorCode = (typeof WorkloadErrorCode)[keyof typeof WorkloadErrorCode];

/** Whether all that was received is what was sent. `firstBadOffset` is in the stream of `flow`. */
export interface Integrity {
  readonly ok: boolean;
  readonly flow?: number | undefined;
  readonly firstBadOffset?: number | undefined;
}

export interface Gap {
  readonly ms: number;
  /** When it began. */
  readonly atMs: number;
}

interface Result {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Did what was asked, whole and intact. */
  readonly finished: boolean;
  /** The first hundred. */
  readonly errors: readonly WorkloadError[];
  readonly errorCount: number;
}

interface TransferResult extends Result {
  /** Received, of all flows, at the end the bytes go to: the client's, but for an upload. */
  readonly bytes: number;
  readonly goodput: ByteSeries;
  /** Bits per second from the first connection's start to the last byte. */
  readonly bitsPerSecond: number;
  /** Between two arrivals of bytes of whichever flow, or from the last to the end of what did not finish. */
  readonly longestGap: Gap;
  readonly integrity: Integrity;
}

export interface FlowResult {
  readonly flow: number;
  readonly bytes: number;
  /** Milliseconds since the flow began; undefined for what did not come to pass. */
  readonly connectedAfterMs: number | undefined;
  readonly firstByteAfterMs: number | undefined;
  readonly endedAfterMs: number;
  readonly longestGapMs: number;
  /** Whether the client's connection was MPTCP when it ended. */
  readonly mptcp: boolean;
  readonly finished: boolean;
}

export interface BulkResult extends TransferResult {
  readonly kind: 'bulk';
  readonly flows: readonly FlowResult[];
}

/** In milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** When each began, and how long it took: the first 20,000. */
export interface LatencySamples {
  readonly atMs: readonly number[];
  readonly ms: readonly number[];
}

export interface PingPongResult extends TransferResult {
  readonly kind: 'ping-pong';
  readonly asked: number;
  readonly answered: number;
  /** Undefined without any answer. */
  readonly latency: LatencySummary | undefined;
  readonly samples: LatencySamples;
}

export interface ConnectCloseResult extends TransferResult {
  readonly kind: 'connect-close';
  readonly begun: number;
  readonly completed: number;
  readonly perSecond: number;
  /** From the start of the connection to its end. */
  readonly latency: LatencySummary | undefined;
  /** From the start of the connection until it stands, the proxy's handshake included. */
  readonly connectLatency: LatencySummary | undefined;
  readonly samples: LatencySamples;
  readonly connectSamples: LatencySamples;
}

export interface StreamResult extends TransferResult {
  readonly kind: 'stream';
  /** From asking to playing; undefined when it never played. */
  readonly startUpMs: number | undefined;
  readonly stalls: readonly Gap[];
  readonly stalledMs: number;
}

export interface PageResult extends TransferResult {
  readonly kind: 'page';
  /** Time of each load that was completed. */
  readonly loadMs: readonly number[];
  /** Of single objects. */
  readonly latency: LatencySummary | undefined;
}

export interface ToolResult extends Result {
  readonly kind: 'tool';
  readonly status: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export type WorkloadResult = BulkResult | PingPongResult | ConnectCloseResult | StreamResult | PageResult | ToolResult;

/** The result that belongs to a workload. */
export type ResultOf<W extends Workload> = Extract<WorkloadResult, { kind: W['kind'] }>;

export interface WorkloadRun<R extends WorkloadResult = WorkloadResult> {
  /** When the client began; timelines that belong to the workload count from here. */
  readonly startedMs: number;
  /** Processes of the workload, for measuring them. */
  readonly processes: readonly { readonly name: string; readonly host: string; readonly pid: number }[];
  /**
   * Resolves however the workload ends, with what was measured until then and with the errors; what fails is a
   * measurement too. Rejects with a LabError only for what cannot be a measurement, such as a program that is missing.
   */
  readonly result: Promise<R>;
  /** Ends it early; the result then says so. Safe to repeat. */
  stop(): void;
}

const TIMEOUT_SECONDS = 300;
const GRACE_SECONDS = 20;

/** Seconds after which a workload is given up. */
export function timeoutOf(workload: Workload): number {
  if (workload.timeoutSeconds !== undefined) return workload.timeoutSeconds;
  const seconds = 'seconds' in workload ? workload.seconds : undefined;
  return seconds === undefined ? TIMEOUT_SECONDS : seconds + GRACE_SECONDS;
}
