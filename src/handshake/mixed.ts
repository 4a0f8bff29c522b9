// SOCKS and HTTP on one port, told apart by the client's first byte: SOCKS begins with its version, 4 or 5, HTTP with
// a method, all of which are in upper case (RFC 9110 §9.1 and the IANA registry).

import type { Endpoint } from '../wire/destination.ts';
import { createHttpServer } from './http-server.ts';
import type { ConnectFailure, InboundEffect, InboundHandshake, InboundHandshakeOptions } from './inbound.ts';
import { createSocksServer } from './socks-server.ts';

export function createMixed(options: InboundHandshakeOptions): InboundHandshake {
  return new Mixed(options);
}

class Mixed implements InboundHandshake {
  readonly #options: InboundHandshakeOptions;
  #chosen: InboundHandshake | undefined;
  #refused = false;

  constructor(options: InboundHandshakeOptions) {
    this.#options = options;
  }

  onBytes(bytes: Uint8Array): InboundEffect[] {
    const [first] = bytes;
    if (first === undefined || this.#refused) return [];
    this.#chosen ??= this.#choose(first);
    if (this.#chosen !== undefined) return this.#chosen.onBytes(bytes);
    this.#refused = true;
    return [{ kind: 'close', reason: 'bad-request' }];
  }

  onAuthenticated(ok: boolean): InboundEffect[] {
    return this.#expectChosen().onAuthenticated(ok);
  }

  onConnected(bound: Endpoint): InboundEffect[] {
    return this.#expectChosen().onConnected(bound);
  }

  onFailed(failure: ConnectFailure): InboundEffect[] {
    return this.#expectChosen().onFailed(failure);
  }

  #choose(first: number): InboundHandshake | undefined {
    if (first === 4 || first === 5) return createSocksServer(this.#options);
    return first >= 0x41 && first <= 0x5a ? createHttpServer(this.#options) : undefined;
  }

  #expectChosen(): InboundHandshake {
    if (this.#chosen === undefined) throw new Error('mixed: the client has not said anything yet');
    return this.#chosen;
  }
}
