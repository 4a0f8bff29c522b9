// A running lab: a topology as network namespaces, joined by links that behave as described. Everything it made goes
// away with `close`, with the end of the program however it comes, and after a kill −9 with `cleanLabs`.

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { missingProgram, programPath, runCommand, runIp } from './commands.ts';
import { Emulator } from './emulator/emulator.ts';
import type { OffloadedDevice } from './emulator/offloads.ts';
import { type GuardedLab, guardLab, unguardLab } from './guard.ts';
import { Host } from './host.ts';
import { type HostPlan, hostCommands, planHosts, type Sysctl } from './host-plan.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { hiddenDevice, Link } from './link.ts';
import type { LinkDriver } from './link-driver.ts';
import { Netem, netemFault } from './netem/netem.ts';
import {
  claimLab,
  hiddenNamespace,
  hostNamespace,
  type LabRecord,
  namespacePath,
  processStartTime,
  STATE_DIRECTORY,
} from './registry.ts';
import { tearDown } from './teardown.ts';
import { playTimeline, type TimelineAction, type TimelineEntry, type TimelineStep } from './timeline.ts';
import { type Topology, withoutMptcp } from './topology.ts';
import { createTopology, type TopologyInput } from './topology-input.ts';
import { unknownName } from './unknown-name.ts';

export interface LabOptions {
  /** Part of every namespace's name, `anb-ID-HOST`; made up unless given. 1 to 12 small letters and digits. */
  readonly id?: string;
  /** Instead of the topology's. */
  readonly seed?: number;
  /**
   * What carries the links: the emulator unless given, whose loss and jitter repeat with the seed and which plays traces;
   * `netem`; or `auto`, netem where the machine has it and no link has a trace.
   */
  readonly driver?: LinkDriver['kind'] | 'auto';
  /** Where running labs are recorded. */
  readonly stateDirectory?: string;
  /** Folders that are removed with the lab, however that goes. */
  readonly folders?: readonly string[];
}

export interface Lab {
  readonly id: string;
  readonly topology: Topology;
  readonly hosts: ReadonlyMap<string, Host>;
  readonly links: ReadonlyMap<string, Link>;
  readonly driver: LinkDriver['kind'];
  /** Rejects with a LabError should what carries the links break down; never resolves. */
  readonly failed: Promise<never>;
  /** Throws a LabError when there is none of this name; so does `link`. */
  host(name: string): Host;
  link(name: string): Link;
  act(action: TimelineAction): Promise<void>;
  /** Plays the topology's timeline, or another; see playTimeline. */
  play(
    entries?: readonly TimelineEntry[],
    options?: { signal?: AbortSignal; onStep?: (step: TimelineStep) => void },
  ): Promise<void>;
  /** Ends every program in the lab and removes all of it. Safe to repeat. */
  close(): Promise<void>;
}

/** There on every kernel with MPTCP, switched on or not. */
const MPTCP_SYSCTLS = '/proc/sys/net/mptcp/enabled';

/** Ethernet header and one VLAN tag. */
const FRAME_OVERHEAD = 18;
const IDS_TRIED_MAX = 20;

/**
 * Interface indices of the hosts, out of reach of those the kernel gives in the hidden namespace: where both ends of a
 * veth pair have the same number, the kernel takes it for a device of its own and tells of its carrier only once a second
 * (linkwatch_urgent_event in net/core/link_watch.c).
 */
const INDEX_FIRST = 1_001;

/**
 * Builds a lab; takes some tens of milliseconds. On a kernel without MPTCP all hosts are without it. Rejects with a
 * LabError, and then nothing is left.
 */
export async function createLab(input: TopologyInput | Topology, options: LabOptions = {}): Promise<Lab> {
  const asked = isTopology(input) ? input : createTopology(input);
  const topology = existsSync(MPTCP_SYSCTLS) ? asked : withoutMptcp(asked);
  requireTools();
  const directory = options.stateDirectory ?? STATE_DIRECTORY;
  const record = claim(topology, options, directory);
  const guarded: GuardedLab = { stop() {}, tearDown: () => tearDown(record, directory) };
  guardLab(guarded);
  try {
    const kind = await chooseDriver(topology, options.driver ?? 'emulator');
    const driver = await build(topology, record, kind, options.seed ?? topology.seed);
    guarded.stop = () => driver.stop();
    return assemble(topology, record, driver, async () => {
      await driver.close();
      guarded.tearDown();
      unguardLab(guarded);
    });
  } catch (error) {
    guarded.tearDown();
    unguardLab(guarded);
    throw error;
  }
}

function isTopology(input: TopologyInput | Topology): input is Topology {
  return Array.isArray(input.hosts);
}

function requireTools(): void {
  for (const name of ['ip', 'nsenter']) if (!programPath(name).startsWith('/')) throw missingProgram(name);
}

function claim(topology: Topology, { id, folders = [] }: LabOptions, directory: string): LabRecord {
  if (id !== undefined && !/^[a-z0-9]{1,12}$/.test(id)) {
    throw new LabError(LabErrorCode.setup, `a lab's id is 1 to 12 small letters and digits; this is ${id}`);
  }
  for (let tried = 0; tried < IDS_TRIED_MAX; tried++) {
    const chosen = id ?? Math.random().toString(36).slice(2, 7).padEnd(5, '0');
    const hosts = topology.hosts.map(({ name }) => name);
    const record: LabRecord = {
      id: chosen,
      topology: topology.name,
      pid: process.pid,
      startTime: processStartTime(process.pid) ?? '',
      hosts,
      namespaces: [...hosts.map((host) => hostNamespace(chosen, host)), hiddenNamespace(chosen)],
      folders: folders.map((folder) => resolve(folder)),
    };
    if (claimLab(record, directory)) return record;
    if (id !== undefined)
      throw new LabError(
        LabErrorCode.setup,
        `a lab with the id ${id} is there already: close it, or run anabranch lab clean`,
      );
  }
  throw new LabError(LabErrorCode.setup, `no free lab id found in ${directory}`);
}

async function chooseDriver(topology: Topology, wanted: LinkDriver['kind'] | 'auto'): Promise<LinkDriver['kind']> {
  if (wanted === 'emulator') return wanted;
  const traced = topology.links.some(({ up, down }) => up.trace !== undefined || down.trace !== undefined);
  if (wanted === 'auto' && traced) return 'emulator';
  const fault = await netemFault();
  if (fault === undefined) return 'netem';
  if (wanted === 'auto') return 'emulator';
  throw new LabError(LabErrorCode.missing, `${fault}; the emulator needs none of it`);
}

async function build(
  topology: Topology,
  record: LabRecord,
  kind: LinkDriver['kind'],
  seed: number,
): Promise<LinkDriver> {
  const hidden = hiddenNamespace(record.id);
  const namespaceOf = (host: string): string => hostNamespace(record.id, host);
  await runIp(
    undefined,
    record.namespaces.map((name) => `netns add ${name}`),
  );
  const plans = planHosts(topology);
  // The hidden namespace has no addresses and answers nothing: it only holds the far ends of the cables.
  const quiet = { name: 'net.ipv6.conf.default.disable_ipv6', value: '1', required: false };
  await allDone([
    setSysctls(hidden, [quiet]),
    ...plans.map(({ host, sysctls }) => setSysctls(namespaceOf(host.name), sysctls)),
  ]);
  const cables = topology.links.flatMap(({ name, hosts, mtu }, i) =>
    ([0, 1] as const).map((side) => ({
      name,
      index: INDEX_FIRST + i * 2 + side,
      mtu,
      host: namespaceOf(hosts[side]),
      far: hiddenDevice(i, side),
    })),
  );
  await runIp(
    undefined,
    cables.map(
      ({ name, index, host, far }) =>
        `link add name ${name} index ${index} netns ${host} type veth peer name ${far} netns ${hidden}`,
    ),
  );
  await runIp(
    hidden,
    cables.flatMap(({ far, mtu }) => [`link set dev ${far} mtu ${mtu} arp off up`]),
  );
  await allDone(plans.map((plan) => runIp(namespaceOf(plan.host.name), hostCommands(plan))));
  return openDriver(topology, record.id, kind, seed);
}

/** What carries the frames from the far end of one host's cable to that of the other's. */
function openDriver(topology: Topology, id: string, kind: LinkDriver['kind'], seed: number): Promise<LinkDriver> {
  const hidden = hiddenNamespace(id);
  const hostPath = (host: string): string => namespacePath(hostNamespace(id, host));
  if (kind === 'netem') {
    return Netem.open({
      namespace: hidden,
      links: topology.links.map(({ up, down, mtu }, i) => {
        return { devices: [hiddenDevice(i, 0), hiddenDevice(i, 1)], up, down, frameBytesMax: mtu + FRAME_OVERHEAD };
      }),
      devices: topology.links.flatMap(({ name, hosts }, i) =>
        ([0, 1] as const).flatMap((side): OffloadedDevice[] => [
          [hostPath(hosts[side]), name],
          [namespacePath(hidden), hiddenDevice(i, side)],
        ]),
      ),
    });
  }
  return Emulator.open({
    namespace: namespacePath(hidden),
    frameBytesMax: Math.max(...topology.links.map(({ mtu }) => mtu), 0) + FRAME_OVERHEAD,
    seed,
    links: topology.links.map(({ name, hosts, up, down }, i) => {
      const end = (side: 0 | 1) => ({
        device: hiddenDevice(i, side),
        hostNamespace: hostPath(hosts[side]),
        hostDevice: name,
      });
      return { ends: [end(0), end(1)], up, down };
    }),
  });
}

/** Also when one fails, none is left under way: nothing may be built while it is taken down. */
async function allDone(steps: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(steps);
  await Promise.all(steps);
}

/** Writes them from inside the namespace, each under its own name so that a refusal can be told. */
async function setSysctls(namespace: string, sysctls: readonly Sysctl[]): Promise<void> {
  const lines = sysctls.map(({ name, value, required }) => {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`;
    const write = `{ printf %s '${value}' > ${path}; } 2>/dev/null`;
    if (!required) return `[ ! -e ${path} ] || ${write} || true`;
    return `${write} || { echo "sysctl ${name} does not take '${value}' in a network namespace of this kernel" >&2; exit 1; }`;
  });
  await runCommand(['nsenter', `--net=${namespacePath(namespace)}`, 'sh'], `${lines.join('\n')}\n`);
}

function assemble(topology: Topology, record: LabRecord, driver: LinkDriver, end: () => Promise<void>): Lab {
  const plans: readonly HostPlan[] = planHosts(topology);
  const hosts = new Map(
    plans.map((plan) => [plan.host.name, new Host(hostNamespace(record.id, plan.host.name), plan)]),
  );
  const links = new Map(
    topology.links.map((spec, index) => {
      const ends = [hosts.get(spec.hosts[0])!, hosts.get(spec.hosts[1])!] as const;
      const parts = { spec, index, driver, hosts: ends, hiddenNamespace: hiddenNamespace(record.id) };
      return [spec.name, new Link(parts)];
    }),
  );
  let closing: Promise<void> | undefined;
  const lab: Lab = {
    id: record.id,
    topology,
    hosts,
    links,
    driver: driver.kind,
    failed: driver.failed,
    host: (name) => named(hosts, name, 'host'),
    link: (name) => named(links, name, 'link'),
    act(action) {
      if (action.kind === 'down') return lab.link(action.link).down(action.cut);
      if (action.kind === 'up') return lab.link(action.link).up();
      if (action.kind === 'set') return lab.link(action.link).apply(action.change);
      return lab.host(action.host).changeAddress(action.link, action.address);
    },
    play: (entries = topology.timeline, options = {}) => playTimeline(entries, lab, options),
    close() {
      closing ??= (async () => {
        for (const host of hosts.values()) host.close();
        await end();
      })();
      return closing;
    },
  };
  return lab;
}

function named<Value>(all: ReadonlyMap<string, Value>, name: string, what: string): Value {
  const found = all.get(name);
  if (found !== undefined) return found;
  throw unknownName(what, name, [...all.keys()]);
}
