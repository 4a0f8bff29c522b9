import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createDnsCache } from '#anabranch/dataplane/dns-cache.js';

const addresses = ['192.0.2.1'];

test('the time to live is kept between a second and an hour', () => {
  const table: [number, number][] = [
    [0, 1000],
    [-5, 1000],
    [1500, 1500],
    [86_400_000, 3_600_000],
    [Number.POSITIVE_INFINITY, 3_600_000],
  ];
  for (const [ttlMs, heldMs] of table) {
    const cache = createDnsCache();
    cache.putAddresses('a.example', addresses, ttlMs, 100);
    assert.equal(cache.fresh('a.example', 100 + heldMs - 1)?.kind, 'addresses');
    assert.equal(cache.fresh('a.example', 100 + heldMs), undefined);
    assert.deepEqual(cache.stale('a.example', 100 + heldMs)?.addresses, addresses);
    assert.equal(cache.stale('a.example', 100 + heldMs - 1), undefined);
    assert.equal(cache.stale('a.example', 100 + heldMs + 300_000), undefined);
  }
});

test('a failure leaves the old addresses to serve, for five minutes in all', () => {
  const cache = createDnsCache();
  cache.putAddresses('a.example', addresses, 1000, 0);
  const kept = cache.putError('a.example', 'name-failure', 'SERVFAIL', 2000);
  assert.equal(kept.kind, 'addresses');
  assert.equal(cache.fresh('a.example', 31_999)?.kind, 'addresses');
  assert.equal(cache.fresh('a.example', 32_000), undefined);
  cache.putError('a.example', 'timed-out', 'silence', 300_000);
  assert.equal(cache.fresh('a.example', 300_999)?.kind, 'addresses');
  assert.equal(cache.fresh('a.example', 301_000), undefined);
  assert.equal(cache.putError('a.example', 'timed-out', 'silence', 301_000).kind, 'error');
});

test('a name that has ceased to exist is not kept alive', () => {
  const cache = createDnsCache();
  cache.putAddresses('a.example', addresses, 1000, 0);
  cache.putError('a.example', 'name-not-found', 'NXDOMAIN', 2000);
  assert.equal(cache.stale('a.example', 2000), undefined);
  assert.equal(cache.fresh('a.example', 31_999)?.kind, 'error');
  assert.equal(cache.fresh('a.example', 32_000), undefined);
});

test('a failure alone is kept for a second', () => {
  const cache = createDnsCache();
  cache.putError('a.example', 'name-failure', 'SERVFAIL', 0);
  assert.equal(cache.fresh('a.example', 999)?.kind, 'error');
  assert.equal(cache.fresh('a.example', 1000), undefined);
});

test('the entry unused for longest makes room', () => {
  const cache = createDnsCache(2);
  cache.putAddresses('a', addresses, 1000, 0);
  cache.putAddresses('b', addresses, 1000, 0);
  cache.fresh('a', 1);
  cache.putAddresses('c', addresses, 1000, 2);
  assert.equal(cache.size, 2);
  assert.equal(cache.fresh('b', 3), undefined);
  assert.equal(cache.fresh('a', 3)?.kind, 'addresses');
  for (let i = 0; i < 1000; i++) cache.putError(`n${i}`, 'name-not-found', '', 4);
  assert.equal(cache.size, 2);
});
