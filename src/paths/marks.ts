// How what is ours is told from what others set up, also after a crash. Nothing without these marks is ever touched.

import type { PmAddress } from '../wire/mptcp-pm.ts';
import type { Route, Rule } from '../wire/rtnetlink.ts';

/** On our routes and rules: one of the numbers that include/uapi/linux/rtnetlink.h leaves to administrators. */
export const OUR_PROTOCOL = 173;

/** Each address has a number from here on, which is its routing table and the priority of its rule. */
export const NUMBER_FIRST = 17_300;
/** Addresses in use at once: paths times two families. */
export const NUMBERS = 64;

/**
 * Endpoints carry no mark but their id. The kernel gives ids from 1 on to those who do not ask for one. A new one is used
 * each time: the REMOVE_ADDR of the old one may reach the peer after the join of the new, over a slower path.
 */
export const ENDPOINT_ID_FIRST = 128;
export const ENDPOINT_ID_LAST = 255;

export function isOurNumber(number: number): boolean {
  return number >= NUMBER_FIRST && number < NUMBER_FIRST + NUMBERS;
}

export function isOurRule(rule: Rule): boolean {
  return rule.protocol === OUR_PROTOCOL && rule.plain && rule.priority === rule.table && isOurNumber(rule.table);
}

export function isOurRoute(route: Route): boolean {
  return route.protocol === OUR_PROTOCOL && isOurNumber(route.table);
}

export function isOurEndpoint({ id, port, flags }: PmAddress): boolean {
  return id >= ENDPOINT_ID_FIRST && port === 0 && flags.includes('subflow');
}
