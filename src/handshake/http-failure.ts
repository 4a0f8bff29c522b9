// What an HTTP client is told when it cannot be served, and what a client of a proxy makes of such an answer: status,
// sentence, and the error type of Proxy-Status (RFC 9209 §2.3).

import type { ConnectFailure } from './inbound.ts';

export interface HttpFailure {
  readonly status: number;
  /** RFC 9209 §2.3. */
  readonly proxyStatus: string;
  /** For a human; says what failed, nothing of our inside. */
  readonly text: string;
}

export const HTTP_FAILURES: Readonly<Record<ConnectFailure, HttpFailure>> = {
  refused: { status: 502, proxyStatus: 'connection_refused', text: 'The server refused the connection.' },
  'host-unreachable': { status: 502, proxyStatus: 'destination_ip_unroutable', text: 'The server cannot be reached.' },
  'network-unreachable': { status: 502, proxyStatus: 'destination_ip_unroutable', text: 'No route to the server.' },
  'timed-out': { status: 504, proxyStatus: 'connection_timeout', text: 'The server did not answer in time.' },
  denied: { status: 403, proxyStatus: 'destination_ip_prohibited', text: 'The rules of this proxy do not allow it.' },
  'name-not-found': { status: 502, proxyStatus: 'dns_error', text: 'The name of the server does not exist.' },
  'name-failure': { status: 504, proxyStatus: 'dns_timeout', text: 'The name of the server could not be looked up.' },
  'upstream-failed': { status: 502, proxyStatus: 'destination_unavailable', text: 'A proxy on the way failed.' },
  resources: { status: 503, proxyStatus: 'connection_limit_reached', text: 'This proxy is out of resources.' },
  general: { status: 502, proxyStatus: 'proxy_internal_error', text: 'The connection could not be made.' },
};

/** The value of Proxy-Status (RFC 9209 §2). `details` holds our own code: some error types stand for two of them. */
export function proxyStatusOf(failure: ConnectFailure): string {
  return `anabranch; error=${HTTP_FAILURES[failure].proxyStatus}; details="${failure}"`;
}

/** What other proxies' error types mean to us. */
const FAILURES_BY_ERROR: ReadonlyMap<string, ConnectFailure> = new Map([
  ['connection_refused', 'refused'],
  ['connection_timeout', 'timed-out'],
  ['connection_limit_reached', 'resources'],
  ['destination_ip_prohibited', 'denied'],
  ['destination_ip_unroutable', 'host-unreachable'],
  ['destination_unavailable', 'host-unreachable'],
  ['dns_error', 'name-not-found'],
  ['dns_timeout', 'name-failure'],
  ['http_request_denied', 'denied'],
]);

/**
 * Why a proxy that answered CONNECT with this status, not a 2xx, did not connect. `proxyStatus` is the value of its
 * Proxy-Status, if any; it can only choose among our own codes, never bring one along.
 */
export function failureOfResponse(status: number, proxyStatus: string | undefined): ConnectFailure {
  // Whatever else it says, it wants credentials that we do not have.
  if (status === 407) return 'upstream-failed';
  if (status >= 400 && proxyStatus !== undefined) {
    const details = /;[ \t]*details="([a-z-]+)"/.exec(proxyStatus)?.[1] ?? '';
    if (Object.hasOwn(HTTP_FAILURES, details)) return details as ConnectFailure;
    const failure = FAILURES_BY_ERROR.get(/;[ \t]*error=([a-z_]+)/.exec(proxyStatus)?.[1] ?? '');
    if (failure !== undefined) return failure;
  }
  if (status === 403) return 'denied';
  if (status === 504) return 'timed-out';
  return 'upstream-failed';
}
