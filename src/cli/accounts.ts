// The accounts that this machine lists itself.

import { readFileSync } from 'node:fs';
import { type Accounts, parsePasswd } from '../config/passwd.ts';

/** As of now. None where the file cannot be read, as in a container without one. */
export function readAccounts(): Accounts {
  try {
    return parsePasswd(readFileSync('/etc/passwd', 'utf8'));
  } catch {
    return new Map();
  }
}
