// Plots of an experiment: every measure as boxes, a row for each setting, the papers' figures beside; and for each
// setting what the paths carried in a typical run, with what was done to them.

import { parse } from 'yaml';
import { ALARM, FAINT, INK, MAIN, PALE, PAPER } from '../colours.ts';
import { type Results, type Run, type Series, type Setting, typicalRun } from '../experiment.ts';
import { printable } from '../figures.ts';
import { coursePlot, type Mark } from './course.ts';
import { type Plot, WIDTH } from './plot.ts';

const ROW = 30;
/** Of the font at its size here. */
const LETTER_WIDTH = 7;
/** With fewer runs a box would claim to know more than the dots. */
const BOX_RUNS_MIN = 4;
const SERIES_MAX = 24;
const BINS_MAX = 240;

export function plotsOfExperiment(results: Results): Plot[] {
  const measured = results.settings.filter(({ runs }) => runs.length > 0);
  const names = Object.keys(measured[0]?.measures ?? {});
  return [
    ...names.map((name) => (isYesOrNo(name, measured) ? sharePlot(name, measured) : boxPlot(name, measured))),
    ...measured.slice(0, SERIES_MAX).map((setting, i) => seriesPlot(results, setting, i)),
  ].filter((plot) => plot !== undefined);
}

/** Such as whether a transfer came to its end: 100 or 0 of 100. */
function isYesOrNo(measure: string, settings: readonly Setting[]): boolean {
  const figures = settings.flatMap(({ runs }) => runs.map((run) => run.figures[measure]));
  return (
    settings[0]?.measures[measure]?.unit === '%' &&
    figures.every((figure) => figure === null || figure === undefined || figure === 0 || figure === 100)
  );
}

/** A box of nothing but 0 and 100 says nothing; the share of the runs does. */
function sharePlot(measure: string, settings: readonly Setting[]): Plot | undefined {
  const rows = settings.map((setting, row) => {
    const known = setting.runs.flatMap(({ figures }) => figures[measure] ?? []);
    const yes = known.filter((figure) => figure > 0).length;
    return { row, name: printable(setting.name, 40), yes, of: known.length, share: yes / Math.max(1, known.length) };
  });
  if (rows.every(({ of }) => of === 0)) return undefined;
  const title = `${measure}, share of the runs`;
  const y = { field: 'row', type: 'ordinal' as const, scale: { domain: rows.map(({ row }) => row) } };
  const x = { field: 'share', type: 'quantitative' as const, scale: { domain: [0, 1] as [number, number] } };
  return {
    name: `measure-${fileName(measure)}`,
    title,
    about: 'How many of the runs.',
    spec: {
      width: WIDTH - 80,
      height: { step: ROW },
      title,
      layer: [
        {
          data: { values: rows },
          mark: { type: 'bar', size: 15, color: MAIN.light },
          encoding: {
            y: { ...y, axis: rowAxis(rows) },
            x: { ...x, axis: { title: null, format: '.0%', tickCount: 5 } },
          },
        },
        {
          data: {
            values: rows.map(({ row, share, yes, of }) => ({ row, share, text: of === 0 ? '–' : `${yes} of ${of}` })),
          },
          mark: { type: 'text', align: 'left', dx: 6, fontSize: 11, color: INK.light },
          encoding: { y, x, text: { field: 'text' } },
        },
        namesLayer(rows, y),
      ],
    },
  };
}

interface Row {
  readonly row: number;
  readonly name: string;
}

/** Names are drawn as texts of their own, for an axis would cut them. */
function rowAxis(rows: readonly Row[]) {
  const width = 20 + Math.max(...rows.map(({ name }) => name.length)) * LETTER_WIDTH;
  return { title: null, labels: false, ticks: false, domain: false, minExtent: width, maxExtent: width };
}

function namesLayer(rows: readonly Row[], y: { field: string; type: 'ordinal'; scale: { domain: number[] } }) {
  return {
    data: { values: rows.map(({ row, name }) => ({ row, name })) },
    mark: { type: 'text' as const, align: 'right' as const, x: -10, fontSize: 11, color: INK.light },
    encoding: { y, text: { field: 'name', type: 'nominal' as const } },
  };
}

const BOX = {
  type: 'boxplot' as const,
  extent: 'min-max' as const,
  size: 15,
  box: { fill: PALE.light, stroke: MAIN.light },
  median: { color: INK.light, strokeWidth: 2 },
  rule: { color: MAIN.light },
  ticks: { color: MAIN.light, size: 9 },
};

function boxPlot(measure: string, settings: readonly Setting[]): Plot | undefined {
  const { unit = '', take } = settings[0]?.measures[measure] ?? {};
  // What the links can carry is payload, and belongs beside payload only.
  const isPayload = take === 'goodput';
  const rows = settings.map((setting, row) => ({ row, name: printable(setting.name, 40), setting }));
  const dots = rows.flatMap(({ row, setting }) =>
    setting.runs.flatMap(({ figures }) => {
      const figure = figures[measure];
      return figure === null || figure === undefined ? [] : [{ row, figure }];
    }),
  );
  if (dots.length === 0) return undefined;
  const boxed = new Set(
    rows.filter(({ row }) => dots.filter((dot) => dot.row === row).length >= BOX_RUNS_MIN).map(({ row }) => row),
  );
  const papers = rows.flatMap(({ row, setting }) => papersOf(setting, measure).map((figure) => ({ row, figure })));
  const capacities = rows.flatMap(({ row, setting: { capacityMbit } }) =>
    isPayload && capacityMbit !== undefined ? [{ row, figure: capacityMbit }] : [],
  );
  const missing = settings.reduce((sum, setting) => sum + (setting.measures[measure]?.missing ?? 0), 0);
  const title = unit === '' ? measure : `${measure}, ${unit}`;
  const signs = [
    papers.length === 0 ? '' : 'diamonds: figures from papers',
    capacities.length === 0 ? '' : 'upright strokes: what the links can carry',
  ].filter((sign) => sign !== '');
  const y = { field: 'row', type: 'ordinal' as const, scale: { domain: rows.map(({ row }) => row) } };
  const x = {
    field: 'figure',
    type: 'quantitative' as const,
    scale: { zero: true, domainMin: 0, nice: true },
    axis: { title, tickCount: 7 },
  };
  return {
    name: `measure-${fileName(measure)}`,
    title,
    about:
      'Every run a dot; boxes from the first to the third quartile with the median, whiskers to the extremes.' +
      (missing === 0 ? '' : ` In ${missing} runs there was nothing to measure.`) +
      (papers.length === 0 ? '' : ' Diamonds are figures from papers.') +
      (capacities.length === 0 ? '' : ' Upright strokes are what the links can carry.'),
    spec: {
      width: WIDTH - 80,
      height: { step: ROW },
      title: { text: title, ...(signs.length === 0 ? {} : { subtitle: signs.join(', ') }) },
      layer: [
        {
          data: { values: dots.filter(({ row }) => boxed.has(row)) },
          mark: BOX,
          encoding: {
            y: { ...y, axis: rowAxis(rows) },
            x,
          },
        },
        {
          data: { values: dots },
          mark: { type: 'circle', size: 26, color: MAIN.light, opacity: 0.9, stroke: PAPER.light, strokeWidth: 0.5 },
          encoding: { y, x },
        },
        {
          data: { values: papers },
          mark: {
            type: 'point',
            shape: 'diamond',
            size: 90,
            filled: false,
            opacity: 1,
            color: ALARM.light,
            strokeWidth: 2,
          },
          encoding: { y, x },
        },
        {
          data: { values: capacities },
          mark: { type: 'tick', orient: 'vertical', size: 20, thickness: 2, color: FAINT.light },
          encoding: { y, x },
        },
        namesLayer(rows, y),
      ],
    },
  };
}

function papersOf({ measures }: Setting, measure: string): number[] {
  return (measures[measure]?.papers ?? []).flatMap(({ figure }) => numbersIn(figure));
}

/** `2.5`, `≈ 30 Mbit/s`, `10 to 20`: the numbers that can be drawn. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(/\d+(?:\.\d+)?/g)].slice(0, 2).map(([digits]) => Number(digits));
}

function seriesPlot({ experiment }: Results, setting: Setting, index: number): Plot | undefined {
  const run = typicalRun(setting);
  if (run === undefined) return undefined;
  const paths = pathsOf(run, clientOf(experiment.text));
  const from = Math.max(0, Math.min(...paths.map(({ series }) => series.startMs - run.originMs)));
  const to = Math.max(...paths.map(({ series }) => series.startMs + series.bytes.length * series.binMs - run.originMs));
  if (!(to > from)) return undefined;
  const binMs = Math.ceil((to - from) / BINS_MAX / 50) * 50;
  const bins = Math.ceil((to - from) / binMs);
  return coursePlot({
    name: `series-${String(index + 1).padStart(2, '0')}-${fileName(setting.name)}`,
    title: `${experiment.name}: ${setting.name}`,
    about: 'What each link carried at the client, stacked, headers included, in the run nearest to the median.',
    fromMs: from,
    toMs: to,
    paths: paths.map(({ link, series }) => ({
      name: link,
      // The last rate is repeated, to give its bin a width.
      rates: Array.from({ length: bins + 1 }, (_, n) => ({
        atMs: Math.min(from + n * binMs, to),
        bits: rate(series, run.originMs + from + Math.min(n, bins - 1) * binMs, binMs),
      })),
    })),
    marks: marksOf(run.steps),
  });
}

/** Changes that follow on one another at once are one: a path that gets worse and worse. */
const CHANGES_APART_MS_MAX = 1_500;

function marksOf(steps: Run['steps']): Mark[] {
  const marks: (Mark & { readonly of: string | undefined; readonly times: number })[] = [];
  for (const { what, atMs } of steps) {
    const of = /^(.+) changes: /.exec(what)?.[1];
    const last = marks.at(-1);
    const isMore = of !== undefined && last?.of === of && atMs - (last.untilMs ?? last.atMs) <= CHANGES_APART_MS_MAX;
    if (!isMore) marks.push({ atMs, what: what.replace(/["{}]/g, ''), of, times: 1 });
    else
      marks.splice(-1, 1, {
        ...last,
        untilMs: atMs,
        times: last.times + 1,
        what: `${of} changes ${last.times + 1} times`,
      });
  }
  return marks;
}

/** The host that the experiment's first workload runs on; undefined where the text does not say it plainly. */
function clientOf(text: string): string | undefined {
  try {
    const { workloads } = parse(text) as { workloads?: Record<string, { from?: unknown }> };
    const from = Object.values(workloads ?? {})[0]?.from;
    return typeof from === 'string' ? from : undefined;
  } catch {
    return undefined;
  }
}

/** The links of the client, or of the first host with two; in the direction in which more went. */
function pathsOf({ measures: { interfaces } }: Run, client: string | undefined): { link: string; series: Series }[] {
  const of = (host: string | undefined) => interfaces.filter((one) => one.host === host);
  const hosts = [...new Set(interfaces.map(({ host }) => host))];
  const chosen = of(client).length > 0 ? client : (hosts.find((host) => of(host).length > 1) ?? hosts[0]);
  const links = of(chosen);
  const sum = (direction: 'sent' | 'received') =>
    links.reduce((total, link) => total + link[direction].bytes.reduce((a, b) => a + b, 0), 0);
  const direction = sum('received') >= sum('sent') ? 'received' : 'sent';
  return links.map((link) => ({ link: link.link, series: link[direction] }));
}

/** Bits per second within a bin of ours, of which one of the series may cover a part. */
function rate({ startMs, binMs, bytes }: Series, fromMs: number, lengthMs: number): number {
  const first = Math.max(0, Math.floor((fromMs - startMs) / binMs));
  const last = Math.min(bytes.length - 1, Math.floor((fromMs + lengthMs - startMs) / binMs));
  let sum = 0;
  for (let i = first; i <= last; i++) {
    const begin = startMs + i * binMs;
    const overlap = Math.min(fromMs + lengthMs, begin + binMs) - Math.max(fromMs, begin);
    if (overlap > 0) sum += ((bytes[i] ?? 0) * overlap) / binMs;
  }
  return (sum * 8_000) / lengthMs;
}

function fileName(text: string): string {
  return text
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
}
