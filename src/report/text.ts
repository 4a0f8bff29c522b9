// The summary for a terminal.

import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatTime,
  printable,
} from './figures.ts';
import type { FlowDetail } from './flow-detail.ts';
import { countOf, type Histogram, quantileOf } from './histogram.ts';
import { bytesOf, type PathPoint, type Report, type ReportFlow, type Share, SILENCE_MS } from './report.ts';
import { mptcpWords } from './words.ts';

const NAME_LENGTH_MAX = 44;

export function formatReport(report: Report): string {
  const { flows, bytesUp, bytesDown, firstStartedAt, lastEndedAt } = report;
  const sections = [
    [
      `${printable(report.source, 200)}${report.filter.length === 0 ? '' : `, ${printable(report.filter.join(', '), 400)}`}`,
      `${formatTime(firstStartedAt)} – ${formatTime(lastEndedAt)} (${formatDuration(lastEndedAt - firstStartedAt)})`,
      '',
      `${formatCount(flows)} flows, ${formatBytes(bytesUp)} up, ${formatBytes(bytesDown)} down`,
      ...poolingLines(report),
      ...survivalLines(report),
    ],
    mptcpLines(report),
    endLines(report),
    percentileLines(report),
    pathLines(report),
    shareLines('Destinations by volume', report.destinations, report),
    flowLines('Longest connections', report.longest, ({ durationMs }) => formatDuration(durationMs)),
    flowLines('Longest silences within a connection', report.stalled, ({ longestStallMs }) =>
      formatDuration(longestStallMs),
    ),
    report.notes.map((note) => `Note: ${printable(note, 300)}`),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function poolingLines({ working, bytesUp, bytesDown, flows }: Report): string[] {
  const [none, one, more] = working;
  const bytes = bytesUp + bytesDown;
  return [
    `pooled: ${formatPercent(more.bytes, bytes)} of all bytes went over two or more subflows at once`,
    `working subflows: none ${formatPercent(none.flows, flows)} of the flows, one ${formatPercent(one.flows, flows)}, ` +
      `two or more ${formatPercent(more.flows, flows)}`,
  ];
}

function survivalLines({ survived: { subflowLost, silent } }: Report): string[] {
  return [
    `survived: ${formatCount(subflowLost)} ended in order though a subflow in use was lost; ` +
      `${formatCount(silent)} after a silence of ${formatDuration(SILENCE_MS)} or more (idle ones too)`,
  ];
}

/** Of both sides: what connections travelled as, and how many. */
export function mptcpRows({ clientSide, serverSide, flows }: Report): string[][] {
  const side = (name: string, shares: readonly Share[]): string[][] =>
    shares
      .filter((share) => share.name !== undefined)
      .map((share) => [
        name,
        mptcpWords(share.name),
        formatCount(share.flows),
        formatPercent(share.flows, flows),
        formatBytes(share.bytes),
      ]);
  return [...side('client', clientSide), ...side('server', serverSide)];
}

export const MPTCP_HEADS = ['side', 'travelled as', '#flows', '#share', '#volume'];

function mptcpLines(report: Report): string[] {
  const rows = mptcpRows(report);
  return rows.length === 0 ? [] : ['MPTCP, and why not', ...table(MPTCP_HEADS, rows)];
}

function endLines({ ends, flows }: Report): string[] {
  const rows = ends.map((end) => [
    printable(end.name ?? '?', 40),
    formatCount(end.flows),
    formatPercent(end.flows, flows),
  ]);
  return ['How flows ended', ...table(['end', '#flows', '#share'], rows)];
}

export const QUANTILES = [0.5, 0.9, 0.99, 0.999];

function percentileLines({ durations, volumes, connects, stalls, longest, biggest, stalled }: Report): string[] {
  const row = (
    name: string,
    histogram: Histogram,
    format: (value: number) => string,
    most: number | undefined,
  ): string[] => [
    name,
    ...QUANTILES.map((p) => formatQuantile(histogram, p, format)),
    most === undefined ? '' : format(most),
  ];
  return [
    'Percentiles (within 1 %)',
    ...table(
      ['', '#median', '#90 %', '#99 %', '#99.9 %', '#most'],
      [
        row('duration', durations, formatDuration, longest[0]?.durationMs),
        row('volume', volumes, formatBytes, biggest[0] && bytesOf(biggest[0])),
        row('connect time', connects, formatDuration, undefined),
        row('longest silence', stalls, formatDuration, stalled[0]?.longestStallMs),
      ],
    ),
  ];
}

/** A dash where there are too few flows for such a quantile. */
export function formatQuantile(histogram: Histogram, p: number, format: (value: number) => string): string {
  // The thousandth of a hundred flows is none of them.
  if (countOf(histogram) < 1 / (1 - p)) return '–';
  const value = quantileOf(histogram, p);
  return value === undefined ? '–' : format(value);
}

function pathLines({ paths: { points, basis, stepMs } }: Report): string[] {
  const byPath = new Map<string, PathPoint[]>();
  for (const point of points) byPath.set(point.path, [...(byPath.get(point.path) ?? []), point]);
  const sum = (of: readonly PathPoint[]) => of.reduce((total, { bytes }) => total + bytes, 0);
  const all = sum(points);
  const rows = [...byPath]
    .sort(([, a], [, b]) => sum(b) - sum(a))
    .map(([path, of]) => {
      const rtts = of.flatMap(({ rttMs }) => rttMs ?? []);
      const rtt = rtts.length === 0 ? '–' : formatDuration(rtts.reduce((a, b) => a + b, 0) / rtts.length);
      const peak = Math.max(...of.map(({ bytes }) => (bytes * 8_000) / stepMs));
      return [
        printable(path, NAME_LENGTH_MAX),
        formatBytes(sum(of)),
        formatPercent(sum(of), all),
        formatRate(peak),
        rtt,
      ];
    });
  const how = basis === 'samples' ? 'sampled every second' : 'from the flows, spread evenly over their lives';
  return rows.length === 0
    ? []
    : [
        `Paths (${how})`,
        ...table(['path', '#volume', '#share', `#peak of ${formatDuration(stepMs)}`, '#mean RTT'], rows),
      ];
}

function shareLines(title: string, shares: readonly Share[], { bytesUp, bytesDown }: Report): string[] {
  const rows = shares.map(({ name, flows, bytes }) => [
    name === undefined ? '(none asked for)' : printable(name, NAME_LENGTH_MAX),
    formatBytes(bytes),
    formatPercent(bytes, bytesUp + bytesDown),
    formatCount(flows),
  ]);
  return [title, ...table(['destination', '#volume', '#share', '#flows'], rows)];
}

function flowLines(title: string, flows: readonly ReportFlow[], figure: (flow: ReportFlow) => string): string[] {
  const rows = flows
    .slice(0, 5)
    .map((flow) => [
      figure(flow),
      destinationOf(flow),
      formatBytes(bytesOf(flow)),
      printable(flow.end, 24),
      printable(flow.id, 48),
    ]);
  return rows.length === 0 ? [] : [title, ...table(['#', 'destination', '#volume', 'end', 'id'], rows)];
}

export function destinationOf({ destinationHost, destinationPort }: ReportFlow, lengthMax = NAME_LENGTH_MAX): string {
  if (destinationHost === undefined) return '?';
  const host = printable(destinationHost, lengthMax);
  if (destinationPort === undefined) return host;
  return host.includes(':') ? `[${host}]:${destinationPort}` : `${host}:${destinationPort}`;
}

export function formatFlow({ flow, milestones, subflows, events }: FlowDetail): string {
  const user = flow.user === undefined ? '' : ` (${printable(flow.user)})`;
  const lines = [
    `flow ${printable(flow.id)}`,
    `${printable(flow.client ?? '?')}${user} → ${destinationOf(flow, 120)}, inbound ${printable(flow.inbound)}` +
      (flow.outbound === undefined ? '' : `, outbound ${printable(flow.outbound)}`),
    `${formatTime(flow.startedAt)}, ${formatDuration(flow.durationMs)}, ${formatBytes(flow.bytesUp)} up, ` +
      `${formatBytes(flow.bytesDown)} down, ended: ${printable(flow.end)}`,
    `longest silence ${formatDuration(flow.longestStallMs)}`,
    milestones.map(({ name, atMs }) => `${name} after ${formatDuration(atMs)}`).join(', '),
    `client side: ${mptcpWords(flow.clientMptcp)}, server side: ${mptcpWords(flow.serverMptcp)}`,
  ];
  const rows = subflows.map((subflow) => [
    subflow.side,
    `${printable(subflow.local)} – ${printable(subflow.remote)}`,
    formatBytes(subflow.bytesSent),
    formatBytes(subflow.bytesReceived),
    subflow.rttMs === undefined ? '–' : formatDuration(subflow.rttMs),
    formatCount(subflow.retransmits),
    [subflow.backup ? 'backup' : '', subflow.closed ? 'closed before the end' : '']
      .filter((mark) => mark !== '')
      .join(', '),
  ]);
  const happened = events.map(
    ({ at, kind, path, message }) =>
      `${formatDuration(Math.max(0, at - flow.startedAt)).padStart(9)}  ${printable([kind, path, message].filter((part) => part !== undefined).join(' '), 200)}`,
  );
  return `${[
    ...lines.filter((line) => line !== ''),
    '',
    ...table(['side', 'subflow', '#out', '#in', '#RTT', '#retransmitted', ''], rows),
    ...(happened.length === 0 ? [] : ['', ...happened]),
  ].join('\n')}\n`;
}

/** Columns whose head begins with # hold figures: to the right, and without the #. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const texts = heads.map((head) => head.replace(/^#/, ''));
  const widths = texts.map((head, i) => Math.max(head.length, ...rows.map((row) => [...(row[i] ?? '')].length)));
  const line = (cells: readonly string[]): string =>
    `  ${cells
      .map((cell, i) => {
        const gap = ' '.repeat((widths[i] ?? 0) - [...cell].length);
        return heads[i]?.startsWith('#') ? gap + cell : cell + gap;
      })
      .join('  ')}`.trimEnd();
  return [line(texts), ...rows.map(line)];
}
