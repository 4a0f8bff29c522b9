// An SDK of OpenTelemetry as a user would bring it, with exporters that write to the file SDK_OUTPUT. For NODE_OPTIONS.

import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { metrics, trace } from '@opentelemetry/api';
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';

const output = process.env.SDK_OUTPUT as string;
const write = (line: object) => appendFileSync(output, `${JSON.stringify(line)}\n`);
const OK = { code: 0 };

if (isMainThread) {
  const exporter = {
    export(spans: ReadableSpan[], done: (result: typeof OK) => void): void {
      for (const { name, kind, attributes, status, events, startTime, endTime } of spans) {
        write({ name, kind, attributes, status, events, startTime, endTime });
      }
      done(OK);
    },
    shutdown: () => Promise.resolve(),
  };
  // Longer than the test: what arrives was flushed at the end.
  const processor = new BatchSpanProcessor(exporter, { scheduledDelayMillis: 600_000 });
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }));
  const reader = new PeriodicExportingMetricReader({
    exportIntervalMillis: 600_000,
    exporter: {
      export({ scopeMetrics }, done) {
        for (const { descriptor, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics)) {
          write({ metric: descriptor.name, unit: descriptor.unit, dataPoints });
        }
        done(OK);
      },
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
      selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
    },
  });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
}
