// The page of a report, and that of one flow.

import { formatBytes, formatCount, formatDuration, formatPercent, formatTime, printable } from './figures.ts';
import type { FlowDetail } from './flow-detail.ts';
import type { Histogram } from './histogram.ts';
import { type Drawn, figureOf, type Html, pageOf, tableOf, tilesOf } from './html.ts';
import { bytesOf, type Report, type Share, SILENCE_MS } from './report.ts';
import { destinationOf, formatQuantile, MPTCP_HEADS, mptcpRows, QUANTILES } from './text.ts';
import { isFallback, mptcpWords } from './words.ts';

export function pageOfReport(report: Report, drawn: readonly Drawn[]): string {
  const { firstStartedAt, lastEndedAt, source, filter } = report;
  const span = `${formatTime(firstStartedAt)} – ${formatTime(lastEndedAt)}`;
  const chosen = filter.length === 0 ? '' : `; ${printable(filter.join(', '), 400)}`;
  return pageOf({
    title: 'Connections and paths',
    lead: `${printable(source, 200)}${chosen}; ${span}`,
    parts: [
      tilesOf(tilesOfReport(report)),
      ...drawn.map(figureOf),
      tableOf('MPTCP, and why not', MPTCP_HEADS, mptcpRows(report)),
      endTable(report),
      percentileTable(report),
      flowTable(report),
      ...report.notes.map((note) => tableOf('Note', [''], [[printable(note, 400)]])),
    ],
  });
}

function tilesOfReport({ flows, bytesUp, bytesDown, working, survived, clientSide, serverSide }: Report) {
  const fallbacks = (shares: readonly Share[]) =>
    shares.reduce((sum, share) => sum + (isFallback(share.name) ? share.flows : 0), 0);
  return [
    { figure: formatCount(flows), text: 'connections' },
    { figure: formatBytes(bytesDown), text: `received; ${formatBytes(bytesUp)} sent` },
    {
      figure: formatPercent(working[2].bytes, bytesUp + bytesDown),
      text: 'of the bytes pooled over two or more subflows',
    },
    { figure: formatCount(survived.subflowLost), text: 'survived the loss of a subflow in use' },
    { figure: formatCount(survived.silent), text: `went on after a silence of ${formatDuration(SILENCE_MS)} or more` },
    {
      figure: formatCount(Math.max(fallbacks(clientSide), fallbacks(serverSide))),
      text: 'wanted MPTCP and had to go over TCP',
    },
  ];
}

function endTable({ ends, flows }: Report): Html {
  return tableOf(
    'How connections ended',
    ['end', '#flows', '#share', '#volume'],
    ends.map((end) => [
      printable(end.name ?? '?', 60),
      formatCount(end.flows),
      formatPercent(end.flows, flows),
      formatBytes(end.bytes),
    ]),
  );
}

function percentileTable({ durations, volumes, connects, stalls }: Report): Html {
  const row = (name: string, histogram: Histogram, format: (value: number) => string): string[] => [
    name,
    ...QUANTILES.map((p) => formatQuantile(histogram, p, format)),
  ];
  return tableOf(
    'Percentiles, within 1 %',
    ['', '#median', '#90 %', '#99 %', '#99.9 %'],
    [
      row('duration', durations, formatDuration),
      row('volume', volumes, formatBytes),
      row('time to connect', connects, formatDuration),
      row('longest silence', stalls, formatDuration),
    ],
  );
}

function flowTable({ longest }: Report): Html {
  return tableOf(
    'The longest connections',
    ['destination', '#duration', '#volume', '#longest silence', '#subflows', 'end', 'id'],
    longest.map((flow) => [
      destinationOf(flow, 80),
      formatDuration(flow.durationMs),
      formatBytes(bytesOf(flow)),
      formatDuration(flow.longestStallMs),
      String(Math.max(flow.clientSubflows, flow.serverSubflows)),
      printable(flow.end, 40),
      printable(flow.id, 60),
    ]),
  );
}

export function pageOfFlow({ flow, milestones, subflows, events }: FlowDetail, drawn: readonly Drawn[]): string {
  const user = flow.user === undefined ? '' : ` (${printable(flow.user)})`;
  return pageOf({
    title: `Connection to ${destinationOf(flow, 120)}`,
    lead:
      `From ${printable(flow.client ?? '?')}${user} through ${printable(flow.inbound)}` +
      `${flow.outbound === undefined ? '' : ` and ${printable(flow.outbound)}`}; ${formatTime(flow.startedAt)}; id ${printable(flow.id)}`,
    parts: [
      tilesOf([
        { figure: formatDuration(flow.durationMs), text: `ended: ${printable(flow.end, 40)}` },
        { figure: formatBytes(flow.bytesDown), text: `received; ${formatBytes(flow.bytesUp)} sent` },
        { figure: formatDuration(flow.longestStallMs), text: 'longest silence' },
        { figure: mptcpWords(flow.clientMptcp), text: 'on the client side' },
        { figure: mptcpWords(flow.serverMptcp), text: 'on the server side' },
      ]),
      ...drawn.map(figureOf),
      tableOf(
        'Subflows',
        ['side', 'local', 'remote', '#out', '#in', '#RTT', '#retransmitted', ''],
        subflows.map((subflow) => [
          subflow.side,
          printable(subflow.local),
          printable(subflow.remote),
          formatBytes(subflow.bytesSent),
          formatBytes(subflow.bytesReceived),
          subflow.rttMs === undefined ? '–' : formatDuration(subflow.rttMs),
          formatCount(subflow.retransmits),
          [subflow.backup ? 'backup' : '', subflow.closed ? 'closed before the end' : '']
            .filter((text) => text !== '')
            .join(', '),
        ]),
      ),
      tableOf(
        'What happened',
        ['#', '#after', 'event', 'path', ''],
        [
          ...milestones.map(({ name, atMs }) => ['', formatDuration(atMs), name, '', '']),
          ...events.map(({ at, kind, path, message }, i) => [
            String(i + 1),
            formatDuration(Math.max(0, at - flow.startedAt)),
            printable(kind, 40),
            printable(path ?? ''),
            printable(message ?? '', 300),
          ]),
        ],
      ),
    ],
  });
}
