// What carries a lab's links: the kernel's netem, or the emulator where the kernel has none. Directions are numbered
// link × 2 for up and link × 2 + 1 for down, links in the topology's order.

import type { DirectionSettings } from './link-settings.ts';

/** What one direction of a link has done since it was made; bytes count Ethernet headers. */
export interface DirectionCounters {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Frames lost on the wire, refused by a full queue, dropped while silent, and for other reasons. */
  readonly lost: number;
  readonly queueFull: number;
  readonly silenced: number;
  readonly failed: number;
  /** Waiting just now. */
  readonly queuedBytes: number;
}

export interface LinkDriver {
  readonly kind: 'netem' | 'emulator';
  /** Resolves once frames that arrive from now on meet the new settings. */
  configure(direction: number, settings: DirectionSettings): Promise<void>;
  /** While silent, frames vanish and nobody is told. */
  silence(direction: number, silent: boolean): Promise<void>;
  counters(direction: number): DirectionCounters;
  /** Rejects when the links stop carrying frames by a fault of the driver; never resolves. */
  readonly failed: Promise<never>;
  /** Ends without waiting; for `exit` handlers. */
  stop(): void;
  close(): Promise<void>;
}
