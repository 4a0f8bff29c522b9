// What /metrics tells of, and where it gets it: the interfaces its owner implements.

import type { DashboardSource } from './source.ts';

/** One histogram, all threads or one of them. Each count is of one bucket alone, the last beyond all bounds. */
export interface HistogramFigures {
  /** Seconds. */
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  /** Seconds. */
  readonly sum: number;
}

/** One data-plane thread. */
export interface WorkerFigures {
  /** Longest round in the latest second. */
  readonly lagMs: number;
  /** When it last went round, in milliseconds since 1970. */
  readonly heartbeat: number;
  readonly connections: number;
  /** The longest round of each second. */
  readonly lag: HistogramFigures;
}

interface Waiting {
  readonly entries: number;
  readonly bytes: number;
}

/** Entries since the start of the process. */
export interface LogFigures {
  /** The target takes entries. */
  readonly isWell: boolean;
  readonly taken: number;
  readonly stored: number;
  /** For want of room to wait. */
  readonly dropped: number;
  /** The database would not have them. */
  readonly rejected: number;
  /** Older than the retention when they came. */
  readonly expired: number;
  /** In memory. */
  readonly queue: Waiting;
  /** On disk; undefined where there is no spool. `limitBytes` is what its files may take. */
  readonly spool: (Waiting & { readonly fileBytes: number; readonly limitBytes: number }) | undefined;
}

/** What the kernel says of the subflows on one path, added up since the start of the process. */
export interface PathFigures {
  readonly path: string;
  readonly subflows: number;
  /** Payload. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retransmits: number;
  readonly rttMs: number | undefined;
}

export type LatencyName = 'handshake' | 'connect' | 'stall' | 'duration';

export interface MetricsSource extends Pick<DashboardSource, 'version' | 'counters' | 'paths'> {
  /** Figures that a source without them leaves out. */
  readonly latencies?: () => Readonly<Record<LatencyName, HistogramFigures>>;
  readonly workers?: () => readonly WorkerFigures[];
  readonly log?: () => LogFigures | undefined;
  readonly pathFigures?: () => readonly PathFigures[];
}
