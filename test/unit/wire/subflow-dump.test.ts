// Subflows in a list of sockets. The answers were recorded on Linux 6.18, between fd00::1 and fd00::2, and 127.0.0.1.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { NLMSG_HEADER } from '#anabranch/wire/netlink.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { encodeSubflowDump, parseSubflowProgress } from '#anabranch/wire/subflow-dump.js';
import { hex, protocolError, unhex } from './parsing.ts';

const JOINED_BY_US = [
  '00020000140000002a000000c7b377e50a010000c6818a73fd000000000000000000000000000002fd000000000000000000000000000001',
  '00000000220000000000000000000000000000000000000000000000d78a8f00050008000000000008000f00000000000c00150001000000',
  '0000000006001600120000001c010200010000000007aa01e01c030000000000008000001802000000000000000000000000000000000000',
  '000000003400000000000000340000003400000000000100c4ff00000900000004000000ffffff7f0a000000b8ff00000300000000000000',
  'c4ff000000000000716882ef10000000ffffffffffffffff0100000000000000000000000000000002000000020000000000000009000000',
  '0000000000000000000000000000000000000000000000000000000000000000000000000000000001000000000000000000000000000000',
  '0000000000000000000000000000000000000000000001000000010000000000000000000000000000000000000000000000000000000000',
  '00000000000000000000000000000000680013000a0001006d707463700000005800030008000100913f3c0b0800020026d1376608000800',
  'ec000000050009000000000005000a000200000008000300010000000c000400b60889d2ef5b71bb0800050000000000080006008e904dd3',
  '0600070000000000',
].join('');

const NO_SUBFLOW = [
  '7c000000140000002a0000007a1b000002010000bd48828d7f0000010000000000000000000000007f000001000000000000000000000000',
  '000000000b100000000000000000000000000000000000000000000049538f00050008000000000008000f00000000000c00150001000000',
  '000000000600160052000000',
].join('');

const payload = (message: string) => unhex(message).subarray(NLMSG_HEADER);

test('a subflow that this side opened', () => {
  const { rttMs, rttVarianceMs, silentMs, ...rest } = parseSubflowProgress(payload(JOINED_BY_US)) ?? assert.fail();
  assert.deepEqual(rest, {
    token: 0x6637d126,
    initiated: true,
    initial: false,
    localId: 2,
    backup: true,
    local: { address: 'fd00::2', port: 50_817 },
    remote: { address: 'fd00::1', port: 35_443 },
    timeouts: 0,
    unacked: 0,
    bytesAcked: 1,
    bytesReceived: 0,
    segmentsIn: 2,
  });
  assert.ok(rttMs > 0 && rttMs < 1 && rttVarianceMs < 1 && silentMs < 100);
});

test('another socket is none', () => {
  assert.equal(parseSubflowProgress(payload(NO_SUBFLOW)), undefined);
});

test('cut and changed answers are malformed, or tell less', () => {
  assert.throws(
    () => parseSubflowProgress(new Uint8Array(71)),
    protocolError('malformed', /shorter than inet_diag_msg/),
  );
  const changes = fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 6 });
  fc.assert(
    fc.property(changes, fc.nat(600), (changed, length) => {
      const bytes = Uint8Array.from(payload(JOINED_BY_US));
      for (const [at, value] of changed) bytes[at % bytes.length] = value;
      try {
        parseSubflowProgress(bytes.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('the question', () => {
  const rest = '00'.repeat(48);
  assert.equal(hex(encodeSubflowDump(4, 7)), `480000001400010307000000000000000206020002000000${rest}`);
  assert.equal(hex(encodeSubflowDump(6, 7)), `48000000140001030700000000000000${'0a06020002000000'}${rest}`);
});
