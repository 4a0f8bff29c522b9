// What each path carried, and how far away its other end was, over time. Paths differ in colour and lightness, lines
// also in their dashes; events are marked.

import { ALARM, PAPER, pathColour, pathDash, REST_COLOUR } from '../colours.ts';
import { formatDuration, printable } from '../figures.ts';
import { OTHERS, type PathsOverTime, type Report, type ReportEvent } from '../report.ts';
import { RATE_LABEL, timeAxis } from './axes.ts';
import { HEIGHT, type Plot, WIDTH } from './plot.ts';

const RULES_MAX = 24;
const EVENTS = new Set(['path-up', 'path-down']);

/** The busiest first: its colour is the first. */
function pathsOf({ points }: PathsOverTime): string[] {
  const sums = new Map<string, number>();
  for (const { path, bytes } of points) sums.set(path, (sums.get(path) ?? 0) + bytes);
  const named = [...sums].filter(([path]) => path !== OTHERS).sort(([, a], [, b]) => b - a);
  return [...named.map(([path]) => path), ...(sums.has(OTHERS) ? [OTHERS] : [])];
}

export function colourScale(paths: readonly string[]) {
  return {
    domain: paths.map((path) => printable(path, 40)),
    range: paths.map((path, index) => (path === OTHERS ? REST_COLOUR : pathColour(index))),
  };
}

const BASIS = {
  samples: 'Counted every second.',
  flows:
    'From the flow records: the bytes of each subflow are spread evenly over the life of its flow, so that peaks are flatter than they were.',
} as const;

const legend = { title: null, orient: 'top' as const, direction: 'horizontal' as const, columns: 4 };

const lineLegend = { ...legend, symbolType: 'stroke', symbolStrokeWidth: 2, symbolSize: 500 };

export function throughputPlot({ paths, events }: Report): Plot | undefined {
  const { stepMs, points, basis } = paths;
  const first = points[0]?.at;
  const last = points.at(-1)?.at;
  if (first === undefined || last === undefined) return undefined;
  const names = pathsOf(paths);
  const steps = Math.round((last - first) / stepMs) + 1;
  const byPath = new Map(names.map((path) => [path, new Map<number, number>()]));
  for (const { path, at, bytes } of points) byPath.get(path)?.set(Math.round((at - first) / stepMs), bytes);
  // A stack needs every path in every step; the last step is repeated to give it its width.
  const values = names.flatMap((path, order) =>
    Array.from({ length: steps + 1 }, (_, n) => ({
      path: printable(path, 40),
      order,
      at: first + n * stepMs,
      bits: ((byPath.get(path)?.get(Math.min(n, steps - 1)) ?? 0) * 8_000) / stepMs,
    })),
  );
  const title = 'Throughput by path';
  const x = timeAxis(first, last + stepMs);
  return {
    name: 'throughput',
    title,
    about: `Both directions, stacked; means over ${formatDuration(stepMs)}. ${BASIS[basis]}`,
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title,
      layer: [
        {
          data: { values },
          mark: { type: 'area', interpolate: 'step-after', stroke: PAPER.light, strokeWidth: 0.6 },
          encoding: {
            x: { field: 'at', type: 'temporal', ...x },
            y: {
              field: 'bits',
              type: 'quantitative',
              stack: 'zero',
              axis: { title: 'throughput', labelExpr: RATE_LABEL, tickCount: 5 },
            },
            color: {
              field: 'path',
              type: 'nominal',
              scale: colourScale(names),
              legend: { ...legend, symbolType: 'square' },
            },
            order: { field: 'order', type: 'quantitative' },
          },
        },
        ...rules(events, first, last + stepMs),
      ],
    },
  };
}

export function rttPlot({ paths, events }: Report): Plot | undefined {
  const measured = paths.points.filter(({ rttMs }) => rttMs !== undefined);
  const first = paths.points[0]?.at;
  const last = paths.points.at(-1)?.at;
  if (first === undefined || last === undefined || measured.length === 0) return undefined;
  const names = pathsOf(paths);
  const title = 'Round-trip time by path';
  return {
    name: 'rtt',
    title,
    about:
      paths.basis === 'samples'
        ? `Means over ${formatDuration(paths.stepMs)}.`
        : `As last seen on each subflow, in the step of ${formatDuration(paths.stepMs)} in which its flow ended; means.`,
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title,
      layer: [
        {
          data: {
            values: measured.map(({ path, at, rttMs }) => ({
              path: printable(path, 40),
              at: at + paths.stepMs / 2,
              rttMs,
            })),
          },
          mark: { type: 'line', strokeWidth: 1.8, point: measured.length > 200 ? false : { size: 22 } },
          encoding: {
            x: { field: 'at', type: 'temporal', ...timeAxis(first, last + paths.stepMs) },
            y: { field: 'rttMs', type: 'quantitative', axis: { title: 'round-trip time, ms', tickCount: 5 } },
            color: { field: 'path', type: 'nominal', scale: colourScale(names), legend: lineLegend },
            strokeDash: {
              field: 'path',
              type: 'nominal',
              scale: {
                domain: names.map((name) => printable(name, 40)),
                range: names.map((_, index) => [...pathDash(index)]),
              },
              legend: lineLegend,
            },
          },
        },
        ...rules(events, first, last + paths.stepMs),
      ],
    },
  };
}

const NAMED_RULES_MAX = 6;
const HALO = { stroke: PAPER.light, strokeWidth: 4, strokeJoin: 'round' as const };

/** Paths that went and came, as lines across. */
function rules(events: readonly ReportEvent[], from: number, to: number) {
  const marked = events
    .filter(({ kind, at }) => EVENTS.has(kind) && at >= from && at <= to)
    .slice(0, RULES_MAX)
    .map(({ at, kind, path }) => ({
      at,
      text: `${printable(path ?? '', 20)} ${kind === 'path-down' ? 'down' : 'up'}`,
      down: kind === 'path-down',
    }));
  if (marked.length === 0) return [];
  const x = { field: 'at', type: 'temporal' as const };
  const text = { field: 'text', type: 'nominal' as const };
  const words = {
    type: 'text' as const,
    angle: 270,
    align: 'right' as const,
    baseline: 'bottom' as const,
    dy: -3,
    fontSize: 10,
    y: 4,
  };
  // A layer each: dashes by value would share their scale with those of the paths.
  const lines = ([true, false] as const).map((down) => ({
    data: { values: marked.filter((mark) => mark.down === down) },
    mark: { type: 'rule' as const, color: ALARM.light, strokeWidth: 1.3, ...(down ? {} : { strokeDash: [4, 3] }) },
    encoding: { x },
  }));
  return [
    ...lines,
    // Few enough to be told apart: say which. The halo keeps the words apart from what is below them.
    ...(marked.length > NAMED_RULES_MAX
      ? []
      : [
          { data: { values: marked }, mark: { ...words, color: PAPER.light, ...HALO }, encoding: { x, text } },
          { data: { values: marked }, mark: { ...words, color: ALARM.light }, encoding: { x, text } },
        ]),
  ];
}
