// Where this machine's state lies unless the configuration says otherwise.

import { chownSync, lchownSync, mkdirSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { readAccounts } from './accounts.ts';

/** For root /var/lib/anabranch, else the user's own (XDG Base Directory Specification). */
export function stateDirectory(): string {
  if (process.getuid?.() === 0) return '/var/lib/anabranch';
  return join(process.env.XDG_STATE_HOME || join(homedir(), '.local/state'), 'anabranch');
}

/**
 * Makes the directory, and gives it with all in it to the account that will use it; only root can, and needs to. An
 * account from elsewhere than /etc/passwd has to be given its directory by hand.
 */
export function provideDirectory(directory: string, user: string | undefined): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const account = user === undefined || process.getuid?.() !== 0 ? undefined : readAccounts().get(user);
  if (account === undefined) return;
  chownSync(directory, account.uid, account.gid);
  for (const entry of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    lchownSync(join(directory, entry), account.uid, account.gid);
  }
}
