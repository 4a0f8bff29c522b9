// Why a name could not be turned into addresses. The codes are connect failures of the handshakes, to be passed on.

import type { ConnectFailure } from '../handshake/inbound.ts';

export type ResolveErrorCode = Extract<ConnectFailure, 'name-not-found' | 'name-failure' | 'timed-out' | 'resources'>;

export class ResolveError extends Error {
  readonly code: ResolveErrorCode;
  readonly host: string;

  /** `detail`: what the name servers said, in a few words. */
  constructor(code: ResolveErrorCode, host: string, detail: string) {
    super(`cannot resolve ${host}: ${detail}`);
    this.name = 'ResolveError';
    this.code = code;
    this.host = host;
  }
}
