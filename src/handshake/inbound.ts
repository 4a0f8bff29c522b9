// The contract of every inbound handshake: bytes from a client in, effects out. No sockets, no clock, no randomness.
//
// Order of a handshake: `onBytes` until it yields `connect` (or `hand-over`, or `close`), with at most one
// `authenticate` on the way, answered by `onAuthenticated`. After `connect` the caller answers exactly once, with
// `onConnected` or `onFailed`. Bytes the client sent too early are kept by the machine and come out with `relay`.

import type { Destination, Endpoint } from '../wire/destination.ts';

/** Why a connection to the destination could not be had; the protocols map it to their own reply codes. */
export type ConnectFailure =
  | 'refused' // the destination answered with a reset
  | 'host-unreachable'
  | 'network-unreachable'
  | 'timed-out'
  | 'denied' // by our rules
  | 'name-not-found' // the name does not exist, or has no address
  | 'name-failure' // the resolver did not answer, or failed
  | 'upstream-failed' // a proxy on the way broke its protocol or refused our credentials
  | 'resources' // no descriptor, port or buffer left
  | 'general';

/** Why a handshake ended without a connection; counted and logged under this code. */
export type HandshakeEnd =
  | 'bad-request' // violates the protocol
  | 'too-large' // a head or greeting beyond its bound
  | 'unsupported' // a command, version or method we do not serve
  | 'auth-required'
  | 'auth-failed'
  | 'connect-failed';

export type InboundEffect =
  /** Write to the client. The bytes are the caller's from here on. */
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Check these credentials, then call `onAuthenticated`. Never log `password`. */
  | { readonly kind: 'authenticate'; readonly name: string; readonly password: string }
  /** Open a connection, then call `onConnected` or `onFailed`. */
  | { readonly kind: 'connect'; readonly destination: Destination }
  /** The handshake is over: relay from here on. `early` are client bytes that belong to the stream (may be empty). */
  | { readonly kind: 'relay'; readonly early: Uint8Array }
  /** An HTTP request that needs a full HTTP server: pass the descriptor on, with all bytes read so far. */
  | { readonly kind: 'hand-over'; readonly read: Uint8Array }
  /** Close after the bytes sent before it have gone out. */
  | { readonly kind: 'close'; readonly reason: HandshakeEnd };

export interface InboundHandshake {
  /**
   * Takes what the client sent, cut anywhere. Copies what it keeps: `bytes` may be reused by the caller. Bounded: a
   * machine keeps at most 64 KiB of a client's bytes while it waits, then closes with `too-large`.
   */
  onBytes(bytes: Uint8Array): InboundEffect[];
  onAuthenticated(ok: boolean): InboundEffect[];
  /** `bound` is our own address towards the destination, for protocols that report it. */
  onConnected(bound: Endpoint): InboundEffect[];
  onFailed(failure: ConnectFailure): InboundEffect[];
}

/** What an inbound handshake must know of its inbound. */
export interface InboundHandshakeOptions {
  /** Clients must give a name and a password. */
  readonly authenticate: boolean;
}
