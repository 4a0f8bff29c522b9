import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { canonicalHost, formatHostPort, parseHostPort } from '#anabranch/wire/destination.js';

test('hosts that are taken', () => {
  const label = 'a'.repeat(63);
  for (const [text, host] of [
    ['example.org', 'example.org'],
    ['EXAMPLE.Org.', 'example.org'],
    ['localhost', 'localhost'],
    ['_dmarc.a-b.example', '_dmarc.a-b.example'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['1.2.3.4', '1.2.3.4'],
    ['1.2.3.4.example', '1.2.3.4.example'],
    ['::FFFF:1.2.3.4', '1.2.3.4'],
    ['2001:DB8::1', '2001:db8::1'],
    [`${label}.${label}.${label}.${'b'.repeat(61)}`, `${label}.${label}.${label}.${'b'.repeat(61)}`],
  ] as const) {
    assert.equal(canonicalHost(text), host);
    assert.equal(canonicalHost(host), host);
  }
});

test('hosts that are refused', () => {
  const label = 'a'.repeat(63);
  for (const text of [
    '',
    '.',
    '..',
    'a..b',
    '.a',
    'a..',
    '-a',
    'a-',
    'a b',
    'a/b',
    'a@b',
    'a\0',
    'a\n',
    'a%00',
    '*',
    'bücher.example',
    '\u212a.example',
    '127.1',
    '1',
    '1.2.3.4.',
    'a.0x7f',
    'a.0x',
    '0x7f000001',
    '1.2.3.256',
    '[::1]',
    '::1%lo',
    `${label}a`,
    `${label}.${label}.${label}.${'b'.repeat(62)}`,
  ]) {
    assert.equal(canonicalHost(text), undefined, JSON.stringify(text));
  }
});

test('host and port', () => {
  for (const [text, host, port] of [
    ['example.org:443', 'example.org', 443],
    ['1.2.3.4:1', '1.2.3.4', 1],
    ['[::1]:65535', '::1', 65535],
    ['[::ffff:1.2.3.4]:80', '1.2.3.4', 80],
    ['a:00080', 'a', 80],
  ] as const) {
    assert.deepEqual(parseHostPort(text), { host, port });
    assert.deepEqual(parseHostPort(formatHostPort(host, port)), { host, port });
  }
  assert.deepEqual(parseHostPort('example.org', 80), { host: 'example.org', port: 80 });
  assert.deepEqual(parseHostPort('[::1]', 80), { host: '::1', port: 80 });
  assert.equal(formatHostPort('::1', 80), '[::1]:80');
});

test('host and port that are refused', () => {
  for (const text of [
    '',
    ':',
    ':80',
    'a',
    'a:',
    'a:0',
    'a:65536',
    'a:000080',
    'a:+80',
    'a:80 ',
    'a:8o',
    '::1:80',
    '::1',
    '[::1]',
    '[::1]80',
    '[a]:80',
    '[1.2.3.4]:80',
    '[]:80',
    '[::1:80',
    'a:80:80',
    'a]:80',
    'u@a:80',
    'a:80/',
  ]) {
    assert.equal(parseHostPort(text), undefined, text);
  }
  for (const text of ['', ':80', '::1', '[a]']) assert.equal(parseHostPort(text, 80), undefined, text);
});

test('any text: what is taken can be printed and is taken again', () => {
  fc.assert(
    fc.property(fc.oneof(fc.domain(), fc.webAuthority(), fc.string(), fc.string({ unit: 'binary' })), (text) => {
      const host = canonicalHost(text);
      if (host === undefined) return;
      assert.match(host, /^[a-z0-9_.:-]{1,253}$/);
      assert.equal(canonicalHost(host), host);
      assert.deepEqual(parseHostPort(formatHostPort(host, 80)), { host, port: 80 });
    }),
    { numRuns: 3000 },
  );
});
