// What a report says, in figures: the same whether the log is a database or a file. Times are milliseconds since 1970,
// durations milliseconds, bytes payload.

import type { Histogram } from './histogram.ts';

export interface Share {
  /** Undefined for what was not known, such as the destination of a handshake that failed. */
  readonly name: string | undefined;
  readonly flows: number;
  /** Both directions. */
  readonly bytes: number;
}

export interface ReportFlow {
  readonly id: string;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly durationMs: number;
  readonly inbound: string;
  readonly outbound: string | undefined;
  readonly client: string | undefined;
  readonly user: string | undefined;
  readonly destinationHost: string | undefined;
  readonly destinationPort: number | undefined;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly end: string;
  readonly clientMptcp: string | undefined;
  readonly serverMptcp: string | undefined;
  readonly clientSubflows: number;
  readonly serverSubflows: number;
}

/** Flows of about one duration and one volume: 5 classes to a decade each. */
export interface Cell {
  /** Of CELLS_PER_DECADE; -1 for zero. */
  readonly duration: number;
  readonly volume: number;
  readonly flows: number;
}

export const CELLS_PER_DECADE = 5;

/** What a path carried within a step. */
export interface PathPoint {
  readonly path: string;
  readonly at: number;
  readonly bytes: number;
  readonly rttMs: number | undefined;
}

export interface PathsOverTime {
  readonly stepMs: number;
  /**
   * `samples`: counted every second. `flows`: the log has no samples, so the bytes of each subflow are spread evenly over
   * the life of its flow, and round-trip times are those at the flows' ends.
   */
  readonly basis: 'samples' | 'flows';
  /** In order of time. At most STEPS_MAX steps of PATHS_MAX paths. */
  readonly points: readonly PathPoint[];
}

export const STEPS_MAX = 300;
/** The busiest; all others are one, named OTHERS. */
export const PATHS_MAX = 7;
export const OTHERS = 'others';

export interface ReportEvent {
  readonly at: number;
  readonly kind: string;
  readonly path: string | undefined;
  /** Of the path, on this machine. */
  readonly addresses?: readonly string[];
  readonly message: string | undefined;
}

export interface Report {
  /** Where it is from, without secrets. */
  readonly source: string;
  /** As asked for, to be shown. */
  readonly filter: readonly string[];
  readonly flows: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly firstStartedAt: number;
  readonly lastEndedAt: number;
  /** Flows by the most subflows that carried payload on one side: none, one, two or more. */
  readonly working: readonly [Share, Share, Share];
  readonly ends: readonly Share[];
  /** How each side travelled: `mptcp`, or why not. */
  readonly clientSide: readonly Share[];
  readonly serverSide: readonly Share[];
  readonly survived: {
    /** Ended in order though a subflow that had carried payload closed before. */
    readonly subflowLost: number;
    /** Ended in order after a silence of SILENCE_MS or more. */
    readonly silent: number;
  };
  readonly durations: Histogram;
  readonly volumes: Histogram;
  /** From the request to the connection. */
  readonly connects: Histogram;
  readonly stalls: Histogram;
  readonly cells: readonly Cell[];
  /** The largest by bytes, at most TOP. */
  readonly destinations: readonly Share[];
  /** At most TOP each, the greatest first. */
  readonly longest: readonly ReportFlow[];
  readonly biggest: readonly ReportFlow[];
  readonly stalled: readonly ReportFlow[];
  readonly paths: PathsOverTime;
  /** In order of time. */
  readonly events: readonly ReportEvent[];
  /** What a reader should know: lines that could not be read, figures that are bounds. */
  readonly notes: readonly string[];
}

export const TOP = 10;
export const SILENCE_MS = 1_000;
export const EVENTS_MAX = 200;

/** A step that makes at most STEPS_MAX of a span, of a length people count in. */
export function stepFor(spanMs: number): number {
  return (
    STEPS_MS.find((step) => spanMs / step <= STEPS_MAX - 1) ?? Math.ceil(spanMs / (STEPS_MAX - 1) / DAY_MS) * DAY_MS
  );
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const STEPS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((n) => n * SECOND_MS),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR_MS),
  DAY_MS,
];

/** The log holds nothing that was asked for. */
export class EmptyReportError extends Error {
  readonly code = 'nothing-to-report';

  constructor(source: string, filter: readonly string[]) {
    const filtered = filter.length === 0 ? 'no flow yet' : `no flow with ${filter.join(', ')}`;
    super(`${source} holds ${filtered}`);
    this.name = 'EmptyReportError';
  }
}

export function bytesOf(flow: Pick<ReportFlow, 'bytesUp' | 'bytesDown'>): number {
  return flow.bytesUp + flow.bytesDown;
}
