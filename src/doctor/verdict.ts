// One finding of the doctor.

import type { Remedy } from './remedy.ts';

export type Level = 'ok' | 'warn' | 'fail' | 'unknown';

export interface Verdict {
  /** Stable, for scripts. */
  readonly id: string;
  readonly level: Level;
  /** What was found, in a few words. */
  readonly found: string;
  /** Why it matters; empty where all is well. */
  readonly why: string;
  /** Commands or settings that mend it, one a line. */
  readonly mend: readonly string[];
  /** What of it `doctor --fix` can do by itself. */
  readonly remedies?: readonly Remedy[];
}

export function ok(id: string, found: string): Verdict {
  return { id, level: 'ok', found, why: '', mend: [] };
}

export function unknown(id: string, found: string, mend: readonly string[] = []): Verdict {
  return { id, level: 'unknown', found, why: '', mend };
}
