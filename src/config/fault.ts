// What is wrong with a configuration, said so that it can be mended without reading the manual.

export interface Fault {
  /** As the caller named it; `command line` for flags. */
  readonly file: string;
  /** From 1; 0 where there is no place in a file. */
  readonly line: number;
  readonly column: number;
  /** `inbounds[0].listen`, or the flag; empty for the file as a whole. */
  readonly key: string;
  /** What is wrong, to be read after the key. Never holds a password. */
  readonly message: string;
  /** What would be right. */
  readonly hint: string;
}

/** Keys and indices from the top of the file. */
export type FaultPath = readonly (string | number)[];

/** A fault before its place is known. */
export interface Finding {
  readonly path: FaultPath;
  readonly message: string;
  readonly hint: string;
  /** The key itself is wrong, not its value. */
  readonly atKey?: boolean;
  /** The last key may be a secret that slipped in among the keys: it is not to be shown. */
  readonly hidesKey?: boolean;
}

/** `file:line:column key: message — hint`, on one line. */
export function formatFault({ file, line, column, key, message, hint }: Fault): string {
  const place = line > 0 ? `${file}:${line}:${column}` : file;
  const subject = key === '' ? place : `${place} ${key}`;
  return `${subject}: ${message} — ${hint}`;
}

export function formatPath(path: FaultPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const key = showKey(part);
    return text === '' ? key : `${text}.${key}`;
  }, '');
}

const SHOWN_MAX = 60;

/** Text of a file as it may be shown: shortened, without control characters. */
export function printable(text: string): string {
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 1)}…` : text;
  return shown.replace(/[^\P{C}…]/gu, '?');
}

/** A key as it may be shown: without a value that hangs on it for want of a space (`password:secret`). */
export function showKey(key: string): string {
  const colon = key.indexOf(':');
  return printable(colon < 0 ? key : `${key.slice(0, colon)}:…`);
}

/** Keys below which everything is a secret, or stands beside one. */
const SECRET_KEYS = new Set<string | number>(['users', 'credentials', 'password']);

/** A value in the words of a message: `is "x"`, `is a list`; what may be a secret is not shown. */
export function describeValue(value: unknown, path: FaultPath): string {
  if (value === undefined) return 'is missing';
  if (value === null) return 'has no value';
  if (Array.isArray(value)) return value.length === 0 ? 'is an empty list' : 'is a list';
  if (typeof value === 'object') return 'is a map of keys';
  const secret = isSecret(path);
  if (typeof value !== 'string') return secret ? `is a ${typeof value}` : `is ${String(value)}`;
  // Whatever holds an @ may be a URL with a password.
  return secret || /@|scrypt:|password=/i.test(value) ? 'is text of another form' : `is "${printable(value)}"`;
}

export function isSecret(path: FaultPath): boolean {
  return path.some((part) => SECRET_KEYS.has(part));
}
