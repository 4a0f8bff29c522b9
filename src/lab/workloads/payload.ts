// The bytes that workloads carry: pseudo-random, made from a key, and different in every flow and direction, so that a
// byte lost, doubled, swapped or strayed from another flow shows. Checking costs one memcmp, sending nothing: the stream
// is a chain of blocks that are all cut out of one table, each where a hash of its number says.

import { createTransferBuffer, type TransferBuffer } from '../../socket/transfer-buffer.ts';

export const BLOCK_BYTES = 1 << 18;
const STARTS = 1 << 20;

export type Direction = 'up' | 'down';

export class Payload {
  readonly key: number;
  /** Send straight from here, at `place`. */
  readonly table: TransferBuffer;
  readonly #bytes: Buffer;

  constructor(key: number) {
    this.key = key >>> 0;
    this.table = createTransferBuffer(STARTS + BLOCK_BYTES);
    const { bytes } = this.table;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    // xorshift32, whose state must not be 0; the hash keeps close keys apart.
    let state = mix(this.key) || 1;
    for (let i = 0; i < words.length; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
  }

  /** Where the byte at `offset` of a stream lies in the table; the bytes that follow it do up to the block's end. */
  place(stream: number, offset: number): number {
    const block = Math.floor(offset / BLOCK_BYTES);
    // Multiplied by odd constants, so that neither flows nor neighbouring blocks share a start but by chance.
    const hash = mix(this.key ^ Math.imul(stream + 1, 0x9e37_79b1) ^ Math.imul(block + 1, 0x85eb_ca6b));
    return (hash & (STARTS - 1)) + (offset - block * BLOCK_BYTES);
  }

  /** Offset of the first of `bytes` that does not belong at `offset` of the stream, or undefined. */
  findBad(stream: number, offset: number, bytes: Uint8Array): number | undefined {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, roomInBlock(offset + at));
      const from = this.place(stream, offset + at);
      if (this.#bytes.compare(bytes, at, at + length, from, from + length) !== 0) {
        for (let i = 0; i < length; i++) if (bytes[at + i] !== this.#bytes[from + i]) return offset + at + i;
      }
      at += length;
    }
    return undefined;
  }
}

/** Bytes from `offset` to the end of its block. */
export function roomInBlock(offset: number): number {
  return BLOCK_BYTES - (offset % BLOCK_BYTES);
}

/** Each flow has two streams. */
export function streamOf(flow: number, direction: Direction): number {
  return flow * 2 + (direction === 'up' ? 0 : 1);
}

/** The finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
