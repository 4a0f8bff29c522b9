// Amounts of data, with their unit.

import type { Reading } from './readings.ts';

const UNIT_BYTES = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;
/** A petabyte: exact as a number, and more than a path carries in a month. */
const BYTES_MAX = 1e15;

export const BYTE_SIZE_HINT = 'a number with its unit: 500kB, 1MB, 2.5GB, or 512KiB, 1MiB, 2GiB';

/** In bytes, from 1 on. `1MB` is 1,000,000 bytes, `1MiB` 1,048,576. */
export function readByteSize(text: string): Reading<number> {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?(B|[kKMGT]B|[KMGT]iB)$/.exec(text);
  if (!match) {
    return { wrong: /^\d+$/.test(text) ? 'has no unit' : 'is not an amount of data', hint: BYTE_SIZE_HINT };
  }
  const bytes = Math.round(Number(match[1]) * UNIT_BYTES[match[2] as keyof typeof UNIT_BYTES]);
  if (bytes >= 1 && bytes <= BYTES_MAX) return { value: bytes };
  return { wrong: `is too ${bytes < 1 ? 'little' : 'much'}`, hint: 'from 1B to 1000TB' };
}

export const SEND_BUFFER_HINT = 'auto, kernel, or a number with its unit from 64kB to 1GB: 500kB, 4MB';

const SEND_BUFFER_MIN = 64e3;
const SEND_BUFFER_MAX = 1e9;

export function readSendBuffer(text: string): Reading<number | 'auto' | 'kernel'> {
  if (text === 'auto' || text === 'kernel') return { value: text };
  const size = readByteSize(text);
  if ('wrong' in size) return { wrong: size.wrong, hint: SEND_BUFFER_HINT };
  if (size.value >= SEND_BUFFER_MIN && size.value <= SEND_BUFFER_MAX) return size;
  return { wrong: `is too ${size.value < SEND_BUFFER_MIN ? 'little' : 'much'}`, hint: SEND_BUFFER_HINT };
}
