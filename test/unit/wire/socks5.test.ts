import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Destination } from '#anabranch/wire/destination.js';
import { canonicalIp } from '#anabranch/wire/ip.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import * as socks5 from '#anabranch/wire/socks5.js';
import { encodeAuthReply, encodeAuthRequest, parseAuthReply, parseAuthRequest } from '#anabranch/wire/socks5-auth.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.js';

test('greetings', () => {
  for (const [methods, bytes] of [
    [[], '0500'],
    [[0], '050100'],
    [[0, 2], '05020002'],
    [Array.from({ length: 255 }, (_, i) => i), `05ff${hex(Uint8Array.from({ length: 255 }, (_, i) => i))}`],
  ] as const) {
    assert.equal(hex(socks5.encodeGreeting(methods)), bytes);
    assert.deepEqual([...parseWhole(socks5.parseGreeting, unhex(bytes))], [...methods]);
  }
  assert.throws(() => socks5.encodeGreeting(new Array(256).fill(0)), RangeError);
});

test('method selections and replies to passwords', () => {
  for (const value of [0, 2, 255]) {
    assert.equal(parseWhole(socks5.parseMethodSelection, socks5.encodeMethodSelection(value)), value);
    assert.equal(parseWhole(parseAuthReply, encodeAuthReply(value)), value);
  }
  assert.equal(hex(socks5.encodeMethodSelection(255)), '05ff');
  assert.equal(hex(encodeAuthReply(1)), '0101');
});

test('names and passwords', () => {
  for (const [name, password, bytes] of [
    ['', '', '010000'],
    ['a', 'bc', '010161026263'],
    ['ä', '€', '0102c3a403e282ac'],
    ['\ufeffa', '', '0104efbbbf6100'],
    ['x'.repeat(255), 'y'.repeat(255), `01ff${'78'.repeat(255)}ff${'79'.repeat(255)}`],
  ] as const) {
    assert.equal(hex(encodeAuthRequest({ name, password })), bytes);
    assert.deepEqual(parseWhole(parseAuthRequest, unhex(bytes)), { name, password });
  }
  assert.throws(() => encodeAuthRequest({ name: 'ä'.repeat(128), password: '' }), RangeError);
  assert.throws(() => encodeAuthRequest({ name: '', password: 'x'.repeat(256) }), RangeError);
  assert.equal(parseWhole(parseAuthRequest, unhex('0101ff00')).name, '\ufffd');
});

const NAME = 'a.example';
const REQUESTS: [number, Destination, string][] = [
  [1, { host: '192.0.2.1', port: 443 }, '05010001 c0000201 01bb'],
  [1, { host: '2001:db8::1', port: 65535 }, '05010004 20010db8000000000000000000000001 ffff'],
  [2, { host: NAME, port: 1 }, `05020003 09 ${Buffer.from(NAME).toString('hex')} 0001`],
];

test('requests', () => {
  for (const [command, destination, bytes] of REQUESTS) {
    assert.equal(hex(socks5.encodeRequest(command, destination)), hex(unhex(bytes)));
    assert.deepEqual(parseWhole(socks5.parseRequest, unhex(bytes)), { command, destination });
  }
});

test('requests whose destination is not usable are read all the same', () => {
  for (const bytes of [
    '05010001 c0000201 0000',
    '05010003 00 0050',
    '05010003 02 2e2e 0050',
    '05010003 02 c3a4 0050',
    '05010003 05 3132372e31 0050',
    '05010003 03 61 00 62 0050',
    `05010003 ff ${'61'.repeat(255)} 0050`,
  ]) {
    assert.deepEqual(parseWhole(socks5.parseRequest, unhex(bytes)), { command: 1, destination: undefined });
  }
  // RSV means nothing.
  assert.deepEqual(socks5.parseRequest(unhex('0501ff01 c0000201 0050'))?.value.destination?.host, '192.0.2.1');
});

test('hosts that are not in canonical form are not sent', () => {
  for (const host of ['A.example', 'a.example.', 'a b', '', '[::1]', 'x'.repeat(64)]) {
    assert.throws(() => socks5.encodeRequest(1, { host, port: 80 }), RangeError);
  }
});

test('replies', () => {
  for (const [code, address, port, bytes] of [
    [0, '192.0.2.1', 443, '05000001 c0000201 01bb'],
    [5, '0.0.0.0', 0, '05050001 00000000 0000'],
    [0, '2001:db8::1', 80, '05000004 20010db8000000000000000000000001 0050'],
  ] as const) {
    assert.equal(hex(socks5.encodeReply(code, { address, port })), hex(unhex(bytes)));
    assert.deepEqual(parseWhole(socks5.parseReply, unhex(bytes)), { code, bound: { address, port } });
  }
  assert.deepEqual(parseWhole(socks5.parseReply, unhex('05000003 02 6162 0050')), { code: 0, bound: undefined });
});

test('wrong versions are refused at the first byte, types of address at the fourth', () => {
  for (let version = 0; version < 256; version++) {
    const bytes = Uint8Array.of(version);
    for (const parse of [socks5.parseGreeting, socks5.parseMethodSelection, socks5.parseRequest, socks5.parseReply]) {
      if (version !== 5) assert.throws(() => parse(bytes), protocolError('malformed'));
      else assert.equal(parse(bytes), undefined);
    }
    for (const parse of [parseAuthRequest, parseAuthReply]) {
      if (version !== 1) assert.throws(() => parse(bytes), protocolError('malformed'));
      else assert.equal(parse(bytes), undefined);
    }
    const typed = Uint8Array.of(5, 1, 0, version);
    for (const parse of [socks5.parseRequest, socks5.parseReply]) {
      if (![1, 3, 4].includes(version)) assert.throws(() => parse(typed), protocolError('unsupported'));
      else assert.equal(parse(typed), undefined);
    }
  }
});

/** The RFC's table read once more, in another way: sizes first, no early answers. */
function naiveRequest(bytes: number[]): { command: number; type: number; address: number[]; port: number } | undefined {
  const [version, command, , type, first] = bytes;
  const size = type === 1 ? 4 : type === 4 ? 16 : type === 3 && first !== undefined ? first + 1 : Number.NaN;
  if (version !== 5 || !(bytes.length >= 4 + size + 2)) return undefined;
  const address = bytes.slice(4, 4 + size);
  const [high = 0, low = 0] = bytes.slice(4 + size);
  return { command: command ?? 0, type: type ?? 0, address, port: high * 256 + low };
}

test('any bytes: the same as a naive reader says, and nothing but ProtocolError is thrown', () => {
  const head = fc.constantFrom('', '05', '050100', '05010001', '05010003', '0501000305', '05010004').map(unhex);
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 40 }), (start, rest) => {
      const bytes = new Uint8Array([...start, ...rest]);
      for (const parse of [socks5.parseGreeting, socks5.parseMethodSelection, socks5.parseReply, parseAuthRequest]) {
        try {
          const parsed = parse(bytes);
          assert.ok(parsed === undefined || parsed.bytesRead <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }
      const naive = naiveRequest([...bytes]);
      let parsed: ReturnType<typeof socks5.parseRequest>;
      try {
        parsed = socks5.parseRequest(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
      assert.equal(parsed === undefined, naive === undefined);
      if (!parsed || !naive) return;
      assert.equal(parsed.value.command, naive.command);
      const { destination } = parsed.value;
      if (naive.port === 0) assert.equal(destination, undefined);
      else if (naive.type === 1) assert.deepEqual(destination, { host: naive.address.join('.'), port: naive.port });
      else if (naive.type === 4) assert.equal(destination?.host, canonicalIp(naiveIpv6(naive.address)));
    }),
    { numRuns: 3000 },
  );
});

function naiveIpv6(bytes: number[]): string {
  return Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16)).join(
    ':',
  );
}

test('what is encoded is read back', () => {
  const host = fc.oneof(
    fc.domain().filter((name) => name.length < 200),
    fc.ipV4(),
    fc.ipV6().map((ip) => canonicalIp(ip) ?? '::1'),
  );
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 0, max: 255 }), (name, port, command) => {
      const destination = { host: name.toLowerCase(), port };
      const parsed = socks5.parseRequest(socks5.encodeRequest(command, destination));
      assert.deepEqual(parsed?.value, { command, destination });
    }),
  );
});
