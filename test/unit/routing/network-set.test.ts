import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NetworkSet } from '#anabranch/routing/network-set.js';
import { ipFromBytes, ipToBytes } from '#anabranch/wire/ip.js';

/** Few distinct bytes, so that networks and addresses meet. */
const byte = fc.constantFrom(0, 1, 2, 127, 128, 192, 255);
const v4 = fc.array(byte, { minLength: 4, maxLength: 4 });
const v6 = fc.array(byte, { minLength: 16, maxLength: 16 });
const address = fc.oneof(v4, v6).map((bytes) => ipFromBytes(Uint8Array.from(bytes)));

interface NaiveNetwork {
  readonly bits: string;
  readonly family: number;
}

const bitsOf = (text: string) => [...ipToBytes(text)].map((part) => part.toString(2).padStart(8, '0')).join('');

const network = fc.tuple(address, fc.nat(128)).map(([text, length]) => {
  const bits = bitsOf(text);
  const kept = bits.slice(0, length % (bits.length + 1));
  const whole = kept.padEnd(bits.length, '0');
  const bytes = Uint8Array.from(whole.match(/.{8}/g) ?? [], (part) => Number.parseInt(part, 2));
  const naive: NaiveNetwork = { bits: kept, family: bits.length };
  return { text: `${ipFromBytes(bytes)}/${kept.length}`, naive };
});

test('agrees with comparing bit strings, one network after the other', () => {
  fc.assert(
    fc.property(fc.array(network, { maxLength: 12 }), fc.array(address, { maxLength: 20 }), (networks, addresses) => {
      // A network of the IPv4-mapped range is one of IPv4: not what the naive way knows about.
      fc.pre(networks.every(({ text, naive }) => bitsOf(text.split('/')[0] as string).length === naive.family));
      const set = new NetworkSet(networks.map(({ text }) => text));
      for (const one of addresses) {
        const bits = bitsOf(one);
        const expected = networks.some(({ naive }) => naive.family === bits.length && bits.startsWith(naive.bits));
        assert.equal(set.has(one), expected, one);
      }
    }),
    { numRuns: 500 },
  );
});

test('a wider network covers narrower ones in either order', () => {
  for (const networks of [
    ['10.0.0.0/8', '10.1.0.0/16'],
    ['10.1.0.0/16', '10.0.0.0/8'],
  ]) {
    const set = new NetworkSet(networks);
    assert.ok(set.has('10.1.2.3'));
    assert.ok(set.has('10.200.0.1'));
    assert.ok(!set.has('11.0.0.1'));
  }
});

test('the networks of everything, and of nothing', () => {
  assert.ok(new NetworkSet(['0.0.0.0/0']).has('203.0.113.9'));
  assert.ok(!new NetworkSet(['0.0.0.0/0']).has('2001:db8::1'));
  assert.ok(new NetworkSet(['::/0']).has('2001:db8::1'));
  assert.ok(!new NetworkSet(['::/0']).has('203.0.113.9'));
  assert.ok(!new NetworkSet([]).has('203.0.113.9'));
  assert.ok(!new NetworkSet([]).has('::'));
});

test('takes a mapped address for the IPv4 address it is', () => {
  assert.ok(new NetworkSet(['10.0.0.0/8']).has('::ffff:10.1.2.3'));
  assert.ok(new NetworkSet(['::ffff:10.0.0.0/104']).has('10.1.2.3'));
});

test('refuses what is no network', () => {
  assert.throws(() => new NetworkSet(['10.0.0.1/8']), RangeError);
  assert.throws(() => new NetworkSet(['example.org']), RangeError);
});

test('stays fast with thousands of networks', () => {
  const networks = Array.from({ length: 20_000 }, (_, i) => `10.${(i >> 8) & 255}.${i & 255}.${(i >> 16) << 4}/28`);
  const set = new NetworkSet(networks);
  const before = performance.now();
  let hits = 0;
  for (let i = 0; i < 20_000; i++) if (set.has(`10.${i & 127}.7.${i & 255}`)) hits++;
  assert.ok(hits > 0 && hits < 20_000);
  // A look-up is about a microsecond; a walk over the list would take 20,000 times 20,000 steps.
  assert.ok(performance.now() - before < 1_000);
});
