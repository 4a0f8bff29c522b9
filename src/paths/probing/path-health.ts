// What the probes of one path tell of it. Pure: results in, a picture and its changes out.

import type { Attempt } from './attempt.ts';
import type { PortalFinding } from './portal.ts';

/** One round over one path. */
export interface ProbeResult {
  readonly tcp: Attempt;
  /** Only in some rounds. */
  readonly mptcp?: Attempt;
  readonly portal?: PortalFinding;
}

/** Do MPTCP's options get through? `absent`: answered without; the server has none, or they are taken out. */
export type MptcpFinding = 'through' | 'absent' | 'blocked';

export interface Health {
  /** `undefined`: nothing could be told yet. */
  readonly answers: boolean | undefined;
  /** Median of the latest answers, and the shortest of them. */
  readonly rttMs: number | undefined;
  readonly rttMinMs: number | undefined;
  /** Share of the latest SYNs that nobody answered, 0 to 1. */
  readonly loss: number | undefined;
  readonly mptcp: MptcpFinding | undefined;
  readonly portal: PortalFinding['kind'] | undefined;
  /** In words, where there is more to say. */
  readonly detail: string | undefined;
  readonly probes: number;
}

export type HealthChange =
  | 'path-silent'
  | 'path-answers'
  | 'path-captive'
  | 'path-open'
  | 'path-mptcp-blocked'
  | 'path-mptcp-through';

const RTTS_MAX = 10;
const SYNS_MAX = 100;
/** In a row, until a path counts as silent: a single SYN is lost now and then. */
const SILENT_MIN = 2;

export class PathHealth {
  /** Bounded by RTTS_MAX and SYNS_MAX, the oldest go first. `true`: lost. */
  readonly #rtts: number[] = [];
  readonly #syns: boolean[] = [];
  #answers: boolean | undefined;
  #silentInARow = 0;
  #mptcp: MptcpFinding | undefined;
  #portal: PortalFinding['kind'] | undefined;
  #detail: string | undefined;
  #probes = 0;

  add({ tcp, mptcp, portal }: ProbeResult): HealthChange[] {
    this.#probes++;
    const changes = this.#addTcp(tcp);
    if (mptcp !== undefined && tcp.kind === 'answered') changes.push(...this.#addMptcp(mptcp));
    if (portal !== undefined && portal.kind !== 'unknown') changes.push(...this.#addPortal(portal));
    return changes;
  }

  get health(): Health {
    const sorted = [...this.#rtts].sort((a, b) => a - b);
    const lost = this.#syns.filter(Boolean).length;
    return {
      answers: this.#answers,
      rttMs: sorted[sorted.length >> 1],
      rttMinMs: sorted[0],
      loss: this.#syns.length === 0 ? undefined : lost / this.#syns.length,
      mptcp: this.#mptcp,
      portal: this.#portal,
      detail: this.#detail,
      probes: this.#probes,
    };
  }

  #addTcp(tcp: Attempt): HealthChange[] {
    const before = this.#answers;
    if (tcp.kind === 'answered') {
      this.#silentInARow = 0;
      this.#answers = true;
      this.#rtts.push(tcp.rttMs);
      if (this.#rtts.length > RTTS_MAX) this.#rtts.shift();
      for (let i = 0; i < tcp.lost; i++) this.#syns.push(true);
      this.#syns.push(false);
      if (this.#portal !== 'captive') this.#detail = undefined;
    } else {
      // What could not be sent was not lost.
      if (tcp.kind === 'silent') for (let i = 0; i < tcp.lost; i++) this.#syns.push(true);
      this.#detail = tcp.kind === 'failed' ? tcp.detail : 'no answer';
      if (++this.#silentInARow >= SILENT_MIN) this.#answers = false;
    }
    this.#syns.splice(0, this.#syns.length - SYNS_MAX);
    if (this.#answers === before) return [];
    if (this.#answers === true) return before === undefined ? [] : ['path-answers'];
    return ['path-silent'];
  }

  #addMptcp(mptcp: Attempt): HealthChange[] {
    if (mptcp.kind === 'failed') return [];
    const before = this.#mptcp;
    this.#mptcp = mptcp.kind === 'silent' ? 'blocked' : mptcp.isMptcp ? 'through' : 'absent';
    if (this.#mptcp === before) return [];
    if (this.#mptcp === 'through') return before === undefined ? [] : ['path-mptcp-through'];
    // A server that never had it is no news.
    return this.#mptcp === 'blocked' || before === 'through' ? ['path-mptcp-blocked'] : [];
  }

  #addPortal(portal: PortalFinding): HealthChange[] {
    const before = this.#portal;
    this.#portal = portal.kind;
    if (portal.kind === 'captive') this.#detail = portal.detail;
    if (this.#portal === before) return [];
    if (portal.kind === 'captive') return ['path-captive'];
    this.#detail = undefined;
    return before === undefined ? [] : ['path-open'];
  }
}

/** For people, in one line: `21 ms, 0 % lost, MPTCP gets through`. */
export function describeHealth(health: Health): string {
  const { answers, rttMs, loss, mptcp, portal, detail } = health;
  if (answers === undefined) return detail === undefined ? 'not probed yet' : `not sure yet: ${detail}`;
  const parts: string[] = [];
  if (portal === 'captive') parts.push(`captive portal (${detail})`);
  if (answers === false) parts.push(`silent${detail === undefined ? '' : `: ${detail}`}`);
  else if (rttMs !== undefined) parts.push(`${rttMs < 10 ? rttMs.toFixed(1) : rttMs.toFixed(0)} ms`);
  if (loss !== undefined) parts.push(`${Number((loss * 100).toFixed(1))} % lost`);
  const said = { through: 'MPTCP gets through', absent: 'answers without MPTCP', blocked: 'MPTCP is blocked' };
  if (mptcp !== undefined && answers) parts.push(said[mptcp]);
  if (portal === 'open') parts.push('no captive portal');
  return parts.join(', ');
}
