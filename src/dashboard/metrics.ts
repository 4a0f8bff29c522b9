// The counters as Prometheus metrics.

import { Counter, Gauge, Registry } from 'prom-client';
import type { DashboardSource } from './source.ts';

const PREFIX = 'anabranch_';

/** Label value → key of the counter. */
type Pairs = Readonly<Record<string, string>>;

const GAUGES: readonly (readonly [name: string, help: string, key: string, scale: number])[] = [
  ['connections', 'Connections now.', 'active', 1],
  ['pipes', 'Pipes open for splicing.', 'pipes', 1],
  ['loop_lag_seconds', 'Longest round of a data-plane thread in the latest second.', 'lagMsMax', 0.001],
];

const COUNTERS: readonly (readonly [name: string, help: string, label: string, pairs: Pairs])[] = [
  [
    'accepted_total',
    'Connections accepted, and refused at once.',
    'verdict',
    { accepted: 'accepted', refused: 'refused' },
  ],
  ['flows_total', 'Flows relayed.', 'kind', { relayed: 'flows' }],
  ['bytes_total', 'Bytes relayed.', 'direction', { up: 'bytesUp', down: 'bytesDown' }],
  ['mptcp_total', 'Connections over MPTCP.', 'side', { client: 'mptcpClients', server: 'mptcpServers' }],
  [
    'fallbacks_total',
    'TCP that could have been MPTCP.',
    'side',
    { client: 'fallbacksClient', server: 'fallbacksServer' },
  ],
  [
    'accept_pauses_total',
    'Pauses of accepting, for want of descriptors or memory.',
    'reason',
    { shortage: 'shortages' },
  ],
];

/** Returns what makes the text of /metrics. The counters are read when it is asked for, and not before. */
export function createMetrics(source: DashboardSource): () => Promise<string> {
  const registers = [new Registry()];
  const version = new Gauge({ name: `${PREFIX}info`, help: 'Version.', labelNames: ['version'], registers });
  version.set({ version: source.version }, 1);
  for (const [name, help, key, scale] of GAUGES) {
    const options = { name: PREFIX + name, help, registers };
    new Gauge({
      ...options,
      collect() {
        this.set((source.counters()[key] ?? 0) * scale);
      },
    });
  }
  for (const [name, help, label, pairs] of COUNTERS) {
    addCounter(registers, name, help, label, () =>
      Object.entries(pairs).map(([value, key]) => [value, source.counters()[key] ?? 0]),
    );
  }
  addCounter(registers, 'flow_ends_total', 'Flows ended, by why.', 'reason', () =>
    Object.entries(source.counters()).flatMap(([key, count]) =>
      key.startsWith('end:') ? [[key.slice(4), count]] : [],
    ),
  );
  addPaths(registers, source);
  return () => (registers[0] as Registry).metrics();
}

function addCounter(
  registers: Registry[],
  name: string,
  help: string,
  label: string,
  read: () => readonly (readonly [string, number])[],
): void {
  new Counter({
    name: PREFIX + name,
    help,
    labelNames: [label],
    registers,
    collect() {
      this.reset();
      for (const [value, count] of read()) this.inc({ [label]: value }, count);
    },
  });
}

function addPaths(registers: Registry[], source: DashboardSource): void {
  new Counter({
    name: `${PREFIX}path_bytes_total`,
    help: 'Bytes over each network interface, as the kernel counts them.',
    labelNames: ['path', 'direction'],
    registers,
    async collect() {
      this.reset();
      for (const { name, bytesIn, bytesOut } of await source.paths()) {
        this.inc({ path: name, direction: 'in' }, bytesIn);
        this.inc({ path: name, direction: 'out' }, bytesOut);
      }
    },
  });
}
