// What a path has carried in its month, and what follows. Pure.
//
// Counted is what its interfaces carried, not what the proxy did: the bill of the provider holds every program's bytes,
// headers and repeats included; and the kernel goes on counting while the proxy is not there.

import type { BudgetConfig } from '../config/config.ts';
import type { LinkBytes } from '../wire/link-bytes.ts';
import type { Spent } from './preferences.ts';

/** What is kept of one path over restarts. */
export interface BudgetRecord {
  /** First day of the month that is counted, YYYY-MM-DD. */
  readonly since: string;
  readonly bytes: number;
  /** Which kernel and namespace the counters are of. */
  readonly machine: string;
  /** What the counters said last, by interface index. */
  readonly counters: Readonly<Record<string, number>>;
}

export interface BudgetUse extends BudgetConfig {
  readonly used: number;
  /** First day of the month that is counted, and of the next one: YYYY-MM-DD, local time. */
  readonly since: string;
  readonly until: string;
  /** What is done about it now. */
  readonly spent: Spent | undefined;
}

/** Of one path: interfaces come and go. */
const COUNTERS_MAX = 16;
/** Of what may be carried: from here on the rest is spared. */
const NEARLY = 0.95;

/** The month that `at` lies in, which begins on day `from`, or on the last day of a month that is shorter. */
export function monthOf(at: Date, from: number): { readonly since: string; readonly until: string } {
  const year = at.getFullYear();
  const month = at.getMonth();
  const begun = at.getDate() >= beginOf(year, month, from).getDate();
  return {
    since: dayText(beginOf(year, begun ? month : month - 1, from)),
    until: dayText(beginOf(year, begun ? month + 1 : month, from)),
  };
}

function beginOf(year: number, month: number, from: number): Date {
  const days = new Date(year, month + 1, 0).getDate();
  return new Date(year, month, Math.min(from, days));
}

function dayText(day: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/**
 * The record after another look at the counters of the path's interfaces. Without a record what the counters say already
 * is not the budget's; with one, an interface that is new, or a machine that was started anew, has carried all that its
 * counters say since the last look. What was carried over the end of a month while nobody looked is the new month's.
 */
export function countBytes(
  record: BudgetRecord | undefined,
  links: readonly LinkBytes[],
  { since, machine }: { readonly since: string; readonly machine: string },
): BudgetRecord {
  const sameMachine = record?.machine === machine;
  let more = 0;
  const counters: Record<string, number> = {};
  for (const { index, bytes } of links.slice(0, COUNTERS_MAX)) {
    counters[index] = bytes;
    if (record === undefined) continue;
    const before = sameMachine ? record.counters[index] : undefined;
    more += before === undefined || bytes < before ? bytes : bytes - before;
  }
  if (record !== undefined && sameMachine) {
    // An interface may be back, with the same counter, after it went down or was ignored.
    for (const [index, bytes] of Object.entries(record.counters)) {
      if (Object.keys(counters).length < COUNTERS_MAX) counters[index] ??= bytes;
    }
  }
  const isSameMonth = record?.since === since;
  return { since, bytes: (isSameMonth ? record.bytes : 0) + more, machine, counters };
}

/** What is to be done about a path that has carried so much; `undefined`: nothing. */
export function spentOf(budget: BudgetConfig, used: number): Spent | undefined {
  if (used >= budget.monthly) return budget.then;
  return used >= budget.monthly * NEARLY ? 'backup' : undefined;
}
