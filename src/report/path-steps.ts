// What paths carried over time, added up as flows come by in any order: the step grows when the span outgrows it.

import { OTHERS, PATHS_MAX, type PathPoint, STEPS_MAX } from './report.ts';

/** Paths counted one by one; what comes later is among the others. */
const PATHS_COUNTED_MAX = 256;
const STEP_MS_MIN = 1_000;
/** By how much a step grows: 1, 2, 10, 30 s, 1, 5, 10, 30 min, 1, 2, 6, 12 h, 1 d, and twice that from then on. */
const GROWTH: Readonly<Record<number, number>> = Object.fromEntries(
  [1, 2, 10, 30, 60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400].map((step, i, all) => [
    step * 1_000,
    (all[i + 1] ?? step * 2) / step,
  ]),
);

interface Step {
  bytes: number;
  rttSum: number;
  rtts: number;
}

export class PathSteps {
  #stepMs = STEP_MS_MIN;
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;
  /** By path, then by number of the step. Bounded by PATHS_COUNTED_MAX and STEPS_MAX. */
  readonly #paths = new Map<string, Map<number, Step>>();

  get stepMs(): number {
    return this.#stepMs;
  }

  /** Bytes spread evenly over a span; the round-trip time belongs to its end. */
  add(path: string | undefined, fromMs: number, toMs: number, bytes: number, rttMs: number | undefined): void {
    this.#makeRoom(fromMs, toMs);
    const steps = this.#stepsOf(path ?? OTHERS);
    const lastedMs = Math.max(1, toMs - fromMs);
    const first = Math.floor(fromMs / this.#stepMs);
    const last = Math.floor((fromMs + lastedMs) / this.#stepMs);
    for (let n = first; n <= last; n++) {
      const step = stepOf(steps, n);
      const overlap = Math.min(fromMs + lastedMs, (n + 1) * this.#stepMs) - Math.max(fromMs, n * this.#stepMs);
      step.bytes += (bytes * Math.max(0, overlap)) / lastedMs;
      if (n === last && rttMs !== undefined) {
        step.rttSum += rttMs;
        step.rtts++;
      }
    }
  }

  /** In order of time; the busiest paths by name, all others as one. */
  points(): PathPoint[] {
    const total = (steps: Map<number, Step>) => [...steps.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const named = [...this.#paths].filter(([path]) => path !== OTHERS).sort(([, a], [, b]) => total(b) - total(a));
    const shown = new Set(named.slice(0, PATHS_MAX).map(([path]) => path));
    const merged = new Map<string, Map<number, Step>>();
    for (const [path, steps] of this.#paths) {
      const name = shown.has(path) ? path : OTHERS;
      const into = merged.get(name) ?? new Map<number, Step>();
      merged.set(name, into);
      for (const [n, step] of steps) addTo(stepOf(into, n), step);
    }
    const points = [...merged].flatMap(([path, steps]) =>
      [...steps].map(([n, { bytes, rttSum, rtts }]) => ({
        path,
        at: n * this.#stepMs,
        bytes,
        rttMs: rtts === 0 ? undefined : rttSum / rtts,
      })),
    );
    return points.sort((a, b) => a.at - b.at || (a.path < b.path ? -1 : 1));
  }

  #makeRoom(fromMs: number, toMs: number): void {
    this.#first = Math.min(this.#first, fromMs);
    this.#last = Math.max(this.#last, toMs + 1);
    const before = this.#stepMs;
    while ((this.#last - this.#first) / this.#stepMs > STEPS_MAX - 2) this.#stepMs *= GROWTH[this.#stepMs] ?? 2;
    if (this.#stepMs === before) return;
    const factor = this.#stepMs / before;
    for (const [path, steps] of this.#paths) {
      const coarser = new Map<number, Step>();
      for (const [n, step] of steps) addTo(stepOf(coarser, Math.floor(n / factor)), step);
      this.#paths.set(path, coarser);
    }
  }

  #stepsOf(path: string): Map<number, Step> {
    const name = this.#paths.has(path) || this.#paths.size < PATHS_COUNTED_MAX ? path : OTHERS;
    const steps = this.#paths.get(name) ?? new Map<number, Step>();
    this.#paths.set(name, steps);
    return steps;
  }
}

function stepOf(steps: Map<number, Step>, n: number): Step {
  let step = steps.get(n);
  if (step === undefined) {
    step = { bytes: 0, rttSum: 0, rtts: 0 };
    steps.set(n, step);
  }
  return step;
}

function addTo(step: Step, { bytes, rttSum, rtts }: Step): void {
  step.bytes += bytes;
  step.rttSum += rttSum;
  step.rtts += rtts;
}
