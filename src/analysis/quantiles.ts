// Quantiles of samples. No unit is known here: what comes out is in the unit of what went in.

/** A sorted copy, smallest first. Throws a RangeError on NaN, which has no place in an order. */
export function sortSamples(samples: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(samples).sort();
  // Typed arrays sort NaN to the end.
  if (Number.isNaN(sorted.at(-1))) throw new RangeError('a sample is NaN');
  return sorted;
}

/**
 * The `p`-quantile (0 ≤ p ≤ 1) of samples that are sorted already, linear between the two nearest (type 7 of Hyndman
 * and Fan, "Sample Quantiles in Statistical Packages", 1996). Throws a RangeError without samples.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) throw new RangeError('no samples');
  if (!(p >= 0 && p <= 1)) throw new RangeError(`quantile ${p} outside 0–1`);
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const lower = sorted[below] as number;
  const upper = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  // The guard keeps two infinite neighbours from becoming NaN.
  return lower === upper ? lower : lower + (upper - lower) * (at - below);
}

/** Several quantiles at the cost of one sort, in the order asked for. */
export function quantiles(samples: ArrayLike<number>, ps: readonly number[]): number[] {
  const sorted = sortSamples(samples);
  return ps.map((p) => quantileOfSorted(sorted, p));
}

export function median(samples: ArrayLike<number>): number {
  return quantileOfSorted(sortSamples(samples), 0.5);
}
