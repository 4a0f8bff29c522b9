// From the values of a valid file to the configuration: every default filled in. docs/configuration.md tells why each
// default is what it is.

import { DIRECT } from '../routing/rules.ts';
import type {
  Config,
  DashboardConfig,
  InboundConfig,
  ListenAddress,
  LogTarget,
  OutboundConfig,
  RuleConfig,
  SocketConfig,
} from './config.ts';
import { fillPaths } from './fill-paths.ts';
import { inboundNames } from './names.ts';
import type { Accounts } from './passwd.ts';
import { withoutUndefined } from './present.ts';
import type { FileValues } from './schema.ts';

/** What depends on the machine, and so is the caller's to say. */
export interface ConfigDefaults {
  /** Threads when the file names no number: one for each core. */
  readonly workers: number;
  readonly admin: string | undefined;
  /** Where the dashboard is when the file does not say; not given: nowhere. */
  readonly dashboard?: ListenAddress;
  /** By whose names rules may ask for accounts; without them by numbers only. */
  readonly accounts?: Accounts;
}

type InboundValues = NonNullable<FileValues['inbounds']>[number];
type OutboundValues = NonNullable<FileValues['outbounds']>[number];
type RuleValues = NonNullable<FileValues['rules']>[number];
type SocketValues = NonNullable<OutboundValues['socket']>;

const CONNECTIONS = 8_192;
/** In milliseconds. */
const TIMEOUTS = {
  handshake: 10_000,
  resolve: 5_000,
  connect: 30_000,
  idle: 3_600_000,
  halfClosed: 300_000,
  drain: 30_000,
} as const;
/** Thirty days. */
const RETENTION_MS = 30 * 86_400_000;
/** Some 200,000 flows: twenty seconds of a very busy proxy, or days of a household's. */
const SPOOL_BYTES_MAX = 256 << 20;
const CONGESTION = 'auto';
const KEEPALIVE_SECONDS = 60;
/** As long as keepalives take to find a silent peer gone: 60 s and three probes 20 s apart. */
const USER_TIMEOUT_MS = 120_000;
const DEFAULT_INBOUND = { type: 'mixed', listen: [{ address: '127.0.0.1', port: 1080 }] } as const;

export function fillConfig(values: FileValues, defaults: ConfigDefaults): Config {
  const inbounds: readonly InboundValues[] = values.inbounds ?? [
    { ...DEFAULT_INBOUND, listen: [...DEFAULT_INBOUND.listen] },
  ];
  const names = inboundNames(inbounds);
  const outbounds = values.outbounds ?? [];
  const direct: OutboundValues[] = outbounds.some(({ name }) => name === DIRECT)
    ? []
    : [{ name: DIRECT, type: 'direct' }];
  const connections = values.limits?.connections ?? CONNECTIONS;
  return {
    workers: values.workers ?? defaults.workers,
    log: fillLog(values.log),
    // `off` is there, and undefined.
    admin: 'admin' in values ? values.admin : defaults.admin,
    dashboard: fillDashboard(values, defaults),
    user: values.user,
    paths: fillPaths(values.paths),
    limits: { connections, connectionsPerSource: values.limits?.connectionsPerSource ?? connections },
    timeouts: { ...TIMEOUTS, ...withoutUndefined(values.timeouts ?? {}) },
    inbounds: inbounds.map((inbound, index) => fillInbound(inbound, names[index] as string)),
    outbounds: [...outbounds, ...direct].map(fillOutbound),
    rules: (values.rules ?? []).map((rule) => fillRule(rule, defaults.accounts)),
  };
}

function fillDashboard(values: FileValues, defaults: ConfigDefaults): DashboardConfig | undefined {
  const listen = 'dashboard' in values ? values.dashboard : defaults.dashboard;
  return listen === undefined ? undefined : { ...listen, token: values.dashboardToken };
}

function fillLog(values: FileValues['log']): LogTarget {
  if (values === undefined) return { kind: 'off' };
  const settings = 'target' in values ? values : { target: values };
  const { target, retention = RETENTION_MS, spool = {}, gateway } = settings;
  if (target.kind !== 'database') return target;
  const { directory, bytesMax = SPOOL_BYTES_MAX } = spool;
  return { ...target, retention, spool: { directory, bytesMax }, gateway };
}

function fillInbound(values: InboundValues, name: string): InboundConfig {
  const { type, listen, transport = 'auto', target, users = [], sources = [], allowLocal = false, socket } = values;
  const strategy = values.paths?.strategy;
  return {
    name,
    type,
    listen,
    transport,
    target,
    users,
    sources,
    allowLocal,
    ...(strategy === undefined ? {} : { strategy }),
    socket: fillSocket(socket),
  };
}

function fillOutbound(values: OutboundValues): OutboundConfig {
  const { name, type, server, transport = 'auto', via, credentials, optimistic = false, socket } = values;
  return { name, type, server, transport, via, credentials, optimistic, socket: fillSocket(socket) };
}

function fillSocket(values: SocketValues = {}): SocketConfig {
  const {
    congestion = CONGESTION,
    sendBuffer = 'auto',
    mark,
    interface: device,
    sourceAddress = [],
    fastOpen = false,
  } = values;
  return {
    congestion: congestion === 'kernel' ? undefined : congestion,
    mark,
    interface: device,
    sourceAddress,
    fastOpen,
    sendBuffer: sendBuffer === 'kernel' ? undefined : sendBuffer,
    notsentLowat: values.notsentLowat,
    keepalive: values.keepalive ?? KEEPALIVE_SECONDS,
    userTimeout: values.userTimeout ?? USER_TIMEOUT_MS,
  };
}

function fillRule(
  { when: { account, ...others } = {}, use, wish }: RuleValues,
  accounts: Accounts | undefined,
): RuleConfig {
  // Names are known: checks.ts has refused all others.
  const uids = account?.map((value) => (typeof value === 'number' ? value : (accounts?.get(value)?.uid as number)));
  const when = { ...withoutUndefined(others), ...(uids === undefined ? {} : { account: uids }) };
  return { when, use, ...(wish === undefined ? {} : { wish }) };
}
