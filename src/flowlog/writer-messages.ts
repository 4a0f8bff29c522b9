// What the main thread and the writer thread tell each other.

import type { Segment, SpoolPosition } from './segments.ts';
import type { DatabaseTarget } from './target.ts';
import type { Trouble } from './trouble.ts';

/** The thread's workerData. */
export interface WriterSetup {
  readonly target: DatabaseTarget;
  readonly spool: string;
  /** What the spool holds already, in order. */
  readonly segments: readonly Segment[];
  /** The first segment that may still grow, or be made. */
  readonly activeFrom: number;
  readonly gateway: string;
  readonly run: string;
  readonly retentionMs: number;
  readonly retryMsMax: number;
}

export type ToWriter =
  /** The active segment can be read up to here. */
  | { readonly kind: 'written'; readonly segment: number; readonly bytes: number }
  /** A segment's file goes, for the spool has reached its bound. */
  | { readonly kind: 'dropped'; readonly segment: number; readonly entries: number }
  /** Store what is there, then end. */
  | { readonly kind: 'close' };

export type FromWriter =
  | {
      readonly kind: 'stored';
      readonly stored: number;
      readonly expired: number;
      readonly rejected: number;
      readonly reason: string | undefined;
      readonly lost: number;
      /** Segments that are in the database from end to end. */
      readonly finished: readonly number[];
      readonly position: SpoolPosition;
    }
  | { readonly kind: 'trouble'; readonly trouble: Trouble | undefined }
  | { readonly kind: 'damaged'; readonly segment: number; readonly bytes: number }
  | { readonly kind: 'no-socket'; readonly message: string }
  | { readonly kind: 'closed' };
