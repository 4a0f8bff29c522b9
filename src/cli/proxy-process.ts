// The proxy as a process: joins configuration, service, flow log, admin API and signals.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, DashboardConfig } from '../config/config.ts';
import { createMetrics } from '../dashboard/metrics.ts';
import { type Dashboard, openDashboard } from '../dashboard/server.ts';
import type { DashboardSource } from '../dashboard/source.ts';
import { raiseOpenFiles } from '../dataplane/open-files.ts';
import type { FlowLog } from '../flowlog/flow-log.ts';
import type { ManagedPaths } from '../paths/managed-paths.ts';
import { type Admin, type AdminOptions, AdminSocketError, openAdmin } from '../proxy/admin.ts';
import type { Log } from '../proxy/log.ts';
import { ProxyService, type ServiceOptions } from '../proxy/service.ts';
import { formatHostPort } from '../wire/destination.ts';
import { defaultAdminPath } from './admin-client.ts';
import { type Announcing, startAnnouncing } from './balancer.ts';
import { CliError } from './cli-error.ts';
import { type ConfigSource, DEFAULT_DASHBOARD } from './config-source.ts';
import { createDashboardSource } from './dashboard-source.ts';
import { dropRoot } from './drop-root.ts';
import { Follower } from './follower.ts';
import { createLogger } from './logger.ts';
import { createMetricsSource } from './metrics-source.ts';
import { createNotifier, type Notifier } from './notifier.ts';
import { pastOf } from './past-source.ts';
import { startPathManagement } from './path-management.ts';
import type { PathProbing, ProbeEvent } from './path-probing.ts';
import type { PathRecorder } from './path-recorder.ts';
import { openSink, type ProcessSink } from './process-sink.ts';
import { ProxyPaths } from './proxy-paths.ts';
import { openTelemetry } from './telemetry.ts';
import { VERSION } from './version.ts';

/** A data-plane thread that has not gone round for so long hangs. */
const HANG_MS = 5_000;
/** npm and the terminal both pass on one ^C: what comes this soon after is the same one. */
const SAME_SIGNAL_MS = 500;
/** The paths are given so long to be set up before connections are accepted without them. */
const PATHS_MS_MAX = 5_000;

/** Runs until it is told to stop; resolves to the exit code. Rejects with a CliError when it cannot start. */
export async function runProxy(source: ConfigSource): Promise<number> {
  const log = createLogger();
  const config = await source.read();
  const notifier = createNotifier();
  raiseOpenFiles();
  const telemetry = await openTelemetry();
  const sink = await openSink(config, log, telemetry);
  let end: (exitCode: number) => void = () => {};
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const proxyPaths = new ProxyPaths(config.paths);
  const onCrash = (error: Error) => {
    log.error('thread-crashed', error.message);
    end(1);
  };
  const service = await startService(config, { log, sink, onCrash, onWished: () => proxyPaths.hearWishes() });
  const probing = followProbing(service, log, sink.database);
  const announcing = followAnnouncing(service, log);
  const followers = [probing, announcing];
  const reload = () => reloadFrom(source, { service, paths: proxyPaths, followers, sink }, log, notifier);
  handleSignals(service, reload, log, notifier, end);
  const managing = startPathManagement(config, log, (known) => service.setPaths(known)).then((paths) => {
    proxyPaths.managed = paths;
    if (paths !== undefined && config.paths.mode === 'userspace') service.tellWishes(() => paths.openWishes());
    return paths;
  });
  await listenOncePathsStand(service, managing, log);
  logListening(service.inbounds, log);
  let recorder: PathRecorder | undefined;
  const pathFigures = () => recorder?.figures() ?? [];
  const figures = createMetricsSource({ service, log: sink.figures, pathFigures });
  telemetry?.observe(figures);
  const metrics = createMetrics(figures);
  // A reload may have come meanwhile.
  await probing.follow(service.config);
  const probes = () => probing.running?.results() ?? [];
  const past = pastOf(config.log);
  const seen = createDashboardSource({ service, paths: proxyPaths, probes, past });
  const dashboard = await openDashboardFor(config, seen, metrics, log);
  const admin = await openAdminFor(config, { service, paths: proxyPaths, probes, reload, version: VERSION }, log);
  if (config.user !== undefined) dropRoot(config.user, log);
  if (sink.database !== undefined) recorder = await recordPaths(service, sink.database);
  await announcing.follow(service.config);
  notifier.say('READY=1');
  log.info('ready', `ready, process ${process.pid}`);
  notifier.watch(() => Date.now() - service.counters().heartbeat < HANG_MS);
  const exitCode = await ended;
  await announcing.stop();
  await (await managing)?.close();
  await probing.stop();
  recorder?.stop();
  notifier.close();
  admin?.close();
  dashboard?.close();
  await telemetry?.close();
  // Whatever is left (a crashed thread's siblings) must not keep the process.
  setTimeout(() => process.exit(exitCode), 1_000).unref();
  return exitCode;
}

async function recordPaths(service: ProxyService, database: FlowLog): Promise<PathRecorder> {
  const { startPathRecorder } = await import('./path-recorder.ts');
  return startPathRecorder(service, database);
}

function followProbing(service: ProxyService, log: Log, database: FlowLog | undefined): Follower<PathProbing> {
  return new Follower({
    part: ({ paths }) => paths.probe,
    start: async (config) => {
      if (config.paths.probe === undefined) return undefined;
      const { startPathProbing } = await import('./path-probing.ts');
      const onEvent = (event: ProbeEvent) => database?.writeEvents([event]);
      return startPathProbing(config, { log, onEvent, paths: () => service.config.paths });
    },
    stop: (probing) => probing.stop(),
  });
}

function followAnnouncing(service: ProxyService, log: Log): Follower<Announcing> {
  return new Follower({
    part: ({ paths }) => paths.balancer,
    start: (config) => startAnnouncing(config, service.inbounds, log),
    stop: (announcing) => {
      announcing.close();
      log.info('balancer', 'clients are no longer told which addresses to join');
    },
  });
}

function logListening(inbounds: ProxyService['inbounds'], log: Log): void {
  for (const { inbound, type, local, isMptcp } of inbounds) {
    const where = formatHostPort(local.address, local.port);
    log.info('listening', `${type} on ${where}, ${isMptcp ? 'MPTCP and TCP' : 'TCP'}`, { inbound });
  }
}

async function startService(
  config: Config,
  { sink, ...options }: ServiceOptions & { readonly sink: ProcessSink },
): Promise<ProxyService> {
  try {
    return await ProxyService.start(config, { ...options, sink, observed: sink.observed });
  } catch (error) {
    throw new CliError(explainListen(error), 3);
  }
}

/** A connection that came before the paths are set up would belong to the kernel's path manager for good. */
async function listenOncePathsStand(
  service: ProxyService,
  managing: Promise<ManagedPaths | undefined>,
  log: Log,
): Promise<void> {
  const late = new AbortController();
  const tooLate = sleep(PATHS_MS_MAX, 'late', { signal: late.signal }).catch(() => undefined);
  const first = await Promise.race([managing, tooLate]).finally(() => late.abort());
  if (first === 'late') {
    const waited = `not set up after ${PATHS_MS_MAX / 1_000} s; connections that come until they are may use any path`;
    log.warn('paths', `the paths are ${waited}`);
  }
  try {
    service.listen();
  } catch (error) {
    await service.stop(0);
    await (await managing)?.close();
    throw new CliError(explainListen(error), 3);
  }
}

async function openDashboardFor(
  config: Config,
  source: DashboardSource,
  metrics: () => Promise<string>,
  log: Log,
): Promise<Dashboard | undefined> {
  if (config.dashboard === undefined) return undefined;
  const open = (port: number) => openDashboard({ ...(config.dashboard as DashboardConfig), port, source, metrics });
  const { port } = config.dashboard;
  const isDefault = port === DEFAULT_DASHBOARD.port && config.dashboard.address === DEFAULT_DASHBOARD.address;
  try {
    const dashboard = await open(port).catch((error: NodeJS.ErrnoException) => {
      if (!isDefault || error.code !== 'EADDRINUSE') throw error;
      return open(0);
    });
    log.info('dashboard', `dashboard on ${dashboard.url}`);
    return dashboard;
  } catch (error) {
    throw new CliError(`dashboard: ${messageOf(error)}`, 3);
  }
}

async function openAdminFor(config: Config, options: AdminOptions, log: Log): Promise<Admin | undefined> {
  if (config.admin === undefined) return undefined;
  try {
    return await openAdmin(config.admin, options);
  } catch (error) {
    if (config.admin !== defaultAdminPath()) throw new CliError(`admin socket: ${messageOf(error)}`, 3);
    if (!(error instanceof AdminSocketError)) {
      log.warn('admin', `status and reload are not available: ${messageOf(error)}`);
      return undefined;
    }
    const own = config.admin.replace(/\.sock$/, `-${process.pid}.sock`);
    log.info('admin', `another anabranch has ${config.admin}; this one answers at ${own}`);
    return openAdmin(own, options);
  }
}

interface Reloaded {
  readonly service: ProxyService;
  readonly paths: ProxyPaths;
  readonly followers: readonly Pick<Follower<unknown>, 'follow'>[];
  readonly sink: ProcessSink;
}

async function reloadFrom(
  source: ConfigSource,
  { service, paths, followers, sink }: Reloaded,
  log: Log,
  notifier: Notifier,
): Promise<readonly string[]> {
  notifier.say('RELOADING=1');
  try {
    const before = new Set(service.inbounds);
    const config = await source.read();
    const fixed = [...service.reload(config), ...(await paths.reload(config.paths))];
    for (const follower of followers) await follower.follow(service.config);
    await sink.reopen?.();
    const notes = fixed.map((key) => `\`${key}\` changes only with a restart`);
    const message = ['the configuration was read again', ...notes].join('; ');
    log.info('reloaded', message);
    sink.note('reload', message);
    logListening(
      service.inbounds.filter((inbound) => !before.has(inbound)),
      log,
    );
    return notes;
  } catch (error) {
    const message = error instanceof CliError ? error.message : explainListen(error);
    log.error('reload-failed', `the old configuration stays: ${message}`);
    sink.note('reload-failed', message);
    throw new CliError(message, 2);
  } finally {
    notifier.say('READY=1');
  }
}

function handleSignals(
  service: ProxyService,
  reload: () => Promise<unknown>,
  log: Log,
  notifier: Notifier,
  onStopped: (exitCode: number) => void,
): void {
  let stoppingSince = 0;
  let cut = false;
  const stop = (signal: string) => {
    const now = performance.now();
    if (stoppingSince !== 0) {
      if (now - stoppingSince < SAME_SIGNAL_MS || cut) return;
      cut = true;
      log.warn('cutting', `${signal} again: live connections are cut`);
      return service.cut();
    }
    stoppingSince = now;
    const { drain } = service.config.timeouts;
    const { active } = service.counters();
    const who = active === 1 ? '1 live connection' : `${active} live connections`;
    log.info('stopping', active === 0 ? signal : `${signal}: ${who} may take ${drain / 1000} s to end`);
    notifier.say('STOPPING=1');
    void service.stop(drain).then((cutCount) => onStopped(cutCount > 0 ? 4 : 0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  // A failed reload has been logged; there is nobody else to tell.
  process.on('SIGHUP', () => void reload().catch(() => {}));
}

function explainListen(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'EADDRINUSE') return `${message}: another program listens there; stop it, or choose another address`;
  if (code === 'EACCES') return `${message}: ports below 1024 need root or CAP_NET_BIND_SERVICE`;
  if (code === 'EADDRNOTAVAIL') return `${message}: this machine has no such address`;
  if (code === 'ENOENT') return `${message}: see /proc/sys/net/ipv4/tcp_available_congestion_control`;
  return message ?? String(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
