// The question after a socket and the kernel's answers, recorded on Linux 6.18 between addresses of a namespace of their
// own: 127.0.0.1 and 127.0.0.2, fd00::1 and fd00::2.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { encodeTcpLookup, parseDiagAnswer } from '#anabranch/wire/sock-diag.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.ts';

const ASKED_BY_PEER = [
  '00020000140000002a000000c7b377e502010000ad45d0517f0000010000000000000000000000007f000002000000000000000000000000',
  '00000000200000000000000000000000000000000000000000000000cf8a8f00050008000000000008000f00000000000c00150001000000',
  '0000000006001600520000001c010200010000000007aa01e01c030000000000008000001802000000000000000000000000000000000000',
  '000000003c000000000000003c0000003c000000ffff0000cbff0000e8030000f4010000ffffff7f0a000000cbff00000300000000000000',
  'cbff0000000000000000102700000000ffffffffffffffff00000000000000000000000000000000010000000200000000000000e8030000',
  '0000000000000000000000000000000000000000000000000000000000000000000000000000000001000000000000000000000000000000',
  '0000000000000000000000000000000000000000000001000000010000000000000000000000000000000000000000000000000000000000',
  '00000000000000000000000000000000680013000a0001006d70746370000000580003000800010000000000080002001c30fd1208000800',
  'd4000000050009000100000005000a000000000008000300010000000c000400bca3b23530736bfd0800050000000000080006008f4d2e13',
  '0600070000000000',
].join('');

const ASKED_BY_US = [
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

const ORDINARY = [
  '00020000140000002a0000002fffd18a020100009255caec7f0000010000000000000000000000007f000001000000000000000000000000',
  '000000002410000000000000000000000000000000000000000000009caf8f00050008000000000008000f00000000000c00150001000000',
  '0000000006001600520000001c010200010000000007aa01e01c0300409c0000008000001802000000000000000000000000000000000000',
  '0000000044000000000000004400000044000000ffff0000cbff00001d0000000e000000ffffff7f0a000000cbff00000300000000000000',
  'cbff0000000000001196fb4205000000ffffffffffffffff000000000000000064000000000000000100000003000000000000001d000000',
  '0100000000000000000000000000000000000000000000000000000000000000000000000000000001000000000000000000000000000000',
  '0000000000000000000000000000000000000000000001000000010000000000000000000000000000000000000000000000000000000000',
  '00000000000000000000000000000000680013000a0001006d7074637000000058000300080001000000000008000200bdad7fab08000800',
  'c1000000050009000000000005000a000000000008000300010000000c000400d85f127d2573c4fc080005000100000008000600c5d641af',
  '0600070064000000',
].join('');

const WITHOUT_RIGHTS = [
  'cc010000140000002a000000eb7db58102010000d42e8a4f7f0000010000000000000000000000007f000001000000000000000000000000',
  '00000000250000000000000000000000000000000000000000000000f38a8f0005000800000000000c001500010000000000000006001600',
  '520000001c010200010000000007aa00e01c0300000000000080000018020000000000000000000000000000000000000000000038000000',
  '000000003800000038000000ffff0000d7ff0000300000001b000000ffffff7f0a000000cbff00000300000000000000d7ff000000000000',
  '8334482103000000ffffffffffffffff650000000000000000000000000000000300000002000000000000000c0000000000000001000000',
  'aaaac2a200000000000000000000000000000000000000000000000000000000020000000000000064000000000000000000000000000000',
  '0000000000000000000000000000010000000100000000000000000000000000000000000000000000000000000000000000000000000000',
  '00000000000000003c0013000a0001006d707463700000002c000300080001000000000008000200bf9ba67808000800c300000005000900',
  '0000000005000a0000000000',
].join('');

const NO_SUBFLOW = [
  '7c000000140000002a0000007a1b000002010000bd48828d7f0000010000000000000000000000007f000001000000000000000000000000',
  '000000000b100000000000000000000000000000000000000000000049538f00050008000000000008000f00000000000c00150001000000',
  '000000000600160052000000',
].join('');

const NOT_FOUND = [
  '5c000000020000002a000000c7b377e5feffffff48000000140001002a0000000000000002060200ffffffff000100027f00000100000000',
  '00000000000000007f00000100000000000000000000000000000000ffffffffffffffff',
].join('');

/** A second reader of the recorded bytes: the attribute is looked for by its type and length wherever it may be. */
function flagsOf(message: string): number {
  const at = message.indexOf('08000800', 2 * 380);
  return Number.parseInt(message.slice(at + 8, at + 10), 16);
}

test('recorded answers', () => {
  const socket = { kind: 'socket', sequence: 42, state: 1, owner: 0 };
  const table: readonly (readonly [string, object])[] = [
    [ASKED_BY_PEER, { ...socket, subflow: { token: 0x12fd301c, backup: true } }],
    [ASKED_BY_US, { ...socket, subflow: { token: 0x6637d126, backup: true } }],
    [ORDINARY, { ...socket, subflow: { token: 0xab7fadbd, backup: false } }],
    // Without CAP_NET_ADMIN Linux 6.18 leaves the sequence numbers out, and earlier ones everything.
    [WITHOUT_RIGHTS, { ...socket, subflow: { token: 0x78a69bbf, backup: false } }],
    [NO_SUBFLOW, { ...socket, subflow: undefined }],
    [NOT_FOUND, { kind: 'refused', sequence: 42, errno: 2 }],
  ];
  for (const [message, expected] of table) assert.deepEqual(parseWhole(parseDiagAnswer, unhex(message)), expected);
  // MPTCP_SUBFLOW_FLAG_BKUP_REM and _LOC (include/uapi/linux/mptcp.h).
  assert.equal(flagsOf(ASKED_BY_PEER) & 0x30, 0x10);
  assert.equal(flagsOf(ASKED_BY_US) & 0x30, 0x20);
  assert.equal(flagsOf(ORDINARY) & 0x30, 0);
});

test('another message is told apart, and its number kept', () => {
  assert.deepEqual(parseWhole(parseDiagAnswer, unhex('14000000 0300 0200 07000000 00000000 00000000')), {
    kind: 'other',
    sequence: 7,
  });
});

test('cut answers are malformed', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['13000000 0200 0000 01000000 00000000 000000', /an error without its number/],
    [`57000000 1400 0000 01000000 00000000 ${'00'.repeat(71)}`, /shorter than inet_diag_msg/],
    [ASKED_BY_US.replace('68001300', 'ff001300'), /attribute of 255 bytes/],
    [ASKED_BY_US.replace('58000300', 'ffff0300'), /attribute of 65535 bytes/],
  ];
  for (const [message, text] of table) {
    assert.throws(() => parseDiagAnswer(unhex(message)), protocolError('malformed', text));
  }
});

test('a subflow without its flags tells nothing, without its token it tells the rest', () => {
  const without = (attribute: string) => unhex(ASKED_BY_US.replace(attribute, `0800ff00${attribute.slice(8)}`));
  const subflowOf = (bytes: Uint8Array) => {
    const answer = parseDiagAnswer(bytes)?.value;
    return answer?.kind === 'socket' ? answer.subflow : assert.fail('no socket');
  };
  assert.equal(subflowOf(without('08000800ec000000')), undefined);
  assert.deepEqual(subflowOf(without('0800020026d13766')), { token: undefined, backup: true });
  // An attribute shorter than its number counts as not there.
  assert.equal(subflowOf(unhex(ASKED_BY_US.replace('08000800ec000000', '06000800ec000000'))), undefined);
});

test('any bytes are an answer, too few, or malformed', () => {
  const recorded = [ASKED_BY_PEER, ASKED_BY_US, ORDINARY, WITHOUT_RIGHTS, NO_SUBFLOW, NOT_FOUND].map(unhex);
  const changed = fc
    .tuple(fc.constantFrom(...recorded), fc.array(fc.tuple(fc.nat(600), fc.nat(255)), { maxLength: 6 }), fc.nat(600))
    .map(([message, changes, length]) => {
      const bytes = Uint8Array.from(message);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), (bytes) => {
      try {
        const parsed = parseDiagAnswer(bytes);
        assert.ok(parsed === undefined || parsed.bytesRead <= bytes.length);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('questions as the kernel took them', () => {
  const table: readonly (readonly [Parameters<typeof encodeTcpLookup>[0], string])[] = [
    [
      {
        local: { address: '127.0.0.2', port: 53329 },
        remote: { address: '127.0.0.1', port: 44357 },
        interfaceIndex: 1,
        sequence: 42,
      },
      '48000000 1400 0100 2a000000 00000000 02060200 ffffffff d051 ad45 7f000002000000000000000000000000 ' +
        '7f000001000000000000000000000000 01000000 ffffffff ffffffff',
    ],
    [
      {
        local: { address: 'fd00::1', port: 38706 },
        remote: { address: 'fd00::2', port: 35443 },
        interfaceIndex: 0,
        sequence: 0xffff_fffe,
      },
      '48000000 1400 0100 feffffff 00000000 0a060200 ffffffff 9732 8a73 fd000000000000000000000000000001 ' +
        'fd000000000000000000000000000002 00000000 ffffffff ffffffff',
    ],
  ];
  for (const [lookup, expected] of table) assert.equal(hex(encodeTcpLookup(lookup)), expected.replaceAll(' ', ''));
  const nowhere = { address: 'example', port: 1 };
  assert.throws(() => encodeTcpLookup({ local: nowhere, remote: nowhere, interfaceIndex: 0, sequence: 0 }), RangeError);
});
