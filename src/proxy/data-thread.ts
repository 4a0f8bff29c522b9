// A data-plane thread: takes configuration and answers from the main thread, accepts connections, and makes each of
// them a flow. Entry point of the worker; it stays in its event loop until told to stop.

import { parentPort, workerData } from 'node:worker_threads';
import type { Config, InboundConfig } from '../config/config.ts';
import { Acceptor } from '../dataplane/acceptor.ts';
import { Counters } from '../dataplane/counters.ts';
import { EventLoop } from '../dataplane/event-loop.ts';
import { readMailbox } from '../dataplane/mailbox.ts';
import { PipePool } from '../dataplane/pipe-pool.ts';
import { PumpResources } from '../dataplane/pump.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import { closeSocket } from '../socket/close.ts';
import { localEndpoint } from '../socket/connect.ts';
import { errnoName } from '../socket/errno.ts';
import { acceptedIsMptcp, type MptcpState } from '../socket/mptcp.ts';
import { refreshSystemCongestion } from '../socket/options.ts';
import { SocketOwners } from '../socket/socket-owners.ts';
import type { Endpoint } from '../wire/destination.ts';
import { ClientAccount } from './client-account.ts';
import type { Context, LiveFlow } from './context.ts';
import { COUNTER_LAYOUT, fallbackCounter } from './counter-layout.ts';
import { Flow } from './flow.ts';
import type { FlowRecord } from './flow-record.ts';
import { Histograms } from './histograms.ts';
import { createInboundHandshake } from './inbound-handshake.ts';
import { MainThread } from './main-thread.ts';
import type { DialRequest, FromThread, ListenerHandle, ThreadSetup, ToThread } from './messages.ts';
import { PathSources } from './path-sources.ts';
import { PlainPeers } from './plain-peers.ts';
import { WishLine } from './purpose.ts';
import { Routes } from './routes.ts';
import { SourceLimits } from './source-limits.ts';
import { CongestionMemory } from './tuning/congestion-memory.ts';
import { SendWatch } from './tuning/send-watch.ts';
import { PhaseWatch } from './wall-clock.ts';

/** Records posted together at the latest after this time, or when there are so many. */
const RECORDS_MS = 100;
const RECORDS_MOST = 256;
const SAMPLE_MS = 1_000;
/** A shortage lasts, with a pause ten times a second; it is told once in this time. */
const SHORTAGE_QUIET_MS = 10_000;
/** MPTCP flows sampled in one second; with more of them each is sampled less often. */
const SAMPLES_MOST = 512;
/** Pipes of one thread, two descriptors each, a megabyte of kernel memory each while a slow reader fills one. */
const PIPES_MOST = 128;
const PIPES_IDLE_MOST = 16;

class DataThread implements Timed {
  readonly #post: (message: FromThread) => void;
  readonly #observed: boolean;
  readonly #context: Context;
  readonly #acceptors = new Map<string, Acceptor>();
  readonly #sampler = new Timer(this);
  readonly #recorder = new Timer({ onTimer: () => this.#sendRecords() });
  readonly #drainer = new Timer({ onTimer: () => this.#cutAll() });
  readonly #phases: PhaseWatch;
  readonly #owners = new SocketOwners(() => this.#onNoOwners());
  /** Bounded by RECORDS_MOST. */
  #records: FlowRecord[] = [];
  #sequence = 0;
  #draining = false;
  #left = false;
  /** Until then a shortage is counted and not told. */
  #quietUntil = 0;
  #cut = 0;
  /** Flows sampled already in this turn; weak, so that it keeps none of them. */
  #sampled = new WeakSet<LiveFlow>();

  constructor(setup: ThreadSetup, post: (message: FromThread) => void, read: (use: (m: ToThread) => void) => boolean) {
    this.#post = post;
    this.#observed = setup.observed;
    const loop = new EventLoop(() => {
      if (read((message) => this.#onMessage(message))) loop.wake();
    });
    const counters = new Counters(COUNTER_LAYOUT, setup.counters, setup.thread);
    const config: Config = setup.config;
    this.#context = {
      loop,
      counters,
      histograms: new Histograms(setup.histograms, setup.thread),
      resources: new PumpResources(new PipePool(PIPES_MOST, PIPES_IDLE_MOST), counters),
      sources: new SourceLimits(setup.sources),
      main: new MainThread(post),
      plainPeers: new PlainPeers(),
      paths: new PathSources(),
      wishes: new WishLine(),
      congestion: new CongestionMemory(),
      mptcpAvailable: setup.mptcpAvailable,
      epoch: Date.now() - performance.now(),
      clock: Date.now,
      flows: new Set(),
      config,
      inbounds: new Map(),
      routes: new Routes(config, new Set()),
      recording: false,
      nextFlowId: () => `${setup.run}-${setup.thread}-${(this.#sequence++).toString(36)}`,
      post,
      record: (record) => this.#record(record),
    };
    this.#phases = new PhaseWatch(loop, Date.now, () => this.#judgeAnew());
  }

  run(): void {
    const { loop, counters } = this.#context;
    counters.set('heartbeat', Date.now());
    refreshSystemCongestion();
    loop.arm(this.#sampler, loop.now + SAMPLE_MS);
    new SendWatch(loop, this.#context.flows).start();
    this.#post({ kind: 'ready', wakeFd: loop.wakeFd });
    loop.run();
  }

  /** Samples live MPTCP flows: the kernel forgets a subflow's figures when it closes. */
  onTimer(now: number): void {
    const { loop, flows, counters, histograms, resources } = this.#context;
    loop.arm(this.#sampler, now + SAMPLE_MS);
    refreshSystemCongestion();
    counters.set('pipes', resources.pipes.open);
    counters.set('lagMsMax', loop.lagMsMax);
    histograms.observe('lag', loop.lagMsMax / 1000);
    counters.set('heartbeat', Date.now());
    loop.lagMsMax = 0;
    let left = SAMPLES_MOST;
    for (const flow of flows) {
      if (!flow.isMptcp || this.#sampled.has(flow)) continue;
      if (left-- === 0) return;
      this.#sampled.add(flow);
      flow.watch();
    }
    this.#sampled = new WeakSet();
  }

  #onMessage(message: ToThread): void {
    const { main, loop } = this.#context;
    switch (message.kind) {
      case 'configure':
        return this.#configure(message);
      case 'wishes':
        this.#context.wishes.port = message.port;
        return;
      case 'paths':
        this.#context.paths.paths = message.paths;
        return;
      case 'own-addresses':
        this.#context.routes.ownAddresses = new Set(message.addresses);
        return;
      case 'resolved':
        return main.onResolved(message, loop.now);
      case 'not-resolved':
        return main.onNotResolved(message);
      case 'authenticated':
        return main.onAuthenticated(message);
      case 'dial':
        return this.#dial(message);
      case 'list-flows': {
        const flows = [...this.#context.flows].slice(0, message.most).map((flow) => flow.status());
        return this.#post({ kind: 'flows', id: message.id, flows });
      }
      case 'drain':
        return this.#drain(message.limitMs);
      case 'stop':
        return this.#cutAll();
    }
  }

  #configure(message: Extract<ToThread, { kind: 'configure' }>): void {
    const context = this.#context;
    const { config } = message;
    context.config = config;
    context.inbounds = new Map(config.inbounds.map((inbound) => [inbound.name, inbound]));
    context.routes = new Routes(config, context.routes.ownAddresses);
    context.recording = this.#observed || config.log.kind !== 'off';
    for (const key of message.closing) {
      this.#acceptors.get(key)?.close();
      this.#acceptors.delete(key);
    }
    for (const listener of message.listeners) this.#listen(listener);
    this.#phases.watch((now) => context.routes.phase(now));
    this.#judgeAnew();
  }

  /** Other rules hold for the connections that stand. */
  #judgeAnew(): void {
    const told = [...this.#context.flows].filter(({ purpose }) => purpose?.anew() === true);
    if (told.length > 0) this.#post({ kind: 'wished' });
  }

  #listen(listener: ListenerHandle): void {
    const { loop } = this.#context;
    const onAccept = (fd: number, client: Endpoint) => this.#accept(listener, fd, client);
    const acceptor = new Acceptor(loop, listener.fd, { onAccept, onShortage: (errno) => this.#onShortage(errno) });
    this.#acceptors.set(listener.key, acceptor);
  }

  #onShortage(errno: number): void {
    const { counters, loop } = this.#context;
    counters.add('shortages');
    if (loop.now < this.#quietUntil) return;
    this.#quietUntil = loop.now + SHORTAGE_QUIET_MS;
    const message = `accepting pauses: ${errnoName(errno)}; raise the limit of open files or lower limits.connections`;
    this.#post({ kind: 'log', level: 'warn', code: 'accept-paused', message });
  }

  #onNoOwners(): void {
    const message =
      'the kernel does not tell who connects, so rules with `account` match nobody: modprobe tcp_diag, restart';
    this.#post({ kind: 'log', level: 'warn', code: 'accounts-unknown', message });
  }

  #accept(listener: ListenerHandle, fd: number, client: Endpoint): void {
    const context = this.#context;
    const { counters, sources, config } = context;
    counters.add('accepted');
    const inbound = context.inbounds.get(listener.inbound);
    if (inbound === undefined || !context.routes.admits(inbound, client.address)) return this.#refuse(fd);
    const { connections, connectionsPerSource } = config.limits;
    if (!sources.enter(client.address, connections, connectionsPerSource)) return this.#refuse(fd);
    const mptcp = this.#howItCame(listener, fd, inbound);
    const fallback = fallbackCounter('client', mptcp);
    if (fallback !== undefined) counters.add(fallback);
    const handshake = createInboundHandshake(inbound);
    const flow = new Flow(context, fd, {
      inbound,
      client,
      mptcp,
      account: new ClientAccount(this.#owners, client, () => localEndpoint(fd)),
      handshake,
      onClosed: (handedOver) => {
        if (!handedOver) sources.leave(client.address);
        this.#onFlowClosed();
      },
    });
    if (inbound.target === undefined) flow.start();
    else flow.connectTo(inbound.target);
  }

  #howItCame(listener: ListenerHandle, fd: number, inbound: InboundConfig): MptcpState {
    if (listener.isMptcp) {
      const isMptcp = acceptedIsMptcp(fd);
      this.#context.counters.add(isMptcp ? 'mptcpClients' : 'fallbacksClient');
      return isMptcp ? 'mptcp' : 'client-without-mptcp';
    }
    return inbound.transport === 'tcp' ? 'not-asked' : 'no-kernel-support';
  }

  #refuse(fd: number): void {
    this.#context.counters.add('refused');
    closeSocket(fd);
  }

  #dial(request: DialRequest): void {
    const { id, fd, client, local, mptcp, user, destination } = request;
    const inbound = this.#context.inbounds.get(request.inbound);
    if (inbound === undefined || this.#draining) {
      closeSocket(fd);
      const detail = 'the proxy is stopping or was reconfigured';
      return this.#post({ kind: 'dialed', id, failure: 'general', detail });
    }
    const flow = new Flow(this.#context, fd, {
      inbound,
      client,
      mptcp,
      account: new ClientAccount(this.#owners, client, () => local),
      isPair: true,
      handshake: undefined,
      onClosed: () => this.#onFlowClosed(),
      onBroken: (fd) => this.#post({ kind: 'broken', id, fd }),
      onDialed: (failure, detail) => this.#post({ kind: 'dialed', id, failure, detail }),
    });
    flow.connectTo(destination, user);
  }

  #record(record: FlowRecord): void {
    const { loop } = this.#context;
    this.#records.push(record);
    if (this.#records.length >= RECORDS_MOST) this.#sendRecords();
    else if (this.#recorder.index < 0) loop.arm(this.#recorder, loop.now + RECORDS_MS);
  }

  #sendRecords(): void {
    this.#context.loop.disarm(this.#recorder);
    if (this.#records.length === 0) return;
    this.#post({ kind: 'records', records: this.#records });
    this.#records = [];
  }

  #drain(limitMs: number): void {
    const { loop } = this.#context;
    this.#draining = true;
    for (const acceptor of this.#acceptors.values()) acceptor.close();
    this.#acceptors.clear();
    loop.arm(this.#drainer, loop.now + limitMs);
    this.#onFlowClosed();
  }

  #onFlowClosed(): void {
    if (this.#draining && this.#context.flows.size === 0) this.#leave();
  }

  #cutAll(): void {
    this.#draining = true;
    for (const acceptor of this.#acceptors.values()) acceptor.close();
    this.#acceptors.clear();
    const flows = [...this.#context.flows];
    this.#cut = flows.length;
    for (const flow of flows) flow.cut('shutdown');
    this.#onFlowClosed();
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    const { loop, resources } = this.#context;
    this.#sendRecords();
    resources.pipes.drain();
    loop.disarm(this.#drainer);
    this.#phases.stop();
    loop.stop();
    this.#post({ kind: 'drained', cut: this.#cut });
  }
}

const port = parentPort;
if (port === null) throw new Error('data-thread.ts is the entry point of a worker thread');
const setup = workerData as ThreadSetup;
const thread = new DataThread(
  setup,
  (message) => port.postMessage(message),
  (use) => readMailbox<ToThread>(port, use),
);
thread.run();
