// What the proxy counts, as Prometheus metrics. Everything is read when it is asked for, and not before.

import { readdirSync, readFileSync } from 'node:fs';
import { formatExposition, type Labels, type MetricFamily, type Series } from './exposition.ts';
import { counterFamilies, gaugeFamilies, logFamilies, pathFamilies } from './metric-families.ts';
import type { HistogramFigures, LatencyName, MetricsSource } from './metrics-source.ts';

const PREFIX = 'anabranch_';

/** Returns what makes the text of /metrics. */
export function createMetrics(source: MetricsSource): () => Promise<string> {
  return async () => {
    const paths = await source.paths();
    const own = [
      ...gaugeFamilies(source),
      ...counterFamilies(source.counters()),
      ...pathFamilies(paths, source.pathFigures?.() ?? []),
      ...logFamilies(source.log?.()),
      ...histogramFamilies(source),
    ].map((family) => ({ ...family, name: PREFIX + family.name }));
    return formatExposition([...own, ...processFamilies()]);
  };
}

const LATENCIES: readonly (readonly [LatencyName, name: string, help: string])[] = [
  ['handshake', 'handshake_duration_seconds', "From accepting a client to its request, its password's check included."],
  ['connect', 'connect_duration_seconds', 'From the request to the connection with the destination; successes only.'],
  ['stall', 'stall_duration_seconds', "Silences of 0.2 s or more in the middle of one direction's bytes, once over."],
  ['duration', 'flow_duration_seconds', 'Of relayed flows, from accepting to the end.'],
];

function histogramFamilies({ latencies, workers }: MetricsSource): MetricFamily[] {
  const figures = latencies?.();
  const ofAll = LATENCIES.map(([key, name, help]): MetricFamily => {
    return { name, type: 'histogram', help, series: figures === undefined ? [] : seriesOf({}, figures[key]) };
  });
  const ofWorkers: MetricFamily = {
    name: 'worker_loop_lag_peak_seconds',
    type: 'histogram',
    help: "The longest round of the thread's event loop in each second.",
    series: (workers?.() ?? []).flatMap(({ lag }, i) => seriesOf({ worker: String(i) }, lag)),
  };
  return [...ofAll, ofWorkers];
}

/** Buckets that hold those before them, as Prometheus wants them. */
function seriesOf(labels: Labels, { bounds, counts, sum }: HistogramFigures): Series[] {
  let count = 0;
  const buckets = counts.map((inBucket, i): Series => {
    count += inBucket;
    return { suffix: '_bucket', labels: { ...labels, le: String(bounds[i] ?? '+Inf') }, value: count };
  });
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
}

/** The process, under the names that all clients of Prometheus give it. */
function processFamilies(): MetricFamily[] {
  const { user, system } = process.cpuUsage();
  const startedAt = Math.round(Date.now() / 1000 - process.uptime());
  const gauge = (name: string, help: string, value: number): MetricFamily => {
    return { name: `process_${name}`, type: 'gauge', help, series: [{ value }] };
  };
  return [
    {
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Processor time, of user and system.',
      series: [{ value: (user + system) / 1e6 }],
    },
    gauge('resident_memory_bytes', 'Resident memory.', process.memoryUsage.rss()),
    gauge('start_time_seconds', 'When the process began, since 1970.', startedAt),
    gauge('open_fds', 'Open descriptors.', readdirSync('/proc/self/fd').length),
    gauge('max_fds', 'Descriptors it may open.', descriptorLimit()),
  ];
}

/** The soft limit, as proc_pid_limits(5) shows it. */
function descriptorLimit(): number {
  const match = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  return match === null ? Number.POSITIVE_INFINITY : Number(match[1]);
}
