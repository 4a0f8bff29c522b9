// The order of things: in each round every measurement, in each measurement every peer in turn, so that a machine that
// slows down for a while slows all of them.

import { killAllPrograms } from './host/program.ts';
import type { Bench, Measure, Readings } from './measure/measure.ts';
import type { Options } from './options.ts';
import type { Peer } from './peers/peer.ts';
import type { Progress } from './progress.ts';
import type { Outcome } from './report/results.ts';

interface Step {
  readonly measure: Measure;
  readonly peer: Peer;
  /** 0 and below: a warm-up. */
  readonly round: number;
  readonly seconds: number;
}

/** A run that takes this much longer than expected hangs. */
const PATIENCE_MS = 90_000;

export function planSteps({ measures, rounds, warmUpRounds, seconds }: Options, peers: readonly Peer[]): Step[] {
  const steps: Step[] = [];
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    for (const measure of measures) {
      const fit = peers.filter((peer) => suits(measure, peer));
      // Another one goes first each time: whoever follows an idle machine has an advantage.
      const turn = fit.length === 0 ? 0 : (round + warmUpRounds) % fit.length;
      for (const peer of [...fit.slice(turn), ...fit.slice(0, turn)]) {
        steps.push({ measure, peer, round, seconds: round > 0 ? seconds : seconds / 2 });
      }
    }
  }
  return steps;
}

function suits(measure: Measure, peer: Peer): boolean {
  return peer.entries.includes(measure.entry) && measure.suits(peer);
}

export function expectedSeconds(steps: readonly Step[]): number {
  return steps.reduce((sum, { measure, seconds }) => sum + measure.expectedSeconds(seconds), 0);
}

/** Runs the steps; a failed run is an outcome too. Ends early, with what there is, when `signal` aborts. */
export async function runSteps(
  steps: readonly Step[],
  bench: Omit<Bench, 'seconds'>,
  progress: Progress,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { measure, peer, round, seconds } of steps) {
    if (signal.aborted) break;
    const expected = measure.expectedSeconds(seconds);
    progress.begin(round, measure.id, peer.name);
    const outcome = { measure: measure.id, peer: peer.name, round };
    try {
      const readings = await within(measure.run(peer, { ...bench, seconds }), expected * 1000 + PATIENCE_MS, signal);
      progress.end(expected, showReadings(measure, readings));
      if (round > 0) outcomes.push({ ...outcome, readings, failure: undefined });
    } catch (error) {
      if (signal.aborted) break;
      const failure = error instanceof Error ? error.message : String(error);
      progress.end(expected, `failed: ${failure}`);
      if (round > 0) outcomes.push({ ...outcome, readings: undefined, failure });
    }
  }
  return outcomes;
}

function showReadings({ metrics }: Measure, readings: Readings): string {
  return metrics.map(({ key, title, digits }) => `${readings[key]?.toFixed(digits)} ${title}`).join(', ');
}

/** The work's result, or an error after `ms` or on a signal; the programs it started are then ended. */
async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  let giveUp = (_why: string): void => {};
  const cut = new Promise<never>((_, reject) => {
    giveUp = (why) => {
      killAllPrograms();
      reject(new Error(why));
    };
  });
  const timer = setTimeout(() => giveUp(`no result after ${Math.round(ms / 1000)} s`), ms);
  const onAbort = (): void => giveUp('interrupted');
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, cut]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    // After a cut the work fails too, once it notices; nobody waits for that.
    work.catch(() => {});
  }
}
