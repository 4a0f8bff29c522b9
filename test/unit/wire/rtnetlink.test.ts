// rtnetlink messages, recorded on Linux 6.18 in a namespace of their own, and the requests that the kernel took.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { parseNetlinkMessage } from '#anabranch/wire/netlink.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import {
  encodeRouteChange,
  encodeRouteDump,
  encodeRuleChange,
  parseRouteMessage,
  type RouteChange,
  type RuleChange,
} from '#anabranch/wire/rtnetlink.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.ts';

const ADDRESS4 =
  '021880000700000008000100c000020708000200c00002070a000300776c616e30000000080008008000000014000600ffffffffffffffff' +
  '2afe0c002afe0c00';
const SECOND4 =
  '020881fe01000000080001007f000002080002007f000002070003006c6f0000080008008100000014000600ffffffffffffffff2afe0c00' +
  '2afe0c00';
const TENTATIVE6 =
  '0a40c0fd0700000014000100fe80000000000000f8f839fffea0796914000600ffffffffffffffff2afe0c002afe0c0008000800c0000000' +
  '05000b0003000000';
const DEFAULT4 = '02000000fe1000010000000008000f00fe000000080006005802000008000500c00002010800040007000000';
const NETWORK4 = '02180000fe02fd010000000008000f00fe00000008000100c000020008000700c00002070800040007000000';
const BROADCAST4 = '02200000ff02fd030000000008000f00ff00000008000100c00002ff08000700c00002070800040007000000';
const DEFAULT6 =
  '0a000000fe0300010000000008000f00fe000000080006000004000014000500fe8000000000000000000000000000010800040007000000' +
  '24000c0000000000000000000000000000000000000000000000000000000000000000000500140000000000';
const RULE4 =
  '02002000fc0000010000000008000f009443000008000e00ffffffff05001500ad000000080006009443000008000200c0000207';
const MARKED4 =
  '02002000630000010000000008000f006300000008000e00ffffffff0500150000000000080006009343000008000a000500000008001000' +
  'ffffffff08000200c0000208';
const RULE6 =
  '0a008000fc0000010000000008000f009543000008000e00ffffffff050015000000000008000600954300001400020020010db800000000' +
  '0000000000000007';
const MULTICAST_RULE = '80000000fd0000010000000008000f00fd00000008000e00ffffffff050015000200000008000600ff7f0000';
/** The beginning of a link's message: its header, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO with IFLA_INFO_KIND. */
const LINK =
  '000001000700000043100100000000000a000300776c616e3000000008000400dc050000100012000900010076657468000000000800' +
  '0a0003000000';

const address = { family: 4, index: 7, address: '192.0.2.7', prefix: 24, global: true };
const flags = { tentative: false, deprecated: false, secondary: false };
const route = { family: 4, table: 254, unicast: true, onLink: false, index: 7, prefix: 0, metric: 0 };
const nothing = { destination: undefined, gateway: undefined, source: undefined };

const RECORDED: readonly (readonly [number, string, object])[] = [
  [
    16,
    LINK,
    {
      kind: 'link',
      removed: false,
      link: {
        index: 7,
        name: 'wlan0',
        up: true,
        carrier: true,
        loopback: false,
        pointToPoint: false,
        hardware: 1,
        mtu: 1500,
        kind: 'veth',
        master: 3,
      },
    },
  ],
  [20, ADDRESS4, { kind: 'address', removed: false, address: { ...address, ...flags } }],
  [21, ADDRESS4, { kind: 'address', removed: true, address: { ...address, ...flags } }],
  [
    20,
    SECOND4,
    {
      kind: 'address',
      removed: false,
      address: { ...address, ...flags, index: 1, address: '127.0.0.2', prefix: 8, global: false, secondary: true },
    },
  ],
  [
    20,
    TENTATIVE6,
    {
      kind: 'address',
      removed: false,
      address: {
        ...flags,
        family: 6,
        index: 7,
        address: 'fe80::f8f8:39ff:fea0:7969',
        prefix: 64,
        global: false,
        tentative: true,
      },
    },
  ],
  [
    24,
    DEFAULT4,
    {
      kind: 'route',
      removed: false,
      route: { ...route, ...nothing, protocol: 16, gateway: '192.0.2.1', metric: 600 },
    },
  ],
  [
    24,
    NETWORK4,
    {
      kind: 'route',
      removed: false,
      route: {
        ...route,
        ...nothing,
        protocol: 2,
        onLink: true,
        destination: '192.0.2.0',
        prefix: 24,
        source: '192.0.2.7',
      },
    },
  ],
  [
    25,
    BROADCAST4,
    {
      kind: 'route',
      removed: true,
      route: {
        ...route,
        ...nothing,
        table: 255,
        protocol: 2,
        unicast: false,
        onLink: true,
        destination: '192.0.2.255',
        prefix: 32,
        source: '192.0.2.7',
      },
    },
  ],
  [
    24,
    DEFAULT6,
    {
      kind: 'route',
      removed: false,
      route: { ...route, ...nothing, family: 6, protocol: 3, gateway: 'fe80::1', metric: 1024 },
    },
  ],
  [
    32,
    RULE4,
    {
      kind: 'rule',
      removed: false,
      rule: {
        family: 4,
        priority: 17_300,
        table: 17_300,
        protocol: 173,
        from: '192.0.2.7',
        fromPrefix: 32,
        plain: true,
      },
    },
  ],
  [
    33,
    MARKED4,
    {
      kind: 'rule',
      removed: true,
      rule: { family: 4, priority: 17_299, table: 99, protocol: 0, from: '192.0.2.8', fromPrefix: 32, plain: false },
    },
  ],
  [
    32,
    RULE6,
    {
      kind: 'rule',
      removed: false,
      rule: {
        family: 6,
        priority: 17_301,
        table: 17_301,
        protocol: 0,
        from: '2001:db8::7',
        fromPrefix: 128,
        plain: true,
      },
    },
  ],
  [32, MULTICAST_RULE, { kind: 'other' }],
  [2, '', { kind: 'other' }],
];

test('recorded messages', () => {
  for (const [type, bytes, expected] of RECORDED) assert.deepEqual(parseRouteMessage(type, unhex(bytes)), expected);
});

test('a bridge that tells of its port does not tell of the link', () => {
  assert.deepEqual(parseRouteMessage(17, unhex(LINK.replace(/^00/, '07'))), { kind: 'other' });
});

test('clones of the route cache are no routes', () => {
  const clone = DEFAULT4.replace('00000000', '00020000');
  assert.deepEqual(parseRouteMessage(24, unhex(clone)), { kind: 'other' });
});

test('an IPv4 route by an IPv6 gateway', () => {
  const via =
    '02000000fe1000010000000008000f00fe00000016001200 0a00 fe800000000000000000000000000001 0000 0800040007000000';
  const message = parseRouteMessage(24, unhex(via));
  assert.ok(message.kind === 'route');
  assert.equal(message.route.gateway, 'fe80::1');
  assert.equal(message.route.onLink, false);
});

test('cut messages are malformed, never more', () => {
  for (const [type, text] of RECORDED) {
    const bytes = unhex(text);
    for (let length = 0; length < bytes.length; length++) {
      try {
        parseRouteMessage(type, bytes.subarray(0, length));
      } catch (error) {
        assert.ok(error instanceof ProtocolError, String(error));
      }
    }
  }
  assert.throws(
    () => parseRouteMessage(20, unhex('0218800007000000')),
    protocolError('malformed', /without its address/),
  );
  assert.throws(() => parseRouteMessage(16, unhex('00')), protocolError('malformed', /shorter than ifinfomsg/));
});

test('any bytes are a message or malformed', () => {
  const bodies = RECORDED.map(([, bytes]) => unhex(bytes));
  const changed = fc
    .tuple(fc.constantFrom(...bodies), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }))
    .map(([body, changes]) => {
      const bytes = Uint8Array.from(body);
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      return bytes;
    });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.oneof(fc.uint8Array({ maxLength: 120 }), changed),
      (type, bytes) => {
        try {
          assert.ok(parseRouteMessage(type, bytes));
        } catch (error) {
          assert.ok(error instanceof ProtocolError, String(error));
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test('questions', () => {
  assert.equal(hex(encodeRouteDump('rule', undefined, 7)), '1c000000220001030700000000000000000000000000000000000000');
  assert.equal(hex(encodeRouteDump('address', 6, 1)), '180000001600010301000000000000000a00000000000000');
});

/** What the kernel would tell of a change that it took. */
function told(bytes: Uint8Array): ReturnType<typeof parseRouteMessage> {
  const { type, payload } = parseWhole(parseNetlinkMessage, bytes);
  return parseRouteMessage(type, payload);
}

const ip4 = fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255)).map((p) => p.join('.'));
const ip6 = fc.integer({ min: 1, max: 0xffff }).map((low) => `2001:db8::${low.toString(16)}`);

test('what is asked for is what is told', () => {
  const change = fc.constantFrom(4 as const, 6 as const).chain((family): fc.Arbitrary<RouteChange> => {
    const ip = family === 4 ? ip4 : ip6;
    const optional = fc.option(ip, { nil: undefined });
    return fc.record({
      family: fc.constant(family),
      table: fc.integer({ min: 1, max: 0x7fff_ffff }),
      protocol: fc.nat(255),
      destination: optional,
      prefix: fc.nat(32),
      index: fc.integer({ min: 1, max: 100_000 }),
      gateway: optional,
      source: optional,
      metric: fc.nat(0xffff_ffff),
    });
  });
  fc.assert(
    fc.property(change, fc.constantFrom('set' as const, 'remove' as const), (route, verb) => {
      const message = told(encodeRouteChange(verb, route, 1));
      assert.ok(message.kind === 'route');
      assert.equal(message.removed, verb === 'remove');
      const { unicast, onLink, ...rest } = message.route;
      assert.deepEqual(rest, { ...route });
      assert.equal(unicast, true);
      assert.equal(onLink, route.gateway === undefined);
    }),
  );
  const rules: readonly RuleChange[] = [
    { family: 4, priority: 17_300, table: 17_300, protocol: 173, from: '192.0.2.7' },
    { family: 6, priority: 1, table: 0x7fff_ffff, protocol: 0, from: '2001:db8::7' },
  ];
  for (const rule of rules) {
    const message = told(encodeRuleChange('add', rule, 1));
    const fromPrefix = rule.family === 4 ? 32 : 128;
    assert.deepEqual(message, { kind: 'rule', removed: false, rule: { ...rule, fromPrefix, plain: true } });
  }
});

test('an address of the wrong family is refused before it is sent', () => {
  const rule: RuleChange = { family: 6, priority: 1, table: 1, protocol: 0, from: '192.0.2.7' };
  assert.throws(() => encodeRuleChange('add', rule, 1), RangeError);
});
