// The report that the demo ends with: two downloads of one file, of which one survives the cut.

import { ALARM, pathColour, pathDash } from './colours.ts';
import { formatBytes, formatDuration } from './figures.ts';
import { type Drawn, figureOf, linesOf, pageOf, tableOf, tilesOf } from './html.ts';
import { coursePlot, legendOf, type Mark, markLayers, marksWithin, secondsAxis, titleOf } from './plots/course.ts';
import { durationsPlot } from './plots/distribution.ts';
import { durationVolumePlot } from './plots/duration-volume.ts';
import { HEIGHT, type Plot, WIDTH } from './plots/plot.ts';
import type { Report } from './report.ts';

export interface DemoDownload {
  readonly name: string;
  readonly finished: boolean;
  readonly longestStallMs: number;
  readonly seconds: number;
  /** Received by the program that downloads, and over each path with headers, since the start; in order of time. */
  readonly samples: readonly { readonly atMs: number; readonly bytes: number; readonly pathBytes: readonly number[] }[];
  readonly marks: readonly Mark[];
}

export interface DemoCourse {
  readonly fileBytes: number;
  /** Names of the paths. */
  readonly paths: readonly string[];
  readonly downloads: readonly DemoDownload[];
  /** What the demo says at its end. */
  readonly verdict: readonly string[];
  /** Of the client's flow records: the download, and the small pages beside it. Undefined when there are none. */
  readonly connections: Report | undefined;
}

/** Rates between samples jump; over this long they are steady enough to read. */
const RATE_WINDOW_MS = 1_000;

export function plotsOfDemo(course: DemoCourse): Plot[] {
  const toMs = Math.max(1, ...course.downloads.map(endOf));
  const rates = course.downloads.map((download) => course.paths.map((_, path) => ratesOf(download, path)));
  const sums = rates.map((ofPaths) => Math.max(0, ...sumsOf(ofPaths)));
  return [
    receivedPlot(course, toMs),
    ...course.downloads.map((download, i) =>
      coursePlot({
        name: `demo-paths-${i + 1}`,
        title: download.name,
        about: 'What each path carried to the client, stacked, headers included.',
        fromMs: 0,
        toMs,
        // The same height means the same rate in both.
        bitsMax: 1.04 * Math.max(...sums),
        paths: course.paths.map((name, path) => ({ name, rates: rates[i]?.[path] ?? [] })),
        marks: download.marks,
      }),
    ),
    ...connectionPlots(course.connections),
  ];
}

const ALL = 'All connections through anabranch: the download, and small pages that were fetched beside it.';

/** Where the download stands out among connections that nobody would have missed. */
function connectionPlots(report: Report | undefined): Plot[] {
  if (report === undefined) return [];
  return [durationVolumePlot(report), durationsPlot(report)]
    .filter((plot) => plot !== undefined)
    .map((plot) => ({ ...plot, name: `demo-${plot.name}`, about: `${ALL} ${plot.about}` }));
}

/** Of all paths, at each of their steps, which are the same. */
function sumsOf(ofPaths: readonly (readonly { readonly bits: number }[])[]): number[] {
  return (ofPaths[0] ?? []).map((_, step) => ofPaths.reduce((sum, rates) => sum + (rates[step]?.bits ?? 0), 0));
}

/** Both downloads as lines: the one that goes on through the cut stands out. */
function receivedPlot({ downloads, fileBytes }: DemoCourse, toMs: number): Plot {
  const x = secondsAxis(0, toMs);
  const values = downloads.flatMap((download) =>
    [
      { atMs: 0, bytes: 0 },
      ...download.samples.filter(({ atMs }) => atMs < endOf(download)),
      lastOf(download, fileBytes),
    ].map(({ atMs, bytes }) => ({ name: download.name, at: atMs / 1_000, bytes })),
  );
  const names = downloads.map(({ name }) => name);
  const ends = downloads
    .filter(({ finished }) => finished)
    .map((download) => ({ at: endOf(download) / 1_000, bytes: fileBytes }));
  // What befell both: each finds the path again at a moment of its own.
  const [first = [], ...rest] = downloads.map(({ marks: own }) => own);
  const shared = first.filter(({ atMs }) => rest.every((others) => others.some((mark) => mark.atMs === atMs)));
  const marks = marksWithin(shared, 0, toMs);
  const title = `Received of ${formatBytes(fileBytes)}`;
  const legend = { title: null, orient: 'top' as const, symbolType: 'stroke', symbolSize: 500, symbolStrokeWidth: 2.5 };
  return {
    name: 'demo-received',
    title,
    about: 'A level line is a stall; a dot is a download that came whole.',
    ...legendOf(marks),
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title: titleOf(title, marks),
      layer: [
        {
          data: { values },
          mark: { type: 'line', strokeWidth: 2.5 },
          encoding: {
            x: { field: 'at', ...x },
            y: {
              field: 'bytes',
              type: 'quantitative',
              scale: { domain: [0, fileBytes * 1.03], nice: false },
              axis: {
                title: 'received',
                labelExpr: "replace(format(datum.value, '~s'), /([a-zA-Z]*)$/, ' $1B')",
                tickCount: 5,
              },
            },
            color: {
              field: 'name',
              type: 'nominal',
              scale: { domain: names, range: names.map((_, i) => pathColour(i)) },
              legend,
            },
            strokeDash: {
              field: 'name',
              type: 'nominal',
              scale: { domain: names, range: names.map((_, i) => [...pathDash(i)]) },
              legend,
            },
          },
        },
        {
          data: { values: ends },
          mark: { type: 'circle', size: 80, color: ALARM.light, opacity: 1 },
          encoding: { x: { field: 'at', ...x }, y: { field: 'bytes', type: 'quantitative' } },
        },
        ...markLayers(marks, x),
      ],
    },
  };
}

function endOf({ seconds }: DemoDownload): number {
  return seconds * 1_000;
}

/** Its end lies between two samples. */
function lastOf(download: DemoDownload, fileBytes: number): { atMs: number; bytes: number } {
  return { atMs: endOf(download), bytes: download.finished ? fileBytes : (download.samples.at(-1)?.bytes ?? 0) };
}

/** Means over about RATE_WINDOW_MS. */
function ratesOf(download: DemoDownload, path: number): { atMs: number; bits: number }[] {
  const { samples } = download;
  const rates: { atMs: number; bits: number }[] = [];
  let before = { atMs: 0, bytes: 0 };
  for (const [i, { atMs, pathBytes }] of samples.entries()) {
    const isLast = i === samples.length - 1;
    const bytes = pathBytes[path] ?? 0;
    const ms = atMs - before.atMs;
    if (ms <= 0 || (ms < RATE_WINDOW_MS && !isLast)) continue;
    const bits = (Math.max(0, bytes - before.bytes) * 8_000) / ms;
    rates.push({ atMs: before.atMs, bits });
    // What was counted after the download's end was under way before it.
    if (isLast) rates.push({ atMs: Math.max(before.atMs, Math.min(atMs, endOf(download))), bits });
    before = { atMs, bytes };
  }
  return rates;
}

export function pageOfDemo({ downloads, verdict, paths, fileBytes }: DemoCourse, drawn: readonly Drawn[]): string {
  return pageOf({
    title: 'A download that survives the loss of a path',
    lead: verdict[0] ?? '',
    parts: [
      tilesOf(
        downloads.map(({ name, finished, seconds, longestStallMs }) => ({
          figure: finished ? `${seconds.toFixed(1)} s` : 'not finished',
          text: `for ${formatBytes(fileBytes)} ${name}; longest stall ${formatDuration(longestStallMs)}`,
        })),
      ),
      ...drawn.map(figureOf),
      tableOf(
        'Bytes over each path, headers included',
        ['download', ...paths.map((path) => `#${path}`)],
        downloads.map(({ name, samples }) => [
          name,
          ...paths.map((_, path) => formatBytes(samples.at(-1)?.pathBytes[path] ?? 0)),
        ]),
      ),
      linesOf('In words', verdict),
    ],
  });
}
