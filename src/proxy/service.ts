// The proxy on the main thread: opens listeners, runs the data-plane threads, answers what they ask, takes a new
// configuration, and stops.

import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import { allocateCounters, readCounters, sumCounters } from '../dataplane/counters.ts';
import { ResolveError } from '../dataplane/resolve-error.ts';
import { createResolver, type Resolver } from '../dataplane/resolver.ts';
import type { ConnectFailure } from '../handshake/inbound.ts';
import type { PathState } from '../routing/path-choice.ts';
import { probeMptcp } from '../socket/mptcp.ts';
import { COUNTER_LAYOUT, type CounterName } from './counter-layout.ts';
import type { FlowSink } from './flow-record.ts';
import type { FlowStatus } from './flow-status.ts';
import { allocateHistograms, type HistogramReadings, readHistograms } from './histograms.ts';
import { HttpGate } from './http-gate.ts';
import { type BoundInbound, Listeners } from './listeners.ts';
import type { Log } from './log.ts';
import type { FromThread, ThreadSetup } from './messages.ts';
import { createPasswordCheck, type PasswordCheck } from './passwords.ts';
import { allocateSourceLimits, SourceLimits } from './source-limits.ts';
import { Threads } from './threads.ts';

export interface ServiceOptions {
  readonly log: Log;
  readonly sink: FlowSink;
  /** The sink wants records even with `log: off`. */
  readonly observed?: boolean;
  /** After a reload: the path manager has been told of other wishes. */
  readonly onWished?: () => void;
  /** Called when a thread died: the process cannot go on. */
  readonly onCrash: (error: Error) => void;
}

/** How often the machine's own addresses are looked up. */
const OWN_ADDRESSES_MS = 5_000;
/** What holds for the life of the process. */
const FIXED_KEYS = ['workers', 'log', 'admin', 'user', 'dashboard'] as const;
/** How often a drain looks whether plain-HTTP clients are done. */
const DRAIN_LOOK_MS = 20;
/** How long a thread may take to list its flows. */
const LIST_MS = 5_000;

export class ProxyService {
  readonly #options: ServiceOptions;
  readonly #counters: SharedArrayBuffer;
  readonly #histograms: SharedArrayBuffer;
  readonly #listeners: Listeners;
  readonly #resolver: Resolver;
  readonly #gate: HttpGate;
  readonly #sources: SourceLimits;
  #threads!: Threads;
  #config: Config;
  #ownAddresses = '';
  #ownTimer: NodeJS.Timeout | undefined;
  /** By inbound. */
  #passwords = new Map<string, PasswordCheck>();
  /** Who waits for a list of flows. Bounded by its callers, each for LIST_MS at most. */
  readonly #lists = new Map<number, (flows: readonly FlowStatus[]) => void>();
  #nextList = 1;
  /** Listeners are open, or will not be any more. */
  #begun = false;
  /** Connections that did not end by themselves. */
  #cutCount = 0;

  private constructor(config: Config, options: ServiceOptions, sources: SharedArrayBuffer) {
    this.#config = config;
    this.#options = options;
    this.#counters = allocateCounters(COUNTER_LAYOUT, config.workers);
    this.#histograms = allocateHistograms(config.workers);
    this.#listeners = new Listeners(config.workers);
    this.#resolver = createResolver({ now: () => performance.now(), timeoutMs: config.timeouts.resolve });
    this.#sources = new SourceLimits(sources);
    this.#gate = new HttpGate({
      log: options.log,
      config: () => this.#config,
      dial: (request) => this.#threads.post(request.id % this.#threads.count, request),
      authenticate: (inbound, name, password) => this.#authenticate(inbound, name, password),
      onClosed: (client) => this.#sources.leave(client.address),
    });
  }

  /**
   * Starts the threads, and opens every listener, unless paths are managed: then `listen` does. Throws a LinuxError that
   * names the address it could not have.
   */
  static async start(config: Config, options: ServiceOptions): Promise<ProxyService> {
    const mptcp = probeMptcp();
    if (mptcp.available) options.log.info('mptcp', mptcp.detail);
    else options.log.warn('mptcp', `plain TCP only: ${mptcp.detail}`);
    const sources = allocateSourceLimits();
    const service = new ProxyService(config, options, sources);
    const change = config.paths.manage ? undefined : service.#listeners.change(config);
    const run = randomBytes(6).toString('hex');
    const setups = Array.from({ length: config.workers }, (_, thread): ThreadSetup => {
      return {
        thread,
        run,
        counters: service.#counters,
        histograms: service.#histograms,
        sources,
        mptcpAvailable: mptcp.available,
        observed: options.observed === true,
        config,
      };
    });
    service.#threads = await Threads.start(setups, {
      onMessage: (thread, message) => service.#onMessage(thread, message),
      onCrash: (_, error) => options.onCrash(error),
    });
    // Before the threads accept: clients that wait already are judged by them.
    service.#watchOwnAddresses();
    if (change !== undefined) {
      service.#apply(config, change);
      service.#begun = true;
    }
    return service;
  }

  /** Opens the listeners that are not open yet. Throws as `start` does. Does nothing after `stop`. */
  listen(): void {
    if (this.#begun) return;
    this.#apply(this.#config, this.#listeners.change(this.#config));
    this.#begun = true;
  }

  get inbounds(): readonly BoundInbound[] {
    return this.#listeners.bound;
  }

  get config(): Config {
    return this.#config;
  }

  counters(): Record<CounterName, number> {
    return sumCounters(COUNTER_LAYOUT, this.#counters);
  }

  /** By data-plane thread. */
  threadCounters(): Record<CounterName, number>[] {
    return readCounters(COUNTER_LAYOUT, this.#counters);
  }

  /** By data-plane thread. */
  histograms(): HistogramReadings[] {
    return readHistograms(this.#histograms);
  }

  /**
   * Takes a new configuration without touching a live connection. Throws, and changes nothing, when a listener cannot
   * be opened; returns what cannot change while running, in words.
   */
  reload(config: Config): readonly string[] {
    const before = this.#config;
    const changed = (key: keyof Config) => JSON.stringify(config[key]) !== JSON.stringify(before[key]);
    const fixed: string[] = FIXED_KEYS.filter(changed);
    if (config.timeouts.resolve !== before.timeouts.resolve) fixed.push('timeouts.resolve');
    const { workers, log, admin, user, dashboard, paths } = before;
    const { manage, mode, state } = paths;
    const next = { ...config, workers, log, admin, user, dashboard, paths: { ...config.paths, manage, mode, state } };
    if (this.#begun) this.#apply(next, this.#listeners.change(next));
    else this.#config = next;
    this.#gate.onReload();
    return fixed;
  }

  /** Has every thread tell what its connections are for; `open` makes a port to the path manager for each of them. */
  tellWishes(open: () => MessagePort): void {
    for (let thread = 0; thread < this.#threads.count; thread++) {
      const port = open();
      this.#threads.post(thread, { kind: 'wishes', port }, [port]);
    }
  }

  /** The managed paths, whenever there is news of them; none when they are not managed any more. */
  setPaths(paths: readonly PathState[]): void {
    this.#threads.broadcast({ kind: 'paths', paths });
  }

  /** Live flows of all threads, at most `most`. */
  async flows(most: number): Promise<FlowStatus[]> {
    const perThread = Array.from({ length: this.#threads.count }, (_, thread) => this.#listFlows(thread, most));
    return (await Promise.all(perThread)).flat().slice(0, most);
  }

  /** Stops accepting, waits for what is under way for at most `drainMs`, then cuts the rest; resolves to how many. */
  async stop(drainMs: number): Promise<number> {
    this.#begun = true;
    clearInterval(this.#ownTimer);
    const deadline = performance.now() + drainMs;
    this.#gate.drain();
    this.#threads.broadcast({ kind: 'drain', limitMs: drainMs });
    await this.#threads.ended();
    // A slow plain-HTTP client may still be reading what has come for it.
    while (this.#gate.connections > 0 && performance.now() < deadline) await sleep(DRAIN_LOOK_MS);
    this.#gate.close();
    this.#resolver.close();
    await this.#options.sink.close();
    return this.#cutCount;
  }

  /** Ends a drain that is under way. */
  cut(): void {
    this.#threads.broadcast({ kind: 'stop' });
    this.#gate.close();
  }

  #apply(config: Config, change: ReturnType<Listeners['change']>): void {
    this.#config = config;
    this.#passwords = new Map(config.inbounds.map((inbound) => [inbound.name, createPasswordCheck(inbound.users)]));
    change.opened.forEach((listeners, thread) => {
      this.#threads.post(thread, { kind: 'configure', config, listeners, closing: change.closing });
    });
  }

  #onMessage(thread: number, message: FromThread): void {
    switch (message.kind) {
      case 'resolve':
        return void this.#resolve(thread, message.id, message.host);
      case 'authenticate':
        return void this.#authenticate(message.inbound, message.name, message.password).then((ok) =>
          this.#threads.post(thread, { kind: 'authenticated', id: message.id, ok }),
        );
      case 'records':
        return this.#options.sink.write(message.records);
      case 'hand-over':
        return this.#gate.take(message);
      case 'dialed':
        return this.#gate.onDialed(message);
      case 'broken':
        return this.#gate.onBroken(message.id, message.fd);
      case 'flows':
        this.#lists.get(message.id)?.(message.flows);
        return;
      case 'log':
        return this.#options.log[message.level](message.code, message.message, { thread });
      case 'wished':
        return this.#options.onWished?.();
      case 'drained':
        this.#cutCount += message.cut;
        return;
      case 'ready':
        return;
    }
  }

  async #resolve(thread: number, id: number, host: string): Promise<void> {
    const onEarly = (addresses: readonly string[]) =>
      this.#threads.post(thread, { kind: 'resolved', id, addresses, complete: false, ttlMs: 0 });
    try {
      const { addresses, ttlMs } = await this.#resolver.resolve(host, { onEarly });
      this.#threads.post(thread, { kind: 'resolved', id, addresses, complete: true, ttlMs });
    } catch (error) {
      const failure: ConnectFailure = error instanceof ResolveError ? error.code : 'name-failure';
      const detail = error instanceof Error ? error.message : String(error);
      this.#threads.post(thread, { kind: 'not-resolved', id, failure, detail });
    }
  }

  async #authenticate(inbound: string, name: string, password: string): Promise<boolean> {
    const check = this.#passwords.get(inbound);
    if (check === undefined) return false;
    try {
      return await check(name, password);
    } catch (error) {
      this.#options.log.error('password-check', error instanceof Error ? error.message : String(error), { inbound });
      return false;
    }
  }

  #watchOwnAddresses(): void {
    const look = () => {
      const addresses = Object.values(networkInterfaces()).flatMap((list) =>
        (list ?? []).map(({ address }) => address),
      );
      const joined = addresses.sort().join(' ');
      if (joined === this.#ownAddresses) return;
      this.#ownAddresses = joined;
      this.#threads.broadcast({ kind: 'own-addresses', addresses });
    };
    look();
    const lookAgain = () => {
      try {
        look();
      } catch {
        // It takes a descriptor, and there may be none (EMFILE); what was known stays in force until the next time.
      }
    };
    this.#ownTimer = setInterval(lookAgain, OWN_ADDRESSES_MS).unref();
  }

  #listFlows(thread: number, most: number): Promise<readonly FlowStatus[]> {
    const id = this.#nextList++;
    return new Promise((resolve) => {
      const answer = (flows: readonly FlowStatus[]) => {
        clearTimeout(timer);
        this.#lists.delete(id);
        resolve(flows);
      };
      const timer = setTimeout(() => answer([]), LIST_MS);
      this.#lists.set(id, answer);
      this.#threads.post(thread, { kind: 'list-flows', id, most });
    });
  }
}
