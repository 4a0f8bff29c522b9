// Gives up root once everything that needs it is open.

import type { Log } from '../proxy/log.ts';
import { CliError } from './cli-error.ts';

/** Becomes `user`, in the group of the same name only. Does nothing, and says so, when not started as root. */
export function dropRoot(user: string, log: Log): void {
  if (process.getuid?.() !== 0) {
    log.warn('user', `\`user: ${user}\` has no effect: not started as root`);
    return;
  }
  try {
    process.setgroups?.([]);
    process.setgid?.(user);
    process.setuid?.(user);
  } catch {
    throw new CliError(`cannot become ${user}: is there such a user, with a group of the same name?`, 3);
  }
  log.info('user', `running as ${user} from here on`);
}
