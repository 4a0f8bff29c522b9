import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatPasswordHash, parsePasswordHash } from '#anabranch/config/password-hash.js';

const SALT = 'AAECAwQFBgcICQoLDA0ODw';
const HASH = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';

test('reads the parts of a hash', () => {
  assert.deepEqual(parsePasswordHash(`scrypt:16384:8:1:${SALT}:${HASH}`), {
    cost: 16_384,
    blockSize: 8,
    parallelization: 1,
    salt: Uint8Array.from({ length: 16 }, (_, index) => index),
    hash: Uint8Array.from({ length: 32 }, (_, index) => index),
  });
});

test('refuses other forms and parameters out of bounds', () => {
  const bad = [
    '',
    'secret',
    'scrypt:',
    'scrypt:secret',
    `scrypt:16384:8:1:${SALT}`,
    `scrypt:16384:8:1:${SALT}:${HASH}:`,
    ` scrypt:16384:8:1:${SALT}:${HASH}`,
    `scrypt:16384:8:1:${SALT}:${HASH}\n`,
    `Scrypt:16384:8:1:${SALT}:${HASH}`,
    `scrypt:16383:8:1:${SALT}:${HASH}`,
    `scrypt:1024:8:1:${SALT}:${HASH}`,
    `scrypt:1048576:8:1:${SALT}:${HASH}`,
    `scrypt:16384:0:1:${SALT}:${HASH}`,
    `scrypt:16384:8:0:${SALT}:${HASH}`,
    `scrypt:16384:8:99:${SALT}:${HASH}`,
    `scrypt:16384:99:1:${SALT}:${HASH}`,
    `scrypt:16384:8:1:${SALT}=:${HASH}`,
    `scrypt:16384:8:1:short:${HASH}`,
    `scrypt:16384:8:1:${SALT}:short`,
    // Bits left over.
    `scrypt:16384:8:1:${SALT.slice(0, -1)}x:${HASH}`,
    `scrypt:16384:8:1:${SALT}A:${HASH}AA`,
  ];
  for (const text of bad) assert.equal(parsePasswordHash(text), undefined, text);
});

test('what is written reads back, and agrees with node about base64url', () => {
  const bytes = (minLength: number) => fc.uint8Array({ minLength, maxLength: 64 });
  fc.assert(
    fc.property(bytes(9), bytes(17), (salt, hash) => {
      const value = { cost: 32_768, blockSize: 8, parallelization: 2, salt, hash };
      const text = formatPasswordHash(value);
      const encoded = [salt, hash].map((part) => Buffer.from(part).toString('base64url'));
      assert.equal(text, `scrypt:32768:8:2:${encoded.join(':')}`);
      assert.deepEqual(parsePasswordHash(text), value);
    }),
  );
});
