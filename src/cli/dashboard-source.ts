// What the dashboard shows, taken from the running service and the doctor.

import { readPaths } from '../dashboard/interfaces.ts';
import type { DashboardSource, FlowView, PastSource, PathReading, SubflowView } from '../dashboard/source.ts';
import { gatherFacts } from '../doctor/gather.ts';
import { judge } from '../doctor/verdicts.ts';
import { describeHealth } from '../paths/probing/path-health.ts';
import type { ProbedHealth } from '../paths/probing/prober.ts';
import type { SubflowRecord } from '../proxy/flow-record.ts';
import type { FlowStatus } from '../proxy/flow-status.ts';
import type { ProxyService } from '../proxy/service.ts';
import { type Endpoint, formatHostPort } from '../wire/destination.ts';
import { withKnown } from './known-paths.ts';
import type { ProxyPaths } from './proxy-paths.ts';
import { VERSION } from './version.ts';

export interface DashboardParts {
  readonly service: ProxyService;
  readonly paths: ProxyPaths;
  readonly probes: () => readonly ProbedHealth[];
  readonly past: PastSource | undefined;
}

export function createDashboardSource({ service, paths, probes, past }: DashboardParts): DashboardSource {
  return {
    past,
    version: VERSION,
    inbounds: () => service.inbounds.map(({ type, local }) => `${type} on ${textOf(local)}`),
    counters: () => service.counters(),
    flows: async (most) => (await service.flows(most)).map(viewOf),
    paths: async () => withKnown(withProbes(await readPaths(), probes()), await paths.managedSurvey()),
    health: async () =>
      judge(await gatherFacts({})).map(({ id, level, found, why, mend }) => {
        return { name: id, verdict: level, detail: [found, why].filter(Boolean).join('. '), mend: mend.join('\n') };
      }),
  };
}

function withProbes(paths: readonly PathReading[], probes: readonly ProbedHealth[]): readonly PathReading[] {
  return paths.map((path) => {
    const own = probes.filter((probe) => probe.interface === path.name);
    if (own.length === 0) return path;
    return {
      ...path,
      probes: own.map((probe) => {
        const { address, answers, rttMs, loss } = probe;
        return { address, answers, rttMs, loss, text: describeHealth(probe) };
      }),
    };
  });
}

function textOf({ address, port }: Endpoint): string {
  return formatHostPort(address, port);
}

function viewOf(flow: FlowStatus): FlowView {
  const { id, phase, inbound, acceptedAt, idleMs, bytesUp, bytesDown, asked, clientSide, serverSide } = flow;
  return {
    id,
    phase,
    inbound,
    outbound: flow.outbound ?? '',
    client: textOf(flow.client),
    user: flow.user ?? '',
    destination: asked === undefined ? '' : formatHostPort(asked.host, asked.port),
    acceptedAt,
    idleMs,
    bytesUp,
    bytesDown,
    clientMptcp: clientSide?.mptcp ?? '',
    serverMptcp: serverSide?.mptcp ?? '',
    clientSubflows: (clientSide?.subflows ?? []).map(subflowOf),
    serverSubflows: (serverSide?.subflows ?? []).map(subflowOf),
  };
}

function subflowOf(subflow: SubflowRecord): SubflowView {
  const { local, remote, bytesSent, bytesReceived, rttMs, retransmits, backup, closed } = subflow;
  const ends = { local: textOf(local), remote: textOf(remote) };
  return { ...ends, bytesSent, bytesReceived, rttMs, retransmits, backup: backup === true, closed };
}
