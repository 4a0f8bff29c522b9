// A failed Linux call as an error with a stable code.

import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

export const Errno = constants.errno;

const names = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));
// Of two names for one number, the one that errno(3) and strace(1) show.
names.set(constants.errno.EAGAIN, 'EAGAIN');
names.set(constants.errno.EOPNOTSUPP, 'EOPNOTSUPP');
// Linux numbers that Node's table leaves out (include/uapi/asm-generic/errno.h).
const more: readonly (readonly [number, string])[] = [
  [77, 'EBADFD'],
  [92, 'ENOPROTOOPT'],
  [93, 'EPROTONOSUPPORT'],
  [94, 'ESOCKTNOSUPPORT'],
  [96, 'EPFNOSUPPORT'],
  [108, 'ESHUTDOWN'],
  [112, 'EHOSTDOWN'],
];
for (const [number, name] of more) if (!names.has(number)) names.set(number, name);

/** `ECONNREFUSED` for 111; `E123` for a number without a name. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

/** A call that Linux refused: `code` is the errno's name, `syscall` the call as in its manual page. */
export class LinuxError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(errno: number, syscall: string, subject?: string) {
    const code = errnoName(errno);
    const text = getSystemErrorMap().get(-errno)?.[1] ?? 'failed';
    super(`${syscall}${subject === undefined ? '' : ` ${subject}`}: ${text} (${code})`);
    this.name = 'LinuxError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** Passes a result on, or throws the LinuxError behind a negative one (−errno). */
export function orThrow(result: number, syscall: string, subject?: string): number {
  if (result < 0) throw new LinuxError(-result, syscall, subject);
  return result;
}
