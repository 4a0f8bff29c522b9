// Duration against volume: many flows as dots that grow with their number, the longest and biggest one by one.

import { ALARM, MAIN, PAPER } from '../colours.ts';
import { formatBytes, formatDuration } from '../figures.ts';
import { BINS_PER_DECADE, binOf, ZERO_BIN } from '../histogram.ts';
import { bytesOf, CELLS_PER_DECADE, type Report, type ReportFlow } from '../report.ts';
import { destinationOf } from '../text.ts';
import { bytesAxis, durationAxis } from './axes.ts';
import { type Plot, WIDTH } from './plot.ts';

const HEIGHT = 380;
const LABELS = 3;
/** Of the biggest one: what is far smaller gets no label. */
const LABEL_SHARE_MIN = 0.01;
const FLOWS_PER_MARK = 20;

const middle = (cell: number): number => 10 ** ((cell + 0.5) / CELLS_PER_DECADE);

export function durationVolumePlot({ cells, longest, biggest, flows }: Report): Plot | undefined {
  // Among few flows few stand out.
  const most = Math.ceil(flows / FLOWS_PER_MARK);
  const notables = uniqueOf([...biggest.slice(0, most), ...longest.slice(0, most)]);
  const single = new Map<string, number>();
  for (const flow of notables) {
    const key = keyOf(cellOf(flow.durationMs), cellOf(bytesOf(flow)));
    single.set(key, (single.get(key) ?? 0) + 1);
  }
  const dots = cells
    // Those that are drawn one by one are not drawn twice.
    .map((cell) => ({ ...cell, flows: cell.flows - (single.get(keyOf(cell.duration, cell.volume)) ?? 0) }))
    .filter(({ duration, volume, flows: count }) => duration !== ZERO_BIN && volume !== ZERO_BIN && count > 0)
    .map(({ duration, volume, flows: count }) => ({ ms: middle(duration), bytes: middle(volume), flows: count }));
  const marked = notables.map(markOf);
  if (dots.length + marked.length === 0) return undefined;
  const shown = dots.reduce((sum, { flows: count }) => sum + count, marked.length);
  const durations = [...dots, ...marked].map(({ ms }) => ms);
  const volumes = [...dots, ...marked].map(({ bytes }) => bytes);
  const x = durationAxis('duration', Math.min(...durations), Math.max(...durations));
  const y = bytesAxis('bytes, both directions', Math.min(...volumes), Math.max(...volumes));
  const title = 'Duration against volume';
  const left = flows - shown;
  const half = Math.sqrt(x.scale.domain[0] * x.scale.domain[1]);
  const labels = labelsOf(biggest.slice(0, most));
  const mostFlows = Math.max(1, ...dots.map(({ flows: count }) => count));
  const texts = (['left', 'right'] as const).flatMap((side) => {
    const values = labels.filter(({ ms }) => ms > half === (side === 'right'));
    const encoding = {
      x: { field: 'ms', type: 'quantitative' as const },
      y: { field: 'bytes', type: 'quantitative' as const },
      text: { field: 'text' },
    };
    const mark = { type: 'text' as const, align: side, dx: side === 'left' ? 10 : -10, dy: -10, fontSize: 11 };
    const halo = { ...mark, color: PAPER.light, stroke: PAPER.light, strokeWidth: 4, strokeJoin: 'round' as const };
    return values.length === 0
      ? []
      : [
          { data: { values }, mark: halo, encoding },
          { data: { values }, mark: { ...mark, color: ALARM.light }, encoding },
        ];
  });
  return {
    name: 'duration-volume',
    title,
    about:
      'A dot stands for all flows of about one duration and volume; diamonds are single flows, the longest and the biggest.' +
      (left === 0 ? '' : ` Not shown: ${left} without bytes, or shorter than 1 ms.`),
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title,
      layer: [
        {
          data: { values: dots },
          mark: { type: 'circle', color: MAIN.light, opacity: 1 },
          encoding: {
            x: { field: 'ms', type: 'quantitative', ...x },
            y: { field: 'bytes', type: 'quantitative', ...y },
            size: {
              field: 'flows',
              type: 'quantitative',
              scale: {
                type: 'sqrt',
                range: [5, sizeMax(x.scale.domain, y.scale.domain)],
                domain: [1, Math.max(2, mostFlows)],
              },
              legend: {
                title: 'flows',
                format: ',d',
                symbolFillColor: MAIN.light,
                symbolOpacity: 1,
                values: sizesOf(mostFlows),
                offset: 24,
              },
            },
          },
        },
        {
          data: { values: marked },
          mark: { type: 'point', shape: 'diamond', size: 75, color: ALARM.light, opacity: 1, strokeWidth: 1.6 },
          encoding: { x: { field: 'ms', type: 'quantitative' }, y: { field: 'bytes', type: 'quantitative' } },
        },
        ...texts,
      ],
    },
  };
}

/** What the legend shows: 1, and some round numbers up to the most. */
function sizesOf(most: number): number[] {
  const decade = 10 ** Math.floor(Math.log10(most));
  const round = [decade / 10, decade, 2 * decade, 5 * decade].filter((count) => count > 1 && count <= most);
  return [1, ...round];
}

/** Dots of neighbouring cells touch, but do not overlap. */
function sizeMax(durations: readonly [number, number], volumes: readonly [number, number]): number {
  const pitch = (length: number, [from, to]: readonly [number, number]) =>
    length / (Math.log10(to / from) * CELLS_PER_DECADE);
  const across = Math.min(24, pitch(WIDTH, durations), pitch(HEIGHT, volumes));
  return (Math.PI / 4) * across ** 2;
}

interface Mark {
  readonly ms: number;
  readonly bytes: number;
}

function markOf(flow: ReportFlow): Mark {
  return { ms: flow.durationMs, bytes: bytesOf(flow) };
}

function uniqueOf(flows: readonly ReportFlow[]): ReportFlow[] {
  const unique = new Map(flows.map((flow) => [flow.id, flow]));
  return [...unique.values()].filter((flow) => flow.durationMs >= 1 && bytesOf(flow) >= 1);
}

function cellOf(value: number): number {
  return Math.floor(binOf(value) / (BINS_PER_DECADE / CELLS_PER_DECADE));
}

function keyOf(duration: number, volume: number): string {
  return `${duration} ${volume}`;
}

/** The biggest, but none that would lie on another's label. */
function labelsOf(flows: readonly ReportFlow[]): (Mark & { readonly text: string })[] {
  const placed: (Mark & { readonly text: string })[] = [];
  for (const flow of flows) {
    const mark = markOf(flow);
    if (mark.ms < 1 || mark.bytes < Math.max(1, (placed[0]?.bytes ?? 0) * LABEL_SHARE_MIN)) continue;
    const isFree = placed.every(({ bytes }) => Math.abs(Math.log10(bytes / mark.bytes)) > 0.35);
    const text = `${destinationOf(flow, 32)}: ${formatBytes(mark.bytes)} in ${formatDuration(mark.ms)}`;
    if (isFree) placed.push({ ...mark, text });
    if (placed.length === LABELS) break;
  }
  return placed;
}
