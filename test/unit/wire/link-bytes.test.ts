// Bytes of interfaces, out of messages of rtnetlink.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { parseLinkBytes } from '#anabranch/wire/link-bytes.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';

const RTM_NEWLINK = 16;

/** A second way to write such a message, by the header files alone. */
function message(index: number, name: string, stats: readonly bigint[] | undefined, family = 0): Uint8Array {
  const parts: number[] = [family, 0, 1, 0, ...int32(index), 0, 0, 0, 0, 0, 0, 0, 0];
  const add = (type: number, payload: readonly number[]): void => {
    parts.push(...int16(payload.length + 4), ...int16(type), ...payload);
    while (parts.length % 4 !== 0) parts.push(0);
  };
  add(3, [...new TextEncoder().encode(name), 0]);
  if (stats !== undefined) {
    const bytes = new Uint8Array(stats.length * 8);
    stats.forEach((value, i) => {
      new DataView(bytes.buffer).setBigUint64(i * 8, value, true);
    });
    add(23, [...bytes]);
  }
  return Uint8Array.from(parts);
}

function int16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function int32(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];
}

test('both directions together, beyond 32 bits', () => {
  const stats = [1n, 2n, 5_000_000_000n, 7_000_000_000n, 0n, 0n];
  assert.deepEqual(parseLinkBytes(RTM_NEWLINK, message(7, 'wwan0', stats)), {
    index: 7,
    name: 'wwan0',
    bytes: 12_000_000_000,
  });
  assert.equal(parseLinkBytes(RTM_NEWLINK, message(7, 'wwan0', undefined)), undefined);
  assert.equal(parseLinkBytes(RTM_NEWLINK, message(7, 'wwan0', stats.slice(0, 3))), undefined);
  // Ports of bridges tell of themselves, too (AF_BRIDGE).
  assert.equal(parseLinkBytes(RTM_NEWLINK, message(7, 'wwan0', stats, 7)), undefined);
  assert.equal(parseLinkBytes(17, message(7, 'wwan0', stats)), undefined);
});

test('every proper prefix, and any bytes, are refused or read', () => {
  const whole = message(7, 'wwan0', [1n, 2n, 3n, 4n]);
  const tryOne = (bytes: Uint8Array): void => {
    try {
      parseLinkBytes(RTM_NEWLINK, bytes);
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  };
  for (let length = 0; length < whole.length; length++) tryOne(whole.subarray(0, length));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryOne));
});
