// A proxy in this process, with its records and its log kept for the test.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Config } from '#anabranch/config/config.js';
import { parseConfig } from '#anabranch/config/parse.js';
import type { CounterName } from '#anabranch/proxy/counter-layout.js';
import type { FlowRecord } from '#anabranch/proxy/flow-record.js';
import { ProxyService } from '#anabranch/proxy/service.js';
import { until } from './wait.ts';

/** As in a configuration file; JSON is YAML. */
export type Settings = Readonly<Record<string, unknown>>;

export const MIXED = { type: 'mixed', listen: '127.0.0.1:0' } as const;

export interface LogLine {
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

export interface TestProxy {
  readonly service: ProxyService;
  readonly records: FlowRecord[];
  readonly logged: LogLine[];
  /** The first port of an inbound; the first inbound's without a name. */
  port(inbound?: string): number;
  counter(name: CounterName): number;
  /** The i-th record, once it is there. */
  record(i?: number): Promise<FlowRecord>;
  /** Waits until no connection is left. */
  idle(): Promise<void>;
  /** Resolves once every thread has the new configuration. */
  reload(settings: Settings): Promise<void>;
  /** Resolves to the number of connections that were cut. */
  stop(drainMs?: number): Promise<number>;
}

/** Unless told otherwise: one thread, records kept, plain TCP out (loopback is not asked for MPTCP anyway). */
export function configOf(settings: Settings): Config {
  const text = JSON.stringify({ log: 'stdout', inbounds: [MIXED], ...settings });
  const parsed = parseConfig(text, { fileName: 'test', defaults: { workers: 1, admin: undefined } });
  if ('config' in parsed) return parsed.config;
  throw new Error(JSON.stringify(parsed.faults));
}

export async function startProxy(t: TestContext, settings: Settings = {}): Promise<TestProxy> {
  const records: FlowRecord[] = [];
  const logged: LogLine[] = [];
  const crashes: Error[] = [];
  const note = (level: string) => (code: string, message: string) => void logged.push({ level, code, message });
  const service = await ProxyService.start(configOf(settings), {
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    sink: { write: (batch) => void records.push(...batch), close: () => Promise.resolve() },
    onCrash: (error) => void crashes.push(error),
  });
  let stopped: Promise<number> | undefined;
  const stop = (drainMs = 0) => {
    stopped ??= service.stop(drainMs);
    return stopped;
  };
  t.after(async () => {
    await stop();
    assert.deepEqual(crashes, []);
    assert.deepEqual(
      logged.filter(({ level }) => level === 'error'),
      [],
    );
  });
  const counter = (name: CounterName) => service.counters()[name];
  return {
    service,
    records,
    logged,
    port: (inbound) => {
      const bound = service.inbounds.find((one) => inbound === undefined || one.inbound === inbound);
      if (bound === undefined) throw new Error(`no inbound ${inbound}`);
      return bound.local.port;
    },
    counter,
    async record(i = 0) {
      await until(
        () => records.length > i,
        () => `record ${i}; there are ${JSON.stringify(records.map(({ end }) => end))}`,
      );
      return records[i] as FlowRecord;
    },
    idle: () =>
      until(
        () => counter('active') === 0,
        () => `${counter('active')} connections are left`,
      ),
    async reload(next) {
      service.reload(configOf(next));
      // Answered by each thread behind the new configuration.
      await service.flows(1);
    },
    stop,
  };
}
