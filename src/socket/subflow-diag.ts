// Asks the kernel what only socket diagnostics tell of a subflow (Linux ≥ 5.6 with CONFIG_INET_DIAG; CAP_NET_ADMIN):
// whether it is a backup.

import type { Endpoint } from '../wire/destination.ts';
import { type SubflowDiag, TCP_ESTABLISHED } from '../wire/sock-diag.ts';
import { TcpDiagnostics } from './tcp-diag.ts';

/** Sockets not found in a row before we take it that this kernel does not answer at all. */
const MISSES_MAX = 64;

/** One for each thread that asks. */
export class SubflowDiagnostics {
  readonly #diagnostics = new TcpDiagnostics();
  /** The kernel does not answer, or may not tell us. It stays so: rights are dropped, not gained. */
  #useless = false;
  #everFound = false;
  #misses = 0;

  /** `undefined`: the subflow is gone, or we may not know. */
  look(local: Endpoint, remote: Endpoint): SubflowDiag | undefined {
    if (this.#useless || !this.#diagnostics.open()) return undefined;
    const answer = this.#diagnostics.ask(local, remote);
    if (answer?.kind !== 'socket') {
      this.#misses++;
      this.#useless = !this.#everFound && this.#misses >= MISSES_MAX;
      if (this.#useless) this.close();
      return undefined;
    }
    this.#everFound = true;
    // A socket that is closing has lost its MPTCP part; one that stands and shows none keeps it from us.
    if (answer.subflow === undefined && answer.state === TCP_ESTABLISHED) {
      this.#useless = true;
      this.close();
    }
    return answer.subflow;
  }

  /** The next question opens it again. */
  close(): void {
    this.#diagnostics.close();
  }
}
