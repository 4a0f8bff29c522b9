// The database log that a configuration asks for.

import type { DatabaseLog } from '../config/config.ts';
import { DirectoryLockedError } from '../flowlog/directory-lock.ts';
import { FlowLog } from '../flowlog/flow-log.ts';
import type { DatabaseTarget } from '../flowlog/target.ts';
import type { Log } from '../proxy/log.ts';
import { CliError } from './cli-error.ts';
import { spoolDirectoryOf, targetOf } from './log-place.ts';
import { provideDirectory } from './state-directory.ts';

/** `user` is whom the process will run as. Rejects with a CliError. */
export async function openDatabaseLog(config: DatabaseLog, user: string | undefined, log: Log): Promise<FlowLog> {
  const target = targetOf(config.database);
  const spoolDirectory = spoolDirectoryOf(config);
  try {
    if (target.kind === 'embedded') provideDirectory(target.directory, user);
    provideDirectory(spoolDirectory, user);
    return await FlowLog.open({
      target,
      spoolDirectory,
      spoolBytesMax: config.spool.bytesMax,
      retentionMs: config.retention,
      gateway: config.gateway,
      onNotice: (level, code, message) => log[level](code, message),
    });
  } catch (error) {
    throw new CliError(explain(error, target), 3);
  }
}

function explain(error: unknown, target: DatabaseTarget): string {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof DirectoryLockedError)) return `the flow log cannot be opened: ${message}`;
  const other =
    target.kind === 'embedded'
      ? 'each proxy needs a log of its own (log: embedded:DIRECTORY), or all of them one PostgreSQL'
      : 'each proxy needs a spool of its own (log.spool.directory)';
  return `the flow log cannot be opened: ${message}; ${other}`;
}
