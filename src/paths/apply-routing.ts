// Asks the kernel for the routes and rules of a plan.

import { NetlinkError } from '../netlink/netlink-error.ts';
import type { NetlinkSocket } from '../netlink/netlink-socket.ts';
import { encodeRouteChange, encodeRuleChange } from '../wire/rtnetlink.ts';
import type { Step } from './plan.ts';

type RoutingStep = Extract<Step, { readonly route: unknown } | { readonly rule: unknown }>;

const EEXIST = 17;
/** ENOENT, ESRCH, EADDRNOTAVAIL, ENODEV: gone already. */
const GONE: ReadonlySet<number> = new Set([2, 3, 99, 19]);

/** Throws a NetlinkError. What is there already, or gone already, is fine. */
export function applyRouting(socket: NetlinkSocket, step: RoutingStep): void {
  if ('route' in step) {
    const verb = step.kind === 'set-route' ? 'set' : 'remove';
    const errno = socket.request((sequence) => encodeRouteChange(verb, step.route, sequence));
    return settled(errno, verb === 'remove', `${verb} a route of table ${step.route.table}`);
  }
  const verb = step.kind === 'add-rule' ? 'add' : 'remove';
  const errno = socket.request((sequence) => encodeRuleChange(verb, step.rule, sequence));
  settled(errno, verb === 'remove', `${verb} the rule for ${step.rule.from}`);
}

function settled(errno: number, isRemoval: boolean, what: string): void {
  if (errno === 0 || (isRemoval ? GONE.has(errno) : errno === EEXIST)) return;
  throw new NetlinkError(errno, what);
}
