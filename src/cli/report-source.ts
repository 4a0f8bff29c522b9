// The log that a report is made of, by the name given on the command line; what can go wrong with it, in plain words.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readLog } from '../config/log-target.ts';
import type { FlowFilter } from '../flowlog/queries.ts';
import type { DatabaseTarget } from '../flowlog/target.ts';
import { openReportLog, type ReportLog } from '../report/report-log.ts';
import { CliError } from './cli-error.ts';
import { stateDirectory } from './state-directory.ts';

const USAGE = 2;
const MISSING = 3;

/** `text` as in the configuration's `log`; the embedded database of this account unless given. Rejects with a CliError. */
export async function openSource(text: string | undefined): Promise<ReportLog> {
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

async function linesSource(path: string): Promise<ReportLog> {
  if (!existsSync(path)) throw new CliError(`there is no file ${path}`, MISSING);
  return explained(await openReportLog({ kind: 'file', path }), ({ gateway }) => {
    if (gateway === undefined) return;
    throw new CliError('--gateway: a file of JSON lines is of one proxy and does not name it', USAGE);
  });
}

async function databaseSource(target: DatabaseTarget): Promise<ReportLog> {
  // Opening it would make it.
  if (target.kind === 'embedded' && !existsSync(join(target.directory, 'data'))) {
    throw new CliError(
      `there is no flow log in ${target.directory}: run anabranch with --log embedded, or name another log with --log`,
      MISSING,
    );
  }
  return explained(await explaining(() => openReportLog(target)), () => {});
}

function explained(log: ReportLog, check: (filter: FlowFilter) => void): ReportLog {
  return {
    report: (filter, words) =>
      explaining(async () => {
        check(filter);
        return log.report(filter, words);
      }),
    flow: (id) => explaining(() => log.flow(id)),
    async *flows(filter) {
      check(filter);
      const flows = log.flows(filter)[Symbol.asyncIterator]();
      for (;;) {
        const { value, done } = await explaining(() => flows.next());
        if (done === true) return;
        yield value;
      }
    },
    close: () => log.close(),
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
