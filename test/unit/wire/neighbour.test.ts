import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { encodeNeighbour, parseNeighbourState } from '#anabranch/wire/neighbour.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { hex, protocolError, unhex } from './parsing.ts';

/** struct ndmsg of interface 7 with a state and flags, and NDA_DST 192.0.2.1. */
function told(state: string, flags = '00'): Uint8Array {
  return unhex(`02000000 07000000 ${state}00 ${flags} 01 08000100 c0000201`);
}

test('states, by include/uapi/linux/neighbour.h', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['00', 'resolved'],
    ['01', 'unresolved'],
    ['02', 'resolved'],
    ['04', 'resolved'],
    ['08', 'resolved'],
    ['10', 'resolved'],
    ['20', 'unresolved'],
    ['40', 'fixed'],
    ['80', 'fixed'],
  ];
  for (const [state, expected] of table) assert.equal(parseNeighbourState(28, told(state)), expected, state);
  // NTF_EXT_LEARNED: somebody else keeps it.
  assert.equal(parseNeighbourState(28, told('02', '10')), 'fixed');
  assert.equal(parseNeighbourState(29, told('02')), undefined);
  assert.throws(() => parseNeighbourState(28, unhex('0200')), protocolError('malformed', /shorter than ndmsg/));
});

test('requests', () => {
  const neighbour = { family: 4, address: '192.0.2.1', index: 7 } as const;
  const rest = '0500 09000000 00000000 02000000 07000000 00000000 08000100 c0000201'.replaceAll(' ', '');
  assert.equal(hex(encodeNeighbour('get', neighbour, 9)), `240000001e00${rest}`);
  assert.equal(hex(encodeNeighbour('remove', neighbour, 9)), `240000001d00${rest}`);
  const find = rest
    .replace('0500', '0504')
    .replace('07000000 00000000'.replaceAll(' ', ''), '070000000000 01 00'.replaceAll(' ', ''));
  assert.equal(hex(encodeNeighbour('find', neighbour, 9)), `240000001c00${find}`);
  assert.throws(() => encodeNeighbour('get', { ...neighbour, family: 6 }, 1), RangeError);
});

test('any bytes are a state or malformed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        assert.ok(parseNeighbourState(28, bytes));
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
  );
});
