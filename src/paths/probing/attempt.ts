// One connection over one path, to see whether it stands: a few packets, no bytes of ours, and reset at the end.

import { setTimeout as wait } from 'node:timers/promises';
import { closeSocket } from '../../socket/close.ts';
import { beginConnect, localEndpoint } from '../../socket/connect.ts';
import { SOL_TCP, TCP_INFO } from '../../socket/constants.ts';
import { errnoName } from '../../socket/errno.ts';
import { staysMptcp } from '../../socket/mptcp.ts';
import { getInt, resetOnClose, takeError } from '../../socket/options.ts';
import { sampleMptcp, sampleTcp } from '../../socket/subflows.ts';
import type { Endpoint } from '../../wire/destination.ts';

export interface From {
  readonly address: string;
  /** The connection is bound to it, so that no route leads it elsewhere. */
  readonly interface: string;
}

export type Attempt =
  /** `rttMs`: the kernel's, of SYN and answer. `lost`: SYNs that had to be sent again. */
  | { readonly kind: 'answered'; readonly rttMs: number; readonly lost: number; readonly isMptcp: boolean }
  /** Nothing came back in time. `lost`: SYNs sent. */
  | { readonly kind: 'silent'; readonly lost: number }
  /** It could not be tried: no route, no address; or a router on the way said so. */
  | { readonly kind: 'failed'; readonly detail: string };

/**
 * The kernel sends SYNs at 0, 1 and 3 s. MPTCP is given up by then, before the kernel tries without (its third repeat
 * by default): it would then take MPTCP for blocked, for all connections of the machine (net.mptcp.blackhole_timeout).
 */
const WAIT_MS = 2_500;
const SYN_AGAIN_MS = 1_000;
const LOOK_MS = 5;
/** linux/tcp_states.h */
const ESTABLISHED = 1;
const ECONNREFUSED = 111;
const ETIMEDOUT = 110;
/** Bytes: a peer that talks at once, or much, must not cost much. */
const RECEIVE_BUFFER = 4_096;

/** A connection that stands, or why it does not; the descriptor is the caller's. */
export type Opened =
  | { readonly fd: number; readonly startedAt: number }
  | Exclude<Attempt, { kind: 'answered' }>
  | Refused;

interface Refused {
  readonly kind: 'refused';
  readonly rttMs: number;
}

export async function openOver(from: From, to: Endpoint, mptcp: boolean): Promise<Opened> {
  const startedAt = performance.now();
  let fd: number;
  try {
    fd = beginConnect(to.address, to.port, {
      mptcp,
      sourceAddress: [from.address],
      socket: { interface: from.interface, receiveBuffer: RECEIVE_BUFFER },
      fastOpen: false,
    });
  } catch (error) {
    return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
  if (fd < 0) return { kind: 'failed', detail: errnoName(-fd) };
  for (;;) {
    const errno = Math.abs(takeError(fd));
    const passed = performance.now() - startedAt;
    const isOver = errno !== 0 || passed >= WAIT_MS;
    // The first byte of struct tcp_info is the state; of MPTCP that of its first subflow.
    if (errno === 0 && (getInt(fd, SOL_TCP, TCP_INFO) & 0xff) === ESTABLISHED) return { fd, startedAt };
    if (isOver) {
      closeSocket(fd);
      if (errno === ECONNREFUSED) return { kind: 'refused', rttMs: passed };
      if (errno === 0 || errno === ETIMEDOUT) return { kind: 'silent', lost: passed >= SYN_AGAIN_MS ? 2 : 1 };
      return { kind: 'failed', detail: errnoName(errno) };
    }
    await wait(LOOK_MS);
  }
}

/** A refusal is an answer too. Takes 2.5 s at most; never rejects. */
export async function attempt(from: From, to: Endpoint, mptcp: boolean): Promise<Attempt> {
  const opened = await openOver(from, to, mptcp);
  if ('kind' in opened) {
    if (opened.kind !== 'refused') return opened;
    return { kind: 'answered', rttMs: opened.rttMs, lost: 0, isMptcp: false };
  }
  const { fd, startedAt } = opened;
  try {
    const isMptcp = mptcp && staysMptcp(fd);
    const sample = isMptcp ? sampleMptcp(fd)?.subflows[0] : sampleTcp(fd, localEndpoint(fd), to);
    const rttMs = sample === undefined || sample.rttUs === 0 ? performance.now() - startedAt : sample.rttUs / 1000;
    return { kind: 'answered', rttMs, lost: sample?.retransmits ?? 0, isMptcp };
  } finally {
    resetOnClose(fd);
    closeSocket(fd);
  }
}
