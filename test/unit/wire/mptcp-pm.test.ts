// Generic netlink and the path manager's messages, recorded on Linux 6.18 in a namespace of their own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { encodeGetFamily, type GenericFamily, parseFamily, parseGenericMessage } from '#anabranch/wire/genetlink.js';
import {
  encodePmRequest,
  type PmAddress,
  type PmRequest,
  parseEndpoint,
  parseLimits,
  parsePmEvent,
} from '#anabranch/wire/mptcp-pm.js';
import { parseNetlinkMessage } from '#anabranch/wire/netlink.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.ts';

const FAMILY =
  '010200000d0002006d707463705f706d00000000060001001c000000080003000100000008000400000000000800050000000000e0000600' +
  '140001000800010001000000080002001a000000140002000800010002000000080002001a00000014000300080001000300000008000200' +
  '0e000000140004000800010004000000080002001a000000140005000800010005000000080002001a000000140006000800010006000000' +
  '080002000a000000140007000800010007000000080002001a000000140008000800010008000000080002001a0000001400090008000100' +
  '09000000080002001a00000014000a00080001000a000000080002001a00000014000b00080001000b000000080002001a00000044000700' +
  '200001000800020008000000120001006d707463705f706d5f636d6473000000200002000800020009000000140001006d707463705f706d' +
  '5f6576656e747300';

const ENDPOINTS: readonly (readonly [string, PmAddress])[] = [
  [
    '030100002c0001800600010002000000060005000000000005000200820000000800060002000000080003007f000002',
    { address: '127.0.0.2', id: 130, port: 0, flags: ['subflow'], index: 0 },
  ],
  [
    '0301000040000180060001000a00000006000500630000000500020083000000080006000100000008000700070000001400040020010db8' +
      '000000000000000000000007',
    { address: '2001:db8::7', id: 131, port: 99, flags: ['signal'], index: 7 },
  ],
  [
    '0301000034000180060001000200000006000500000000000500020084000000080006000e000000080007000700000008000300c0000207',
    { address: '192.0.2.7', id: 132, port: 0, flags: ['subflow', 'backup', 'fullmesh'], index: 7 },
  ],
];

const LIMITS = '0601000008000200030000000800030004000000';

const CREATED_BY_US =
  '01010000080001001b6a25a30600020002000000080005007f000001080007007f00000106000900cf40000006000a0015b3000005000300' +
  '000000000500040000000000';
const CREATED_BY_PEER =
  '0101000008000100e1e6adb6050012000100000006000d00020000000600020002000000080005007f000001080007007f00000106000900' +
  '15b3000006000a00cf40000005000300000000000500040000000000';
const JOINED =
  '0a010000080001001b6a25a30600020002000000080005007f000002080007007f000001060009008c6b000006000a0015b3000005000300' +
  '82000000050004000000000005000b0000000000';
const CLOSED = '03010000080001001b6a25a3';
const LISTENER = '0f01000006000200020000000600090015b300000800050000000000';
/** Of a client whose server takes no further subflows at its first address. */
const ESTABLISHED_AND_DENIED =
  '0201000008000100e6e3a1e406000d00010000000600020002000000080005000a000101080007000a00030206000900b00e000006000a00' +
  '15b3000005000300000000000500040000000000';
/** The same connection at the server, which listens on `::`. */
const ESTABLISHED_BY_PEER =
  '02010000080001009df3a14e050012000100000006000d0002000000060002000a0000001400060000000000000000000000ffff0a000302' +
  '1400080000000000000000000000ffff0a0001010600090015b3000006000a00b00e000005000300000000000500040000000000';
const REFUSED =
  '0b01000008000100e6e3a1e40600020002000000080005000a000201080007000a000302060009008401000006000a00176f000005000300' +
  '07000000050004000000000005000b000000000005000c006f000000';
const ENDED =
  '0b010000080001009df3a14e060002000a0000001400060000000000000000000000ffff0a0003021400080000000000000000000000ffff' +
  '0a0002010600090015b3000006000a00de8d00000500030000000000050004000700000005000b0001000000';
const PRIORITY =
  '0d010000080001009df3a14e060002000a0000001400060000000000000000000000ffff0a0003021400080000000000000000000000ffff' +
  '0a0002010600090015b3000006000a00de8d00000500030000000000050004000700000005000b0001000000';
const ANNOUNCED = '06010000080001009df3a14e050004000900000006000a00b00e0000080007000a000101';
const REMOVED = '07010000080001009df3a14e0500040009000000';
const LISTENER_GONE = '10010000060002000a0000000600090015b300001400060000000000000000000000000000000000';
/** Addresses of one connection, as `listOf` brings them. */
const ADDRESSES_OF: readonly (readonly [string, PmAddress])[] = [
  [
    '030100002c0001800600010002000000060005000000000005000200070000000800060006000000080003000a000201',
    { address: '10.0.2.1', id: 7, port: 0, flags: ['subflow', 'backup'], index: 0 },
  ],
  [
    '030100002c0001800600010002000000060005000000000005000200090000000800060001000000080003000a000101',
    { address: '10.0.1.1', id: 9, port: 0, flags: ['signal'], index: 0 },
  ],
];

const nowhere = { address: undefined, port: 0, id: undefined };
const quiet = { errno: 0, index: 0, resetReason: undefined };
const common = { ...quiet, backup: undefined, serverSide: false, denyJoinInitial: false };
const joinedAtServer = {
  ...common,
  token: 0x4ea1f39d,
  local: { address: '10.0.3.2', port: 5_555, id: 0 },
  remote: { address: '10.0.2.1', port: 56_973, id: 7 },
  backup: true,
};
const EVENTS: readonly (readonly [string, object])[] = [
  [
    CREATED_BY_US,
    {
      ...common,
      kind: 'created',
      token: 0xa3256a1b,
      local: { address: '127.0.0.1', port: 53_056, id: 0 },
      remote: { address: '127.0.0.1', port: 5_555, id: 0 },
    },
  ],
  [
    CREATED_BY_PEER,
    {
      ...common,
      kind: 'created',
      token: 0xb6ade6e1,
      local: { address: '127.0.0.1', port: 5_555, id: 0 },
      remote: { address: '127.0.0.1', port: 53_056, id: 0 },
      serverSide: true,
    },
  ],
  [
    JOINED,
    {
      ...common,
      kind: 'subflow-established',
      token: 0xa3256a1b,
      local: { address: '127.0.0.2', port: 35_947, id: 130 },
      remote: { address: '127.0.0.1', port: 5_555, id: 0 },
      backup: false,
    },
  ],
  [CLOSED, { ...common, kind: 'closed', token: 0xa3256a1b, local: nowhere, remote: nowhere }],
  [
    LISTENER,
    {
      ...common,
      kind: 'listener-created',
      token: undefined,
      local: { address: '0.0.0.0', port: 5_555, id: undefined },
      remote: nowhere,
    },
  ],
  [
    LISTENER_GONE,
    {
      ...common,
      kind: 'listener-closed',
      token: undefined,
      local: { address: '::', port: 5_555, id: undefined },
      remote: nowhere,
    },
  ],
  [
    ESTABLISHED_AND_DENIED,
    {
      ...common,
      kind: 'established',
      token: 0xe4a1e3e6,
      local: { address: '10.0.1.1', port: 45_070, id: 0 },
      remote: { address: '10.0.3.2', port: 5_555, id: 0 },
      denyJoinInitial: true,
    },
  ],
  [
    ESTABLISHED_BY_PEER,
    {
      ...common,
      kind: 'established',
      token: 0x4ea1f39d,
      local: { address: '10.0.3.2', port: 5_555, id: 0 },
      remote: { address: '10.0.1.1', port: 45_070, id: 0 },
      serverSide: true,
    },
  ],
  [
    REFUSED,
    {
      ...common,
      kind: 'subflow-closed',
      token: 0xe4a1e3e6,
      local: { address: '10.0.2.1', port: 33_793, id: 7 },
      remote: { address: '10.0.3.2', port: 5_999, id: 0 },
      backup: false,
      errno: 111,
    },
  ],
  [ENDED, { ...joinedAtServer, kind: 'subflow-closed' }],
  [PRIORITY, { ...joinedAtServer, kind: 'subflow-priority' }],
  [
    ANNOUNCED,
    {
      ...common,
      kind: 'announced',
      token: 0x4ea1f39d,
      local: nowhere,
      remote: { address: '10.0.1.1', port: 45_070, id: 9 },
    },
  ],
  [REMOVED, { ...common, kind: 'removed', token: 0x4ea1f39d, local: nowhere, remote: { ...nowhere, id: 9 } }],
];

const family: GenericFamily = { id: 28, name: 'mptcp_pm', version: 1, groups: new Map() };
const read = (text: string) => parseGenericMessage(unhex(text));

test('the family with its groups', () => {
  assert.deepEqual(parseFamily(16, unhex(FAMILY)), {
    id: 28,
    name: 'mptcp_pm',
    version: 1,
    groups: new Map([
      ['mptcp_pm_cmds', 8],
      ['mptcp_pm_events', 9],
    ]),
  });
  assert.equal(parseFamily(17, unhex(FAMILY)), undefined);
  assert.equal(parseFamily(16, unhex(FAMILY.replace(/^01/, '02'))), undefined);
  assert.throws(() => parseFamily(16, unhex('01020000')), protocolError('malformed', /without its number/));
  assert.throws(() => parseFamily(16, unhex('0102')), protocolError('malformed', /without its header/));
});

test('the question after it', () => {
  assert.equal(
    hex(encodeGetFamily('mptcp_pm', 5)),
    '2c0000001000050005000000000000000302000006000100000000000d0002006d707463705f706d00000000',
  );
});

test('endpoints and limits', () => {
  for (const [bytes, endpoint] of [...ENDPOINTS, ...ADDRESSES_OF])
    assert.deepEqual(parseEndpoint(read(bytes)), endpoint);
  assert.equal(parseEndpoint(read(LIMITS)), undefined);
  assert.deepEqual(parseLimits(read(LIMITS)), { acceptedAddresses: 3, subflows: 4 });
  assert.equal(parseLimits(read(ENDPOINTS[0]![0])), undefined);
  const nameless = ENDPOINTS[0]![0].replace('080003007f000002', '0800ff007f000002');
  assert.throws(() => parseEndpoint(read(nameless)), protocolError('malformed', /without its address/));
});

test('events', () => {
  for (const [bytes, event] of EVENTS) assert.deepEqual(parsePmEvent(read(bytes)), event);
  assert.equal(parsePmEvent(read(CLOSED.replace(/^03/, '63'))), undefined);
});

test('requests carry what they were given', () => {
  const address: PmAddress = { address: '192.0.2.7', id: 200, port: 0, flags: ['subflow', 'laminar'], index: 7 };
  const message = parseWhole(parseNetlinkMessage, encodePmRequest(family, { kind: 'add', address }, 9));
  assert.equal(message.type, 28);
  assert.equal(message.flags, 5);
  // As the answer to `list` would be, but for the command and the port of 0.
  assert.equal(
    hex(message.payload),
    '010100002c000180060001000200000008000300c000020705000200c800000008000600220000000800070007000000',
  );
  const requests: readonly (readonly [PmRequest, number, number])[] = [
    [{ kind: 'list' }, 3, 0x301],
    [{ kind: 'listOf', token: 1 }, 3, 0x301],
    [{ kind: 'setSubflowFlags', token: 1, address, remote: address }, 7, 5],
    [{ kind: 'flush' }, 4, 5],
    [{ kind: 'setLimits', limits: { subflows: 8, acceptedAddresses: 0 } }, 5, 5],
    [{ kind: 'getLimits' }, 6, 5],
    [{ kind: 'setFlags', address }, 7, 5],
    [{ kind: 'announce', token: 1, address }, 8, 5],
    [{ kind: 'remove', token: 1, id: 3 }, 9, 5],
    [{ kind: 'createSubflow', token: 1, address, remote: address }, 10, 5],
    [{ kind: 'destroySubflow', token: 1, address, remote: address }, 11, 5],
  ];
  for (const [request, command, flags] of requests) {
    const { payload, flags: given } = parseWhole(parseNetlinkMessage, encodePmRequest(family, request, 1));
    assert.equal(payload[0], command);
    assert.equal(given, flags);
  }
});

test('an endpoint that is written is the one that is read', () => {
  const flag = fc.subarray(['signal', 'subflow', 'backup', 'fullmesh', 'laminar'] as const);
  const endpoint = fc.record({
    address: fc.constantFrom('192.0.2.1', '2001:db8::1'),
    id: fc.nat(255),
    port: fc.nat(0xffff),
    flags: flag,
    index: fc.nat(100_000),
  });
  fc.assert(
    fc.property(endpoint, (address) => {
      const { payload } = parseWhole(parseNetlinkMessage, encodePmRequest(family, { kind: 'add', address }, 1));
      const answer = Uint8Array.from(payload);
      answer[0] = 3;
      assert.deepEqual(parseEndpoint(parseGenericMessage(answer)), { ...address });
    }),
  );
});

test('any bytes are a message or malformed', () => {
  const recorded = [
    FAMILY,
    LIMITS,
    ...[...ENDPOINTS, ...ADDRESSES_OF].map(([one]) => one),
    ...EVENTS.map(([one]) => one),
  ].map(unhex);
  const changed = fc
    .tuple(fc.constantFrom(...recorded), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }), fc.nat(400))
    .map(([message, changes, length]) => {
      const bytes = Uint8Array.from(message);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), changed), (bytes) => {
      for (const parse of [parseEndpoint, parseLimits, parsePmEvent]) {
        try {
          parse(parseGenericMessage(bytes));
          parseFamily(16, bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
