import assert from 'node:assert/strict';
import { test } from 'node:test';

import { networkOf } from '#anabranch/paths/network-of.js';

test('the bits behind the prefix are zero', () => {
  const table: readonly (readonly [string, number, string])[] = [
    ['192.0.2.77', 24, '192.0.2.0'],
    ['192.0.2.77', 26, '192.0.2.64'],
    ['192.0.2.77', 32, '192.0.2.77'],
    ['192.0.2.77', 0, '0.0.0.0'],
    ['10.255.255.255', 9, '10.128.0.0'],
    ['2001:db8:1:2::7', 64, '2001:db8:1:2::'],
    ['2001:db8:ffff::', 33, '2001:db8:8000::'],
  ];
  for (const [address, prefix, expected] of table) assert.equal(networkOf(address, prefix), expected);
});
