// The path manager of `mode: userspace`: gives every connection of the machine the subflows that strategy and wish want,
// and keeps it so while paths come and go.

import type { EventLoop } from '../../dataplane/event-loop.ts';
import { Timer } from '../../dataplane/timers.ts';
import type { Endpoint } from '../../wire/destination.ts';
import type { EndpointFlag, PmAddress, PmEvent } from '../../wire/mptcp-pm.ts';
import type { SubflowProgress } from '../../wire/subflow-dump.ts';
import type { Connection, Subflow } from './connection.ts';
import { Connections } from './connections.ts';
import { desiredSubflows, type Policy, type Settings, type SubflowPath, type Wanted } from './desired.ts';
import { planConnection, planServed, type Step } from './steps.ts';

/** Why the kernel did not do what it was asked. */
export interface Refusal {
  readonly errno: number;
}

/** What the kernel is asked; see PathManager. */
export interface SubflowCommands {
  changeSubflow(
    kind: 'createSubflow' | 'destroySubflow' | 'setSubflowFlags',
    token: number,
    address: PmAddress,
    remote: PmAddress,
  ): Refusal | undefined;
  announce(token: number, address: PmAddress): Refusal | undefined;
  remove(token: number, id: number): Refusal | undefined;
}

export interface DirectorOptions {
  /** Of connections that nobody has a wish for. */
  readonly policy: Policy;
  readonly settings: Settings;
  /** Whether what is sent from this address now need not wait for its gateway to be found; else that is begun. */
  readonly leavesAtOnce?: (address: string) => boolean;
  /** In [0, 1). */
  readonly random?: () => number;
  /** In milliseconds, as the timers have it. */
  readonly clock?: () => number;
}

export type Timers = Pick<EventLoop, 'arm' | 'disarm'>;

const EINVAL = 22;
const EADDRINUSE = 98;
/** Ports or ids tried for one subflow. */
const TRIES = 4;
/** A subflow can be spared only once its peer has confirmed it, a round trip after it came to stand; so ask again. */
const SPARE_AGAIN_MS = 100;
/** Which path is fastest is asked anew after this time. */
const LATENCY_MS = 2_000;
/** Weight of the newest round trip. */
const SMOOTHING = 0.2;
/** Addresses remembered although they are gone, so that their subflows can be ended. */
const GONE_MAX = 64;

export class Director {
  readonly #loop: Timers;
  readonly #kernel: SubflowCommands;
  readonly #connections: Connections;
  readonly #leavesAtOnce: (address: string) => boolean;
  readonly #random: () => number;
  readonly #clock: () => number;
  readonly #timer = new Timer({ onTimer: (now) => this.#onTimer(now) });
  /** When to look at a connection again. Bounded by the connections. */
  readonly #due = new Map<Connection, number>();
  /** Smoothed round trip by local address. Bounded by the paths. */
  readonly #rtts = new Map<string, number>();
  #policy: Policy;
  #settings: Settings;
  #paths: readonly SubflowPath[] = [];
  #latencyAt = 0;

  constructor(loop: Timers, kernel: SubflowCommands, options: DirectorOptions) {
    const { policy, settings, leavesAtOnce = () => true } = options;
    const { random = Math.random, clock = () => performance.now() } = options;
    this.#leavesAtOnce = leavesAtOnce;
    this.#loop = loop;
    this.#clock = clock;
    this.#kernel = kernel;
    this.#policy = policy;
    this.#settings = settings;
    this.#random = random;
    this.#connections = new Connections(random);
  }

  /** Smoothed round trip of a path, in milliseconds. */
  rttMs(address: string): number | undefined {
    return this.#rtts.get(address);
  }

  /** The defaults have changed. */
  configure(policy: Policy, settings: Settings): void {
    this.#policy = policy;
    this.#settings = settings;
    this.#evaluateAll(this.#clock());
  }

  /** The paths have changed: every connection follows. */
  update(paths: readonly SubflowPath[]): void {
    const now = this.#clock();
    const worked = new Set(this.#paths.filter(({ works }) => works).map(({ address }) => address));
    const isThere = new Set(paths.map(({ address }) => address));
    const gone = this.#paths.filter(({ address }) => !isThere.has(address)).map((path) => ({ ...path, works: false }));
    this.#paths = [...paths, ...gone.filter(({ address }) => this.#isUsed(address)).slice(0, GONE_MAX)];
    const returned = paths.filter(({ address, works }) => works && !worked.has(address));
    for (const connection of this.#connections) {
      for (const { address } of returned) connection.retry(address);
    }
    for (const address of this.#rtts.keys()) if (!isThere.has(address)) this.#rtts.delete(address);
    this.#evaluateAll(now);
  }

  /** Who opened a connection, or is about to, says what it is for. */
  tell(token: number, policy: Policy): void {
    const connection = this.#connections.tell(token, policy);
    if (connection !== undefined) this.#evaluate(connection, this.#clock());
  }

  onEvent(event: PmEvent): void {
    const now = this.#clock();
    const known = this.#connections.get(event.token);
    if (event.kind === 'closed' && known !== undefined) this.#due.delete(known);
    const connection = this.#connections.apply(event, now);
    if (connection !== undefined) this.#evaluate(connection, now);
  }

  /** Takes in a list of all subflows of the machine. */
  observe(subflows: readonly SubflowProgress[]): void {
    const now = this.#clock();
    this.#observeDelays(subflows);
    const { meteredAfter = 0 } = this.#settings;
    const asksDelays = now - this.#latencyAt >= LATENCY_MS;
    if (asksDelays) this.#latencyAt = now;
    this.#connections.observe(subflows, now, (connection, hasChanged) => {
      const isEnough = connection.bytesBefore < meteredAfter && connection.bytes >= meteredAfter;
      const { wish } = connection.policy ?? this.#policy;
      if (hasChanged || isEnough || (asksDelays && wish.kind === 'low-latency')) this.#evaluate(connection, now);
    });
  }

  close(): void {
    this.#loop.disarm(this.#timer);
  }

  #isUsed(address: string): boolean {
    for (const { subflows } of this.#connections) {
      for (const { local } of subflows) if (local.address === address) return true;
    }
    return false;
  }

  #observeDelays(subflows: readonly SubflowProgress[]): void {
    const sums = new Map<string, { sum: number; count: number }>();
    for (const { local, rttMs } of subflows) {
      const { sum = 0, count = 0 } = sums.get(local.address) ?? {};
      if (rttMs > 0) sums.set(local.address, { sum: sum + rttMs, count: count + 1 });
    }
    for (const [address, { sum, count }] of sums) {
      if (!this.#paths.some((path) => path.address === address)) continue;
      const before = this.#rtts.get(address) ?? sum / count;
      this.#rtts.set(address, before + (sum / count - before) * SMOOTHING);
    }
  }

  #evaluateAll(now: number): void {
    for (const connection of this.#connections) this.#evaluate(connection, now);
  }

  #evaluate(connection: Connection, now: number): void {
    if (this.#connections.get(connection.token) !== connection) return;
    const policy = connection.policy ?? this.#policy;
    const paths = this.#pathsFor(connection);
    const wanted = desiredSubflows(connection, paths, policy, this.#settings);
    connection.before = wanted[0]?.address;
    connection.bytesBefore = connection.bytes;
    for (const one of wanted) connection.join(one).expire(now, this.#random());
    connection.keepJoins(wanted);
    const { steps, nextAt } = connection.serverSide
      ? planServed(connection, wanted, paths)
      : planConnection(connection, wanted, paths, { now, isOnly: policy.wish.kind === 'only' });
    const refused = steps.filter((step) => !this.#take(connection, step, now));
    // What was begun just now must be looked at as well.
    const joins = wanted.map((one) => connection.join(one).nextAt).filter((at) => at !== undefined);
    const again = refused.length > 0 ? now + SPARE_AGAIN_MS : Number.POSITIVE_INFINITY;
    this.#lookAgain(connection, Math.min(nextAt ?? Number.POSITIVE_INFINITY, again, ...joins));
  }

  #pathsFor(connection: Connection): readonly SubflowPath[] {
    return this.#paths.map((path) => ({
      ...path,
      rttMs: connection.rttMs(path.address) ?? this.#rtts.get(path.address),
    }));
  }

  #lookAgain(connection: Connection, at: number): void {
    if (at === Number.POSITIVE_INFINITY) this.#due.delete(connection);
    else this.#due.set(connection, at);
    const planned = this.#timer.index >= 0 ? this.#timer.deadline : Number.POSITIVE_INFINITY;
    if (at < planned) this.#loop.arm(this.#timer, at);
  }

  #onTimer(now: number): void {
    for (const [connection, at] of [...this.#due]) {
      if (at > now) continue;
      this.#due.delete(connection);
      this.#evaluate(connection, now);
    }
    let next = Number.POSITIVE_INFINITY;
    for (const at of this.#due.values()) next = Math.min(next, at);
    if (next !== Number.POSITIVE_INFINITY) this.#loop.arm(this.#timer, Math.max(next, now + 1));
  }

  /** False: it was refused, and is to be tried again. */
  #take(connection: Connection, step: Step, now: number): boolean {
    switch (step.kind) {
      case 'create':
        this.#create(connection, step.wanted, now);
        return true;
      case 'set-backup': {
        const { subflow, backup } = step;
        const refusal = this.#change('setSubflowFlags', connection, subflow, backup ? ['backup'] : []);
        if (refusal === undefined) subflow.backup = backup;
        return refusal === undefined;
      }
      case 'destroy':
        this.#destroy(connection, step.subflow);
        return true;
      case 'leave':
        // First, for it travels over the other paths, and needs what destroying makes the kernel forget.
        for (const id of connection.takeIds(step.address)) this.#kernel.remove(connection.token, id);
        for (const subflow of step.subflows) this.#destroy(connection, subflow);
        return true;
      case 'announce': {
        const id = connection.idFor(step.address, undefined);
        const refusal = this.#kernel.announce(connection.token, pmAddress(step.address, step.port, id, ['signal'], 0));
        // Refused: as long as this address is wanted there is no use in asking again.
        connection.told.set(step.address, refusal === undefined ? id : 0);
        return true;
      }
      case 'withdraw': {
        const id = connection.told.get(step.address) ?? 0;
        connection.told.delete(step.address);
        connection.forgetId(step.address, undefined);
        if (id > 0) this.#kernel.remove(connection.token, id);
        return true;
      }
    }
  }

  #create(connection: Connection, wanted: Wanted, now: number): void {
    const join = connection.join(wanted);
    const { address, index, remote, ports, backup } = wanted;
    if (!this.#leavesAtOnce(address) && join.waits(now)) return;
    for (let i = 0; i < TRIES; i++) {
      const port = ports === undefined ? 0 : ports.from + Math.floor(this.#random() * (ports.to - ports.from + 1));
      const from = port === 0 ? undefined : port;
      const id = connection.idFor(address, from);
      const local = pmAddress(address, port, id, backup ? ['backup'] : [], index);
      const refusal = this.#kernel.changeSubflow(
        'createSubflow',
        connection.token,
        local,
        pmAddress(remote.address, remote.port),
      );
      if (refusal === undefined) return join.began(now, connection.rttMs(address) ?? this.#rtts.get(address), backup);
      // Another id or port may do; else it is no connection of ours, or the address has gone.
      const { errno } = refusal;
      if (errno === EINVAL || errno === EADDRINUSE) connection.forgetId(address, from);
      if (errno !== EINVAL && errno !== EADDRINUSE) break;
    }
    join.refused(now, this.#random());
  }

  #destroy(connection: Connection, subflow: Subflow): void {
    this.#change('destroySubflow', connection, subflow, []);
    connection.closed(subflow.local, subflow.remote);
  }

  #change(
    kind: 'destroySubflow' | 'setSubflowFlags',
    { token }: Connection,
    { local, remote, localId }: Subflow,
    flags: readonly EndpointFlag[],
  ): Refusal | undefined {
    const from = pmAddress(local.address, local.port, localId, flags, 0);
    return this.#kernel.changeSubflow(kind, token, from, pmAddress(remote.address, remote.port));
  }
}

function pmAddress(
  address: string,
  port: number,
  id = 0,
  flags: readonly EndpointFlag[] = [],
  index = 0,
): PmAddress & Endpoint {
  return { address, port, id, flags, index };
}
