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
  /** Of something that goes on. */
  readonly untilMs?: number;
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
    about,
    ...legendOf(shown),
    spec: {
      width: WIDTH,
      height: HEIGHT - 40,
      title: titleOf(title, shown),
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

/** Room for so many letters of a subtitle. */
const LINE_LENGTH_MAX = 110;

/** The numbers of the marks in words, below the title: a picture may be seen without its page. */
export function titleOf(title: string, marks: readonly Mark[]) {
  const lines: string[] = [];
  for (const text of marks.map(wordsOf)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + text.length + 2 <= LINE_LENGTH_MAX)
      lines[lines.length - 1] = `${last}; ${text}`;
    else lines.push(text);
  }
  return { text: printable(title, 80), ...(lines.length === 0 ? {} : { subtitle: lines }) };
}

export function legendOf(marks: readonly Mark[]): { legend?: string } {
  return marks.length === 0 ? {} : { legend: `${marks.map(wordsOf).join('; ')}.` };
}

function wordsOf({ what, atMs, untilMs }: Mark, index: number): string {
  const seconds = (ms: number): string => formatPlain(ms / 1_000);
  const when = untilMs === undefined ? `at ${seconds(atMs)} s` : `from ${seconds(atMs)} to ${seconds(untilMs)} s`;
  return `${index + 1}: ${printable(what, 80)} ${when}`;
}

/** Lines across, numbered above the plot: words would not fit where two are close. */
export function markLayers(marks: readonly Mark[], x: ReturnType<typeof secondsAxis>) {
  const lasting = marks.flatMap(({ atMs, untilMs }) =>
    untilMs === undefined ? [] : [{ at: atMs / 1_000, until: untilMs / 1_000 }],
  );
  return [
    {
      data: { values: marks.map(({ atMs }) => ({ at: atMs / 1_000 })) },
      mark: { type: 'rule' as const, color: ALARM.light, strokeWidth: 1.4, strokeDash: [5, 3] },
      encoding: { x: { field: 'at', ...x } },
    },
    {
      data: { values: lasting },
      mark: { type: 'rule' as const, y: 0, color: ALARM.light, strokeWidth: 2.5 },
      encoding: { x: { field: 'at', ...x }, x2: { field: 'until' } },
    },
    {
      data: { values: numbersOf(marks, x.scale.domain) },
      mark: { type: 'text' as const, y: -3, baseline: 'bottom' as const, fontSize: 11, color: ALARM.light },
      encoding: { x: { field: 'at', ...x }, text: { field: 'text', type: 'nominal' as const } },
    },
  ];
}

const NUMBERS_APART_MIN = 14;

/** Marks too close to each other for a number each have one together: 3–5. */
function numbersOf(marks: readonly Mark[], [from, to]: readonly [number, number]): { at: number; text: string }[] {
  const numbers: { at: number; first: number; last: number }[] = [];
  for (const [i, { atMs }] of marks.entries()) {
    const at = atMs / 1_000;
    const before = numbers.at(-1);
    if (before !== undefined && ((at - before.at) / (to - from)) * WIDTH < NUMBERS_APART_MIN) before.last = i + 1;
    else numbers.push({ at, first: i + 1, last: i + 1 });
  }
  return numbers.map(({ at, first, last }) => ({ at, text: first === last ? String(first) : `${first}–${last}` }));
}
