import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { encodeBasicCredentials, parseBasicCredentials } from '#anabranch/wire/basic-auth.js';

const basic = (text: string | Uint8Array) => `Basic ${Buffer.from(text).toString('base64')}`;

test('credentials and their value', () => {
  for (const [name, password, value] of [
    // RFC 7617 §2, §2.1.
    ['Aladdin', 'open sesame', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
    ['test', '123£', 'Basic dGVzdDoxMjPCow=='],
    ['', '', 'Basic Og=='],
    ['a', 'b:c:', basic('a:b:c:')],
    ['\ufeffa', '🔑', basic('\ufeffa:🔑')],
  ] as const) {
    assert.equal(encodeBasicCredentials({ name, password }), value);
    assert.deepEqual(parseBasicCredentials(value), { name, password });
  }
});

test('the scheme in any case, spaces, missing padding', () => {
  for (const value of ['bASIC   YTpi', 'basic YTpi'])
    assert.deepEqual(parseBasicCredentials(value), { name: 'a', password: 'b' });
  assert.deepEqual(parseBasicCredentials('Basic Og'), { name: '', password: '' });
});

test('everything else is refused', () => {
  for (const value of [
    '',
    'Basic',
    'Basic ',
    'Bearer YTpi',
    'BasicYTpi',
    'Basic\tYTpi',
    'Basic YTpi ',
    ' Basic YTpi',
    'Basic YT pi',
    'Basic YTp!',
    'Basic YTpi=',
    'Basic Y',
    'Basic YTpi YTpi',
    'Basic YTpi, Basic YTpi',
    'Basic YTp-',
    basic('ab'),
    basic('a:\n'),
    basic('a\0:b'),
    basic('a:\x7f'),
    basic(Uint8Array.of(0x61, 0x3a, 0xff)),
    basic(`a:${'x'.repeat(4096)}`),
  ]) {
    assert.equal(parseBasicCredentials(value), undefined, JSON.stringify(value));
  }
});

test('what the scheme cannot carry is not encoded', () => {
  for (const [name, password] of [
    ['a:b', ''],
    ['a\n', ''],
    ['a', '\0'],
  ] as const) {
    assert.throws(() => encodeBasicCredentials({ name, password }), RangeError);
  }
});

test('any credentials are read back, any text is read without a throw', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 50 });
  fc.assert(
    fc.property(
      text.map((name) => name.replaceAll(':', '')),
      text,
      (name, password) => {
        const value = encodeBasicCredentials({ name, password });
        assert.equal(value, basic(`${name}:${password}`));
        assert.deepEqual(parseBasicCredentials(value), { name, password });
      },
    ),
  );
  fc.assert(fc.property(fc.string(), (value) => void parseBasicCredentials(`Basic ${value}`)));
});
