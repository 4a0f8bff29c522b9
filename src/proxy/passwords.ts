// Passwords of clients: made into scrypt hashes, and checked against them.
//
// A check costs about 30 ms of a core and 16 MiB, on purpose; so few run at once, few wait, and a client that proves
// its password again within minutes (browsers do, with each connection) is not asked to pay again.

import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { formatPasswordHash, type PasswordHash, parsePasswordHash } from '../config/password-hash.ts';

/** Resolves to false for a wrong password, an unknown name, and when too many checks wait; never rejects. */
export type PasswordCheck = (name: string, password: string) => Promise<boolean>;

const COST = 1 << 14;
const BLOCK_SIZE = 8;
const PARALLELIZATION = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Longest password in UTF-8: what RFC 1929 §2 can carry. */
export const PASSWORD_BYTES_MAX = 255;

/** At once, of all inbounds together: scrypt runs on libuv's four threads, and name resolution needs some of them. */
const RUNNING_MAX = 2;
/** Waiting: what two threads get done within a handshake's usual time limit. */
const WAITING_MAX = 256;
const PROVEN_MS = 300_000;
const PROVEN_MAX = 1_024;

/** A new hash of `password`, with a new salt. Throws a RangeError on an empty or too long one. */
export async function hashPassword(password: string): Promise<string> {
  const length = Buffer.byteLength(password);
  if (length === 0) throw new RangeError('the password is empty');
  if (length > PASSWORD_BYTES_MAX) throw new RangeError(`the password is longer than ${PASSWORD_BYTES_MAX} bytes`);
  const form = { cost: COST, blockSize: BLOCK_SIZE, parallelization: PARALLELIZATION };
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, { ...form, salt, hash: new Uint8Array(HASH_BYTES) });
  return formatPasswordHash({ ...form, salt, hash });
}

/** Whether `password` is the one `hash` was made of; false as well for a text that is no hash. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const parsed = parsePasswordHash(hash);
  if (parsed === undefined) return false;
  return timingSafeEqual(await derive(password, parsed), parsed.hash);
}

/** `now` in milliseconds, monotonic; a test may bring its own. */
export function createPasswordCheck(
  users: readonly { readonly name: string; readonly password: string }[],
  now: () => number = () => performance.now(),
): PasswordCheck {
  const hashes = new Map(users.map(({ name, password }) => [name, password]));
  // An unknown name costs what a known one costs, so that time does not tell which names exist.
  const decoy = users[0]?.password;
  // Keyed with a secret of this process: what a password is remembered by is worth nothing elsewhere.
  const key = randomBytes(32);
  /** Until when a name and password count as proven, by their HMAC. Bounded by PROVEN_MAX, the oldest go first. */
  const proven = new Map<string, number>();
  /** Checks under way, so that one client's burst of connections is checked once. Bounded by the gate's queue. */
  const pending = new Map<string, Promise<boolean>>();

  async function check(name: string, password: string, mark: string): Promise<boolean> {
    const hash = hashes.get(name);
    const checked = hash ?? decoy;
    if (checked === undefined) return false;
    const matches = await gate(() => verifyPassword(checked, password));
    if (!matches || hash === undefined) return false;
    proven.delete(mark);
    if (proven.size >= PROVEN_MAX) proven.delete(proven.keys().next().value as string);
    proven.set(mark, now() + PROVEN_MS);
    return true;
  }

  return async (name, password) => {
    if (Buffer.byteLength(name) > PASSWORD_BYTES_MAX || Buffer.byteLength(password) > PASSWORD_BYTES_MAX) return false;
    const mark = createHmac('sha256', key)
      .update(JSON.stringify([name, password]))
      .digest('base64');
    if ((proven.get(mark) ?? 0) > now()) return true;
    const under = pending.get(mark);
    if (under !== undefined) return under;
    const answer = check(name, password, mark)
      .catch(() => false)
      .finally(() => pending.delete(mark));
    pending.set(mark, answer);
    return answer;
  };
}

let running = 0;
/** Bounded by WAITING_MAX. */
const waiting: (() => void)[] = [];

/** Runs `work` when its turn comes; false without running it when too many wait. */
async function gate(work: () => Promise<boolean>): Promise<boolean> {
  if (running >= RUNNING_MAX) {
    if (waiting.length >= WAITING_MAX) return false;
    // Whoever ends hands its place on, so `running` stays as it is.
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}

function derive(password: string, form: PasswordHash): Promise<Buffer> {
  const options: ScryptOptions = {
    cost: form.cost,
    blockSize: form.blockSize,
    parallelization: form.parallelization,
    // What the algorithm takes and a little more; Node's own bound is 32 MiB.
    maxmem: 128 * form.blockSize * (form.cost + form.parallelization) + (1 << 20),
  };
  return new Promise((resolve, reject) => {
    scrypt(password, form.salt, form.hash.length, options, (error, hash) => (error ? reject(error) : resolve(hash)));
  });
}
