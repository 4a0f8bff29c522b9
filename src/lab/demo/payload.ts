// The file that is downloaded: pseudo-random bytes that any process can make again, so that a byte lost, doubled or
// swapped changes the SHA-256. Nothing of it is stored.

import { createCipheriv, createHash } from 'node:crypto';

/** Fixed: the file is the same each time, and no secret. */
const KEY = Buffer.from('anabranch-demo-1');
const COUNTER = Buffer.alloc(16);
const CHUNK_BYTES = 1 << 18;

/** AES-128 in counter mode over zeros, in chunks of 256 KiB. */
export function* payload(bytes: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', KEY, COUNTER);
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let left = bytes; left > 0; left -= CHUNK_BYTES)
    yield cipher.update(zeros.subarray(0, Math.min(left, CHUNK_BYTES)));
}

/** As hexadecimal digits. Takes about a second per GB. */
export function payloadSha256(bytes: number): string {
  const hash = createHash('sha256');
  for (const chunk of payload(bytes)) hash.update(chunk);
  return hash.digest('hex');
}
