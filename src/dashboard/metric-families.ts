// The metrics of /metrics by name, without the prefix they share: base units, `_total` for what only grows.

import type { MetricFamily, Series } from './exposition.ts';
import type { LogFigures, MetricsSource, PathFigures, WorkerFigures } from './metrics-source.ts';
import type { PathReading } from './source.ts';

type Figures = Readonly<Record<string, number>>;

const gauge = (name: string, help: string, series: readonly Series[]): MetricFamily => {
  return { name, type: 'gauge', help, series };
};

const counter = (name: string, help: string, series: readonly Series[]): MetricFamily => {
  return { name, type: 'counter', help, series };
};

export function gaugeFamilies(source: MetricsSource): MetricFamily[] {
  const { active = 0, pipes = 0 } = source.counters();
  const workers = source.workers?.() ?? [];
  const each = (of: (worker: WorkerFigures) => number): Series[] =>
    workers.map((worker, i) => ({ labels: { worker: String(i) }, value: of(worker) }));
  return [
    gauge('build_info', 'Always 1.', [{ labels: { version: source.version }, value: 1 }]),
    gauge('connections', 'Client connections now.', [{ value: active }]),
    gauge('pipes', 'Pipes open for splicing.', [{ value: pipes }]),
    gauge(
      'worker_connections',
      'Client connections now, by data-plane thread.',
      each(({ connections }) => connections),
    ),
    gauge(
      'worker_loop_lag_seconds',
      "Longest round of the thread's event loop in the latest second.",
      each(({ lagMs }) => lagMs / 1000),
    ),
    gauge(
      'worker_heartbeat_timestamp_seconds',
      'When the thread last went round, since 1970.',
      each(({ heartbeat }) => heartbeat / 1000),
    ),
  ];
}

export function counterFamilies(figures: Figures): MetricFamily[] {
  const one = (key: string): Series[] => [{ value: figures[key] ?? 0 }];
  const two = (label: string, keys: Readonly<Record<string, string>>): Series[] =>
    Object.entries(keys).map(([value, key]) => ({ labels: { [label]: value }, value: figures[key] ?? 0 }));
  const fallbacks = ['client', 'server'].flatMap((side) =>
    withPrefix(figures, `${side}:`).map(([reason, value]) => ({ labels: { side, reason }, value })),
  );
  return [
    counter('connections_accepted_total', 'Client connections.', one('accepted')),
    counter(
      'connections_refused_total',
      'Client connections closed at once: a limit, or a source that may not connect.',
      one('refused'),
    ),
    counter('accept_pauses_total', 'Pauses of accepting, for want of descriptors or memory.', one('shortages')),
    counter('flows_total', 'Relays begun.', one('flows')),
    counter(
      'flow_ends_total',
      'Flows ended, by why; those that were never relayed too.',
      withPrefix(figures, 'end:').map(([reason, value]) => ({ labels: { reason }, value })),
    ),
    counter(
      'flow_bytes_total',
      'Payload relayed: up from the client, down to it.',
      two('direction', { up: 'bytesUp', down: 'bytesDown' }),
    ),
    counter(
      'mptcp_connections_total',
      'Connections that began as MPTCP.',
      two('side', { client: 'mptcpClients', server: 'mptcpServers' }),
    ),
    counter('fallbacks_total', 'Connections on TCP that could have been MPTCP, by why.', fallbacks),
  ];
}

function withPrefix(figures: Figures, prefix: string): [string, number][] {
  return Object.entries(figures).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
  );
}

export function pathFamilies(readings: readonly PathReading[], figures: readonly PathFigures[]): MetricFamily[] {
  const only = '(with a log in a database only)';
  return [
    gauge(
      'path_up',
      'The network interface is up, with a link.',
      readings.map(({ name, state }) => ({ labels: { path: name }, value: state === 'up' ? 1 : 0 })),
    ),
    counter(
      'path_bytes_total',
      'Bytes over each network interface, as the kernel counts them, of all programs.',
      readings.flatMap(({ name, bytesIn, bytesOut }) => bothWays(name, bytesIn, bytesOut)),
    ),
    counter(
      'path_payload_bytes_total',
      `Payload of the subflows on each path ${only}.`,
      figures.flatMap(({ path, bytesReceived, bytesSent }) => bothWays(path, bytesReceived, bytesSent)),
    ),
    counter(
      'path_retransmits_total',
      `Segments sent again by the subflows on each path ${only}.`,
      figures.map(({ path, retransmits }) => ({ labels: { path }, value: retransmits })),
    ),
    gauge(
      'path_subflows',
      `Subflows on each path now ${only}.`,
      figures.map(({ path, subflows }) => ({ labels: { path }, value: subflows })),
    ),
    gauge(
      'path_rtt_seconds',
      `Mean smoothed round-trip time of the subflows on each path ${only}.`,
      figures.flatMap(({ path, rttMs }) => (rttMs === undefined ? [] : [{ labels: { path }, value: rttMs / 1000 }])),
    ),
  ];
}

function bothWays(path: string, bytesIn: number, bytesOut: number): Series[] {
  return [
    { labels: { path, direction: 'in' }, value: bytesIn },
    { labels: { path, direction: 'out' }, value: bytesOut },
  ];
}

/** Without a log there are no series. */
export function logFamilies(log: LogFigures | undefined): MetricFamily[] {
  const one = (value: number | undefined): Series[] => (value === undefined ? [] : [{ value }]);
  const spool = log?.spool;
  const results = ['stored', 'dropped', 'rejected', 'expired'] as const;
  return [
    gauge('log_up', 'The flow log gets entries to where they belong; 0: they wait.', one(log && (log.isWell ? 1 : 0))),
    counter('log_entries_taken_total', 'Entries given to the flow log.', one(log?.taken)),
    counter(
      'log_entries_total',
      'Entries that have left the flow log, by how: stored, or dropped for want of room, rejected, expired.',
      log === undefined ? [] : results.map((result) => ({ labels: { result }, value: log[result] })),
    ),
    gauge(
      'log_queue_entries',
      'Entries of the flow log in memory, waiting for the disk.',
      one(spool && log?.queue.entries),
    ),
    gauge(
      'log_queue_bytes',
      'Bytes of the flow log in memory, waiting for the disk, or for what takes its lines.',
      one(log?.queue.bytes),
    ),
    gauge('log_spool_entries', 'Entries of the flow log on disk, waiting for the database.', one(spool?.entries)),
    gauge('log_spool_bytes', 'Bytes of the flow log on disk, waiting for the database.', one(spool?.bytes)),
    gauge('log_spool_file_bytes', "Size of the spool's files, stored parts included.", one(spool?.fileBytes)),
    gauge(
      'log_spool_limit_bytes',
      "What the spool's files may take (log.spool.bytesMax); then the oldest entries are dropped.",
      one(spool?.limitBytes),
    ),
  ];
}
