// Names to addresses. Runs on the main thread; the data-plane threads ask it by message.
//
//   resolve ─▶ literal or reserved name? ─▶ hosts file? ─▶ cache? ─▶ question (joined when asked already)
//                                                                       └─▶ name servers ─▶ system's resolver
//
// A question outlives the callers that wait for it: its answer is of use to the next one.

import { canonicalHost } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { type CacheEntry, createDnsCache } from './dns-cache.ts';
import { createHostsFile } from './hosts-file.ts';
import { createNameQuestion, type NameQuestion, type Resolution, type ResolveOptions } from './name-question.ts';
import type { Answer } from './name-servers.ts';
import { createNameSources, type NameSourcesOptions } from './name-sources.ts';
import { ResolveError } from './resolve-error.ts';

const QUESTIONS_MAX = 1000;
/** RFC 8767 §5, client response timer: how long a caller waits for a refresh when there is a stale answer. */
const STALE_WAIT_MS = 1800;
/** RFC 8767 §4: the time to live to give out with a stale answer. */
const STALE_TTL_MS = 30_000;
/** How long answers hold that no server gave: literals and loopback; the hosts file is looked at each second. */
const FIXED_TTL_MS = 3_600_000;
const HOSTS_TTL_MS = 1000;

export interface Resolver {
  /** Rejects with a ResolveError. */
  resolve(host: string, options?: ResolveOptions): Promise<Resolution>;
  /** Fails all that wait, and whatever is asked from now on that is not known already. */
  close(): void;
}

/** `timeoutMs` is how long a caller waits at most. */
export interface ResolverOptions extends NameSourcesOptions {
  readonly hostsPath?: string;
  readonly questionsMax?: number;
}

export function createResolver(options: ResolverOptions): Resolver {
  const { now, timeoutMs } = options;
  const hosts = createHostsFile(options.hostsPath ?? '/etc/hosts', now);
  const sources = createNameSources(options);
  const cache = createDnsCache();
  // Bounded by questionsMax, 0 once closed. A question stays until its last answer is in, even when nobody waits.
  const questions = new Map<string, NameQuestion>();
  let questionsMax = options.questionsMax ?? QUESTIONS_MAX;

  function remember(name: string, answer: Answer, time: number): CacheEntry {
    switch (answer.kind) {
      case 'addresses':
        return cache.putAddresses(name, answer.addresses, answer.ttlMs, time);
      case 'none':
        return cache.putError(name, 'name-not-found', answer.detail, time);
      case 'failed':
        return cache.putError(name, answer.timedOut ? 'timed-out' : 'name-failure', answer.detail, time);
    }
  }

  async function ask(name: string, question: NameQuestion): Promise<void> {
    const answer = await sources.answer(name, (addresses, ttlMs) => question.deliverEarly({ addresses, ttlMs }));
    if (!questions.delete(name)) return;
    const time = now();
    question.end(endOf(name, remember(name, answer, time), time));
  }

  function askOrJoin(name: string, resolveOptions: ResolveOptions): Promise<Resolution> {
    const entry = cache.stale(name, now());
    const stale = entry && { addresses: entry.addresses, ttlMs: STALE_TTL_MS };
    let question = questions.get(name);
    if (question === undefined) {
      if (questions.size >= questionsMax) {
        if (stale) return Promise.resolve(stale);
        throw new ResolveError('resources', name, `${questionsMax} names are being looked up already`);
      }
      question = createNameQuestion(name);
      questions.set(name, question);
      void ask(name, question);
    }
    return question.wait(stale ? Math.min(timeoutMs, STALE_WAIT_MS) : timeoutMs, stale, resolveOptions);
  }

  return {
    async resolve(host, resolveOptions = {}) {
      resolveOptions.signal?.throwIfAborted();
      const name = canonicalHost(host);
      if (name === undefined) throw new ResolveError('name-not-found', host, 'it cannot be a domain name');
      const fixed = fixedResolution(name);
      if (fixed) return fixed;
      const listed = hosts.lookup(name);
      if (listed) return { addresses: listed, ttlMs: HOSTS_TTL_MS };
      // Another network may give another answer to the same name.
      if (sources.refresh()) cache.clear();
      const time = now();
      const entry = cache.fresh(name, time);
      if (entry === undefined) return askOrJoin(name, resolveOptions);
      const end = endOf(name, entry, time);
      if (end instanceof ResolveError) throw end;
      return end;
    },
    close() {
      questionsMax = 0;
      for (const [name, question] of questions) {
        question.end(new ResolveError('name-failure', name, 'the resolver was closed'));
      }
      questions.clear();
      sources.close();
    },
  };
}

/** What needs no asking at all: literals, and the names that RFC 6761 §6 and RFC 7686 §2 set apart. */
function fixedResolution(name: string): Resolution | undefined {
  const literal = canonicalIp(name);
  if (literal !== undefined) return { addresses: [literal], ttlMs: FIXED_TTL_MS };
  switch (name.slice(name.lastIndexOf('.') + 1)) {
    case 'localhost':
      return { addresses: ['::1', '127.0.0.1'], ttlMs: FIXED_TTL_MS };
    case 'invalid':
    case 'onion':
      throw new ResolveError('name-not-found', name, 'no name server may know it');
    default:
      return undefined;
  }
}

function endOf(name: string, entry: CacheEntry, now: number): Resolution | ResolveError {
  if (entry.kind === 'error') return new ResolveError(entry.code, name, entry.detail);
  return { addresses: entry.addresses, ttlMs: entry.expiresAt - now };
}
