import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { assignAddresses, networkText, overlaps, parseInterfaceAddress } from '#anabranch/lab/addressing.js';
import { addressText, type InterfaceAddress } from '#anabranch/lab/topology.js';

const address = (text: string): InterfaceAddress => {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
};

const given = (link: string, first: readonly string[], second: readonly string[]) => ({
  link,
  hosts: ['a', 'b'] as const,
  addresses: [first.map(address), second.map(address)],
});

describe('addresses with their prefix length', () => {
  for (const [text, canonical] of [
    ['192.0.2.1/24', '192.0.2.1/24'],
    [' 10.0.0.1/31 ', '10.0.0.1/31'],
    ['2001:DB8::0:1/64', '2001:db8::1/64'],
    ['fd00::1/127', 'fd00::1/127'],
  ] as const) {
    test(text, () => assert.equal(addressText(address(text)), canonical));
  }
  for (const text of [
    '192.0.2.1',
    '192.0.2.1/32',
    '192.0.2.1/0',
    '192.0.2.256/24',
    '::1/128',
    '/24',
    'x/24',
    '10.1/8',
    '1.2.3.4/24/24',
    '',
  ])
    test(`not ${text || 'nothing'}`, () => assert.equal(parseInterfaceAddress(text), undefined));
});

test('the network is the address without its host part', () => {
  for (const [text, network] of [
    ['192.0.2.129/25', '192.0.2.128/25'],
    ['10.9.8.7/8', '10.0.0.0/8'],
    ['10.0.0.3/31', '10.0.0.2/31'],
    ['2001:db8:1:2:3::9/64', '2001:db8:1:2::/64'],
    ['fd00::ffff/127', 'fd00::fffe/127'],
  ] as const) {
    assert.equal(networkText(address(text)), network);
  }
});

describe('networks overlap when they share an address', () => {
  /** Counts addresses one by one, in networks small enough. */
  const naive = (a: InterfaceAddress, b: InterfaceAddress): boolean => {
    const rangeOf = ({ address: text, prefixLength }: InterfaceAddress): readonly [number, number] => {
      const value = text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
      const size = 2 ** (32 - prefixLength);
      const first = Math.floor(value / size) * size;
      return [first, first + size - 1];
    };
    const [one, other] = [rangeOf(a), rangeOf(b)];
    return one[0] <= other[1] && other[0] <= one[1];
  };
  const ip4 = fc
    .tuple(
      fc.constantFrom(10, 192),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 255 }),
      fc.integer({ min: 1, max: 31 }),
    )
    .map(([first, second, last, length]) => address(`${first}.${second}.0.${last}/${length}`));

  test('as a naive count has it', () => {
    fc.assert(fc.property(ip4, ip4, (a, b) => assert.equal(overlaps(a, b), naive(a, b))));
  });

  test('never across families', () => assert.equal(overlaps(address('10.0.0.1/1'), address('fd00::1/1')), false));
});

describe('what is not given is made up', () => {
  test('link by link, in both families', () => {
    const { links, faults } = assignAddresses([given('x', [], []), given('y', [], [])], [4, 6]);
    assert.deepEqual(faults, []);
    assert.deepEqual(
      links.map((ends) => ends.map((end) => end.map(addressText))),
      [
        [
          ['10.0.1.1/24', 'fd00:0:0:1::1/64'],
          ['10.0.1.2/24', 'fd00:0:0:1::2/64'],
        ],
        [
          ['10.0.2.1/24', 'fd00:0:0:2::1/64'],
          ['10.0.2.2/24', 'fd00:0:0:2::2/64'],
        ],
      ],
    );
  });

  test('only in the families wanted, and only where nothing is given', () => {
    const { links } = assignAddresses([given('x', ['192.0.2.1/30'], ['192.0.2.2/30']), given('y', [], [])], [4]);
    assert.deepEqual(
      links.map(([end]) => end.map(addressText)),
      [['192.0.2.1/30'], ['10.0.2.1/24']],
    );
  });

  test('all different and never overlapping, for as many links as there may be', () => {
    const { links, faults } = assignAddresses(
      Array.from({ length: 128 }, (_, i) => given(`l${i}`, [], [])),
      [4, 6],
    );
    assert.deepEqual(faults, []);
    assert.equal(new Set(links.flat(2).map(addressText)).size, 128 * 4);
  });
});

describe('what cannot be', () => {
  const messages = (...links: readonly ReturnType<typeof given>[]): string[] =>
    assignAddresses(links, [4]).faults.map(({ path, message }) => `${path.join('.')}: ${message}`);

  test('one address at both ends', () =>
    assert.deepEqual(messages(given('x', ['10.0.0.1/24'], ['10.0.0.1/24'])), [
      "links.x.addresses.b: 10.0.0.1 is the other host's address",
    ]));
  test('different prefix lengths', () =>
    assert.deepEqual(messages(given('x', ['10.0.0.1/24'], ['10.0.0.2/25'])), [
      'links.x.addresses.b: 10.0.0.2/25 is not in the network of 10.0.0.1/24',
    ]));
  test('two addresses of one family', () =>
    assert.deepEqual(messages(given('x', ['10.0.0.1/24', '10.0.0.3/24'], ['10.0.0.2/24'])), [
      'links.x.addresses.a: has several IPv4 addresses',
    ]));
  test('a family at one end only', () =>
    assert.deepEqual(messages(given('x', ['10.0.0.1/24', 'fd00::1/64'], ['10.0.0.2/24'])), [
      'links.x.addresses: lacks an IPv6 address for b',
    ]));
  test('a network inside of another', () =>
    assert.deepEqual(
      messages(given('x', ['10.0.0.1/8'], ['10.0.0.2/8']), given('y', ['10.3.0.1/24'], ['10.3.0.2/24'])),
      ['links.y.addresses: 10.3.0.0/24 overlaps 10.0.0.0/8 of link x'],
    ));
});
