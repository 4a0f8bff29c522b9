// How long connections lived, and how long they were silent: bars on log scales, with the longest marked one by one.

import { ALARM, MAIN } from '../colours.ts';
import { formatDuration } from '../figures.ts';
import { barsOf, countOf, type Histogram, ZERO_BIN } from '../histogram.ts';
import type { Report, ReportFlow } from '../report.ts';
import { destinationOf } from '../text.ts';
import { countAxis, durationAxis } from './axes.ts';
import { HEIGHT, type Plot, WIDTH } from './plot.ts';

const BARS_PER_DECADE = 10;
/** Where values are whole milliseconds and few of them, finer bars would leave gaps that mean nothing. */
const BARS_PER_DECADE_COARSE = 5;
const COARSE_BELOW_MS = 10;
const LABELS = 3;
const FLOWS_PER_MARK = 20;

export function durationsPlot({ durations, longest }: Report): Plot | undefined {
  return distribution({
    name: 'durations',
    title: 'How long connections lived',
    axis: 'duration',
    histogram: durations,
    marked: longest.map((flow) => ({ flow, ms: flow.durationMs })),
    about:
      'Both axes are logarithmic, so that a few long connections show beside many short ones; triangles mark the longest.',
    short: 'shorter than 1 ms',
  });
}

export function stallsPlot({ stalls, stalled }: Report): Plot | undefined {
  return distribution({
    name: 'stalls',
    title: 'Longest silence within each connection',
    axis: 'longest silence in one direction',
    histogram: stalls,
    marked: stalled.map((flow) => ({ flow, ms: flow.longestStallMs })),
    about: 'A silence may be a failure or a pause of the application; triangles mark the longest.',
    short: 'without one of 1 ms',
  });
}

interface Distribution {
  readonly name: string;
  readonly title: string;
  readonly axis: string;
  readonly about: string;
  readonly histogram: Histogram;
  readonly marked: readonly { readonly flow: ReportFlow; readonly ms: number }[];
  /** What is left out. */
  readonly short: string;
}

function distribution({ name, title, axis, about, histogram, marked, short }: Distribution): Plot | undefined {
  const fine = barsOf(histogram, BARS_PER_DECADE);
  const isCoarse = (fine[0]?.from ?? 0) < COARSE_BELOW_MS;
  const bars = isCoarse ? barsOf(histogram, BARS_PER_DECADE_COARSE) : fine;
  const first = bars[0];
  const last = bars.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const most = Math.max(...bars.map(({ flows }) => flows));
  // Among few flows few stand out.
  const longest = marked
    .slice(0, Math.ceil(countOf(histogram) / FLOWS_PER_MARK))
    .filter(({ ms }) => ms >= 1)
    .map(({ flow, ms }) => ({ ms, destination: destinationOf(flow, 40) }));
  const labels = longest.slice(0, LABELS).map(({ ms, destination }) => `${destination}, ${formatDuration(ms)}`);
  const left = histogram.get(ZERO_BIN) ?? 0;
  const x = durationAxis(axis, first.from, last.to);
  return {
    name,
    title,
    about: left === 0 ? about : `${about} Not shown: ${left} of ${countOf(histogram)} flows, ${short}.`,
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title,
      layer: [
        {
          data: { values: bars.filter(({ flows }) => flows > 0) },
          mark: { type: 'bar', color: MAIN.light, binSpacing: 1 },
          encoding: {
            x: { field: 'from', type: 'quantitative', ...x, axis: { ...x.axis, grid: false } },
            x2: { field: 'to' },
            y: { field: 'flows', type: 'quantitative', stack: null, ...countAxis('flows', most) },
            y2: { datum: 0 },
          },
        },
        {
          data: { values: longest },
          mark: {
            type: 'point',
            shape: 'triangle-down',
            filled: true,
            opacity: 1,
            size: 60,
            color: ALARM.light,
            y: -6,
          },
          encoding: { x: { field: 'ms', type: 'quantitative' } },
        },
        // One below the other, in the room that the count axis leaves above the bars.
        ...labels.map((text, rank) => ({
          data: { values: [{ text }] },
          mark: {
            type: 'text' as const,
            align: 'right' as const,
            baseline: 'middle' as const,
            fontSize: 11,
            color: ALARM.light,
            x: WIDTH - 2,
            y: 10 + rank * 15,
          },
          encoding: { text: { field: 'text', type: 'nominal' as const } },
        })),
      ],
    },
  };
}
