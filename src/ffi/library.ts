// The one place that loads koffi. Everything native goes through `declare`, on the C library Node itself runs on.

import koffi from 'koffi';

const libc = koffi.load(null);

/** A C function as koffi binds it: numbers in, a number out. Addresses are numbers too (48 bits on x64 and arm64). */
export type NativeCall = (...args: (number | string | null)[]) => number;

/** Binds a function of the C library by its C prototype. Throws when the library lacks it. */
export function declare(prototype: string): NativeCall {
  return libc.func(prototype) as unknown as NativeCall;
}

/** Address of the first byte of `bytes`. The caller keeps `bytes` alive for as long as the address is in use. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes));
}

/** errno of the latest native call on this thread; read it before anything else is called. */
export function lastErrno(): number {
  return koffi.errno();
}
