// A report's plots for a program that goes on meanwhile, such as a proxy with a dashboard: made in a thread of their
// own, for drawing takes a second of a CPU and some 100 MB, both of which are free again when it is done.

import { Worker } from 'node:worker_threads';
import type { FlowFilter } from '../flowlog/queries.ts';
import type { ReportLogTarget } from './report-log.ts';

/** Which flows of which log. `words`: the filter, as it is shown. */
export interface PlotsRequest {
  readonly log: ReportLogTarget;
  readonly filter: FlowFilter;
  readonly words: readonly string[];
  /** Only the time line of the flow with this id. */
  readonly flow?: string | undefined;
}

export interface ReportPicture {
  /** Of letters, digits and hyphens; the same in every report. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen: for captions, and for those who do not see the picture. */
  readonly about: string;
  /** SVG without scripts, links or anything to fetch; texts in it are escaped. */
  readonly light: string;
  /** The same for dark ground. */
  readonly dark: string;
}

export interface ReportPlots {
  /** As `anabranch report --json` prints it, with `--flow` where one was asked for. */
  readonly figures: Readonly<Record<string, unknown>>;
  /** In the order of reading; those without data are left out. */
  readonly plots: readonly ReportPicture[];
}

/** What the thread answers; `code` as errors of reports have it. */
export type PlotsAnswer =
  | { readonly ok: true; readonly plots: ReportPlots }
  | { readonly ok: false; readonly code: string | undefined; readonly message: string };

/** `code`: `nothing-to-report`, `log-not-readable`, `timed-out`, or what the database or Node calls it. */
export class ReportPlotsError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ReportPlotsError';
    this.code = code;
  }
}

const WAIT_MS = 60_000;
/** Of the thread's heap; a report itself is bounded whatever the log holds. */
const HEAP_MB_MAX = 512;

/**
 * Rejects with a ReportPlotsError, or with the signal's reason. One call is one thread: callers see to it that there are
 * not many at once.
 */
export function drawReportPlots(
  request: PlotsRequest,
  { waitMs = WAIT_MS, signal }: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<ReportPlots> {
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const worker = new Worker(new URL('./plots-thread.js', import.meta.url), {
    workerData: request,
    name: 'report-plots',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  return new Promise<ReportPlots>((resolve, reject) => {
    const fail = (code: string, message: string): void => reject(new ReportPlotsError(code, message));
    const onAbort = (): void => reject(signal?.reason as Error);
    const late = `the report was not ready after ${waitMs / 1_000} s; ask for a shorter time`;
    const timer = setTimeout(() => fail('timed-out', late), waitMs);
    signal?.addEventListener('abort', onAbort);
    worker.on('message', (answer: PlotsAnswer) => {
      if (answer.ok) resolve(answer.plots);
      else fail(answer.code ?? 'failed', answer.message);
    });
    worker.on('error', (error) => fail((error as NodeJS.ErrnoException).code ?? 'failed', error.message));
    worker.on('exit', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      fail('failed', 'the report ended without an answer');
    });
  }).finally(() => worker.terminate());
}
