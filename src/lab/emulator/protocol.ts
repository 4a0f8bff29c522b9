// What the lab's main thread and its emulator thread say to each other.

import type { DirectionSettings } from '../link-settings.ts';

/** One end of an emulated link: the device in the lab's hidden namespace whose other end is a host's interface. */
export interface EmulatedEnd {
  readonly device: string;
  /** Where the host's interface lives and its name there: its offloads are switched off. */
  readonly hostNamespace: string;
  readonly hostDevice: string;
}

export interface EmulatedLink {
  /** Frames from the first end to the second go up, the others down. */
  readonly ends: readonly [EmulatedEnd, EmulatedEnd];
  readonly up: DirectionSettings;
  readonly down: DirectionSettings;
}

export interface EmulatorPlan {
  /** Path of the hidden namespace. */
  readonly namespace: string;
  readonly links: readonly EmulatedLink[];
  /** Bytes of the largest frame, Ethernet header included. */
  readonly frameBytesMax: number;
  readonly seed: number;
}

/** Directions are numbered link × 2, + 1 for down. */
export type EmulatorRequest =
  | {
      readonly kind: 'configure';
      readonly id: number;
      readonly direction: number;
      readonly settings: DirectionSettings;
    }
  | { readonly kind: 'silence'; readonly id: number; readonly direction: number; readonly silent: boolean }
  | { readonly kind: 'stop' };

export type EmulatorReply = { readonly kind: 'ready' } | { readonly kind: 'done'; readonly id: number };

/** Fields of one direction in the shared counters, each a 64-bit float that only the emulator writes. */
export const Counter = {
  framesIn: 0,
  bytesIn: 1,
  framesOut: 2,
  bytesOut: 3,
  lost: 4,
  queueFull: 5,
  silenced: 6,
  /** For want of memory, or because the far device would not take them. */
  failed: 7,
  queuedBytes: 8,
} as const;
export const COUNTERS_PER_DIRECTION = 16;
