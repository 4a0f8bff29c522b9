// A report as JSON: the same figures, histograms as lists of bars, percentiles worked out.

import { barsOf, type Histogram, quantileOf, ZERO_BIN } from './histogram.ts';
import { CELLS_PER_DECADE, type Report } from './report.ts';

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 } as const;
const BARS_PER_DECADE = 10;

export function jsonOfReport(report: Report): Record<string, unknown> {
  const { durations, volumes, connects, stalls, cells, working, ...rest } = report;
  const [none, one, more] = working;
  const bytes = report.bytesUp + report.bytesDown;
  return {
    format: 1,
    ...rest,
    working: { none, one, more },
    pooledShare: bytes === 0 ? null : more.bytes / bytes,
    distributions: {
      durationMs: distribution(durations),
      bytes: distribution(volumes),
      connectMs: distribution(connects),
      longestStallMs: distribution(stalls),
    },
    durationAgainstVolume: cells.map(({ duration, volume, flows }) => ({
      durationMsFrom: duration === ZERO_BIN ? 0 : 10 ** (duration / CELLS_PER_DECADE),
      bytesFrom: volume === ZERO_BIN ? 0 : 10 ** (volume / CELLS_PER_DECADE),
      flows,
    })),
  };
}

function distribution(histogram: Histogram): Record<string, unknown> {
  const quantiles = Object.entries(QUANTILES).map(([name, p]) => [name, quantileOf(histogram, p) ?? null]);
  return {
    ...Object.fromEntries(quantiles),
    zero: histogram.get(ZERO_BIN) ?? 0,
    binsPerDecade: BARS_PER_DECADE,
    bins: barsOf(histogram, BARS_PER_DECADE),
  };
}
