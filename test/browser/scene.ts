// A dashboard over a proxy that does not exist: its figures are the test's to set.

import type { TestContext } from 'node:test';
import { createMetrics } from '#anabranch/dashboard/metrics.js';
import { type Dashboard, openDashboard } from '#anabranch/dashboard/server.js';
import type {
  DashboardSource,
  FlowView,
  PastFlowView,
  PastSource,
  PathReading,
  VerdictView,
} from '#anabranch/dashboard/source.js';

export interface Scene {
  readonly dashboard: Dashboard;
  paths: PathReading[];
  flows: FlowView[];
  /** Opens the same dashboard again on its old port after `dashboard.close()`. */
  reopen(): Promise<void>;
}

export function pathOf(name: string, changes: Partial<PathReading> = {}): PathReading {
  return { name, addresses: ['192.0.2.1'], state: 'up', kind: 'wifi', bytesIn: 0, bytesOut: 0, ...changes };
}

export function flowOf(number: number, changes: Partial<FlowView> = {}): FlowView {
  const subflow = { rttMs: 20, retransmits: 1, backup: false, closed: false };
  return {
    id: `run-0-${number}`,
    phase: 'relaying',
    inbound: 'mixed',
    outbound: 'direct',
    client: `127.0.0.1:${10_000 + number}`,
    user: '',
    destination: `host${number}.example:443`,
    acceptedAt: Date.now() - number * 1000,
    idleMs: 0,
    bytesUp: number,
    bytesDown: number * 1000,
    clientMptcp: 'client-without-mptcp',
    serverMptcp: 'mptcp',
    clientSubflows: [],
    serverSubflows: [
      { ...subflow, local: '192.0.2.1:4000', remote: '198.51.100.1:443', bytesSent: 10, bytesReceived: 290 },
      {
        ...subflow,
        local: '203.0.113.1:4001',
        remote: '198.51.100.1:443',
        bytesSent: 0,
        bytesReceived: 100,
        rttMs: 90,
      },
    ],
    ...changes,
  };
}

const VERDICTS: readonly VerdictView[] = [
  { name: 'mptcp', verdict: 'ok', detail: 'MPTCP is on', mend: '' },
  { name: 'endpoints', verdict: 'warn', detail: 'no endpoint', mend: 'ip mptcp endpoint add 192.0.2.1 subflow' },
];

export function pastFlowOf(number: number, changes: Partial<PastFlowView> = {}): PastFlowView {
  const endedAt = Date.now() - number * 60_000;
  return {
    id: `past-0-${number}`,
    startedAt: endedAt - 5_000,
    endedAt,
    inbound: 'mixed',
    outbound: 'direct',
    client: '127.0.0.1',
    user: '',
    destination: `old${number}.example:443`,
    bytesUp: 100,
    bytesDown: number * 1_000_000,
    longestStallMs: 20,
    end: 'done',
    subflows: 2,
    ...changes,
  };
}

/** A log of these flows, two to a page. Its picture says what it was asked for. */
export function pastOf(flows: readonly PastFlowView[]): PastSource {
  const picture = (text: string) => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="50"><text y="20">${text}</text></svg>`;
    return [{ name: 'one', title: text, about: `About ${text}.`, light: svg, dark: svg }];
  };
  return {
    async list({ search = '', after = '0' }) {
      const found = flows.filter(({ destination }) => destination.includes(search));
      const from = Number(after);
      return { flows: found.slice(from, from + 2), next: from + 2 < found.length ? String(from + 2) : '' };
    },
    report: async (since) => picture(since === undefined ? 'the whole log' : 'a part of the log'),
    timeLine: async (id) => picture(`flow ${id}`),
  };
}

export async function openScene(t: TestContext, token?: string, past?: PastSource): Promise<Scene> {
  const open = (port: number) => {
    const source: DashboardSource = {
      version: '1.2.3',
      inbounds: () => ['mixed on 127.0.0.1:1080'],
      counters: () => ({
        active: scene.flows.length,
        accepted: 12,
        bytesUp: 1000,
        bytesDown: 2_000_000,
        'end:done': 5,
      }),
      flows: async (most) => scene.flows.slice(0, most),
      paths: async () => scene.paths,
      health: async () => VERDICTS,
      past,
    };
    return openDashboard({ address: '127.0.0.1', port, token, source, metrics: createMetrics(source) });
  };
  const scene = {
    paths: [pathOf('wlan0'), pathOf('wwan0', { kind: 'cellular', addresses: ['203.0.113.1'] })],
    flows: [] as FlowView[],
    dashboard: undefined as unknown as Dashboard,
    async reopen() {
      scene.dashboard = await open(Number(new URL(scene.dashboard.url).port));
    },
  };
  scene.dashboard = await open(0);
  t.after(() => scene.dashboard.close());
  return scene;
}
