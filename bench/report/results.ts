// What the runs yielded, and the figures one draws from it. Pure.

import { median } from '#anabranch/analysis/quantiles.js';

/** One run of one peer on one measurement. */
export interface Outcome {
  readonly measure: string;
  readonly peer: string;
  /** From 1; warm-up rounds are not kept. */
  readonly round: number;
  /** By metric; undefined when the run failed. */
  readonly readings: Readonly<Record<string, number>> | undefined;
  readonly failure: string | undefined;
}

/** Median and range over the rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** The subject of all ratios. */
export const SUBJECT = 'anabranch';

export class Results {
  readonly outcomes: readonly Outcome[];

  constructor(outcomes: readonly Outcome[]) {
    this.outcomes = outcomes;
  }

  spread(measure: string, peer: string, metric: string): Spread | undefined {
    return spreadOf([...this.#byRound(measure, peer, metric).values()]);
  }

  /** Subject ÷ peer, round by round, so that what slows the machine for a while slows both. */
  ratio(measure: string, peer: string, metric: string): Spread | undefined {
    const subjects = this.#byRound(measure, SUBJECT, metric);
    const others = this.#byRound(measure, peer, metric);
    const ratios = [...subjects].flatMap(([round, value]) => {
      const other = others.get(round);
      return other === undefined || other === 0 ? [] : [value / other];
    });
    return spreadOf(ratios);
  }

  /** The failures of a peer on a measurement, one line each. */
  failures(measure: string, peer: string): string[] {
    return this.outcomes
      .filter((outcome) => outcome.measure === measure && outcome.peer === peer)
      .flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  }

  #byRound(measure: string, peer: string, metric: string): Map<number, number> {
    const values = new Map<number, number>();
    for (const outcome of this.outcomes) {
      const value = outcome.readings?.[metric];
      if (outcome.measure === measure && outcome.peer === peer && value !== undefined && Number.isFinite(value)) {
        values.set(outcome.round, value);
      }
    }
    return values;
  }
}

function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values.length };
}
