// The time line of one flow: a lane for the connection with its milestones, a lane for each subflow, and what happened.

import { ALARM, FAINT, INK, MAIN, PALE, REST_COLOUR } from '../colours.ts';
import { formatBytes, formatCount, formatDuration, printable } from '../figures.ts';
import { type FlowDetail, isOnPath, type Subflow } from '../flow-detail.ts';
import { bytesOf } from '../report.ts';
import { destinationOf } from '../text.ts';
import { type Plot, WIDTH } from './plot.ts';

/** Two lines of text and a bar. */
const LANE = 62;
const BAR_Y = 46;
const LANES_MAX = 24;
const MARKS_MAX = 12;

interface Bar {
  readonly lane: number;
  readonly from: number;
  readonly to: number;
  readonly fill: string;
}

export function flowTimeline(detail: FlowDetail): Plot {
  const { flow, milestones, subflows, events } = detail;
  const lengthMs = Math.max(1, flow.durationMs);
  const { unitMs, unit } = unitOf(lengthMs);
  const lanes = subflows.slice(0, LANES_MAX);
  const bars: Bar[] = [{ lane: 0, from: 0, to: lengthMs / unitMs, fill: REST_COLOUR }];
  for (const [i, subflow] of lanes.entries()) {
    for (const [from, to] of livesOf(subflow, detail)) {
      bars.push({ lane: i + 1, from: from / unitMs, to: to / unitMs, fill: subflow.closed ? PALE.light : MAIN.light });
    }
  }
  const moments = events
    .slice(0, MARKS_MAX)
    .map(({ at }, i) => ({ at: Math.min(lengthMs, Math.max(0, at - flow.startedAt)) / unitMs, text: String(i + 1) }));
  const title = `Flow to ${destinationOf(flow, 48)}`;
  const height = (lanes.length + 1) * LANE;
  const x = {
    type: 'quantitative' as const,
    scale: { domain: [0, lengthMs / unitMs] as [number, number], nice: false },
    axis: { title: `${unit} since the start`, grid: true, tickCount: 8 },
  };
  const y = {
    type: 'quantitative' as const,
    scale: { domain: [0, height] as [number, number], reverse: true, nice: false },
    axis: null,
  };
  return {
    name: 'flow',
    title,
    about: aboutOf(detail),
    spec: {
      width: WIDTH,
      height,
      title: {
        text: title,
        subtitle: `${formatDuration(flow.durationMs)}, ${formatBytes(bytesOf(flow))}, ended: ${printable(flow.end, 40)}`,
      },
      layer: [
        {
          data: { values: bars.map(({ lane, ...bar }) => ({ ...bar, y: lane * LANE + BAR_Y })) },
          mark: { type: 'bar', height: 16, cornerRadius: 2 },
          encoding: {
            x: { field: 'from', ...x },
            x2: { field: 'to' },
            y: { field: 'y', ...y },
            color: { field: 'fill', type: 'nominal', scale: null },
          },
        },
        textLayer(14, INK.light, ['the connection', ...lanes.map(nameOf)], y),
        textLayer(29, FAINT.light, [milestoneText(detail), ...lanes.map(figuresOf)], y),
        {
          data: { values: milestones.map(({ atMs }) => ({ at: Math.min(atMs, lengthMs) / unitMs, y: BAR_Y })) },
          mark: { type: 'tick', orient: 'vertical', size: 24, thickness: 2, color: INK.light },
          encoding: { x: { field: 'at', ...x }, y: { field: 'y', ...y } },
        },
        {
          data: { values: moments },
          mark: { type: 'rule', color: ALARM.light, strokeWidth: 1.3, strokeDash: [4, 3] },
          encoding: { x: { field: 'at', ...x } },
        },
        {
          data: { values: moments },
          mark: { type: 'text', y: -2, baseline: 'bottom', fontSize: 11, color: ALARM.light },
          encoding: { x: { field: 'at', ...x }, text: { field: 'text' } },
        },
      ],
    },
  };
}

/** A line of text in each lane. */
function textLayer<Y>(offset: number, color: string, texts: readonly string[], y: Y) {
  return {
    data: { values: texts.map((text, lane) => ({ text, y: lane * LANE + offset })) },
    mark: { type: 'text' as const, align: 'left' as const, x: 2, fontSize: 11, color },
    encoding: { y: { field: 'y', ...y }, text: { field: 'text', type: 'nominal' as const } },
  };
}

function nameOf({ side, local, remote, backup, closed }: Subflow): string {
  const marks = `${backup ? ', backup' : ''}${closed ? ', closed before the end' : ''}`;
  return `${side} side, ${printable(local, 46)} – ${printable(remote, 46)}${marks}`;
}

function figuresOf({ bytesSent, bytesReceived, rttMs, retransmits }: Subflow): string {
  const rtt = rttMs === undefined ? '' : `, RTT ${formatDuration(rttMs)}`;
  return `${formatBytes(bytesSent)} out, ${formatBytes(bytesReceived)} in${rtt}, ${formatCount(retransmits)} retransmitted`;
}

function milestoneText({ milestones }: FlowDetail): string {
  return milestones.map(({ name, atMs }) => `${name} after ${formatDuration(atMs)}`).join(', ');
}

/** Between the losses and returns of its path; the whole flow where nothing tells of any. */
function livesOf({ addresses }: Subflow, { flow, events }: FlowDetail): [number, number][] {
  const lives: [number, number][] = [];
  let from: number | undefined = 0;
  for (const event of events) {
    if (!isOnPath(event, addresses)) continue;
    const { at, kind } = event;
    const since = Math.min(flow.durationMs, Math.max(0, at - flow.startedAt));
    if (kind === 'path-down' && from !== undefined) {
      lives.push([from, since]);
      from = undefined;
    } else if (kind === 'path-up') from ??= since;
  }
  if (from !== undefined) lives.push([from, Math.max(1, flow.durationMs)]);
  return lives;
}

function aboutOf({ flow, milestones, subflows, events }: FlowDetail): string {
  const parts = [
    'Bars show where a path could carry data, as far as the log knows: it does not tell when a single subflow began or closed.',
    milestones.length === 0 ? '' : 'Ticks mark what is said of the connection.',
    flow.longestStallMs === 0 ? '' : `Longest silence: ${formatDuration(flow.longestStallMs)}.`,
    events.length === 0 ? '' : 'Dashed lines are the events listed below, by number.',
    subflows.length > LANES_MAX ? `Only the first ${LANES_MAX} of ${subflows.length} subflows are drawn.` : '',
    events.length > MARKS_MAX ? `Only the first ${MARKS_MAX} of ${events.length} events are drawn.` : '',
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function unitOf(ms: number): { unitMs: number; unit: string } {
  if (ms < 2_000) return { unitMs: 1, unit: 'milliseconds' };
  if (ms < 180_000) return { unitMs: 1_000, unit: 'seconds' };
  if (ms < 10_800_000) return { unitMs: 60_000, unit: 'minutes' };
  return { unitMs: 3_600_000, unit: 'hours' };
}
