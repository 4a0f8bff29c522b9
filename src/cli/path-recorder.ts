// Writes into the flow log what each path carries, once a second, and when a path comes or goes.

import { readPaths } from '../dashboard/interfaces.ts';
import type { PathFigures } from '../dashboard/metrics-source.ts';
import type { PathReading } from '../dashboard/source.ts';
import type { FlowLog } from '../flowlog/flow-log.ts';
import { PathMeter, type PathSecond } from '../proxy/path-meter.ts';
import type { ProxyService } from '../proxy/service.ts';

const SECOND_MS = 1_000;
/** Flows looked at: with more of them the figures are those of a part. */
const FLOWS_MOST = 2_000;

/** Paths with figures of their own; those seen longest ago go. */
const PATHS_MOST = 256;
/** Addresses whose path is known; those seen longest ago go. */
const ADDRESSES_MOST = 1_024;

export interface PathRecorder {
  /** Since the start, by path. */
  figures(): readonly PathFigures[];
  stop(): void;
}

export function startPathRecorder(service: ProxyService, log: FlowLog): PathRecorder {
  const meter = new PathMeter();
  let states = new Map<string, PathReading['state']>();
  const names = new Map<string, string>();
  const sums = new Map<string, PathFigures>();
  let busy = false;
  const record = async () => {
    if (busy) return;
    busy = true;
    try {
      const at = Date.now();
      const [paths, flows] = await Promise.all([readPaths(), service.flows(FLOWS_MOST)]);
      learnNames(names, paths);
      const seconds = meter.measure(flows, (address) => names.get(address));
      addUp(sums, seconds);
      const samples = seconds.map((second) => ({ at, ...second }));
      if (samples.length > 0) log.writeSamples(samples);
      const events = paths
        .filter(({ name, state }) => states.size > 0 && states.get(name) !== state)
        .map(({ name, state }) => eventOf(name, state, at, addressesOf(names, name)));
      if (events.length > 0) log.writeEvents(events);
      states = new Map(paths.map(({ name, state }) => [name, state]));
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void record(), SECOND_MS);
  timer.unref();
  return { figures: () => [...sums.values()], stop: () => clearInterval(timer) };
}

function addUp(sums: Map<string, PathFigures>, seconds: readonly PathSecond[]): void {
  // Paths that carry nothing now keep their sums.
  for (const [path, figures] of sums) sums.set(path, { ...figures, subflows: 0, rttMs: undefined });
  for (const { path, subflows, bytesSent, bytesReceived, retransmits, rttMs } of seconds) {
    const before = sums.get(path) ?? { bytesSent: 0, bytesReceived: 0, retransmits: 0 };
    sums.delete(path);
    sums.set(path, {
      path,
      subflows,
      rttMs,
      bytesSent: before.bytesSent + bytesSent,
      bytesReceived: before.bytesReceived + bytesReceived,
      retransmits: before.retransmits + retransmits,
    });
  }
  for (const path of sums.keys()) {
    if (sums.size <= PATHS_MOST) break;
    sums.delete(path);
  }
}

/** Addresses to paths. What a path that has lost its link does not tell of any more stays known. */
function learnNames(names: Map<string, string>, paths: readonly PathReading[]): void {
  for (const { name, addresses } of paths) {
    for (const address of addresses) {
      names.delete(address);
      names.set(address, name);
    }
  }
  for (const address of names.keys()) {
    if (names.size <= ADDRESSES_MOST) break;
    names.delete(address);
  }
}

function addressesOf(names: ReadonlyMap<string, string>, path: string): string[] {
  return [...names].flatMap(([address, name]) => (name === path ? [address] : []));
}

function eventOf(path: string, state: PathReading['state'], at: number, addresses: readonly string[]) {
  const messages = { up: `${path} is up`, 'no-carrier': `${path} has lost its link`, down: `${path} is switched off` };
  return { at, kind: state === 'up' ? 'path-up' : 'path-down', path, message: messages[state], data: { addresses } };
}
