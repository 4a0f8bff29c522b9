// A kernel that does what the userspace path manager asks, as Linux 6.18 was seen to: ids belong to addresses, subflows
// take a round trip to stand, dead paths swallow their SYNs.

import assert from 'node:assert/strict';

import { TimerHeap } from '#anabranch/dataplane/timers.js';
import type { Policy, Settings, SubflowPath } from '#anabranch/paths/userspace/desired.js';
import { Director, type Refusal, type SubflowCommands } from '#anabranch/paths/userspace/director.js';
import type { PmAddress, PmEvent, PmEventKind } from '#anabranch/wire/mptcp-pm.js';
import type { SubflowProgress } from '#anabranch/wire/subflow-dump.js';

export const SERVER = { address: '203.0.113.1', port: 1_080 };
const RTT_MS = 20;
const EINVAL = 22;
const ESRCH = 3;

interface Live {
  token: number;
  local: { address: string; port: number };
  remote: { address: string; port: number };
  id: number;
  backup: boolean;
  initial: boolean;
  bytes: number;
  rttMs: number;
}

export function subflowPath(name: string, more: Partial<SubflowPath> = {}): SubflowPath {
  const common = {
    family: 4,
    network: '192.0.2.0/24',
    cost: 'free',
    priority: 100,
    works: true,
    backup: false,
    rttMs: undefined,
  } as const;
  const rest = { joins: true, signalPort: undefined, gateways: [], index: 1 };
  return { name, interface: name, address: `192.0.2.${name.length}`, ...common, ...rest, ...more };
}

export class FakeKernel implements SubflowCommands {
  now = 1_000;
  readonly timers = new TimerHeap();
  readonly director: Director;
  readonly log: string[] = [];
  /** What leaves from these is never heard of again. */
  readonly dead = new Set<string>();
  /** From these nothing leaves yet: their gateway is being looked for. */
  readonly looking = new Set<string>();
  /** Joins to these ports are refused. */
  readonly refusing = new Set<number>();
  /** Until its peer has confirmed it, a subflow cannot be spared. */
  confirmed = true;
  live: Live[] = [];
  #later: { readonly at: number; readonly event: PmEvent; readonly live?: Live }[] = [];
  /** By connection, address and port. */
  readonly #entries = new Map<string, number>();
  #nextPort = 40_000;
  #random = 0.5;

  constructor(policy: Policy, settings: Partial<Settings> = {}) {
    this.director = new Director(this.timers, this, {
      policy,
      settings: { subflows: 2, meteredAfter: undefined, ...settings },
      leavesAtOnce: (address) => !this.looking.has(address),
      random: () => {
        this.#random = (this.#random * 997 + 0.123) % 1;
        return this.#random;
      },
      clock: () => this.now,
    });
  }

  /** A program of this machine opens a connection; `before` is called before anybody hears of it. */
  connect(token: number, address: string, more: Partial<PmEvent> = {}, before = () => {}): void {
    const local = { address, port: this.#nextPort++ };
    const live = { token, local, remote: SERVER, id: 0, backup: false, initial: true, bytes: 0, rttMs: RTT_MS };
    this.live.push(live);
    before();
    this.director.onEvent(this.#event('established', live, more));
  }

  announce(token: number, { address, id, port }: PmAddress): Refusal | undefined {
    this.log.push(`announce ${token} ${address} ${id} ${port}`);
    return undefined;
  }

  remove(token: number, id: number): Refusal | undefined {
    this.log.push(`remove ${token} ${id}`);
    for (const [key, known] of this.#entries)
      if (known === id && key.startsWith(`${token} `)) this.#entries.delete(key);
    return undefined;
  }

  changeSubflow(
    kind: 'createSubflow' | 'destroySubflow' | 'setSubflowFlags',
    token: number,
    { address, id, port, flags }: PmAddress,
    remote: PmAddress,
  ): Refusal | undefined {
    const backup = flags.includes('backup');
    if (kind === 'createSubflow') return this.#create(token, { address, id, port }, remote, backup);
    const found = this.live.find(
      (one) =>
        one.token === token &&
        one.local.address === address &&
        one.local.port === port &&
        one.remote.address === remote.address &&
        one.remote.port === remote.port,
    );
    if (found === undefined) return { errno: ESRCH };
    if (kind === 'setSubflowFlags') {
      if (!this.confirmed) return { errno: EINVAL };
      found.backup = backup;
      return undefined;
    }
    this.live = this.live.filter((one) => one !== found);
    this.#later.push({ at: this.now, event: this.#event('subflow-closed', found) });
    return undefined;
  }

  /** Lets time pass, in steps of 10 ms. */
  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 10;
      const due = this.#later.filter(({ at }) => at <= this.now);
      this.#later = this.#later.filter(({ at }) => at > this.now);
      for (const { event, live } of due) {
        if (live !== undefined && !this.dead.has(live.local.address)) this.live.push(live);
        if (live === undefined || !this.dead.has(live.local.address)) this.director.onEvent(event);
      }
      this.timers.expire(this.now);
    }
  }

  /** The peer, or the network, ends a subflow. */
  end(live: Live, errno = 104): void {
    this.live = this.live.filter((one) => one !== live);
    this.director.onEvent(this.#event('subflow-closed', live, { errno }));
  }

  list(): void {
    this.director.observe(
      this.live.map(({ local, remote, id, bytes, rttMs, token, initial, backup }): SubflowProgress => {
        const counts = {
          segmentsIn: 0,
          unacked: 0,
          timeouts: 0,
          silentMs: 0,
          bytesAcked: 0,
          bytesReceived: bytes,
        };
        const how = { initiated: true, initial, localId: id, backup };
        return { token, ...how, local, remote, rttMs, rttVarianceMs: 1, ...counts };
      }),
    );
  }

  /** Where a connection's subflows go from, the least port first; those for need in parentheses. */
  shown(token = 1): string {
    const of = this.live.filter((live) => live.token === token).sort((a, b) => a.local.port - b.local.port);
    return of.map(({ local: { address }, backup }) => (backup ? `(${address})` : address)).join(' ');
  }

  #create(
    token: number,
    from: { address: string; id: number; port: number },
    to: PmAddress,
    backup: boolean,
  ): Refusal | undefined {
    const { address, id, port } = from;
    const key = `${token} ${address} ${port}`;
    const known = this.#entries.get(key);
    const isTaken = [...this.#entries].some(
      ([one, taken]) => taken === id && one !== key && one.startsWith(`${token} `),
    );
    if ((known !== undefined && known !== id) || isTaken) return { errno: EINVAL };
    assert.ok(id > 0 && id < 256);
    this.#entries.set(key, id);
    const local = { address, port: port === 0 ? this.#nextPort++ : port };
    const remote = { address: to.address, port: to.port };
    const live = { token, local, remote, id, backup, initial: false, bytes: 0, rttMs: RTT_MS };
    this.log.push(`create ${token} ${address} ${id}${backup ? ' backup' : ''}`);
    const at = this.now + RTT_MS;
    if (this.refusing.has(remote.port)) {
      this.#later.push({ at, event: this.#event('subflow-closed', live, { errno: 111 }) });
    } else if (!this.dead.has(address)) {
      this.#later.push({ at, event: this.#event('subflow-established', live), live });
    }
    return undefined;
  }

  #event(kind: PmEventKind, { token, local, remote, id }: Live, more: Partial<PmEvent> = {}): PmEvent {
    const common = { errno: 0, index: 0, resetReason: undefined, serverSide: false, denyJoinInitial: false };
    const ends = { local: { ...local, id }, remote: { ...remote, id: 0 } };
    return { kind, token, ...ends, backup: false, ...common, ...more };
  }
}
