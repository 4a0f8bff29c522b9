import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { HeldBytes } from '#anabranch/handshake/held-bytes.js';

test('nothing held: the bytes are not copied', () => {
  const held = new HeldBytes();
  const bytes = Uint8Array.of(1, 2, 3);
  assert.equal(held.join(bytes), bytes);
  held.keep(bytes, 3);
  assert.equal(held.length, 0);
  assert.deepEqual(held.take(), new Uint8Array(0));
});

test('whatever comes and is used: the same as one growing list, whoever overwrites the bytes', () => {
  const step = fc.record({ bytes: fc.uint8Array({ maxLength: 200 }), used: fc.nat(300), take: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const held = new HeldBytes();
      let model: number[] = [];
      for (const { bytes, used, take } of steps) {
        model.push(...bytes);
        const own = new Uint8Array(bytes);
        const joined = held.join(own);
        assert.deepEqual([...joined], model);
        const drop = Math.min(used, model.length);
        held.keep(joined, drop);
        own.fill(0xee);
        model = model.slice(drop);
        assert.equal(held.length, model.length);
        if (!take) continue;
        assert.deepEqual([...held.take()], model);
        assert.equal(held.length, 0);
        model = [];
      }
      assert.deepEqual([...held.join(new Uint8Array(0))], model);
    }),
  );
});
