// errno → what a client is told.

import type { ConnectFailure } from '../handshake/inbound.ts';
import { errnoName } from '../socket/errno.ts';

const FAILURES: Readonly<Record<string, ConnectFailure>> = {
  ECONNREFUSED: 'refused',
  ECONNRESET: 'refused',
  EHOSTUNREACH: 'host-unreachable',
  EHOSTDOWN: 'host-unreachable',
  ENETUNREACH: 'network-unreachable',
  ENETDOWN: 'network-unreachable',
  ENONET: 'network-unreachable',
  EAFNOSUPPORT: 'network-unreachable',
  EADDRNOTAVAIL: 'resources',
  ETIMEDOUT: 'timed-out',
  EMFILE: 'resources',
  ENFILE: 'resources',
  ENOBUFS: 'resources',
  ENOMEM: 'resources',
  EAGAIN: 'resources',
};

export function failureOf(errno: number): ConnectFailure {
  return FAILURES[errnoName(errno)] ?? 'general';
}
