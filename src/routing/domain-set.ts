// Domain patterns: `example.org` matches itself and every name below it, `=example.org` only itself.

export class DomainSet {
  /** Both bounded by the patterns given. */
  readonly #exact = new Set<string>();
  readonly #suffixes = new Set<string>();

  /** `patterns`: canonical names of wire/destination.ts, with or without a leading `=`. */
  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pattern.startsWith('=')) this.#exact.add(pattern.slice(1));
      else this.#suffixes.add(pattern);
    }
  }

  /** `host`: a canonical domain name. One look-up a label, so at most 127. */
  has(host: string): boolean {
    if (this.#exact.has(host)) return true;
    if (this.#suffixes.size === 0) return false;
    for (let rest = host; ; ) {
      if (this.#suffixes.has(rest)) return true;
      const dot = rest.indexOf('.');
      if (dot < 0) return false;
      rest = rest.slice(dot + 1);
    }
  }
}
