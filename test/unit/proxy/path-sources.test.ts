// Which other paths a connection is tried over, and how soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PathSources } from '#anabranch/proxy/path-sources.js';
import type { PathState, PathWish } from '#anabranch/routing/path-choice.js';

const WIFI = '192.0.2.7';
const CELLULAR = '198.51.100.7';
const SERVER = '203.0.113.1';

function path(address: string, more: Partial<PathState> = {}): PathState {
  const family = address.includes(':') ? 6 : 4;
  const name = address;
  return {
    name,
    interface: name,
    family,
    address,
    network: family === 4 ? `${address.replace(/\d+$/, '0')}/24` : 'fd00::/64',
    cost: 'free',
    priority: 0,
    works: true,
    backup: false,
    rttMs: undefined,
    ...more,
  };
}

function besides(paths: readonly PathState[], local = WIFI, mptcp = true) {
  const sources = new PathSources();
  sources.paths = paths;
  return sources.forConnection(mptcp)?.besides(local, SERVER, 0);
}

test('a single path leaves no choice', () => {
  assert.equal(besides([]), undefined);
  assert.equal(besides([path(WIFI)]), undefined);
});

test('the others of the same family that work, those for lack of others last', () => {
  const others = [path('fd00::7'), path('10.0.0.7', { backup: true }), path(CELLULAR, { priority: 1 })];
  const dead = path('10.1.0.7', { works: false });
  assert.deepEqual(besides([path(WIFI), ...others, dead]), { sources: [CELLULAR, '10.0.0.7'], delayMs: 75 });
});

test('what leaves by something that is no path stays there', () => {
  assert.deepEqual(besides([path(WIFI), path(CELLULAR)], '127.0.0.1')?.sources, []);
});

test('nobody waits for a path that is known to be dead', () => {
  assert.deepEqual(besides([path(WIFI, { works: false }), path(CELLULAR)]), { sources: [CELLULAR], delayMs: 0 });
});

test('a TCP connection, which stays where it begins, waits longer', () => {
  assert.equal(besides([path(WIFI), path(CELLULAR)], WIFI, false)?.delayMs, 250);
});

test('what a wish leaves of the paths', () => {
  const sources = new PathSources();
  const metered = { cost: 'metered', priority: 1 } as const;
  sources.paths = [path(WIFI), path(CELLULAR, metered), path('fd00::7', metered)];
  const of = (wish: PathWish) => sources.forConnection(true, { wish, bytes: 0, meteredAfter: undefined });
  const table: readonly (readonly [PathWish, readonly string[], readonly string[]])[] = [
    [{ kind: 'max-throughput' }, [], [CELLULAR]],
    [{ kind: 'avoid-metered' }, [WIFI], []],
    [{ kind: 'prefer', path: CELLULAR }, [CELLULAR], [CELLULAR]],
    [{ kind: 'only', path: CELLULAR }, [CELLULAR], [CELLULAR]],
  ];
  for (const [wish, begin, beside] of table) {
    const use = of(wish);
    assert.deepEqual(use?.sources, begin, wish.kind);
    assert.deepEqual(use?.besides(WIFI, SERVER, 0).sources, beside, wish.kind);
    assert.equal(use?.permits('2001:db8::1'), wish.kind !== 'only');
  }
  sources.paths = [path(WIFI), path(CELLULAR, { ...metered, works: false })];
  assert.equal(of({ kind: 'only', path: CELLULAR })?.permits(SERVER), false);
  assert.equal(sources.isNear('192.0.2.200') && sources.isNear('127.0.0.1') && !sources.isNear(SERVER), true);
  // Without knowledge of any path there is none to go over.
  sources.paths = [];
  assert.equal(of({ kind: 'only', path: CELLULAR })?.permits(SERVER), false);
  assert.equal(of({ kind: 'avoid-metered' }), undefined);
});

test('how long a server took before is how long it is waited for, within bounds', () => {
  const sources = new PathSources();
  sources.paths = [path(WIFI), path(CELLULAR)];
  const race = sources.forConnection(true)!;
  const delayAfter = (ms: number): number => {
    for (let i = 0; i < 40; i++) race.answered(SERVER, ms);
    return Math.round(race.besides(WIFI, SERVER, 0).delayMs);
  };
  assert.equal(delayAfter(50), 100);
  assert.equal(delayAfter(1), 40);
  assert.equal(delayAfter(900), 250);
  for (let i = 0; i < 3_000; i++) race.answered(`203.0.113.1:${i}`, 1);
  assert.equal(race.besides(WIFI, SERVER, 0).delayMs, 75, 'forgotten for newer ones');
});

test('a path that was overtaken is not waited for, for a while, or until it answers', () => {
  const sources = new PathSources();
  sources.paths = [path(WIFI), path(CELLULAR)];
  const delayAt = (now: number, mptcp = true) => sources.forConnection(mptcp)?.besides(WIFI, SERVER, now).delayMs;
  const race = sources.forConnection(true)!;
  race.besides(WIFI, SERVER, 1_000);
  race.overtaken(1_000);
  assert.deepEqual([delayAt(1_000), delayAt(5_900), delayAt(6_000)], [0, 0, 75]);
  assert.equal(delayAt(1_000, false), 250, 'a TCP connection would stay');
  race.answered(SERVER, 30);
  assert.equal(delayAt(1_000), 60);
});
