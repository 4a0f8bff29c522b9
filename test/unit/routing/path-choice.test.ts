import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { choosePaths, isAnyPathFine, type PathState, type PathWish } from '#anabranch/routing/path-choice.js';

function path(name: string, more: Partial<PathState> = {}): PathState {
  const common = {
    family: 4,
    network: '192.0.2.0/24',
    cost: 'free',
    priority: 100,
    works: true,
    backup: false,
    rttMs: undefined,
  } as const;
  return { name, interface: `${name}0`, address: `192.0.2.${name.length}`, ...common, ...more };
}

const dsl = path('dsl', { priority: 100, rttMs: 20 });
const wifi = path('wifi', { priority: 200, rttMs: 30 });
const lte = path('phone', { priority: 300, cost: 'metered', rttMs: 60 });
const all = [dsl, wifi, lte];
const down = (of: PathState): PathState => ({ ...of, works: false });

/** Best first; those for lack of others in parentheses. */
function chosen(paths: readonly PathState[], wish: PathWish, more: object = {}): string {
  const found = choosePaths(paths, { wish, bytes: 0, meteredAfter: undefined, ...more });
  return found.map(({ path: { name }, backup }) => (backup ? `(${name})` : name)).join(' ');
}

test('what is left of a budget is for need, whatever is wished', () => {
  const spent = { ...wifi, backup: true, spent: true };
  const table: readonly (readonly [PathWish, readonly PathState[], string])[] = [
    [{ kind: 'max-throughput' }, [dsl, spent, lte], 'dsl phone (wifi)'],
    [{ kind: 'prefer', path: 'wifi' }, [dsl, spent, lte], 'dsl phone (wifi)'],
    [{ kind: 'prefer', path: 'wifi' }, [down(dsl), spent], 'wifi'],
    [{ kind: 'only', path: 'wifi' }, [dsl, spent, lte], 'wifi'],
    [{ kind: 'avoid-metered' }, [spent, lte], 'phone (wifi)'],
    [{ kind: 'avoid-metered' }, [dsl, { ...lte, spent: true }], 'dsl'],
    [{ kind: 'low-latency' }, [down(dsl), { ...spent, rttMs: 1 }, lte], 'phone (wifi)'],
  ];
  for (const [wish, paths, expected] of table) assert.equal(chosen(paths, wish), expected, JSON.stringify(wish));
});

test('what each wish makes of the paths', () => {
  const table: readonly (readonly [PathWish, readonly PathState[], string])[] = [
    [{ kind: 'max-throughput' }, all, 'dsl wifi phone'],
    [{ kind: 'max-throughput' }, [lte, wifi, down(dsl)], 'wifi phone'],
    [{ kind: 'max-throughput' }, [], ''],
    [{ kind: 'avoid-metered' }, all, 'dsl wifi'],
    [{ kind: 'avoid-metered' }, [down(dsl), wifi, lte], 'wifi'],
    [{ kind: 'avoid-metered' }, [down(dsl), down(wifi), lte], 'phone'],
    [{ kind: 'prefer', path: 'wifi' }, all, 'wifi (dsl) (phone)'],
    [{ kind: 'prefer', path: 'phone0' }, all, 'phone (dsl) (wifi)'],
    [{ kind: 'prefer', path: 'wifi' }, [dsl, down(wifi), lte], 'dsl phone'],
    [{ kind: 'prefer', path: 'none' }, all, 'dsl wifi phone'],
    [{ kind: 'only', path: 'wifi' }, all, 'wifi'],
    [{ kind: 'only', path: 'wifi' }, [dsl, down(wifi)], ''],
    [{ kind: 'only', path: 'none' }, all, ''],
    [{ kind: 'low-latency' }, [lte, wifi, dsl], 'dsl (wifi) (phone)'],
    [{ kind: 'low-latency' }, [lte, wifi, { ...dsl, rttMs: 80 }], 'wifi (phone) (dsl)'],
    [{ kind: 'low-latency' }, [{ ...dsl, rttMs: undefined }, wifi], 'wifi (dsl)'],
  ];
  for (const [wish, paths, expected] of table) assert.equal(chosen(paths, wish), expected, JSON.stringify(wish));
});

test('a path that its owner keeps for need comes last, unless it is asked for', () => {
  const kept = [{ ...dsl, backup: true }, wifi, lte];
  assert.equal(chosen(kept, { kind: 'max-throughput' }), 'wifi phone (dsl)');
  assert.equal(chosen(kept, { kind: 'low-latency' }), 'wifi (phone) (dsl)');
  assert.equal(chosen(kept, { kind: 'prefer', path: 'dsl' }), 'dsl (wifi) (phone)');
  assert.equal(chosen([{ ...dsl, backup: true }, down(wifi)], { kind: 'max-throughput' }), 'dsl');
  // It is free, and that is all that counts here.
  assert.equal(chosen([{ ...dsl, backup: true }, lte], { kind: 'avoid-metered' }), 'dsl');
});

test('a metered path once enough was carried', () => {
  const later = { meteredAfter: 1_000 };
  assert.equal(chosen(all, { kind: 'max-throughput' }, { ...later, bytes: 999 }), 'dsl wifi');
  assert.equal(chosen(all, { kind: 'max-throughput' }, { ...later, bytes: 1_000 }), 'dsl wifi phone');
  assert.equal(chosen([lte], { kind: 'max-throughput' }, later), 'phone');
  assert.equal(chosen(all, { kind: 'prefer', path: 'phone' }, later), 'phone (dsl) (wifi)');
  assert.equal(chosen(all, { kind: 'only', path: 'phone' }, later), 'phone');
});

test('the fastest path is not changed for a little', () => {
  const a = path('a', { rttMs: 20 });
  const bb = path('bb', { rttMs: 22 });
  const wish = { kind: 'low-latency' } as const;
  assert.equal(chosen([a, bb], wish), 'a (bb)');
  assert.equal(chosen([a, bb], wish, { before: bb.address }), 'bb (a)');
  assert.equal(chosen([a, { ...bb, rttMs: 40 }], wish, { before: bb.address }), 'a (bb)');
  assert.equal(chosen([a, { ...bb, works: false }], wish, { before: bb.address }), 'a');
});

test('when the kernel may choose by itself', () => {
  const fine = (paths: readonly PathState[], wish: PathWish): boolean =>
    isAnyPathFine(paths, choosePaths(paths, { wish, bytes: 0, meteredAfter: undefined }));
  assert.equal(fine(all, { kind: 'max-throughput' }), true);
  assert.equal(fine([dsl, down(wifi)], { kind: 'max-throughput' }), false);
  assert.equal(fine(all, { kind: 'avoid-metered' }), false);
  assert.equal(fine([dsl, wifi], { kind: 'avoid-metered' }), true);
  assert.equal(fine(all, { kind: 'prefer', path: 'dsl' }), false);
});

test('whatever the paths: only what works, the best at once, nothing metered for those who avoid it', () => {
  const one = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    interface: fc.constantFrom('a', 'x', 'y'),
    family: fc.constant(4 as const),
    address: fc.nat(255).map((n) => `192.0.2.${n}`),
    network: fc.constant('192.0.2.0/24'),
    cost: fc.constantFrom('free' as const, 'metered' as const),
    priority: fc.nat(3),
    works: fc.boolean(),
    backup: fc.boolean(),
    rttMs: fc.option(fc.nat(300), { nil: undefined }),
  });
  const wish: fc.Arbitrary<PathWish> = fc.oneof(
    fc.constantFrom(...(['max-throughput', 'low-latency', 'avoid-metered'] as const).map((kind) => ({ kind }))),
    fc.record({ kind: fc.constantFrom('prefer' as const, 'only' as const), path: fc.constantFrom('a', 'x') }),
  );
  const options = { wish, bytes: fc.nat(10), meteredAfter: fc.option(fc.nat(10), { nil: undefined }) };
  fc.assert(
    fc.property(fc.array(one, { maxLength: 5 }), fc.record(options), (paths, how) => {
      const found = choosePaths(paths, how);
      assert.ok(found.every(({ path: { works } }) => works));
      assert.equal(new Set(found.map((each) => each.path)).size, found.length);
      assert.equal(found[0]?.backup ?? false, false);
      const free = paths.filter(({ works, cost }) => works && cost === 'free');
      if (how.wish.kind === 'avoid-metered' && free.length > 0) assert.equal(found.length, free.length);
      // Something works: but for `only`, something is chosen.
      if (how.wish.kind !== 'only' && paths.some(({ works }) => works)) assert.ok(found.length > 0);
    }),
    { numRuns: 500 },
  );
});
