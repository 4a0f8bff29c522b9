// The log's stable codes in words.

import { printable } from './figures.ts';

/** As of MptcpState of the socket room; other codes come from other versions and are shown as they are. */
const MPTCP: Readonly<Record<string, string>> = {
  mptcp: 'MPTCP',
  'not-asked': 'TCP, as configured',
  'no-kernel-support': 'kernel without MPTCP',
  'client-without-mptcp': 'the client did not ask for MPTCP',
  'peer-without-mptcp': 'the server, or something on the way, does not speak MPTCP',
  'fell-back': 'MPTCP was agreed on and given up later',
};

export function mptcpWords(state: string | undefined): string {
  if (state === undefined) return 'not connected';
  return Object.hasOwn(MPTCP, state) ? (MPTCP[state] as string) : printable(state, 40);
}

/** Neither MPTCP nor meant to be TCP. */
export function isFallback(state: string | undefined): boolean {
  return state !== undefined && state !== 'mptcp' && state !== 'not-asked';
}
