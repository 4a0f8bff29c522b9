// Answers of the name servers, good and bad, for as long as they hold. Knows no clock: every call is told the time.

import type { ResolveErrorCode } from './resolve-error.ts';

export const CACHE_ENTRIES_MAX = 10_000;
const TTL_MS_MIN = 1000;
const TTL_MS_MAX = 3_600_000;
/** How long a name stays unknown. RFC 2308 §5 says the SOA's minimum, which c-ares does not show; so not for long. */
const NOT_FOUND_TTL_MS = 30_000;
/** RFC 9520 §3.2: a failure is kept for at least one second, so that a failing server is not hammered. */
const FAILURE_TTL_MS = 1000;
/** RFC 8767 §5: an expired answer is better than none. The RFC allows up to days; a proxy need not outlive that long. */
const STALE_MS_MAX = 300_000;
/** RFC 8767 §5, failure recheck timer: how long a stale answer stands before its name is asked again. */
const RECHECK_MS = 30_000;

export type CacheEntry = PositiveEntry | NegativeEntry;

export interface PositiveEntry {
  readonly kind: 'addresses';
  readonly addresses: readonly string[];
  readonly expiresAt: number;
  /** After `expiresAt` and before this, the entry serves when the servers fail. */
  readonly staleUntil: number;
}

export interface NegativeEntry {
  readonly kind: 'error';
  readonly code: ResolveErrorCode;
  readonly detail: string;
  readonly expiresAt: number;
}

export interface DnsCache {
  readonly size: number;
  /** An entry that still holds. */
  fresh(name: string, now: number): CacheEntry | undefined;
  /** Addresses that have expired, but not long ago. */
  stale(name: string, now: number): PositiveEntry | undefined;
  putAddresses(name: string, addresses: readonly string[], ttlMs: number, now: number): PositiveEntry;
  /** Notes a failure. Addresses that may still serve as stale ones stay, unless the name has ceased to exist. */
  putError(name: string, code: ResolveErrorCode, detail: string, now: number): CacheEntry;
  clear(): void;
}

export function createDnsCache(entriesMax = CACHE_ENTRIES_MAX): DnsCache {
  // Bounded by entriesMax; a Map keeps the order of insertion, so its first key is the one unused for longest.
  const entries = new Map<string, CacheEntry>();

  function put<Entry extends CacheEntry>(name: string, entry: Entry): Entry {
    entries.delete(name);
    entries.set(name, entry);
    if (entries.size > entriesMax) {
      const oldest = entries.keys().next();
      if (!oldest.done) entries.delete(oldest.value);
    }
    return entry;
  }

  function stale(name: string, now: number): PositiveEntry | undefined {
    const entry = entries.get(name);
    return entry?.kind === 'addresses' && entry.expiresAt <= now && now < entry.staleUntil ? entry : undefined;
  }

  return {
    get size() {
      return entries.size;
    },
    fresh(name, now) {
      const entry = entries.get(name);
      return entry && now < entry.expiresAt ? put(name, entry) : undefined;
    },
    stale,
    putAddresses(name, addresses, ttlMs, now) {
      const expiresAt = now + Math.min(Math.max(ttlMs, TTL_MS_MIN), TTL_MS_MAX);
      return put(name, { kind: 'addresses', addresses, expiresAt, staleUntil: expiresAt + STALE_MS_MAX });
    },
    putError(name, code, detail, now) {
      const old = code === 'name-not-found' ? undefined : entries.get(name);
      if (old?.kind === 'addresses' && now < old.staleUntil) {
        const expiresAt = Math.min(Math.max(old.expiresAt, now + RECHECK_MS), old.staleUntil);
        return put(name, { ...old, expiresAt });
      }
      const ttlMs = code === 'name-not-found' ? NOT_FOUND_TTL_MS : FAILURE_TTL_MS;
      return put(name, { kind: 'error', code, detail, expiresAt: now + ttlMs });
    },
    clear() {
      entries.clear();
    },
  };
}
