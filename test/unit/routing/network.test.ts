import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatNetwork, isNetworkFault, parseNetwork } from '#anabranch/routing/network.js';

const GOOD: readonly (readonly [string, string])[] = [
  ['192.0.2.0/24', '192.0.2.0/24'],
  ['192.0.2.7', '192.0.2.7/32'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['10.32.0.0/11', '10.32.0.0/11'],
  ['2001:DB8:0::/33', '2001:db8::/33'],
  ['::/0', '::/0'],
  ['::1', '::1/128'],
  ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
  ['::ffff:192.0.2.7', '192.0.2.7/32'],
  ['::ffff:0.0.0.0/96', '0.0.0.0/0'],
];

const HOST_BITS: readonly (readonly [string, string])[] = [
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['192.0.2.1/31', '192.0.2.0/31'],
  ['2001:db8::1/64', '2001:db8::/64'],
  ['1.2.3.4/0', '0.0.0.0/0'],
  ['::ffff:10.1.0.0/104', '10.0.0.0/8'],
];

const BAD = [
  '',
  '/',
  '/8',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/-1',
  '10.0.0.0/+8',
  '10.0.0.0/8.0',
  '10.0.0.0/8/8',
  '10.0.0/8',
  '10/8',
  '010.0.0.0/8',
  '::/129',
  '::1/1280',
  'fe80::%eth0/10',
  '[::1]/128',
  ' 10.0.0.0/8',
  'example.org',
  '::ffff:0.0.0.0/95',
];

test('reads networks in their canonical form', () => {
  for (const [text, canonical] of GOOD) {
    const network = parseNetwork(text);
    assert.ok(!isNetworkFault(network), text);
    assert.equal(formatNetwork(network), canonical);
  }
});

test('names the network that was meant when host bits are set', () => {
  for (const [text, network] of HOST_BITS) {
    assert.deepEqual(parseNetwork(text), { fault: 'host-bits', network }, text);
  }
});

test('refuses everything else', () => {
  for (const text of BAD) assert.deepEqual(parseNetwork(text), { fault: 'not-a-network' }, text);
});
