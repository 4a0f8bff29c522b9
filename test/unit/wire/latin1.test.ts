import assert from 'node:assert/strict';
import { test } from 'node:test';

import { latin1Text, writeLatin1 } from '#anabranch/wire/latin1.js';

test('every byte is one character and back, in pieces longer than one call takes', () => {
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  bytes.set(Uint8Array.from({ length: 256 }, (_, i) => i));
  const text = latin1Text(bytes, 0, bytes.length);
  assert.equal(text, Buffer.from(bytes).toString('latin1'));
  const written = new Uint8Array(bytes.length + 3);
  assert.equal(writeLatin1(written, 3, text), written.length);
  assert.deepEqual(written.subarray(3), bytes);
  assert.equal(latin1Text(bytes, 4090, 4100), text.slice(4090, 4100));
  assert.equal(latin1Text(bytes, 5, 5), '');
});
