// What a data-plane thread asks of the main thread, and the answers on their way back to whoever waits.

import type { ConnectFailure } from '../handshake/inbound.ts';
import type { FromThread, ToThread } from './messages.ts';

export interface NameWaiter {
  /** `complete`: no more will come. */
  onAddresses(addresses: readonly string[], complete: boolean): void;
  onNoName(failure: ConnectFailure, detail: string): void;
}

interface Known {
  readonly addresses: readonly string[];
  readonly until: number;
}

/** Names kept on this thread, so that a busy one costs no message. */
const NAMES_MAX = 1_000;
/** Nothing is kept for longer than this: the main thread's cache knows better. */
const KEPT_MS_MAX = 30_000;

/** Both maps of waiters are bounded by the number of connections: each waits for one answer at a time. */
export class MainThread {
  readonly #post: (message: FromThread) => void;
  readonly #names = new Map<number, { host: string; waiter: NameWaiter }>();
  readonly #passwords = new Map<number, (ok: boolean) => void>();
  /** Bounded by NAMES_MAX. */
  readonly #known = new Map<string, Known>();
  #nextId = 1;

  constructor(post: (message: FromThread) => void) {
    this.#post = post;
  }

  /** Asks for a name; answers at once when it is known here. Returns what to give to `forget`. */
  resolve(host: string, now: number, waiter: NameWaiter): number {
    const known = this.#known.get(host);
    if (known !== undefined) {
      if (known.until > now) {
        waiter.onAddresses(known.addresses, true);
        return 0;
      }
      this.#known.delete(host);
    }
    const id = this.#nextId++;
    this.#names.set(id, { host, waiter });
    this.#post({ kind: 'resolve', id, host });
    return id;
  }

  /** Checks a password. Returns what to give to `forget`. */
  authenticate(inbound: string, name: string, password: string, onAnswer: (ok: boolean) => void): number {
    const id = this.#nextId++;
    this.#passwords.set(id, onAnswer);
    this.#post({ kind: 'authenticate', id, inbound, name, password });
    return id;
  }

  /** The answer is no longer wanted. */
  forget(id: number): void {
    this.#names.delete(id);
    this.#passwords.delete(id);
  }

  onResolved(message: Extract<ToThread, { kind: 'resolved' }>, now: number): void {
    const asked = this.#names.get(message.id);
    if (asked === undefined) return;
    if (message.complete) {
      this.#names.delete(message.id);
      if (this.#known.size >= NAMES_MAX) this.#known.clear();
      const until = now + Math.min(message.ttlMs, KEPT_MS_MAX);
      this.#known.set(asked.host, { addresses: message.addresses, until });
    }
    asked.waiter.onAddresses(message.addresses, message.complete);
  }

  onNotResolved(message: Extract<ToThread, { kind: 'not-resolved' }>): void {
    const asked = this.#names.get(message.id);
    this.#names.delete(message.id);
    asked?.waiter.onNoName(message.failure, message.detail);
  }

  onAuthenticated(message: Extract<ToThread, { kind: 'authenticated' }>): void {
    const answer = this.#passwords.get(message.id);
    this.#passwords.delete(message.id);
    answer?.(message.ok);
  }
}
