// Which other paths a connection is tried over, and how soon.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PathSources } from '#anabranch/proxy/path-sources.js';
import type { PathState } from '#anabranch/routing/path-choice.js';

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
  return sources.forConnection(mptcp)?.besides(local, SERVER);
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

test('how long a server took before is how long it is waited for, within bounds', () => {
  const sources = new PathSources();
  sources.paths = [path(WIFI), path(CELLULAR)];
  const race = sources.forConnection(true)!;
  const delayAfter = (ms: number): number => {
    for (let i = 0; i < 40; i++) race.answered(SERVER, ms);
    return Math.round(race.besides(WIFI, SERVER).delayMs);
  };
  assert.equal(delayAfter(50), 100);
  assert.equal(delayAfter(1), 40);
  assert.equal(delayAfter(900), 250);
  for (let i = 0; i < 3_000; i++) race.answered(`203.0.113.1:${i}`, 1);
  assert.equal(race.besides(WIFI, SERVER).delayMs, 75, 'forgotten for newer ones');
});
