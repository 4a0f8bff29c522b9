// The client's side of SOCKS 5 (RFC 1928, RFC 1929): CONNECT through a proxy.

import { ProtocolError } from '../wire/protocol-error.ts';
import * as socks5 from '../wire/socks5.ts';
import { encodeAuthRequest, parseAuthReply, Socks5AuthStatus } from '../wire/socks5-auth.ts';
import { HeldBytes } from './held-bytes.ts';
import type { ConnectFailure } from './inbound.ts';
import type { OutboundEffect, OutboundHandshake, OutboundHandshakeOptions } from './outbound.ts';

const { Socks5Method, Socks5ReplyCode } = socks5;

/** REP (RFC 1928 §6) → ConnectFailure; every other code is the proxy's failure. */
const FAILURES: Readonly<Record<number, ConnectFailure>> = {
  [Socks5ReplyCode.generalFailure]: 'general',
  [Socks5ReplyCode.notAllowed]: 'denied',
  [Socks5ReplyCode.networkUnreachable]: 'network-unreachable',
  [Socks5ReplyCode.hostUnreachable]: 'host-unreachable',
  [Socks5ReplyCode.connectionRefused]: 'refused',
  // What SOCKS servers say when a connection timed out, see socks-server.ts.
  [Socks5ReplyCode.ttlExpired]: 'timed-out',
};

type State = 'method' | 'auth' | 'reply' | 'done';

export function createSocksClient(options: OutboundHandshakeOptions): OutboundHandshake {
  return new SocksClient(options);
}

class SocksClient implements OutboundHandshake {
  readonly #options: OutboundHandshakeOptions;
  /** Never more than one message of at most 262 bytes. */
  readonly #held = new HeldBytes();
  #state: State = 'method';
  /** RFC 1929; only with credentials. */
  #authRequest: Uint8Array | undefined;

  constructor(options: OutboundHandshakeOptions) {
    this.#options = options;
  }

  start(): OutboundEffect[] {
    const { credentials, optimistic } = this.#options;
    try {
      if (credentials) this.#authRequest = encodeAuthRequest(credentials);
    } catch (error) {
      const effects: OutboundEffect[] = [];
      this.#fail(effects, 'upstream-failed', (error as RangeError).message);
      return effects;
    }
    const greeting = socks5.encodeGreeting(this.#methods());
    if (!optimistic) return [send(greeting)];
    return [send(joined([greeting, ...(this.#authRequest ? [this.#authRequest] : []), this.#request()]))];
  }

  onBytes(bytes: Uint8Array): OutboundEffect[] {
    const effects: OutboundEffect[] = [];
    if (this.#state === 'done') return effects;
    const input = this.#held.join(bytes);
    let used = 0;
    try {
      for (let read = 1; read > 0; used += read) read = this.#step(input, used, effects);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail(effects, 'upstream-failed', error.message);
    }
    this.#held.keep(input, this.#hasEnded() ? input.length : used);
    return effects;
  }

  #hasEnded(): boolean {
    return this.#state === 'done';
  }

  /** Handles the message at `offset`; returns its length, or 0 when there is nothing to be done before more comes. */
  #step(input: Uint8Array, offset: number, effects: OutboundEffect[]): number {
    switch (this.#state) {
      case 'method': {
        const parsed = socks5.parseMethodSelection(input, offset);
        if (parsed !== undefined) this.#onMethod(parsed.value, effects);
        return parsed?.bytesRead ?? 0;
      }
      case 'auth': {
        const parsed = parseAuthReply(input, offset);
        if (parsed !== undefined) this.#onAuthReply(parsed.value, effects);
        return parsed?.bytesRead ?? 0;
      }
      case 'reply':
        return this.#readReply(input, offset, effects);
      case 'done':
        return 0;
    }
  }

  #onMethod(method: number, effects: OutboundEffect[]): void {
    if (method === Socks5Method.unacceptable) {
      const wanted = this.#options.credentials ? 'takes no password' : 'wants authentication';
      return this.#fail(effects, 'upstream-failed', `the SOCKS server ${wanted}`);
    }
    if (!this.#methods().includes(method)) {
      return this.#fail(effects, 'upstream-failed', `the SOCKS server chose method ${method}, which was not offered`);
    }
    const { optimistic } = this.#options;
    if (method === Socks5Method.password && this.#authRequest) {
      this.#state = 'auth';
      if (!optimistic) effects.push(send(this.#authRequest));
    } else {
      this.#state = 'reply';
      if (!optimistic) effects.push(send(this.#request()));
    }
  }

  #onAuthReply(status: number, effects: OutboundEffect[]): void {
    if (status !== Socks5AuthStatus.success) {
      return this.#fail(effects, 'upstream-failed', 'the SOCKS server refused the name or the password');
    }
    this.#state = 'reply';
    if (!this.#options.optimistic) effects.push(send(this.#request()));
  }

  #readReply(input: Uint8Array, offset: number, effects: OutboundEffect[]): number {
    // Some servers leave out the rest of a reply that says no.
    const code = input[offset] === socks5.SOCKS5_VERSION ? input[offset + 1] : undefined;
    if (code !== undefined && code !== Socks5ReplyCode.succeeded) {
      this.#fail(effects, FAILURES[code] ?? 'upstream-failed', `the SOCKS server replied ${code}`);
      return 0;
    }
    const parsed = socks5.parseReply(input, offset);
    if (parsed === undefined) return 0;
    this.#state = 'done';
    effects.push({ kind: 'established', early: new Uint8Array(input.subarray(offset + parsed.bytesRead)) });
    return 0;
  }

  /**
   * With credentials the server may still let us in without them. All in one flight there must be no choice: what comes
   * behind the greeting depends on it.
   */
  #methods(): number[] {
    const { credentials, optimistic } = this.#options;
    if (!credentials) return [Socks5Method.none];
    return optimistic ? [Socks5Method.password] : [Socks5Method.none, Socks5Method.password];
  }

  #request(): Uint8Array {
    return socks5.encodeRequest(socks5.Socks5Command.connect, this.#options.destination);
  }

  #fail(effects: OutboundEffect[], failure: ConnectFailure, detail: string): void {
    this.#state = 'done';
    effects.push({ kind: 'failed', failure, detail });
  }
}

function send(bytes: Uint8Array): OutboundEffect {
  return { kind: 'send', bytes };
}

function joined(messages: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(messages.reduce((sum, message) => sum + message.length, 0));
  let at = 0;
  for (const message of messages) {
    bytes.set(message, at);
    at += message.length;
  }
  return bytes;
}
