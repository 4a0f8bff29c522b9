// What an HTTP client is told when the exchange with the server fails; connecting has its own table, which CONNECT
// shares (handshake/http-failure.ts). No sockets.

import { HTTP_FAILURES, type HttpFailure } from '../handshake/http-failure.ts';
import type { ConnectFailure } from '../handshake/inbound.ts';

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
  if (error instanceof DialError) return HTTP_FAILURES[error.code];
  if (error instanceof ResponseTimeoutError) return ExchangeFailure.slow;
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  // HPE_…: Node's parser; ERR_…: a value that Node does not write into a head.
  return /^(?:HPE|ERR)_/.test(code) ? ExchangeFailure.badResponse : ExchangeFailure.closed;
}
