// What the owner knows and wants of his paths, held against what was found.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { KnownPath, Wish } from '#anabranch/config/config.js';
import type { Path } from '#anabranch/paths/path.js';
import { type PathSettings, Preferences, type Spent } from '#anabranch/paths/preferences.js';
import { pathOf } from './path-of.ts';

const wifi = pathOf(2, '192.0.2.7', { name: 'wlan0', interface: 'wlan0' });
const lte = pathOf(3, '198.51.100.7', { name: 'wwan0', interface: 'wwan0', kind: 'cellular', cost: 'metered' });
const lte6 = { ...lte, address: '2001:db8::7', family: 6, prefix: 64 } as const;
const tunnel = pathOf(4, '10.8.0.2', { name: 'wg0', interface: 'wg0', kind: 'tunnel' });
const KERNEL = { mode: 'kernel', wish: { kind: 'max-throughput' } } as const;
const FLAGS = { subflow: true, backup: false, fullmesh: false, signal: false, laminar: false, port: 0 };

function apply(preferences: Preferences, found: readonly Path[], dead: readonly string[] = []): Path[] {
  const judged = found.map(preferences.judge).filter((path) => path !== undefined);
  return preferences.rank(judged, ({ address }) => dead.includes(address));
}

test('without a word of the owner paths are as they were found, and tunnels are none', () => {
  assert.deepEqual(apply(new Preferences(), [wifi, lte, lte6, tunnel]), [wifi, lte, lte6]);
});

test('the first entry that means a path counts', () => {
  const cases: readonly (readonly [KnownPath['match'], readonly string[]])[] = [
    [{ interface: '*' }, ['wlan0', 'wwan0', 'wwan0']],
    [{ interface: 'w?an0' }, ['wlan0', 'wwan0', 'wwan0']],
    [{ interface: 'wwan*' }, ['wwan0', 'wwan0']],
    [{ interface: 'wlan' }, []],
    [{ interface: 'w.an0' }, []],
    [{ kind: 'cellular' }, ['wwan0', 'wwan0']],
    [{ address: '198.51.100.0/24' }, ['wwan0']],
    [{ address: '2001:db8::/32' }, ['wwan0']],
    [{ kind: 'wifi', address: '198.51.100.0/24' }, []],
  ];
  for (const [match, expected] of cases) {
    const known = [
      { match, name: 'mine' },
      { match: { interface: '*' }, name: 'other' },
    ];
    const paths = apply(new Preferences({ ...KERNEL, known }), [wifi, lte, lte6]);
    const mine = paths.filter(({ name }) => name === 'mine').map((path) => path.interface);
    assert.deepEqual(mine, expected, JSON.stringify(match));
    assert.ok(paths.every(({ name }) => name === 'mine' || name === 'other'));
  }
});

test('name, kind, cost, priority, flags and budget are the configured ones', () => {
  // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
  const budget = { monthly: 1e9, from: 1, then: 'off' } as const;
  const endpoint = { ...FLAGS, fullmesh: true };
  const known: KnownPath[] = [
    { match: { interface: 'wlan0' }, name: 'home', kind: 'dsl', cost: 'metered', priority: 7, endpoint, budget },
    { match: { interface: 'wwan0' }, kind: 'wifi' },
  ];
  const [home, other] = apply(new Preferences({ ...KERNEL, known }), [wifi, lte]);
  assert.deepEqual(home, {
    ...wifi,
    name: 'home',
    kind: 'dsl',
    cost: 'metered',
    priority: 7,
    wanted: endpoint,
    budget,
    // Behind the other one, which has no priority and so the best one.
    backup: true,
  });
  // What it costs follows from what it is.
  assert.deepEqual(other, { ...lte, kind: 'wifi', cost: 'free' });
});

test('a path may be ignored, and a tunnel may be none to be ignored', () => {
  const preferences = new Preferences({
    ...KERNEL,
    known: [
      { match: { interface: 'wwan0' }, name: 'lte', ignore: true },
      { match: { kind: 'tunnel' }, ignore: false },
    ],
  });
  assert.deepEqual(
    apply(preferences, [wifi, lte, lte6, tunnel]).map(({ name }) => name),
    ['wlan0', 'wg0'],
  );
  assert.deepEqual(preferences.ignored, ['lte']);
  preferences.set('lte', { ignore: false });
  assert.deepEqual(
    apply(preferences, [wifi, lte]).map(({ name }) => name),
    ['wlan0', 'lte'],
  );
  assert.deepEqual(preferences.ignored, []);
});

test('paths of the best priority among those that work are used together, the others stand by', () => {
  const preferences = new Preferences({ ...KERNEL, known: [{ match: { interface: 'wwan0' }, priority: 10 }] });
  const standing = (paths: readonly Path[]): string[] => paths.filter(({ backup }) => backup).map(({ name }) => name);
  assert.deepEqual(standing(apply(preferences, [wifi, lte])), ['wwan0']);
  assert.deepEqual(standing(apply(preferences, [wifi, lte], [wifi.address])), []);
  assert.deepEqual(standing(apply(preferences, [{ ...wifi, trouble: 'no carrier' }, lte])), []);
  preferences.set('wlan0', { priority: 10 });
  assert.deepEqual(standing(apply(preferences, [wifi, lte])), []);
  preferences.set('wlan0', { priority: 11 });
  assert.deepEqual(standing(apply(preferences, [wifi, lte])), ['wlan0']);
  // Who stands by for another reason is no reason for others to stand by.
  preferences.set('wwan0', { backup: true });
  assert.deepEqual(standing(apply(preferences, [wifi, lte])), ['wwan0']);
});

test('a word while it runs goes before the file, until the file is read again', () => {
  const known: KnownPath[] = [{ match: { interface: 'wwan0' }, name: 'lte', endpoint: { ...FLAGS, backup: true } }];
  const preferences = new Preferences({ ...KERNEL, known });
  const after = (settings: PathSettings): Path | undefined => {
    preferences.set('lte', settings);
    return apply(preferences, [wifi, lte]).find(({ name }) => name === 'lte');
  };
  assert.equal(after({})?.backup, true);
  assert.equal(after({ backup: false })?.backup, false);
  assert.equal(after({ priority: 5 })?.backup, false);
  assert.deepEqual([after({ cost: 'free' })?.cost, after({})?.priority], ['free', 5]);
  assert.equal(after({ ignore: true }), undefined);
  preferences.configure({ ...KERNEL, known });
  const again = after({});
  assert.deepEqual([again?.backup, again?.cost, again?.priority], [true, 'metered', 0]);
});

test('a budget that is used up goes before every word', () => {
  let spent: Spent | undefined = 'backup';
  const preferences = new Preferences({ ...KERNEL, known: [] }, ({ name }) => (name === 'wwan0' ? spent : undefined));
  preferences.set('wwan0', { backup: false });
  assert.equal(apply(preferences, [wifi, lte])[1]?.backup, true);
  spent = 'off';
  assert.equal(apply(preferences, [wifi, lte])[1]?.trouble, 'budget used up');
  // What is worse is told.
  assert.equal(apply(preferences, [wifi, { ...lte, trouble: 'no carrier' }])[1]?.trouble, 'no carrier');
  spent = undefined;
  assert.deepEqual(apply(preferences, [wifi, lte])[1], lte);
});

/** One line for each path: what it is for. */
function uses(preferences: Preferences, found: readonly Path[], dead: readonly string[] = []): string {
  return apply(preferences, found, dead)
    .map(({ name, backup, spared }) => `${name} ${spared ? 'spared' : backup ? 'backup' : 'used'}`)
    .join(', ');
}

test('in mode kernel the wish holds for all connections', () => {
  const dsl = pathOf(5, '203.0.113.7', { name: 'dsl', interface: 'dsl' });
  const all = [wifi, lte, dsl];
  const wishing = (wish: Wish): Preferences => new Preferences({ ...KERNEL, wish, known: [] });
  const avoid = wishing({ kind: 'avoid-metered' });
  assert.equal(uses(avoid, all), 'wlan0 used, wwan0 spared, dsl used');
  assert.equal(uses(avoid, all, [wifi.address]), 'wlan0 used, wwan0 spared, dsl used');
  // For want of others.
  assert.equal(uses(avoid, all, [wifi.address, dsl.address]), 'wlan0 used, wwan0 used, dsl used');
  assert.equal(uses(avoid, [{ ...wifi, trouble: 'no carrier' }, lte]), 'wlan0 used, wwan0 used');
  // Each family has its own: there is IPv6 over the metered path only.
  assert.equal(uses(avoid, [wifi, lte, lte6]), 'wlan0 used, wwan0 spared, wwan0 used');
  const prefer = wishing({ kind: 'prefer', path: 'wwan0' });
  assert.equal(uses(prefer, all), 'wlan0 backup, wwan0 used, dsl backup');
  assert.equal(uses(prefer, all, [lte.address]), 'wlan0 used, wwan0 used, dsl used');
  const only = wishing({ kind: 'only', path: 'dsl' });
  assert.equal(uses(only, all), 'wlan0 spared, wwan0 spared, dsl used');
  assert.equal(uses(only, all, [dsl.address]), 'wlan0 spared, wwan0 spared, dsl used');
  const userspace = new Preferences({ mode: 'userspace', wish: { kind: 'avoid-metered' }, known: [] });
  assert.equal(uses(userspace, all), 'wlan0 used, wwan0 used, dsl used');
  userspace.configure({ ...KERNEL, wish: { kind: 'avoid-metered' }, known: [] });
  assert.equal(uses(userspace, all), 'wlan0 used, wwan0 used, dsl used');
});

test('the fastest path alone, when low latency is wished; hardly faster is no reason to move', () => {
  const preferences = new Preferences({ ...KERNEL, wish: { kind: 'low-latency' }, known: [] });
  const rtts = new Map([
    [wifi.address, 20],
    [lte.address, 60],
  ]);
  const ranked = (): string =>
    preferences
      .rank([wifi, lte], undefined, ({ address }) => rtts.get(address))
      .map(({ name, backup }) => `${name} ${backup ? 'backup' : 'used'}`)
      .join(', ');
  assert.equal(ranked(), 'wlan0 used, wwan0 backup');
  rtts.set(wifi.address, 62);
  assert.equal(ranked(), 'wlan0 used, wwan0 backup');
  rtts.set(wifi.address, 200);
  assert.equal(ranked(), 'wlan0 backup, wwan0 used');
});

test('what is left of a budget is for need, whatever is wished', () => {
  const spent = ({ name }: Path): Spent | undefined => (name === 'wwan0' ? 'backup' : undefined);
  const prefer = new Preferences({ ...KERNEL, wish: { kind: 'prefer', path: 'wwan0' }, known: [] }, spent);
  assert.equal(uses(prefer, [wifi, lte]), 'wlan0 used, wwan0 backup');
  assert.equal(uses(prefer, [wifi, lte], [wifi.address]), 'wlan0 used, wwan0 backup');
  const only = new Preferences({ ...KERNEL, wish: { kind: 'only', path: 'wwan0' }, known: [] }, spent);
  assert.equal(uses(only, [wifi, lte]), 'wlan0 spared, wwan0 backup');
  // Neither is a path that costs, as long as there is another one.
  const avoid = new Preferences({ ...KERNEL, wish: { kind: 'avoid-metered' }, known: [] }, ({ name }) =>
    name === 'wlan0' ? 'backup' : undefined,
  );
  assert.equal(uses(avoid, [wifi, lte]), 'wlan0 backup, wwan0 used');
});
