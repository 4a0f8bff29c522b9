// The text form of a password hash: `scrypt:N:r:p:salt:hash`, salt and hash in base64url. Only the form; the
// computation is where I/O is allowed.

/** Parameters of scrypt (RFC 7914 §2), with what came out of it. */
export interface PasswordHash {
  /** CPU and memory cost, a power of two. */
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const FORM = /^scrypt:(\d{1,8}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9_-]{11,86}):([A-Za-z0-9_-]{22,86})$/;
/** Below this a hash is guessed too fast; above it one check needs too much memory (128 · N · r bytes) or time. */
const COST_MIN = 1 << 14;
const MEMORY_BYTES_MAX = 64 << 20;
const WORK_MAX = 1 << 21;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** `undefined` for anything that is no such hash, or one whose parameters are out of bounds. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, cost, blockSize, parallelization] = match.map(Number) as [number, number, number, number];
  if (cost < COST_MIN || (cost & (cost - 1)) !== 0 || blockSize < 1 || parallelization < 1) return undefined;
  if (128 * cost * blockSize > MEMORY_BYTES_MAX || cost * blockSize * parallelization > WORK_MAX) return undefined;
  const salt = fromBase64Url(match[4] as string);
  const hash = fromBase64Url(match[5] as string);
  return salt && hash && { cost, blockSize, parallelization, salt, hash };
}

export function formatPasswordHash({ cost, blockSize, parallelization, salt, hash }: PasswordHash): string {
  return ['scrypt', cost, blockSize, parallelization, toBase64Url(salt), toBase64Url(hash)].join(':');
}

/** RFC 4648 §5, without padding. */
function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 6; ) {
      bits -= 6;
      text += ALPHABET[(held >> bits) & 63];
    }
    held &= (1 << bits) - 1;
  }
  return bits > 0 ? text + ALPHABET[(held << (6 - bits)) & 63] : text;
}

/** `undefined` when bits are left over that are not zero: two texts must not mean the same bytes. */
function fromBase64Url(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    held = (held << 6) | ALPHABET.indexOf(character);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  return held === 0 && bits < 6 ? bytes : undefined;
}
