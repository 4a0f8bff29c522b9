// The error for a name that nothing has: with the one that was probably meant, and all there are.

import { nearest } from '../config/nearest.ts';
import { LabError, LabErrorCode } from './lab-error.ts';

export function unknownName(what: string, name: string, known: readonly string[]): LabError {
  return new LabError(LabErrorCode.unknownName, `no ${what} is named ${name}; ${namesHint(name, known)}`);
}

/** `did you mean wifi? there are: wifi, cellular` */
export function namesHint(name: string, known: readonly string[]): string {
  // Any other letter is near to a single one.
  const near = name.length > 1 ? nearest(name, known) : undefined;
  const all = `there are: ${known.join(', ') || 'none'}`;
  return near === undefined ? all : `did you mean ${near}? ${all}`;
}
