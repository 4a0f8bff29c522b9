// The contract of every outbound handshake: we are the client of a proxy. No sockets, no clock, no randomness.

import type { Destination } from '../wire/destination.ts';
import type { ConnectFailure } from './inbound.ts';

export type OutboundEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** The tunnel stands. `early` are the destination's first bytes that came with the reply (may be empty). */
  | { readonly kind: 'established'; readonly early: Uint8Array }
  /** `detail` is for the log: what the proxy answered, in a few words, safe to print. */
  | { readonly kind: 'failed'; readonly failure: ConnectFailure; readonly detail: string };

export interface OutboundHandshake {
  /** Call once, when the connection to the proxy stands (or to fill a fast-open SYN). */
  start(): OutboundEffect[];
  /** Takes what the proxy sent, cut anywhere; copies what it keeps. Bounded to 64 KiB. */
  onBytes(bytes: Uint8Array): OutboundEffect[];
}

export interface OutboundHandshakeOptions {
  readonly destination: Destination;
  readonly credentials?: { readonly name: string; readonly password: string };
  /**
   * Send all of the handshake in one flight, without waiting for the method selection (RFC 1928 does not forbid it;
   * some small servers lose what comes early). Client bytes may then follow at once, before `established`.
   */
  readonly optimistic: boolean;
}
