// Netlink messages and attributes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { parseAttributes, parseNetlinkMessage } from '#anabranch/wire/netlink.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.ts';

test('a message is its header and what its length says', () => {
  const bytes = unhex('18000000 1400 0100 2a000000 07000000 0102030405060708');
  const message = parseWhole(parseNetlinkMessage, bytes);
  assert.deepEqual(
    { ...message, payload: hex(message.payload) },
    {
      type: 20,
      flags: 1,
      sequence: 42,
      payload: '0102030405060708',
    },
  );
  assert.equal(parseWhole(parseNetlinkMessage, unhex('10000000 0300 0200 ffffffff 00000000')).payload.length, 0);
});

test('a length shorter than the header is malformed', () => {
  for (const length of ['00', '0f']) {
    const bytes = unhex(`${length}000000 1400 0000 00000000 00000000 00`);
    assert.throws(() => parseNetlinkMessage(bytes), protocolError('malformed', /shorter than its header/));
  }
});

test('attributes are padded to four bytes, and their marks are no part of their type', () => {
  const bytes = unhex('ffff 0500 0800 01 000000 0800 0380 01020304 0400 0700 0600 1340 aabb 0000 00');
  const attributes = parseAttributes(bytes, 2).map(({ type, payload }) => [type, hex(payload)]);
  assert.deepEqual(attributes, [
    [8, '01'],
    [3, '01020304'],
    [7, ''],
    [0x13, 'aabb'],
  ]);
  assert.deepEqual(parseAttributes(new Uint8Array(0)), []);
  assert.deepEqual(parseAttributes(unhex('000000')), []);
});

test('an attribute that says it is shorter than its header, or longer than what is there, is malformed', () => {
  for (const text of ['0300 0100', '0000 0100', '0500 0100', 'ffff 0100 00', '0800 0100 00000000 0900 0100 00000000']) {
    assert.throws(() => parseAttributes(unhex(text)), protocolError('malformed', /attribute/));
  }
});

test('what a naive writer wrote is read back', () => {
  const attribute = fc.record({ type: fc.integer({ min: 0, max: 0x3fff }), payload: fc.uint8Array({ maxLength: 40 }) });
  fc.assert(
    fc.property(fc.array(attribute, { maxLength: 8 }), (attributes) => {
      const pieces = attributes.map(({ type, payload }) => {
        const header = Buffer.alloc(4);
        header.writeUInt16LE(4 + payload.length, 0);
        header.writeUInt16LE(type, 2);
        return Buffer.concat([header, payload, Buffer.alloc((4 - (payload.length % 4)) % 4)]);
      });
      const read = parseAttributes(new Uint8Array(Buffer.concat(pieces)));
      assert.deepEqual(
        read.map(({ type, payload }) => ({ type, payload: [...payload] })),
        attributes.map(({ type, payload }) => ({ type, payload: [...payload] })),
      );
    }),
  );
});
