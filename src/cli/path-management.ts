// `paths.manage` of the configuration: the path manager beside the proxy. What it cannot do it says, and the proxy runs
// on.

import { join } from 'node:path';
import type { Config, PathsConfig } from '../config/config.ts';
import type { ManagedPaths } from '../paths/managed-paths.ts';
import type { Log } from '../proxy/log.ts';
import type { PathState } from '../routing/path-choice.ts';
import { provideDirectory, stateDirectory } from './state-directory.ts';
import { unknownWishes } from './wish-names.ts';

/** Where the use of budgets is kept. Makes its directory. */
export function provideBudgetFile({ state }: PathsConfig): string {
  const directory = state ?? join(stateDirectory(), 'paths');
  try {
    provideDirectory(directory, undefined);
  } catch {
    // Reading and writing the file will tell.
  }
  return join(directory, 'budgets.json');
}

/** Resolves once the paths are set up; to `undefined` when they are not to be managed, or cannot be. */
export async function startPathManagement(
  config: Config,
  log: Log,
  onPaths: (paths: readonly PathState[]) => void,
): Promise<ManagedPaths | undefined> {
  if (!config.paths.manage) return undefined;
  const { managePaths, PathsError } = await import('../paths/managed-paths.ts');
  try {
    const managed = await managePaths({
      paths: config.paths,
      budgetFile: provideBudgetFile(config.paths),
      say: (level, code, message) => log[level](code, message),
      onPaths,
      onCrash: ({ message }) => {
        onPaths([]);
        log.error('paths', `the path manager failed, and paths stay as they are: ${message}`);
      },
    });
    void tellWishes(config, managed, log);
    return managed;
  } catch (error) {
    if (!(error instanceof PathsError)) throw error;
    log.warn('paths', `the paths are not managed: ${error.message}`);
    return undefined;
  }
}

/** Says which wishes name a path that there is not. */
async function tellWishes(config: Config, managed: ManagedPaths, log: Log): Promise<void> {
  const survey = await managed.survey().catch(() => undefined);
  const names = survey?.paths.flatMap((path) => [path.name, path.interface]) ?? [];
  if (survey !== undefined) for (const text of unknownWishes(config, [...new Set(names)])) log.warn('wish', text);
}
