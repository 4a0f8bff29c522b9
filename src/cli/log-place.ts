// Which database holds the log, and where its entries wait, as the configuration says or as it is by default.

import { join } from 'node:path';
import type { DatabaseLog, LogDatabase } from '../config/config.ts';
import type { DatabaseTarget } from '../flowlog/target.ts';
import { stateDirectory } from './state-directory.ts';

export function targetOf(database: LogDatabase): DatabaseTarget {
  if (database.kind === 'postgres') return database;
  return { kind: 'embedded', directory: database.directory ?? join(stateDirectory(), 'log') };
}

export function spoolDirectoryOf(config: DatabaseLog): string {
  const target = targetOf(config.database);
  const beside = target.kind === 'embedded' ? target.directory : stateDirectory();
  return config.spool.directory ?? join(beside, 'spool');
}
