// What is the matter with the database, from the error it gave: a few states, each with words for the operator.

import { SchemaError } from './migrate.ts';

export type TroubleKind =
  | 'unreachable' // down, restarting, or the network to it is
  | 'refused' // wrong password, no such database or role, missing rights
  | 'full' // its disk, its memory or its connections
  | 'schema' // newer than this version, or the server is too old
  | 'slow' // it answers too late
  | 'failed'; // anything else

export interface Trouble {
  readonly kind: TroubleKind;
  readonly message: string;
}

interface DatabaseError {
  readonly code?: string;
  readonly message?: string;
}

/** `name` is how the database may be shown; `secrets` are never shown. */
export function troubleOf(error: unknown, name: string, secrets: readonly string[]): Trouble {
  const kind = kindOf(error);
  const { message = String(error), code } = error as DatabaseError;
  const shown = hideSecrets(message === '' ? (code ?? 'no reason given') : message, secrets);
  return { kind, message: `${name}: ${shown.replace(/\s+/g, ' ')}${ADVICE[kind]}` };
}

const ADVICE: Readonly<Record<TroubleKind, string>> = {
  unreachable: '',
  refused: ': check the URL of `log` and the rights of its account',
  full: ': make room there',
  schema: '',
  slow: '',
  failed: '',
};

/** The entry itself is at fault, and not the database: a smaller batch without it will do. */
export function isAboutData(error: unknown): boolean {
  const { code = '' } = error as DatabaseError;
  return /^(22|23|54)...$/.test(code);
}

/** No partition for a row (check_violation): someone has dropped it. */
export function isAboutPartition(error: unknown): boolean {
  const { code, message = '' } = error as DatabaseError;
  return code === '23514' && /partition/.test(message);
}

/** SQLSTATEs: PostgreSQL manual, appendix A. */
function kindOf(error: unknown): TroubleKind {
  if (error instanceof SchemaError) return 'schema';
  const { code = '', message = '' } = error as DatabaseError;
  if (/^(28|3D|42501|25006)/.test(code) || /password must be a string|SASL/.test(message)) return 'refused';
  if (/^53/.test(code) || code === 'ENOSPC') return 'full';
  if (/^(55P03|57014)$/.test(code) || /timeout/i.test(message)) return 'slow';
  if (/^(08|57P|E[A-Z]+)/.test(code) || /[Cc]onnection (terminated|ended)|not queryable/.test(message)) {
    return 'unreachable';
  }
  return 'failed';
}

export function hideSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => (secret === '' ? shown : shown.replaceAll(secret, '***')), text);
}
