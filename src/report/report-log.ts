// The log that a report is made of, a database or a file of JSON lines, behind one face.

import type { FlowFilter } from '../flowlog/queries.ts';
import { type DatabaseTarget, nameOf } from '../flowlog/target.ts';
import type { FlowDetail } from './flow-detail.ts';
import type { Report, ReportFlow } from './report.ts';

export type ReportLogTarget = DatabaseTarget | { readonly kind: 'file'; readonly path: string };

/** Its promises reject with an EmptyReportError, a FlowNotFoundError, or what the database or Node says. */
export interface ReportLog {
  /** `words`: the filter, as it is shown. */
  report(filter: FlowFilter, words: readonly string[]): Promise<Report>;
  flow(id: string): Promise<FlowDetail>;
  flows(filter: FlowFilter): AsyncIterable<ReportFlow>;
  close(): Promise<void>;
}

/** Rejects with a FlowLogReadError. A file is looked at only when it is asked. */
export async function openReportLog(target: ReportLogTarget): Promise<ReportLog> {
  if (target.kind === 'file') return openFile(target.path);
  const [{ openReader }, database] = await Promise.all([
    import('../flowlog/reader.ts'),
    import('./database-report.ts'),
  ]);
  const reader = await openReader(target);
  const source = nameOf(target);
  return {
    report: (filter, words) => database.reportOfDatabase(reader.database, { source, filter, words }),
    flow: (id) => database.flowOfDatabase(reader.database, source, id),
    flows: (filter) => database.flowsOfDatabase(reader.database, filter),
    close: () => reader.close(),
  };
}

/** A file is of one gateway and does not name it: `gateway` in a filter is not looked at. */
async function openFile(path: string): Promise<ReportLog> {
  const lines = await import('./lines-report.ts');
  return {
    report: (filter, words) => lines.reportOfLines({ path, filter, words }),
    flow: (id) => lines.flowOfLines(path, id),
    flows: (filter) => lines.flowsOfLines(path, filter),
    close: async () => {},
  };
}
