// The path manager at work: watches the network and the subflows, keeps routing and endpoints as the paths want them,
// and takes it all back at the end. Lives in an event loop of its own thread (see manager-thread.ts): a proxy that is
// busy must not delay the recovery of its paths.

import type { EventLoop, Watcher } from '../dataplane/event-loop.ts';
import { Timer } from '../dataplane/timers.ts';
import { NetlinkError } from '../netlink/netlink-error.ts';
import { NetworkWatch } from '../netlink/network-watch.ts';
import type { Notifications } from '../netlink/notifications.ts';
import { PathManager } from '../netlink/path-manager.ts';
import { SubflowList } from '../netlink/subflow-list.ts';
import type { PathState } from '../routing/path-choice.ts';
import type { PmAddress, PmLimits } from '../wire/mptcp-pm.ts';
import type { RuleChange } from '../wire/rtnetlink.ts';
import type { SubflowProgress } from '../wire/subflow-dump.ts';
import { applyRouting } from './apply-routing.ts';
import { discoverPaths, type Gateway } from './discover.ts';
import { EndpointIds } from './endpoint-ids.ts';
import { findUnjoined } from './joins.ts';
import { LookPace } from './look-pace.ts';
import { isOurEndpoint, isOurNumber, noteOf } from './marks.ts';
import { NextHops } from './next-hops.ts';
import { type Path, pathKey } from './path.ts';
import { PathNews } from './path-news.ts';
import { statePath } from './path-state.ts';
import { isSameLimits, ownerOfEndpoint, type Present, planSteps, type Step } from './plan.ts';
import { Preferences } from './preferences.ts';
import { StallDetector, type Suspicion } from './stall.ts';
import { Suspects } from './suspects.ts';
import { planTakeBack } from './take-back.ts';
import { isGatewayNumber, planGatewayRemoval } from './userspace/gateways.ts';
import { UserspaceMode, type UserspaceOptions } from './userspace/mode.ts';
import { WatchedJoins } from './watched-joins.ts';

export interface ManagerEvents {
  /** `code` is stable, for machines. */
  say(level: 'info' | 'warn', code: string, message: string): void;
  /** Who opens connections may want to know what has become of the paths. */
  onPaths?(states: readonly PathState[]): void;
  /** The subflows are about to be thought over: what there is to `tell` is to be told now. */
  onThink?(): void;
}

export interface ManagerOptions {
  /** Path of a network namespace; the thread's own unless given. */
  readonly namespace?: string | undefined;
  readonly preferences?: Preferences;
  /** Connections are opened up one by one; `undefined`: the kernel does it, by endpoints. */
  readonly userspace?: UserspaceOptions | undefined;
}

/** Everything is looked at again after this time: endpoints and limits have no notifications. */
const RESYNC_MS = 30_000;
/** Steps and the notifications that they cause settle in two rounds. */
const ROUNDS_MAX = 6;
/** Looks at the subflows: while bytes flow, and otherwise. */
const BUSY_MS = 20;
const IDLE_MS = 500;
/** An answer takes no less. */
const ANSWER_MS_MIN = 150;
/** Gateways remembered: paths that come and go. */
const KNOWN_MAX = 256;

export class Manager implements Watcher {
  readonly #loop: EventLoop;
  readonly #events: ManagerEvents;
  readonly #preferences: Preferences;
  readonly #watch: NetworkWatch;
  readonly #hops: NextHops;
  readonly #pm: PathManager;
  readonly #subflows: SubflowList;
  readonly #subflowEvents: Notifications;
  readonly #joins = new WatchedJoins(Math.random);
  readonly #stalls = new StallDetector();
  readonly #pace = new LookPace();
  readonly #looker = new Timer({ onTimer: () => this.#look() });
  readonly #resyncer = new Timer({ onTimer: () => this.#resync() });
  readonly #settler = new Timer({ onTimer: () => this.onReady() });
  /** Bounded by KNOWN_MAX: the oldest goes. */
  readonly #known = new Map<string, Gateway>();
  /** Paths that are away, or were. Bounded by the paths. */
  readonly #returned = new Set<string>();
  readonly #suspects: Suspects;
  readonly #news: PathNews;
  /** What failed and was told. Bounded by the kinds of steps and paths; cleared with every resync. */
  readonly #failures = new Set<string>();
  #paths: readonly Path[] = [];
  #endpoints: readonly PmAddress[] = [];
  #limits: PmLimits;
  readonly #limitsBefore: PmLimits;
  readonly #ids: EndpointIds;
  readonly #userspace: UserspaceMode | undefined;

  /** Throws a LinuxError or a NetlinkError; without MPTCP a NetlinkError too. */
  constructor(loop: EventLoop, events: ManagerEvents, options: ManagerOptions = {}) {
    const { namespace, preferences, userspace } = options;
    this.#loop = loop;
    this.#events = events;
    this.#suspects = new Suspects(loop, {
      onProbe: (path, isDead) => this.#hops.forget(path, isDead),
      onDead: () => this.#settle(),
      onReturn: ({ name }, awayMs) => {
        events.say('info', 'path-answers', `${name}: answers again after ${(awayMs / 1_000).toFixed(1)} s`);
        this.#settle();
      },
    });
    this.#news = new PathNews((text) => events.say('info', 'path', text));
    this.#preferences = preferences ?? new Preferences();
    const pm = PathManager.open(namespace);
    if (pm === undefined) throw new NetlinkError(93, 'looking for the MPTCP path manager');
    this.#pm = pm;
    this.#watch = new NetworkWatch({ namespace, keepTable: (table) => isOurNumber(table) || isGatewayNumber(table) });
    this.#hops = new NextHops(this.#watch.socket);
    this.#subflows = new SubflowList(namespace);
    this.#subflowEvents = pm.openEvents(namespace);
    this.#endpoints = pm.endpoints();
    this.#limits = pm.limits();
    this.#limitsBefore = this.#limits;
    const changeRule = (kind: 'add-rule' | 'remove-rule', rule: RuleChange): void =>
      applyRouting(this.#watch.socket, { kind, rule });
    const ground = { loop, pm, view: this.#watch.network, namespace, changeRule, hops: this.#hops };
    this.#userspace = UserspaceMode.enter(ground, userspace, (code, text) => events.say('warn', code, text));
    this.#ids = new EndpointIds(this.#endpoints);
    loop.watch(this.#watch.fd, this.#watch.events, this);
    loop.watch(this.#subflowEvents.fd, this.#subflowEvents.events, { onReady: () => this.#onSubflowEvents() });
    loop.arm(this.#looker, performance.now() + IDLE_MS);
    this.#settle();
    loop.arm(this.#resyncer, performance.now() + RESYNC_MS);
  }

  get paths(): readonly Path[] {
    return this.#paths;
  }

  /** `undefined` in `mode: kernel`, and where the kernel does not let us have the other one. */
  get userspace(): Pick<UserspaceMode, 'tell' | 'configure'> | undefined {
    return this.#userspace;
  }

  /** As it is this moment. Throws a NetlinkError. */
  get present(): Present {
    return { view: this.#watch.network, endpoints: this.#pm.endpoints(), limits: this.#limits };
  }

  readonly isSilent = (path: Path): boolean => this.#suspects.isDead(path);
  readonly #rttMs = (path: Path): number | undefined => this.#stalls.rttMs(path.address) || undefined;

  /** The preferences have changed. */
  refresh(): void {
    this.#settle();
  }

  /** The network has changed. */
  onReady(): void {
    const { changed, settleMs } = this.#watch.read();
    if (settleMs > 0) this.#loop.arm(this.#settler, performance.now() + settleMs);
    if (changed) this.#settle();
  }

  /** Takes back what is ours, and lets go of everything. */
  close(): void {
    for (const timer of [this.#looker, this.#resyncer, this.#settler]) this.#loop.disarm(timer);
    this.#suspects.close();
    try {
      this.#watch.list();
      this.#endpoints = this.#pm.endpoints();
      this.#apply(planTakeBack(this.#subflows, this.#paths, this.present, this.#events));
      this.#apply(planGatewayRemoval(this.#watch.network));
      this.#userspace?.close();
      // Somebody else may have changed them since.
      if (this.#limits !== this.#limitsBefore && isSameLimits(this.#pm.limits(), this.#limits)) {
        this.#pm.setLimits(this.#limitsBefore);
      }
    } catch (error) {
      this.#fail('take-back', error);
    }
    this.#loop.forget(this.#watch.fd);
    this.#watch.close();
    this.#loop.forget(this.#subflowEvents.fd);
    this.#subflowEvents.close();
    this.#pm.close();
    this.#subflows.close();
  }

  #settle(): void {
    this.#relist();
    for (let round = 0; round < ROUNDS_MAX; round++) {
      this.#discover();
      const present = { view: this.#watch.network, endpoints: this.#endpoints, limits: this.#limits };
      const { isDead } = this.#suspects;
      this.#paths = this.#preferences.rank(this.#paths, isDead, this.#rttMs);
      const steps = this.#plan(present, isDead);
      if (steps.length === 0 || !this.#apply(steps)) break;
      this.#watch.read();
    }
    this.#joins.keepOnly(this.#paths.filter(({ trouble }) => trouble === undefined));
    this.#follow();
    this.#lookWithin(Number.POSITIVE_INFINITY);
    this.#tell();
  }

  /** Endpoints have no notifications, and flags are set by address: it must still be ours. */
  #relist(): void {
    try {
      this.#endpoints = this.#pm.endpoints();
    } catch (error) {
      this.#fail('list-endpoints', error);
    }
  }

  #plan(present: Present, isDead: (path: Path) => boolean): Step[] {
    if (this.#userspace === undefined) {
      return [...planSteps(this.#paths, present, isDead), ...planGatewayRemoval(present.view)];
    }
    // Endpoints are for the kernel's path manager only.
    const spared = this.#paths.map((path) => ({ ...path, spared: true }));
    return [...planSteps(spared, present, isDead), ...this.#userspace.plan(this.#paths, present.view)];
  }

  /** Tells those that open connections and subflows. */
  #follow(): void {
    const { isDead } = this.#suspects;
    this.#userspace?.follow(this.#paths, isDead, (path) => this.#greetGateway(path));
    this.#events.onPaths?.(this.#paths.map((path) => statePath(path, isDead(path), this.#rttMs(path))));
  }

  #onSubflowEvents(): void {
    this.#events.onThink?.();
    const state = this.#pm.readEvents(this.#subflowEvents, (event) => {
      if (this.#userspace !== undefined) return this.#userspace.onEvent(event);
      const { kind, local, errno } = event;
      if (kind !== 'subflow-closed' || errno === 0) return;
      const path = this.#paths.find(({ address }) => address === local.address);
      if (path !== undefined) this.#joins.failed(path, performance.now());
    });
    this.#lookWithin(state === 'lost' ? 0 : Number.POSITIVE_INFINITY);
  }

  #discover(): void {
    this.#paths = discoverPaths(this.#watch.network, this.#known, this.#preferences.judge);
    for (const path of this.#paths) {
      const key = pathKey(path);
      if (path.trouble === undefined) {
        this.#known.delete(key);
        this.#known.set(key, { address: path.gateway, metric: path.metric });
      }
      if (path.trouble !== undefined || this.#suspects.isDead(path)) this.#returned.add(key);
    }
    this.#suspects.keepOnly(this.#paths);
    const keys = new Set(this.#paths.map(pathKey));
    for (const key of this.#returned) if (!keys.has(key)) this.#returned.delete(key);
    for (const key of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(key);
    }
  }

  /** Whether anything was done. */
  #apply(steps: readonly Step[]): boolean {
    let done = false;
    for (const step of steps) {
      try {
        this.#take(step);
        done = true;
      } catch (error) {
        this.#fail(step.kind, error);
        // Somebody else was faster, or has been at work since we looked.
        if (step.kind.endsWith('-endpoint')) this.#relist();
      }
    }
    return done;
  }

  #take(step: Step): void {
    switch (step.kind) {
      case 'set-route':
      case 'remove-route':
      case 'add-rule':
      case 'remove-rule':
        return applyRouting(this.#watch.socket, step);
      case 'set-limits':
        this.#pm.setLimits(step.limits);
        this.#limits = step.limits;
        return;
      case 'set-flags':
        this.#pm.setFlags(step.endpoint);
        this.#endpoints = this.#endpoints.map((one) => (one.id === step.endpoint.id ? step.endpoint : one));
        return;
      case 'delete-endpoint':
        this.#endpoints = this.#endpoints.filter(({ id }) => id !== step.endpoint.id);
        this.#pm.delete(step.endpoint);
        return this.#take({ kind: 'remove-rule', rule: noteOf(step.endpoint) });
      case 'add-endpoint': {
        const { path, flags, port } = step;
        const { address, index } = path;
        this.#greetGateway(path);
        this.#hops.find(path);
        const endpoint: PmAddress = { address, index, flags, port, id: this.#ids.take(this.#endpoints) };
        // Noted first: should we die in between, the note is all that is left, and goes at the next start.
        this.#take({ kind: 'add-rule', rule: noteOf(endpoint) });
        this.#pm.add(endpoint);
        this.#endpoints = [...this.#endpoints, endpoint];
        if (flags.includes('subflow')) this.#joins.began(path, performance.now(), this.#stalls.rttMs(address));
      }
    }
  }

  /** Before connections join over a path that was away. Of one that never was, a search may be under way for others. */
  #greetGateway(path: Path): void {
    if (this.#returned.has(pathKey(path))) this.#hops.forget(path, false);
  }

  #look(): void {
    const begun = performance.now();
    this.#events.onThink?.();
    const subflows = this.#subflows.read();
    if (subflows !== undefined) {
      this.#userspace?.observe(subflows);
      const suspicions = this.#stalls.observe(subflows, begun);
      for (const path of this.#paths) this.#suspects.acquit(path, this.#stalls.progressAt(path.address));
      for (const suspicion of suspicions) this.#suspect(suspicion, begun);
      this.#checkJoins(subflows, begun);
    }
    const wantedMs = this.#stalls.isBusy(begun) ? BUSY_MS : IDLE_MS;
    this.#lookWithin(this.#pace.next(performance.now() - begun, wantedMs));
  }

  /** The next look at the subflows comes within this time, and when a join is due. Infinity: what is planned stays. */
  #lookWithin(ms: number): void {
    const now = performance.now();
    const joinMs = this.#joins.untilNext(now) ?? Number.POSITIVE_INFINITY;
    const planned = this.#looker.index >= 0 ? this.#looker.deadline : Number.POSITIVE_INFINITY;
    const at = Math.min(planned, now + Math.min(ms, joinMs));
    if (at !== planned) this.#loop.arm(this.#looker, at);
  }

  #checkJoins(subflows: readonly SubflowProgress[], now: number): void {
    for (const path of this.#paths) {
      if (!this.#joins.isDue(path, now)) continue;
      const unjoined = findUnjoined(path, this.#paths, subflows);
      const endpoint = this.#endpoints.find((one) => one.address === path.address);
      if (unjoined === undefined || endpoint === undefined || !isOurEndpoint(endpoint, this.#watch.network.rules)) {
        this.#joins.settled(path);
        continue;
      }
      const step = this.#joins.unjoined(path);
      const answerMs = Math.max(ANSWER_MS_MIN, 2 * this.#stalls.rttMs(path.address));
      if (step === 'ask') this.#suspect({ address: path.address, remote: unjoined.remote, answerMs }, now);
      this.#begin(endpoint);
    }
  }

  /** Puts an endpoint in again, so that connections join once more. */
  #begin(endpoint: PmAddress): void {
    if (!this.#apply([{ kind: 'delete-endpoint', endpoint }])) return;
    this.#watch.read();
    this.#settle();
  }

  #suspect(suspicion: Suspicion, now: number): void {
    const path = this.#paths.find(({ address, trouble }) => address === suspicion.address && trouble === undefined);
    // Where others have the endpoint, there is nothing that we may do about it.
    if (path === undefined || ownerOfEndpoint(path, this.#endpoints, this.#watch.network.rules) === 'others') return;
    this.#suspects.suspect(path, suspicion, now);
  }

  #resync(): void {
    try {
      this.#failures.clear();
      this.#watch.list();
      const limits = this.#pm.limits();
      if (!isSameLimits(limits, this.#limits)) this.#limits = limits;
      this.#settle();
    } catch (error) {
      this.#fail('resync', error);
    }
    this.#loop.arm(this.#resyncer, performance.now() + RESYNC_MS);
  }

  #tell(): void {
    this.#news.tell(this.#paths, (path) => {
      const isDead = this.#suspects.isDead(path);
      const others = ownerOfEndpoint(path, this.#endpoints, this.#watch.network.rules) === 'others';
      return { isDead, others };
    });
  }

  #fail(what: string, error: unknown): void {
    if (!(error instanceof NetlinkError)) throw error;
    const text = `${what}: ${error.message}`;
    if (this.#failures.has(text)) return;
    this.#failures.add(text);
    this.#events.say('warn', 'path-step-failed', text);
  }
}
