// Flows and bytes by name, in bounded memory: when there are too many names, the smallest half is let go and counted
// together, so that the large ones stay right or nearly so.

import type { Share } from './report.ts';

export const NAMES_MAX = 50_000;

export class Tally {
  /** Bounded by the most names given. */
  readonly #names = new Map<string | undefined, { flows: number; bytes: number }>();
  readonly #namesMax: number;
  #isLossy = false;

  constructor(namesMax = NAMES_MAX) {
    this.#namesMax = namesMax;
  }

  /** Names were let go: what is small may be counted too low. */
  get isLossy(): boolean {
    return this.#isLossy;
  }

  add(name: string | undefined, bytes: number): void {
    const entry = this.#names.get(name);
    if (entry !== undefined) {
      entry.flows++;
      entry.bytes += bytes;
      return;
    }
    if (this.#names.size >= this.#namesMax) this.#letGo();
    this.#names.set(name, { flows: 1, bytes });
  }

  /** The largest first. */
  shares(by: 'flows' | 'bytes', limit = Number.POSITIVE_INFINITY): Share[] {
    const all = [...this.#names].map(([name, { flows, bytes }]) => ({ name, flows, bytes }));
    return all.sort((a, b) => b[by] - a[by] || ((a.name ?? '') < (b.name ?? '') ? -1 : 1)).slice(0, limit);
  }

  #letGo(): void {
    this.#isLossy = true;
    const small = this.shares('bytes').slice(Math.floor(this.#namesMax / 2));
    for (const { name } of small) this.#names.delete(name);
  }
}
