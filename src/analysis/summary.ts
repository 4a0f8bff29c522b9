// What a handful of repeated measurements says: centre, spread, and how sure one may be of the centre.

import { quantileOfSorted, sortSamples } from './quantiles.ts';

export interface Summary {
  readonly count: number;
  readonly mean: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Of the sample (n − 1 in the denominator); 0 for a single one. */
  readonly standardDeviation: number;
  /** 95 % confidence interval of the mean by Student's t. One sample says nothing: its interval is infinite. */
  readonly meanLow: number;
  readonly meanHigh: number;
}

/** Throws a RangeError without samples or on NaN. */
export function summarize(samples: ArrayLike<number>): Summary {
  const sorted = sortSamples(samples);
  const count = sorted.length;
  const center = mean(sorted);
  const deviation = standardDeviation(sorted);
  const margin = count < 2 ? Number.POSITIVE_INFINITY : (studentT95(count - 1) * deviation) / Math.sqrt(count);
  return {
    count,
    mean: center,
    median: quantileOfSorted(sorted, 0.5),
    min: sorted[0] as number,
    max: sorted[count - 1] as number,
    standardDeviation: deviation,
    meanLow: center - margin,
    meanHigh: center + margin,
  };
}

export function mean(samples: ArrayLike<number>): number {
  if (samples.length === 0) throw new RangeError('no samples');
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i] as number;
  return sum / samples.length;
}

/** Of the sample: n − 1 in the denominator. In two passes, for the textbook's one pass loses digits on close values. */
export function standardDeviation(samples: ArrayLike<number>): number {
  const center = mean(samples);
  if (samples.length < 2) return 0;
  let squares = 0;
  for (let i = 0; i < samples.length; i++) squares += ((samples[i] as number) - center) ** 2;
  return Math.sqrt(squares / (samples.length - 1));
}

/** Two-sided 95 % points of Student's t for 1 to 10 degrees of freedom. */
const T95 = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281];

/** Beyond the table by the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5), right to three decimals. */
function studentT95(degrees: number): number {
  const known = T95[degrees - 1];
  if (known !== undefined) return known;
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}
