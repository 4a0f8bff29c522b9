// OpenTelemetry for those who bring an SDK: each flow a span, and the proxy's figures as metrics. The API keeps what is
// registered under a symbol of its own; while nothing is there, not even the API is loaded.

import type { Attributes, Meter, ProxyTracerProvider, SpanOptions, Tracer } from '@opentelemetry/api';
import type { MetricsSource } from '../dashboard/metrics-source.ts';
import type { FlowRecord } from '../proxy/flow-record.ts';
import { attributesOf, eventsOf, isFailure, spanNameOf } from './flow-span.ts';
import { VERSION } from './version.ts';

/** As of API 1.x, all minor versions (its internal/global-utils). */
const REGISTRY = Symbol.for('opentelemetry.js.api.1');
const SCOPE = 'anabranch';
const FLUSH_MS = 5_000;
/** Advice on histograms' bounds, in seconds. */
const BOUNDS = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Registered {
  readonly trace?: unknown;
  readonly metrics?: unknown;
}

export interface Telemetry {
  /** Takes flows that have ended. */
  onFlows(records: readonly FlowRecord[]): void;
  /** Once the proxy runs: figures that are read when the SDK asks. */
  observe(source: MetricsSource): void;
  /** Lets the SDK send what it holds, for FLUSH_MS at most. */
  close(): Promise<void>;
}

/** Resolves to undefined when no SDK has registered itself: call it once those that NODE_OPTIONS names are loaded. */
export async function openTelemetry(): Promise<Telemetry | undefined> {
  const registered = (globalThis as Record<symbol, Registered | undefined>)[REGISTRY];
  if (registered?.trace === undefined && registered?.metrics === undefined) return undefined;
  const api = await import('@opentelemetry/api');
  const takers: ((record: FlowRecord) => void)[] = [];
  if (registered.trace !== undefined) {
    const tracer = api.trace.getTracer(SCOPE, VERSION);
    const { SERVER } = api.SpanKind;
    const { ERROR } = api.SpanStatusCode;
    const { ROOT_CONTEXT } = api;
    takers.push((record) => {
      const span = startSpan(tracer, record, { kind: SERVER }, ROOT_CONTEXT);
      if (!span.isRecording()) return;
      for (const { name, at, attributes } of eventsOf(record)) span.addEvent(name, attributes, at);
      if (isFailure(record)) span.setStatus({ code: ERROR, ...(record.detail && { message: record.detail }) });
      span.end(record.endedAt);
    });
  }
  const meter = registered.metrics === undefined ? undefined : api.metrics.getMeter(SCOPE, VERSION);
  if (meter !== undefined) takers.push(flowMeter(meter));
  return {
    onFlows: (records) => {
      for (const record of records) for (const take of takers) take(record);
    },
    observe: (source) => {
      if (meter !== undefined) observeFigures(meter, source);
    },
    close: () =>
      flush([(api.trace.getTracerProvider() as ProxyTracerProvider).getDelegate(), api.metrics.getMeterProvider()]),
  };
}

/** Every SDK's providers have forceFlush; the API does not know of it. */
async function flush(providers: readonly object[]): Promise<void> {
  const flushing = providers.map(async (provider) => (provider as { forceFlush?: () => Promise<void> }).forceFlush?.());
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_MS);
  });
  // What could not be sent is the SDK's to tell of.
  await Promise.race([Promise.allSettled(flushing), limit]);
  clearTimeout(timer);
}

function startSpan(tracer: Tracer, record: FlowRecord, options: SpanOptions, root: Parameters<Tracer['startSpan']>[2]) {
  // Samplers decide on what is known at the start, so all attributes are given then.
  return tracer.startSpan(
    spanNameOf(record),
    { ...options, root: true, startTime: record.acceptedAt, attributes: attributesOf(record) },
    root,
  );
}

/** What happens once for a flow. */
function flowMeter(meter: Meter): (record: FlowRecord) => void {
  const advice = { explicitBucketBoundaries: BOUNDS };
  const seconds = (name: string, description: string) =>
    meter.createHistogram(`anabranch.${name}`, { description, unit: 's', advice });
  const handshake = seconds('handshake.duration', 'From accepting a client to its request.');
  const connect = seconds('connect.duration', 'From the request to the connection with the destination.');
  const stall = seconds('flow.longest_stall', "Longest silence in the middle of one direction's bytes.");
  const duration = meter.createHistogram('anabranch.flow.duration', {
    description: 'Of relayed flows, from accepting to the end.',
    unit: 's',
    advice: { explicitBucketBoundaries: [0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400] },
  });
  const volume = meter.createHistogram('anabranch.flow.io', {
    description: 'Payload of a flow in one direction.',
    unit: 'By',
    advice: { explicitBucketBoundaries: [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10] },
  });
  return ({ acceptedAt, requestedAt, connectedAt, endedAt, longestStallMs, bytesUp, bytesDown, inbound, outbound }) => {
    const attributes: Attributes = {
      'anabranch.inbound': inbound,
      ...(outbound && { 'anabranch.outbound': outbound }),
    };
    if (requestedAt === undefined) return;
    handshake.record((requestedAt - acceptedAt) / 1000, attributes);
    if (connectedAt === undefined) return;
    connect.record((connectedAt - requestedAt) / 1000, attributes);
    duration.record((endedAt - acceptedAt) / 1000, attributes);
    stall.record(longestStallMs / 1000, attributes);
    volume.record(bytesUp, { ...attributes, 'network.io.direction': 'transmit' });
    volume.record(bytesDown, { ...attributes, 'network.io.direction': 'receive' });
  };
}

/** What is read when the SDK collects. */
function observeFigures(meter: Meter, source: MetricsSource): void {
  const counter = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(`anabranch.${name}`, { unit, description });
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`anabranch.${name}`, { unit, description });
  const connections = meter.createObservableUpDownCounter('anabranch.connections', {
    unit: '{connection}',
    description: 'Client connections now.',
  });
  const bytes = counter('io', 'By', 'Payload relayed.');
  const ends = counter('flow.ends', '{flow}', 'Flows ended, by why.');
  const fallbacks = counter('fallbacks', '{connection}', 'Connections on TCP that could have been MPTCP, by why.');
  const pathBytes = counter('path.io', 'By', 'Bytes over each network interface, of all programs.');
  const entries = counter('log.entries', '{entry}', 'Entries that have left the flow log, by how.');
  const lag = gauge('worker.loop_lag', 's', "Longest round of the thread's event loop in the latest second.");
  const spool = gauge('log.spool', '{entry}', 'Entries of the flow log on disk, waiting for the database.');
  meter.addBatchObservableCallback(
    async (result) => {
      const figures = source.counters();
      result.observe(connections, figures.active ?? 0);
      result.observe(bytes, figures.bytesUp ?? 0, { 'network.io.direction': 'transmit' });
      result.observe(bytes, figures.bytesDown ?? 0, { 'network.io.direction': 'receive' });
      for (const [key, count] of Object.entries(figures)) {
        const [kind = '', reason = ''] = key.split(':');
        if (kind === 'end') result.observe(ends, count, { 'anabranch.end': reason });
        else if (reason !== '') {
          result.observe(fallbacks, count, { 'anabranch.side': kind, 'anabranch.reason': reason });
        }
      }
      for (const { name, bytesIn, bytesOut } of await source.paths()) {
        const of = { 'network.interface.name': name };
        result.observe(pathBytes, bytesOut, { ...of, 'network.io.direction': 'transmit' });
        result.observe(pathBytes, bytesIn, { ...of, 'network.io.direction': 'receive' });
      }
      (source.workers?.() ?? []).forEach(({ lagMs }, i) => {
        result.observe(lag, lagMs / 1000, { 'anabranch.worker': i });
      });
      const log = source.log?.();
      if (log === undefined) return;
      for (const how of ['stored', 'dropped', 'rejected', 'expired'] as const) {
        result.observe(entries, log[how], { 'anabranch.result': how });
      }
      if (log.spool !== undefined) result.observe(spool, log.spool.entries);
    },
    [connections, bytes, ends, fallbacks, pathBytes, entries, lag, spool],
  );
}
