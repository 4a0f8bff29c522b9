// The log's stable codes in words.

import { printable } from './figures.ts';

/** As of MptcpState of the socket room; other codes come from other versions and are shown as they are. */
const MPTCP: Readonly<Record<string, string>> = {
  mptcp: 'MPTCP',
  'not-asked': 'TCP, as configured',
  'no-kernel-support': 'TCP: this kernel has no MPTCP',
  'client-without-mptcp': 'TCP: the client did not ask for MPTCP',
  'peer-without-mptcp': 'TCP: the server, or something on the way, does not speak MPTCP',
  'fell-back': 'TCP: MPTCP was agreed on and given up later',
};

export function mptcpWords(state: string | undefined): string {
  if (state === undefined) return 'not connected';
  return Object.hasOwn(MPTCP, state) ? (MPTCP[state] as string) : printable(state, 40);
}

/** MPTCP was wanted here, and was not to be had; that a client does not ask for it is no one's failure. */
export function isFallback(state: string | undefined): boolean {
  return state === 'peer-without-mptcp' || state === 'fell-back' || state === 'no-kernel-support';
}
