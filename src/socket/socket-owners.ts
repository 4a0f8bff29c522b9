// Whose program holds the other end of a connection that has both of its ends on this machine.

import type { Endpoint } from '../wire/destination.ts';
import { type DiagAnswer, TCP_LISTEN } from '../wire/sock-diag.ts';
import { TcpDiagnostics } from './tcp-diag.ts';

/** Connections in a row of which the kernel did not even know our own end, before we take it that it does not tell. */
const MISSES_MAX = 8;

/** One for each thread that asks. */
export class SocketOwners {
  readonly #diagnostics = new TcpDiagnostics();
  readonly #onUnknown: () => void;
  #isUseless = false;
  #everFound = false;
  #misses = 0;

  /** `onUnknown`: this kernel does not tell; called once. */
  constructor(onUnknown: () => void) {
    this.#onUnknown = onUnknown;
  }

  /**
   * Uid of whoever made the socket at `peer` that is connected to our end at `ours`, both as our end names them;
   * `undefined` when no program of this network namespace holds it (any more).
   */
  ownerOf(peer: Endpoint, ours: Endpoint): number | undefined {
    if (this.#isUseless) return undefined;
    if (!this.#diagnostics.open()) {
      if (this.#diagnostics.unavailable) this.#giveUp();
      return undefined;
    }
    const answer = this.#diagnostics.ask(peer, ours);
    if (isConnection(answer)) {
      this.#everFound = true;
      return answer.owner;
    }
    if (!this.#everFound) this.#onMiss(peer, ours);
    return undefined;
  }

  close(): void {
    this.#diagnostics.close();
  }

  /** A client that has reset the connection has taken our end with it; one after the other will not. */
  #onMiss(peer: Endpoint, ours: Endpoint): void {
    this.#everFound = isConnection(this.#diagnostics.ask(ours, peer));
    if (this.#everFound) return;
    this.#misses++;
    if (this.#misses >= MISSES_MAX) this.#giveUp();
  }

  #giveUp(): void {
    this.#isUseless = true;
    this.close();
    this.#onUnknown();
  }
}

type FoundSocket = Extract<DiagAnswer, { kind: 'socket' }>;

function isConnection(answer: DiagAnswer | undefined): answer is FoundSocket {
  return answer?.kind === 'socket' && answer.state !== TCP_LISTEN;
}
