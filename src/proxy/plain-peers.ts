// Servers that were found not to speak MPTCP, so that `auto` does not ask them again for a while: an MPTCP socket that
// fell back costs more for each byte than a TCP socket does.

const PEERS_MAX = 4_096;
const REMEMBERED_MS = 10 * 60_000;

export class PlainPeers {
  /** Address and port → when to ask again. Bounded by PEERS_MAX, the oldest go first. */
  readonly #until = new Map<string, number>();

  remember(peer: string, now: number): void {
    this.#until.delete(peer);
    this.#until.set(peer, now + REMEMBERED_MS);
    if (this.#until.size > PEERS_MAX) {
      const [oldest] = this.#until.keys();
      if (oldest !== undefined) this.#until.delete(oldest);
    }
  }

  has(peer: string, now: number): boolean {
    const until = this.#until.get(peer);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#until.delete(peer);
    return false;
  }
}
