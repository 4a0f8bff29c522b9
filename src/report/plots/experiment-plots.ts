// Plots of an experiment: every measure as boxes, a row for each setting, the papers' figures beside; and for each
// setting what the paths carried in a typical run, with what was done to them.

import { parse } from 'yaml';
import { ALARM, FAINT, INK, MAIN, PALE, PAPER } from '../colours.ts';
import { type Results, type Run, type Series, type Setting, typicalRun } from '../experiment.ts';
import { printable } from '../figures.ts';
import { coursePlot } from './course.ts';
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
    ...names.map((name) => boxPlot(name, measured)),
    ...measured.slice(0, SERIES_MAX).map((setting, i) => seriesPlot(results, setting, i)),
  ].filter((plot) => plot !== undefined);
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
  const unit = settings[0]?.measures[measure]?.unit ?? '';
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
    unit === 'Mbit/s' && capacityMbit !== undefined ? [{ row, figure: capacityMbit }] : [],
  );
  const missing = settings.reduce((sum, setting) => sum + (setting.measures[measure]?.missing ?? 0), 0);
  const namesWidth = 20 + Math.max(...rows.map(({ name }) => name.length)) * LETTER_WIDTH;
  const title = unit === '' ? measure : `${measure}, ${unit}`;
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
      title,
      layer: [
        {
          data: { values: dots.filter(({ row }) => boxed.has(row)) },
          mark: BOX,
          encoding: {
            y: {
              ...y,
              axis: {
                title: null,
                labels: false,
                ticks: false,
                domain: false,
                minExtent: namesWidth,
                maxExtent: namesWidth,
              },
            },
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
          mark: { type: 'point', shape: 'diamond', size: 90, filled: false, color: ALARM.light, strokeWidth: 2 },
          encoding: { y, x },
        },
        {
          data: { values: capacities },
          mark: { type: 'tick', orient: 'vertical', size: 20, thickness: 2, color: FAINT.light },
          encoding: { y, x },
        },
        {
          data: { values: rows.map(({ row, name }) => ({ row, name })) },
          mark: { type: 'text', align: 'right', x: -10, fontSize: 11, color: INK.light },
          encoding: { y, text: { field: 'name' } },
        },
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
    marks: run.steps,
  });
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
