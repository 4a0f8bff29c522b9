// What /metrics tells of, taken from the running service and its flow log.

import { readPaths } from '../dashboard/interfaces.ts';
import type { HistogramFigures, LogFigures, MetricsSource, PathFigures } from '../dashboard/metrics-source.ts';
import type { FlowLogStatus } from '../flowlog/flow-log.ts';
import type { JsonLinesSink } from '../flowlog/json-lines.ts';
import { HISTOGRAM_BOUNDS, type HistogramName, type HistogramReadings, sumHistograms } from '../proxy/histograms.ts';
import type { ProxyService } from '../proxy/service.ts';
import { VERSION } from './version.ts';

export interface MetricsParts {
  readonly service: ProxyService;
  readonly log: () => LogFigures | undefined;
  readonly pathFigures: () => readonly PathFigures[];
}

export function createMetricsSource({ service, log, pathFigures }: MetricsParts): MetricsSource {
  return {
    version: VERSION,
    counters: () => service.counters(),
    paths: readPaths,
    latencies: () => {
      const all = sumHistograms(service.histograms());
      const of = (name: HistogramName) => figuresOf(all, name);
      return { handshake: of('handshake'), connect: of('connect'), stall: of('stall'), duration: of('duration') };
    },
    workers: () => {
      const histograms = service.histograms();
      return service.threadCounters().map(({ lagMsMax, heartbeat, active }, i) => {
        const lag = figuresOf(histograms[i] as HistogramReadings, 'lag');
        return { lagMs: lagMsMax, heartbeat, connections: active, lag };
      });
    },
    log,
    pathFigures,
  };
}

function figuresOf(readings: HistogramReadings, name: HistogramName): HistogramFigures {
  return { bounds: HISTOGRAM_BOUNDS[name], ...readings[name] };
}

export function databaseLogFigures(status: FlowLogStatus): LogFigures {
  const { trouble, taken, stored, lost, rejected, expired, queue, waiting, spoolBytes, spoolBytesMax } = status;
  return {
    isWell: trouble === undefined,
    taken,
    stored,
    dropped: lost,
    rejected,
    expired,
    queue,
    spool: { ...waiting, fileBytes: spoolBytes, limitBytes: spoolBytesMax },
  };
}

/** Lines that a slow target has not taken yet count as stored; `queue` tells how many bytes they are. */
export function jsonLinesFigures({ taken, dropped, waitingBytes, isWell }: JsonLinesSink): LogFigures {
  const queue = { entries: 0, bytes: waitingBytes };
  return { isWell, taken: taken + dropped, stored: taken, dropped, rejected: 0, expired: 0, queue, spool: undefined };
}
