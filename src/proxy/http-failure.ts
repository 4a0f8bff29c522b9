// What an HTTP client is told when its request cannot be served: a status, a sentence, and the standard name of the
// error in Proxy-Status (RFC 9209 §2.3). No sockets.

import type { ConnectFailure } from '../handshake/inbound.ts';

export interface HttpFailure {
  readonly status: number;
  /** RFC 9209 §2.3, an error type. */
  readonly proxyStatus: string;
  /** For a human; says what failed, never why in terms of our inside. */
  readonly text: string;
}

const CONNECT_FAILURES: Readonly<Record<ConnectFailure, HttpFailure>> = {
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

/** What went wrong once the connection stood. */
export const ExchangeFailure = {
  badResponse: { status: 502, proxyStatus: 'http_protocol_error', text: 'The server sent no valid HTTP response.' },
  closed: { status: 502, proxyStatus: 'connection_terminated', text: 'The server closed the connection.' },
  slow: { status: 504, proxyStatus: 'http_response_timeout', text: 'The server did not respond in time.' },
  loop: { status: 508, proxyStatus: 'proxy_loop_detected', text: 'The request goes round in a loop.' },
} as const satisfies Record<string, HttpFailure>;

/** Connecting failed. Thrown by a dial. */
export class DialError extends Error {
  readonly code: ConnectFailure;

  constructor(code: ConnectFailure, message: string) {
    super(message);
    this.name = 'DialError';
    this.code = code;
  }
}

/** The server was silent for too long. */
export class ResponseTimeoutError extends Error {
  readonly code = 'response-timed-out';

  constructor(ms: number) {
    super(`no response within ${ms} ms`);
    this.name = 'ResponseTimeoutError';
  }
}

export function httpFailureOf(error: unknown): HttpFailure {
  if (error instanceof DialError) return CONNECT_FAILURES[error.code];
  if (error instanceof ResponseTimeoutError) return ExchangeFailure.slow;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  // HPE_…: Node's parser; ERR_…: a value that Node does not write into a head.
  return /^(?:HPE|ERR)_/.test(code) ? ExchangeFailure.badResponse : ExchangeFailure.closed;
}
