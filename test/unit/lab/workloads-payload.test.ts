import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { BLOCK_BYTES, Payload, roomInBlock, streamOf } from '#anabranch/lab/workloads/payload.js';

const payload = new Payload(7);
const LENGTH = 3 * BLOCK_BYTES + 1_000;

/** A stream made byte by byte. */
function bytesOf(source: Payload, stream: number, from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => source.table.bytes[source.place(stream, from + i)]!);
}

const whole = bytesOf(payload, 3, 0, LENGTH);

/** Feeds a stream in pieces, as a socket would, and returns the first offset that was found wrong. */
function check(bytes: Uint8Array, stream: number, pieces: readonly number[]): number | undefined {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = Math.min(pieces[i % pieces.length]!, bytes.length - at);
    const bad = payload.findBad(stream, at, bytes.subarray(at, at + length));
    if (bad !== undefined) return bad;
    at += length;
  }
  return undefined;
}

describe('payload', () => {
  test('what is sent block by block is what is checked piece by piece', () => {
    const sent = new Uint8Array(LENGTH);
    for (let at = 0; at < LENGTH; ) {
      const length = Math.min(roomInBlock(at), LENGTH - at, 100_000);
      const from = payload.place(3, at);
      sent.set(payload.table.bytes.subarray(from, from + length), at);
      at += length;
    }
    assert.deepEqual(sent, whole);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 5 }), (pieces) => {
        assert.equal(
          check(
            whole,
            3,
            pieces.map((piece) => Math.max(piece, 500)),
          ),
          undefined,
        );
      }),
      { numRuns: 30 },
    );
  });

  test('a changed byte is found at its offset', () => {
    fc.assert(
      fc.property(fc.nat(LENGTH - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = whole.slice();
        bytes[at]! ^= change;
        assert.equal(check(bytes, 3, [65_536]), at);
      }),
      { numRuns: 50 },
    );
  });

  test('a byte lost, doubled or swapped is found at the first offset that differs', () => {
    const differs = (bytes: Uint8Array): number => bytes.findIndex((byte, i) => byte !== whole[i]);
    fc.assert(
      fc.property(fc.nat(LENGTH - 1_000), (at) => {
        const lost = Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)]);
        const doubled = Buffer.concat([whole.subarray(0, at + 1), whole.subarray(at, LENGTH - 1)]);
        const swapped = whole.slice();
        [swapped[at], swapped[at + 1]] = [whole[at + 1]!, whole[at]!];
        for (const bytes of [lost, doubled]) assert.equal(check(bytes, 3, [65_536]), differs(bytes));
        const unequal = whole[at] !== whole[at + 1];
        assert.equal(check(swapped, 3, [65_536]), unequal ? at : undefined);
      }),
      { numRuns: 30 },
    );
  });

  test('whole blocks lost, doubled or swapped are found, and so is the payload of another flow, direction or key', () => {
    const block = (i: number): Uint8Array => whole.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    assert.equal(check(Buffer.concat([block(0), block(2)]), 3, [65_536]), BLOCK_BYTES);
    assert.equal(check(Buffer.concat([block(0), block(0), block(1)]), 3, [65_536]), BLOCK_BYTES);
    assert.ok(check(Buffer.concat([block(1), block(0)]), 3, [65_536])! < 8);
    for (const [flow, direction] of [
      [0, 'up'],
      [1, 'down'],
      [2, 'up'],
    ] as const) {
      const stream = streamOf(flow, direction);
      const other = bytesOf(payload, stream, 0, 1_000);
      assert.equal(check(other, stream, [100]), undefined);
      if (stream !== 3) assert.ok(check(other, 3, [100])! < 8);
    }
    assert.ok(check(bytesOf(new Payload(8), 3, 0, 1_000), 3, [100])! < 8);
    assert.deepEqual(bytesOf(new Payload(7), 3, 0, 1_000), whole.subarray(0, 1_000));
  });

  test('offsets far beyond 4 GiB have payload of their own', () => {
    const far = 2 ** 40 + 12_345;
    const bytes = bytesOf(payload, 3, far, 5_000);
    assert.equal(payload.findBad(3, far, bytes), undefined);
    assert.notEqual(payload.findBad(3, far - 2 ** 32, bytes), undefined);
    assert.notEqual(payload.findBad(3, 12_345, bytes), undefined);
  });
});
