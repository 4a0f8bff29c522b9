// One name being asked for, and everybody who waits for the answer. Callers come and go; the question goes on.

import { ResolveError } from './resolve-error.ts';

export interface Resolution {
  /** Canonical literals, at least one, IPv6 before IPv4 where the name servers gave both. */
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

export interface ResolveOptions {
  /** Ends the waiting, with the signal's reason; the question itself goes on. */
  readonly signal?: AbortSignal;
  /**
   * Called at most once, before the promise settles: connecting to these addresses may begin, the other family's are
   * still being waited for (RFC 8305 §3). The resolution then holds them and the others.
   */
  readonly onEarly?: (addresses: readonly string[]) => void;
}

export interface NameQuestion {
  /**
   * Waits for the end, at most `timeoutMs`; then makes do with what has been delivered early, else with `otherwise`,
   * else rejects with `timed-out`.
   */
  wait(timeoutMs: number, otherwise: Resolution | undefined, options: ResolveOptions): Promise<Resolution>;
  /** The addresses of one family. */
  deliverEarly(resolution: Resolution): void;
  end(end: Resolution | ResolveError): void;
}

interface Waiter {
  onEarly(addresses: readonly string[]): void;
  onEnd(end: Resolution | Error): void;
}

export function createNameQuestion(name: string): NameQuestion {
  let early: Resolution | undefined;
  // Bounded by the connections that wait for a name: each is here at most once, and for its timeout at most.
  const waiters = new Set<Waiter>();

  return {
    wait(timeoutMs, otherwise, { signal, onEarly }) {
      return new Promise((resolve, reject) => {
        const onEnd = (end: Resolution | Error): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', onAbort);
          waiters.delete(waiter);
          if ('addresses' in end) resolve(end);
          else reject(end);
        };
        const onAbort = (): void => onEnd(signal?.reason as Error);
        const onTimeout = (): void =>
          onEnd(early ?? otherwise ?? new ResolveError('timed-out', name, `no answer within ${timeoutMs} ms`));
        const timer = setTimeout(onTimeout, timeoutMs);
        const waiter: Waiter = { onEarly: (addresses) => onEarly?.(addresses), onEnd };
        waiters.add(waiter);
        signal?.addEventListener('abort', onAbort, { once: true });
        if (early) waiter.onEarly(early.addresses);
      });
    },
    deliverEarly(resolution) {
      early = resolution;
      for (const waiter of [...waiters]) waiter.onEarly(resolution.addresses);
    },
    end(end) {
      for (const waiter of [...waiters]) waiter.onEnd(end);
    },
  };
}
