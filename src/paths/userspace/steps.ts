// What to do so that a connection gets the subflows it should have. Pure, but for the connection's own bookkeeping of
// what is under way.

import type { Connection, Subflow } from './connection.ts';
import type { PortRange, SubflowPath, Wanted } from './desired.ts';

export type Step =
  | { readonly kind: 'create'; readonly wanted: Wanted }
  | { readonly kind: 'set-backup'; readonly subflow: Subflow; readonly backup: boolean }
  | { readonly kind: 'destroy'; readonly subflow: Subflow }
  /** Nothing comes through from this address any more: the peer is to be told, and all its subflows end. */
  | { readonly kind: 'leave'; readonly address: string; readonly subflows: readonly Subflow[] }
  /** As a server: tell the peer of an address, or that it is gone. */
  | { readonly kind: 'announce'; readonly address: string; readonly port: number }
  | { readonly kind: 'withdraw'; readonly address: string };

export interface ConnectionPlan {
  readonly steps: readonly Step[];
  /** When to look again; `undefined`: not before something happens. */
  readonly nextAt: number | undefined;
}

/** From the moment that the peer was asked to spare a subflow until it ends: what was on its way arrives. */
const DRAIN_MS = 300;

/** `isOnly`: the wish forbids every other path, even for want of one. */
export function planConnection(
  connection: Connection,
  wanted: readonly Wanted[],
  paths: readonly SubflowPath[],
  { now, isOnly }: { readonly now: number; readonly isOnly: boolean },
): ConnectionPlan {
  const steps: Step[] = [];
  const pathOf = new Map(paths.map((path) => [path.address, path]));
  const lost = new Map<string, Subflow[]>();
  const left: Subflow[] = [];
  for (const subflow of connection.subflows) {
    const { address } = subflow.local;
    if (pathOf.get(address)?.works !== false) left.push(subflow);
    else lost.set(address, [...(lost.get(address) ?? []), subflow]);
  }
  for (const [address, subflows] of lost) steps.push({ kind: 'leave', address, subflows });
  const due: (number | undefined)[] = [];
  let stands = false;
  for (const one of wanted) {
    const there = takeFitting(left, one, pathOf.get(one.address)?.gateways ?? []);
    stands ||= there.length > 0 && !one.backup;
    for (const subflow of there) {
      subflow.endAt = undefined;
      if (subflow.backup !== one.backup) steps.push({ kind: 'set-backup', subflow, backup: one.backup });
    }
    due.push(create(steps, connection, one, there.length, now));
  }
  if (stands || (isOnly && wanted.length === 0)) {
    // What no path of ours leads to, as over loopback, is not ours to end.
    for (const subflow of left) if (pathOf.has(subflow.local.address)) due.push(retire(steps, subflow, now));
  }
  const times = due.filter((at) => at !== undefined);
  return { steps, nextAt: times.length === 0 ? undefined : Math.min(...times) };
}

/** As a server: subflows are the peer's to open; it hears of our addresses, and which to spare. */
export function planServed(
  connection: Connection,
  wanted: readonly Wanted[],
  paths: readonly SubflowPath[],
): ConnectionPlan {
  const steps: Step[] = [];
  const local = new Set<string>();
  for (const subflow of connection.subflows) {
    local.add(subflow.local.address);
    if (!paths.some(({ address }) => address === subflow.local.address)) continue;
    const backup = wanted.find(({ address }) => address === subflow.local.address)?.backup ?? true;
    if (wanted.length > 0 && subflow.backup !== backup) steps.push({ kind: 'set-backup', subflow, backup });
  }
  for (const { address, signalPort } of paths) {
    if (signalPort === undefined || local.has(address) || connection.told.has(address)) continue;
    if (wanted.some((one) => one.address === address)) steps.push({ kind: 'announce', address, port: signalPort });
  }
  for (const address of connection.told.keys()) {
    if (!wanted.some((one) => one.address === address)) steps.push({ kind: 'withdraw', address });
  }
  return { steps, nextAt: undefined };
}

/** Takes out of `left` what serves the purpose, the oldest first; those beyond the number stay in it. */
function takeFitting(left: Subflow[], { address, remote, ports, count }: Wanted, own: readonly PortRange[]): Subflow[] {
  const isIn = (port: number, range: PortRange): boolean => port >= range.from && port <= range.to;
  const fits = (subflow: Subflow): boolean =>
    subflow.local.address === address &&
    subflow.remote.address === remote.address &&
    subflow.remote.port === remote.port &&
    (ports === undefined ? !own.some((range) => isIn(subflow.local.port, range)) : isIn(subflow.local.port, ports));
  const taken: Subflow[] = [];
  for (let at = 0; at < left.length && taken.length < count; ) {
    if (fits(left[at]!)) taken.push(...left.splice(at, 1));
    else at++;
  }
  return taken;
}

/** Returns when to look again. */
function create(steps: Step[], connection: Connection, wanted: Wanted, there: number, now: number): number | undefined {
  if (!wanted.joinable) return undefined;
  const join = connection.join(wanted);
  const missing = wanted.count - there - join.pending;
  if (missing <= 0) return join.nextAt;
  if (now < join.notBefore) return join.notBefore;
  for (let i = 0; i < missing; i++) steps.push({ kind: 'create', wanted });
  return join.nextAt;
}

/** First the peer is asked to spare it, so that what is on its way need not be sent again. Returns when to look again. */
function retire(steps: Step[], subflow: Subflow, now: number): number | undefined {
  if (subflow.endAt === undefined) {
    subflow.endAt = now + DRAIN_MS;
    if (!subflow.backup) steps.push({ kind: 'set-backup', subflow, backup: true });
    return subflow.endAt;
  }
  if (now < subflow.endAt) return subflow.endAt;
  steps.push({ kind: 'destroy', subflow });
  return undefined;
}
