// Where the log goes: the texts that name a target, and the settings of a database log.

import type { LogDatabase } from './config.ts';
import type { Reading } from './readings.ts';

export const LOG_HINT =
  'off, stdout, a path that ends in .jsonl, embedded, embedded:DIRECTORY, or postgres://user:password@host/database';
/** Longest path the kernel takes (PATH_MAX), with its final zero. */
const PATH_BYTES_MAX = 4_095;
const EMBEDDED = 'embedded:';

/** What a text alone says. */
export type LogPlace =
  | { readonly kind: 'off' }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'database'; readonly database: LogDatabase };

export function readLog(text: string): Reading<LogPlace> {
  if (text === 'off' || text === 'stdout') return { value: { kind: text } };
  if (text === 'embedded') return databaseOf({ kind: 'embedded', directory: undefined });
  if (text.startsWith(EMBEDDED)) {
    const directory = text.slice(EMBEDDED.length);
    if (!isPath(directory)) return { wrong: 'names no usable directory', hint: 'embedded:/var/lib/anabranch/log' };
    return databaseOf({ kind: 'embedded', directory });
  }
  if (/^postgres(?:ql)?:/.test(text)) return readUrl(text);
  if (!text.endsWith('.jsonl') || text === '.jsonl' || text.endsWith('/.jsonl')) {
    return { wrong: 'is not a place to log to', hint: LOG_HINT };
  }
  if (!isPath(text)) return { wrong: 'is not a usable path', hint: LOG_HINT };
  return { value: { kind: 'file', path: text } };
}

export const DIRECTORY_HINT = 'the path of a directory';

export function readDirectory(text: string): Reading<string> {
  return isPath(text) ? { value: text } : { wrong: 'is not a usable path', hint: DIRECTORY_HINT };
}

export const RETENTION_HINT = 'whole days, from 1d to 3650d';
const DAY_MS = 86_400_000;
const RETENTION_DAYS_MAX = 3_650;

/** In milliseconds. */
export function readRetention(text: string): Reading<number> {
  const days = Number(/^(\d{1,4})d$/.exec(text)?.[1] ?? 0);
  if (days >= 1 && days <= RETENTION_DAYS_MAX) return { value: days * DAY_MS };
  return { wrong: 'is not a time to keep the log', hint: RETENTION_HINT };
}

const URL_HINT =
  'postgres://user:password@host:5432/database; in a name or password write other characters than letters and digits as %XX';

function readUrl(text: string): Reading<LogPlace> {
  const wrong = { wrong: 'is not the URL of a PostgreSQL database', hint: URL_HINT };
  try {
    const url = new URL(text);
    const isWhole = text.includes('://') && url.host !== '' && url.hash === '' && !text.includes('\0');
    return isWhole ? databaseOf({ kind: 'postgres', url: text }) : wrong;
  } catch {
    return wrong;
  }
}

function databaseOf(database: LogDatabase): Reading<LogPlace> {
  return { value: { kind: 'database', database } };
}

function isPath(text: string): boolean {
  return text !== '' && new TextEncoder().encode(text).length <= PATH_BYTES_MAX && !text.includes('\0');
}
