// What happens to a lab's links over time, as data, and the player of such scripts.

import { setTimeout } from 'node:timers/promises';
import type { LinkChange } from './link-change.ts';

/** `admin`: the host's own interface goes down. `carrier`: it loses its carrier. `silent`: frames vanish unnoticed. */
export const CUTS = ['admin', 'carrier', 'silent'] as const;
export type Cut = (typeof CUTS)[number];

export const DIRECTIONS = ['up', 'down', 'both'] as const;
export type Directions = (typeof DIRECTIONS)[number];

export interface CutOptions {
  readonly how?: Cut | undefined;
  /** For a silent cut: which direction is silent; both unless given. */
  readonly direction?: Directions | undefined;
  /** Host whose interface is meant, for `admin` (the link's first unless given) and `carrier` (both unless given). */
  readonly side?: string | undefined;
}

export type TimelineAction =
  | { readonly kind: 'down'; readonly link: string; readonly cut: CutOptions }
  | { readonly kind: 'up'; readonly link: string }
  | { readonly kind: 'set'; readonly link: string; readonly change: LinkChange }
  | { readonly kind: 'address'; readonly host: string; readonly link: string; readonly address: string };

export interface TimelineEntry {
  /** Milliseconds since the start of the script. */
  readonly atMs: number;
  readonly action: TimelineAction;
}

/** What the player acts on. */
export interface TimelineTarget {
  act(action: TimelineAction): Promise<void>;
}

/** An action that was done: when it was meant and when it was finished, in milliseconds since the start. */
export interface TimelineStep {
  readonly entry: TimelineEntry;
  readonly startedMs: number;
  readonly doneMs: number;
}

/**
 * Plays a script from now on; resolves when its last action is done or `signal` fires. Actions start in order of time,
 * each after the one before is done. Rejects with the first failure.
 */
export async function playTimeline(
  entries: readonly TimelineEntry[],
  target: TimelineTarget,
  { signal, onStep }: { signal?: AbortSignal | undefined; onStep?: ((step: TimelineStep) => void) | undefined } = {},
): Promise<void> {
  const start = performance.now();
  for (const entry of entries.toSorted((a, b) => a.atMs - b.atMs)) {
    // Node's timers know whole milliseconds, and may fire up to two early.
    for (let wait = entry.atMs; wait > 0; wait = entry.atMs - (performance.now() - start)) {
      if (!(await sleep(Math.ceil(entry.atMs - (performance.now() - start)), signal))) return;
    }
    if (signal?.aborted) return;
    const startedMs = performance.now() - start;
    await target.act(entry.action);
    onStep?.({ entry, startedMs, doneMs: performance.now() - start });
  }
}

/** False when the signal ended it. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  return setTimeout(ms, true, { signal }).catch(() => false);
}
