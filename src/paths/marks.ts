// How what is ours is told from what others set up, also after a crash. Nothing without these marks is ever touched.

import { familyOf } from '../wire/ip.ts';
import type { PmAddress } from '../wire/mptcp-pm.ts';
import type { Route, Rule, RuleChange } from '../wire/rtnetlink.ts';

/** On our routes and rules: one of the numbers that include/uapi/linux/rtnetlink.h leaves to administrators. */
export const OUR_PROTOCOL = 173;

/** Each address has a number from here on, which is its routing table and the priority of its rule. */
export const NUMBER_FIRST = 17_300;
/** Addresses in use at once: paths times two families. */
export const NUMBERS = 64;

/**
 * Endpoints carry no mark, and the kernel may give any id to others. So a rule notes each of ours: from its address to a
 * table that says its id and holds no route, which sends the kernel on to the next rule.
 */
const NOTE_PRIORITY = 17_400;
const NOTE_TABLE_FIRST = 173_000;

/** A new id is used each time: the REMOVE_ADDR of the old one may reach the peer after the join of the new. */
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

/** The rule that notes an endpoint of ours. */
export function noteOf({ address, id }: Pick<PmAddress, 'address' | 'id'>): RuleChange {
  const table = NOTE_TABLE_FIRST + id;
  return { family: familyOf(address), priority: NOTE_PRIORITY, table, protocol: OUR_PROTOCOL, from: address };
}

/** The endpoint that a rule notes; `undefined` when it is no note. */
export function readNote(rule: Rule): Pick<PmAddress, 'address' | 'id'> | undefined {
  const id = rule.table - NOTE_TABLE_FIRST;
  const isNote = rule.protocol === OUR_PROTOCOL && rule.plain && rule.priority === NOTE_PRIORITY;
  return isNote && rule.from !== undefined && id > 0 && id <= ENDPOINT_ID_LAST ? { address: rule.from, id } : undefined;
}

export function isOurEndpoint({ address, id }: PmAddress, rules: readonly Rule[]): boolean {
  for (const rule of rules) {
    const noted = readNote(rule);
    if (noted !== undefined && noted.id === id && noted.address === address) return true;
  }
  return false;
}
