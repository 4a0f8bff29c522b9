// How the kernel says yes and no.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { NLMSG_ERROR } from '#anabranch/wire/netlink.js';
import { NLMSG_DONE, parseNetlinkAck } from '#anabranch/wire/netlink-ack.js';
import { unhex } from './parsing.ts';

const EINVAL = 'eaffffff';
/** The header of a request with 8 bytes behind it, as it is repeated. */
const REQUEST = '18000000 2100 0500 07000000 00000000';
/** NLMSGERR_ATTR_MSG, "invalid token"; before it NLMSGERR_ATTR_OFFS. */
const REASON = '0800 0200 14000000 1200 0100 696e76616c696420746f6b656e00 0000';

test('an answer is an errno, and what the kernel says of it', () => {
  const no = { errno: 22, reason: undefined };
  const why = { errno: 22, reason: 'invalid token' };
  for (const [what, type, flags, bytes, expected] of [
    ['done', NLMSG_ERROR, 0x100, `00000000 ${REQUEST}`, { errno: 0, reason: undefined }],
    ['refused without a word', NLMSG_ERROR, 0x100, `${EINVAL} ${REQUEST}`, no],
    ['with one, the request cut', NLMSG_ERROR, 0x300, `${EINVAL} ${REQUEST} ${REASON}`, why],
    ['with one, the request whole', NLMSG_ERROR, 0x200, `${EINVAL} ${REQUEST} 0102030405060708 ${REASON}`, why],
    ['the end of a list', NLMSG_DONE, 2, '00000000', { errno: 0, reason: undefined }],
    ['a list that failed', NLMSG_DONE, 0x202, `${EINVAL} ${REASON}`, why],
    ['words that cannot be read', NLMSG_ERROR, 0x300, `${EINVAL} ${REQUEST} ff00 0100 69`, no],
    ['nothing', NLMSG_ERROR, 0, '', { errno: 0, reason: undefined }],
  ] as const) {
    assert.deepEqual(parseNetlinkAck(type, flags, unhex(bytes)), expected, what);
  }
});

test('any bytes have a meaning', () => {
  fc.assert(
    fc.property(fc.constantFrom(NLMSG_ERROR, NLMSG_DONE), fc.nat(0xffff), fc.uint8Array(), (type, flags, bytes) => {
      assert.ok(parseNetlinkAck(type, flags, bytes).errno >= 0);
    }),
    { examples: [0x80, 0xff].map((top) => [NLMSG_ERROR, 0x3a00, Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, top)]) },
  );
});
