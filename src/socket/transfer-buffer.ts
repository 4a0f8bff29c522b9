// Memory for the bytes of sockets, for the rooms above, which may not reach into ffi.

import { NativeBuffer } from '../ffi/native-buffer.ts';

export type TransferBuffer = NativeBuffer;

/** `size` bytes at a fixed address; lives as long as it is referenced. */
export function createTransferBuffer(size: number): TransferBuffer {
  return new NativeBuffer(size);
}
