import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { orderAddresses } from '#anabranch/routing/address-order.js';

const a1 = '192.0.2.1';
const a2 = '192.0.2.2';
const a3 = '192.0.2.3';
const b1 = '2001:db8::1';
const b2 = '2001:db8::2';

test('the families take turns, beginning with IPv6', () => {
  const table: [string[], Parameters<typeof orderAddresses>[1], string[]][] = [
    [[], {}, []],
    [[a1], {}, [a1]],
    [[a1, b1], {}, [b1, a1]],
    [[a1, a2, a3, b1], {}, [b1, a1, a2, a3]],
    [[b1, b2, a1, a2, a3], {}, [b1, a1, b2, a2, a3]],
    [[b1, b2, a1, a2, a3], { first: 4 }, [a1, b1, a2, b2, a3]],
    [[b1, a1, b2, a2], { families: [4] }, [a1, a2]],
    [[b1, a1, b2, a2], { families: [6] }, [b1, b2]],
    [[a1, b1, a1, b1], {}, [b1, a1]],
    // Better a connection that fails with the true error than nothing to try.
    [[b1, b2], { families: [4] }, [b1, b2]],
    [[b1, a1], { families: [] }, [b1, a1]],
  ];
  for (const [addresses, options, expected] of table) assert.deepEqual(orderAddresses(addresses, options), expected);
});

test('nothing is lost, added or overtaken within its family', () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(fc.uniqueArray(address, { maxLength: 20 }), fc.constantFrom<4 | 6>(4, 6), (addresses, first) => {
      const ordered = orderAddresses(addresses, { first });
      assert.deepEqual([...ordered].sort(), [...addresses].sort());
      for (const six of [true, false]) {
        const own = (text: string): boolean => text.includes(':') === six;
        assert.deepEqual(ordered.filter(own), addresses.filter(own));
      }
    }),
  );
});
