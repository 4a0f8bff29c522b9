// The log that a report is made of: a database or a file of JSON lines, behind one face.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readLog } from '../config/log-target.ts';
import type { FlowFilter } from '../flowlog/queries.ts';
import { type DatabaseTarget, nameOf } from '../flowlog/target.ts';
import type { FlowDetail } from '../report/flow-detail.ts';
import type { Report, ReportFlow } from '../report/report.ts';
import { CliError } from './cli-error.ts';
import { stateDirectory } from './state-directory.ts';

export interface ReportSource {
  report(filter: FlowFilter, words: readonly string[]): Promise<Report>;
  flow(id: string): Promise<FlowDetail>;
  flows(filter: FlowFilter): AsyncIterable<ReportFlow>;
  close(): Promise<void>;
}

const USAGE = 2;
const MISSING = 3;

/** `text` as in the configuration's `log`; the embedded database of this account unless given. Rejects with a CliError. */
export async function openSource(text: string | undefined): Promise<ReportSource> {
  const read = readLog(text ?? 'embedded');
  // Any file may be read, whatever its name.
  if ('wrong' in read && text !== undefined && existsSync(text) && !statSync(text).isDirectory())
    return linesSource(text);
  if ('wrong' in read) {
    throw new CliError(`--log ${text} ${read.wrong}: embedded:DIRECTORY, postgres://…, or a file of JSON lines`, USAGE);
  }
  const { value } = read;
  if (value.kind === 'file') return linesSource(value.path);
  if (value.kind !== 'database') throw new CliError(`--log ${text}: there is nothing to read`, USAGE);
  const { database } = value;
  if (database.kind === 'postgres') return databaseSource(database);
  return databaseSource({ kind: 'embedded', directory: database.directory ?? join(stateDirectory(), 'log') });
}

async function linesSource(path: string): Promise<ReportSource> {
  if (!existsSync(path)) throw new CliError(`there is no file ${path}`, MISSING);
  const lines = await import('../report/lines-report.ts');
  const withoutGateway = ({ gateway, ...filter }: FlowFilter) => {
    if (gateway === undefined) return filter;
    throw new CliError('--gateway: a file of JSON lines is of one proxy and does not name it', USAGE);
  };
  return {
    report: async (filter, words) =>
      explaining(() => lines.reportOfLines({ path, filter: withoutGateway(filter), words })),
    flow: (id) => explaining(() => lines.flowOfLines(path, id)),
    flows: (filter) => lines.flowsOfLines(path, withoutGateway(filter)),
    close: async () => {},
  };
}

async function databaseSource(target: DatabaseTarget): Promise<ReportSource> {
  // Opening it would make it.
  if (target.kind === 'embedded' && !existsSync(join(target.directory, 'data'))) {
    throw new CliError(
      `there is no flow log in ${target.directory}: run anabranch with --log embedded, or name another log with --log`,
      MISSING,
    );
  }
  const [{ openReader }, database] = await Promise.all([
    import('../flowlog/reader.ts'),
    import('../report/database-report.ts'),
  ]);
  const reader = await explaining(() => openReader(target));
  const source = nameOf(target);
  return {
    report: (filter, words) => explaining(() => database.reportOfDatabase(reader.database, { source, filter, words })),
    flow: (id) => explaining(() => database.flowOfDatabase(reader.database, source, id)),
    flows: (filter) => database.flowsOfDatabase(reader.database, filter),
    close: () => reader.close(),
  };
}

/** Codes of what a report can fail of without a fault of ours. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  'nothing-to-report': 1,
  'flow-not-found': 1,
  'log-not-readable': MISSING,
  'directory-locked': MISSING,
  ENOENT: MISSING,
  EACCES: MISSING,
  EISDIR: USAGE,
  'not-results': USAGE,
};

export async function explaining<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // SQLSTATEs: five letters or digits; the query was ours, but its trouble is the database's.
    const exitCode = EXIT_CODES[code ?? ''] ?? (/^[0-9A-Z]{5}$/.test(code ?? '') ? 1 : undefined);
    if (exitCode === undefined) throw error;
    throw new CliError(message, exitCode);
  }
}
