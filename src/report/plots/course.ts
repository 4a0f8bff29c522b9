// The course of one run in the lab: what its paths carried, stacked over the seconds, with what was done to them marked.

import { ALARM, PAPER } from '../colours.ts';
import { formatPlain, printable } from '../figures.ts';
import { RATE_LABEL } from './axes.ts';
import { colourScale } from './paths.ts';
import { HEIGHT, type Plot, WIDTH } from './plot.ts';

const MARKS_MAX = 8;

export interface Course {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Milliseconds since the script began. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly paths: readonly {
    readonly name: string;
    /** In order; each rate holds until the next. */
    readonly rates: readonly { readonly atMs: number; readonly bits: number }[];
  }[];
  readonly marks: readonly Mark[];
  /** The axis goes so far at least. */
  readonly bitsMax?: number;
}

export interface Mark {
  readonly atMs: number;
  readonly what: string;
}

export function coursePlot({ name, title, about, fromMs, toMs, paths, marks, bitsMax }: Course): Plot {
  const values = paths.flatMap(({ name: path, rates }, order) =>
    rates.map(({ atMs, bits }) => ({ path: printable(path, 40), order, at: atMs / 1_000, bits })),
  );
  const shown = marksWithin(marks, fromMs, toMs);
  const x = secondsAxis(fromMs, toMs);
  return {
    name,
    title: printable(title, 80),
    about: [about, ...(shown.length === 0 ? [] : [`${markWords(shown)}.`])].join(' '),
    spec: {
      width: WIDTH,
      height: HEIGHT - 40,
      title: printable(title, 80),
      layer: [
        {
          data: { values },
          mark: { type: 'area', interpolate: 'step-after', stroke: PAPER.light, strokeWidth: 0.5 },
          encoding: {
            x: { field: 'at', ...x },
            y: {
              field: 'bits',
              type: 'quantitative',
              stack: 'zero',
              scale: bitsMax === undefined ? {} : { domainMax: bitsMax },
              axis: { title: 'throughput', labelExpr: RATE_LABEL, tickCount: 5 },
            },
            color: {
              field: 'path',
              type: 'nominal',
              scale: colourScale(paths.map((path) => path.name)),
              legend: { title: null, orient: 'top', direction: 'horizontal', symbolType: 'square' },
            },
            order: { field: 'order', type: 'quantitative' },
          },
        },
        ...markLayers(shown, x),
      ],
    },
  };
}

export function secondsAxis(fromMs: number, toMs: number) {
  return {
    type: 'quantitative' as const,
    scale: { domain: [fromMs / 1_000, toMs / 1_000] as [number, number], nice: false },
    axis: { title: 'seconds', grid: false, tickCount: 10 },
  };
}

/** The first MARKS_MAX. */
export function marksWithin(marks: readonly Mark[], fromMs: number, toMs: number): Mark[] {
  return marks.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs).slice(0, MARKS_MAX);
}

export function markWords(marks: readonly Mark[]): string {
  return marks
    .map(({ what, atMs }, i) => `${i + 1}: ${printable(what, 80)} at ${formatPlain(atMs / 1_000)} s`)
    .join('; ');
}

/** Lines across, numbered above the plot: words would not fit where two are close. */
export function markLayers(marks: readonly Mark[], x: ReturnType<typeof secondsAxis>) {
  return [
    {
      data: { values: marks.map(({ atMs }) => ({ at: atMs / 1_000 })) },
      mark: { type: 'rule' as const, color: ALARM.light, strokeWidth: 1.4, strokeDash: [5, 3] },
      encoding: { x: { field: 'at', ...x } },
    },
    {
      data: { values: marks.map(({ atMs }, i) => ({ at: atMs / 1_000, text: String(i + 1) })) },
      mark: { type: 'text' as const, y: -3, baseline: 'bottom' as const, fontSize: 11, color: ALARM.light },
      encoding: { x: { field: 'at', ...x }, text: { field: 'text', type: 'nominal' as const } },
    },
  ];
}
