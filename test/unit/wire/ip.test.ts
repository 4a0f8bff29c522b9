import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';

import fc from 'fast-check';

import { canonicalIp, familyOf, ipFromBytes, ipToBytes } from '#anabranch/wire/ip.js';
import { hex, unhex } from './parsing.js';

const TABLE: [string, string, string][] = [
  ['0.0.0.0', '0.0.0.0', '00000000'],
  ['127.0.0.1', '127.0.0.1', '7f000001'],
  ['255.255.255.255', '255.255.255.255', 'ffffffff'],
  ['::', '::', '00000000000000000000000000000000'],
  ['::1', '::1', '00000000000000000000000000000001'],
  ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', '20010db8000000000000000000000001'],
  // RFC 5952 §4.2.2, §4.2.3: one group is not shortened; the longest run is, the first of equal ones.
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1', '20010000000000010000000000000001'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '20010db8000000000001000000000001'],
  ['::ffff:192.0.2.1', '192.0.2.1', 'c0000201'],
  ['::FFFF:c000:201', '192.0.2.1', 'c0000201'],
  // Not a mapped address but the one RFC 4291 §2.5.5.1 speaks of.
  ['::192.0.2.1', '::c000:201', '000000000000000000000000c0000201'],
  ['64:ff9b::192.0.2.1', '64:ff9b::c000:201', '0064ff9b0000000000000000c0000201'],
  ['::ffff:0:192.0.2.1', '::ffff:0:c000:201', '0000000000000000ffff0000c0000201'],
  ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4:5:6:c000:201', '000100020003000400050006c0000201'],
];

test('text, its canonical form, its bytes', () => {
  for (const [text, canonical, bytes] of TABLE) {
    assert.equal(canonicalIp(text), canonical);
    assert.equal(canonicalIp(canonical), canonical);
    assert.equal(hex(ipToBytes(text)), bytes);
    assert.equal(hex(ipToBytes(canonical)), bytes);
    assert.equal(ipFromBytes(unhex(bytes)), canonical);
    assert.equal(familyOf(canonical), bytes.length === 8 ? 4 : 6);
  }
  assert.equal(ipFromBytes(unhex('00000000000000000000ffffc0000201')), '192.0.2.1');
});

test('what one parser takes for an address and another does not is none', () => {
  for (const text of [
    '',
    '.',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.4.',
    '01.2.3.4',
    '1.2.3.00',
    '1.2.3.256',
    '0x7f.0.0.1',
    '127.1',
    '2130706433',
    '+1.2.3.4',
    '-1.2.3.4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '１.2.3.4',
    '1.2.3.4/8',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    '::g',
    ' ::1',
    '::1 ',
    '::1\n',
    '::1%eth0',
    'fe80::1%1',
    '[::1]',
    '::1/64',
    ':1::',
    '1::2:',
    '::ffff:01.2.3.4',
    '::ffff:0x1.2.3.4',
    '::ffff:1.2.3',
    '::ffff:1.2.3.256',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '1:2:3:4:5:6:7:1.2.3.4',
  ]) {
    assert.equal(canonicalIp(text), undefined, JSON.stringify(text));
    assert.throws(() => ipToBytes(text), RangeError);
  }
});

/** Eight groups, the longest run of zeros found by trying all of them. */
function naiveText(bytes: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((bytes[2 * i] ?? 0) * 256 + (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  for (let length = 8; length >= 2; length--) {
    for (let at = 0; at + length <= 8; at++) {
      if (groups.slice(at, at + length).some((group) => group !== '0')) continue;
      return `${groups.slice(0, at).join(':')}::${groups.slice(at + length).join(':')}`;
    }
  }
  return groups.join(':');
}

test('any bytes: the text of a naive writer, and back', () => {
  const group = fc.oneof(fc.constant([0, 0]), fc.tuple(fc.nat(255), fc.nat(255)));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = groups.flat();
      const text = naiveText(bytes);
      if (text.startsWith('::ffff:') && bytes.slice(0, 10).every((byte) => byte === 0)) return;
      assert.equal(ipFromBytes(Uint8Array.from(bytes)), text);
      assert.deepEqual([...ipToBytes(text)], bytes);
      assert.equal(canonicalIp(text), text);
    }),
    { numRuns: 2000 },
  );
});

test('any text: never more than the system takes, and the same address', () => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.string({
      unit: fc.constantFrom('0', '1', '9', 'f', 'A', ':', '.', '::', '::ffff:', '1.2.3.4', 'x', '%'),
      maxLength: 12,
    }),
  );
  fc.assert(
    fc.property(text, (value) => {
      const canonical = canonicalIp(value);
      assert.equal(canonical !== undefined, isIPv4(value) || (isIPv6(value) && !value.includes('%')), value);
      if (canonical === undefined || !value.includes(':')) return;
      // The URL parser's canonical form differs in mapped addresses only, which it leaves in hexadecimal.
      const { hostname } = new URL(`http://[${value}]/`);
      if (canonical.includes(':')) assert.equal(`[${canonical}]`, hostname);
      else assert.equal(hostname, new URL(`http://[::ffff:${canonical}]/`).hostname);
    }),
    { numRuns: 5000 },
  );
});
