import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { encodeReply, encodeRequest, parseReply, parseRequest } from '#anabranch/wire/socks4.js';
import { hex, parseWhole, protocolError, unhex } from './parsing.js';

test('requests', () => {
  for (const [command, host, port, user, bytes] of [
    [1, '192.0.2.1', 443, '', '0401 01bb c0000201 00'],
    [2, '192.0.2.1', 1, 'me', '0402 0001 c0000201 6d6500'],
    [1, '0.0.0.0', 80, '', '0401 0050 00000000 00'],
    [1, '0.0.1.0', 80, '', '0401 0050 00000100 00'],
    [1, 'a.example', 65535, 'ÿ', `0401 ffff 00000001 ff00 ${Buffer.from('a.example').toString('hex')}00`],
    [1, '2001:db8::1', 80, '', `0401 0050 00000001 00 ${Buffer.from('2001:db8::1').toString('hex')}00`],
  ] as const) {
    const destination = { host, port };
    assert.equal(hex(encodeRequest(command, destination, user)), hex(unhex(bytes)));
    assert.deepEqual(parseWhole(parseRequest, unhex(bytes)), { command, destination, user });
  }
});

test('requests whose destination is not usable are read all the same', () => {
  for (const bytes of ['0401 0000 c0000201 00', '0401 0050 00000001 00 00', '0401 0050 000000ff 00 2e2e00']) {
    assert.deepEqual(parseWhole(parseRequest, unhex(bytes)), { command: 1, destination: undefined, user: '' });
  }
});

test('names end within 255 bytes', () => {
  const long = '61'.repeat(255);
  assert.equal(parseWhole(parseRequest, unhex(`0401 0050 c0000201 ${long}00`)).user.length, 255);
  assert.throws(() => parseRequest(unhex(`0401 0050 c0000201 ${long}61`)), protocolError('too-large', /user name/));
  assert.equal(parseRequest(unhex(`0401 0050 00000001 00 ${long}`)), undefined);
  assert.throws(() => parseRequest(unhex(`0401 0050 00000001 00 ${long}61`)), protocolError('too-large', /host name/));
});

test('what cannot be sent is not encoded', () => {
  const destination = { host: 'a.example', port: 80 };
  assert.throws(() => encodeRequest(1, { host: 'A', port: 80 }), RangeError);
  for (const user of ['a\0', '€', 'x'.repeat(256)])
    assert.throws(() => encodeRequest(1, destination, user), RangeError);
});

test('replies', () => {
  assert.equal(hex(encodeReply(0x5a, { address: '192.0.2.1', port: 258 })), '005a0102c0000201');
  assert.equal(hex(encodeReply(0x5a, { address: '2001:db8::1', port: 258 })), '005a000000000000');
  assert.equal(hex(encodeReply(0x5b)), '005b000000000000');
  for (const code of [0x5a, 0x5b, 0x5c, 0x5d, 0]) assert.equal(parseWhole(parseReply, encodeReply(code)), code);
});

test('wrong versions are refused at the first byte', () => {
  for (let version = 0; version < 256; version++) {
    const bytes = Uint8Array.of(version);
    if (version !== 4) assert.throws(() => parseRequest(bytes), protocolError('malformed'));
    else assert.equal(parseRequest(bytes), undefined);
    if (version !== 0) assert.throws(() => parseReply(bytes), protocolError('malformed'));
    else assert.equal(parseReply(bytes), undefined);
  }
});

/** A request read backwards from its NULs: texts first, then what is in front of them. */
function naiveRequest(bytes: number[]): { length: number; user: string; address: number[]; port: number } | undefined {
  const texts = String.fromCharCode(...bytes.slice(8)).split('\0');
  const address = bytes.slice(4, 8);
  const named = address.slice(0, 3).join() === '0,0,0' && address[3] !== 0;
  const count = named ? 2 : 1;
  const [user = ''] = texts;
  if (bytes[0] !== 4 || texts.length <= count) return undefined;
  const length = texts.slice(0, count).reduce((sum, text) => sum + text.length + 1, 8);
  return { length, user, address: named ? [] : address, port: (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0) };
}

test('any bytes: the same as a naive reader says, and nothing but ProtocolError is thrown', () => {
  const head = fc.constantFrom(
    '',
    '04',
    '0401',
    '04010050',
    '0401005000000001',
    '040100500000000100',
    '04010050c0000201',
  );
  fc.assert(
    fc.property(head.map(unhex), fc.uint8Array({ maxLength: 30 }), (start, rest) => {
      const bytes = new Uint8Array([...start, ...rest]);
      const naive = naiveRequest([...bytes]);
      let parsed: ReturnType<typeof parseRequest>;
      try {
        parsed = parseRequest(bytes);
      } catch (error) {
        assert.ok(error instanceof ProtocolError);
      }
      assert.equal(parsed?.bytesRead, naive?.length);
      if (!parsed || !naive) return;
      assert.equal(parsed.value.command, bytes[1]);
      assert.equal(parsed.value.user, naive.user);
      if (naive.address.length === 0) return;
      const expected = naive.port === 0 ? undefined : { host: naive.address.join('.'), port: naive.port };
      assert.deepEqual(parsed.value.destination, expected);
    }),
    { numRuns: 3000 },
  );
});
