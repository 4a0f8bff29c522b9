// Duration against volume: many flows as dots that grow with their number, the longest and biggest one by one.

import { ALARM, MAIN } from '../colours.ts';
import { formatBytes, formatDuration } from '../figures.ts';
import { ZERO_BIN } from '../histogram.ts';
import { bytesOf, CELLS_PER_DECADE, type Report, type ReportFlow } from '../report.ts';
import { destinationOf } from '../text.ts';
import { bytesAxis, durationAxis } from './axes.ts';
import { type Plot, WIDTH } from './plot.ts';

const HEIGHT = 380;
const LABELS = 3;

const middle = (cell: number): number => 10 ** ((cell + 0.5) / CELLS_PER_DECADE);

export function durationVolumePlot({ cells, longest, biggest, flows }: Report): Plot | undefined {
  const dots = cells
    .filter(({ duration, volume }) => duration !== ZERO_BIN && volume !== ZERO_BIN)
    .map(({ duration, volume, flows: count }) => ({ ms: middle(duration), bytes: middle(volume), flows: count }));
  if (dots.length === 0) return undefined;
  const shown = dots.reduce((sum, { flows: count }) => sum + count, 0);
  const marked = notable([...biggest, ...longest]);
  const durations = [...dots, ...marked].map(({ ms }) => ms);
  const volumes = [...dots, ...marked].map(({ bytes }) => bytes);
  const x = durationAxis('duration', Math.min(...durations), Math.max(...durations));
  const y = bytesAxis('bytes, both directions', Math.min(...volumes), Math.max(...volumes));
  const title = 'Duration against volume';
  const left = flows - shown;
  const half = Math.sqrt(x.scale.domain[0] * x.scale.domain[1]);
  const labels = labelsOf(biggest);
  const text = (side: 'left' | 'right') => ({
    data: { values: labels.filter(({ ms }) => ms > half === (side === 'right')) },
    mark: { type: 'text' as const, align: side, dx: side === 'left' ? 9 : -9, fontSize: 11, color: ALARM.light },
    encoding: {
      x: { field: 'ms', type: 'quantitative' as const },
      y: { field: 'bytes', type: 'quantitative' as const },
      text: { field: 'text' },
    },
  });
  return {
    name: 'duration-volume',
    title,
    about:
      'A dot stands for all flows of about one duration and volume; diamonds are single flows, the longest and the biggest.' +
      (left === 0 ? '' : ` Not shown: ${left} flows without bytes, or shorter than 1 ms.`),
    spec: {
      width: WIDTH,
      height: HEIGHT,
      title,
      layer: [
        {
          data: { values: dots },
          mark: { type: 'circle', color: MAIN.light, opacity: 0.75 },
          encoding: {
            x: { field: 'ms', type: 'quantitative', ...x },
            y: { field: 'bytes', type: 'quantitative', ...y },
            size: {
              field: 'flows',
              type: 'quantitative',
              scale: {
                type: 'sqrt',
                range: [6, 420],
                domain: [1, Math.max(2, ...dots.map(({ flows: count }) => count))],
              },
              legend: {
                title: 'flows',
                format: ',d',
                symbolFillColor: MAIN.light,
                symbolOpacity: 0.75,
                tickCount: 4,
                offset: 24,
              },
            },
          },
        },
        {
          data: { values: marked },
          mark: { type: 'point', shape: 'diamond', size: 75, color: ALARM.light, strokeWidth: 1.6 },
          encoding: { x: { field: 'ms', type: 'quantitative' }, y: { field: 'bytes', type: 'quantitative' } },
        },
        text('left'),
        text('right'),
      ],
    },
  };
}

interface Mark {
  readonly ms: number;
  readonly bytes: number;
}

function markOf(flow: ReportFlow): Mark {
  return { ms: flow.durationMs, bytes: bytesOf(flow) };
}

function notable(flows: readonly ReportFlow[]): Mark[] {
  const unique = new Map(flows.map((flow) => [flow.id, markOf(flow)]));
  return [...unique.values()].filter(({ ms, bytes }) => ms >= 1 && bytes >= 1);
}

/** The biggest, but none that would lie on another's label. */
function labelsOf(flows: readonly ReportFlow[]): (Mark & { readonly text: string })[] {
  const placed: (Mark & { readonly text: string })[] = [];
  for (const flow of flows) {
    const mark = markOf(flow);
    if (mark.ms < 1 || mark.bytes < 1) continue;
    const isFree = placed.every(({ bytes }) => Math.abs(Math.log10(bytes / mark.bytes)) > 0.35);
    const text = `${destinationOf(flow, 32)}: ${formatBytes(mark.bytes)} in ${formatDuration(mark.ms)}`;
    if (isFree) placed.push({ ...mark, text });
    if (placed.length === LABELS) break;
  }
  return placed;
}
