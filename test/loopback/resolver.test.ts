// The resolver through c-ares against a name server on loopback.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import { createResolver, type Resolver, type ResolverOptions } from '#anabranch/dataplane/resolver.js';

import { type DnsServer, openDnsServer, Rcode } from './dns-server.ts';

async function openScene(
  t: TestContext,
  options: Partial<ResolverOptions> = {},
): Promise<{ server: DnsServer; resolver: Resolver; skip: (ms: number) => void }> {
  const server = await openDnsServer();
  let skipped = 0;
  const skip = (ms: number): void => {
    skipped += ms;
  };
  const resolver = createResolver({
    now: () => performance.now() + skipped,
    timeoutMs: 1000,
    servers: [server.address],
    hostsPath: '/dev/null',
    lookup: async () => {
      throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
    },
    ...options,
  });
  t.after(async () => {
    resolver.close();
    await server.close();
  });
  return { server, resolver, skip };
}

const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected;

test('addresses of both families, with their time to live', async (t) => {
  const { server, resolver, skip } = await openScene(t);
  server.replies.set('A www.example', { addresses: ['192.0.2.1', '192.0.2.2'], ttl: 300 });
  server.replies.set('AAAA www.example', { addresses: ['2001:db8::1', '::ffff:192.0.2.1'], ttl: 200 });
  const answer = await resolver.resolve('www.example');
  assert.deepEqual([...answer.addresses].sort(), ['192.0.2.1', '192.0.2.2', '2001:db8::1']);
  assert.equal(answer.addresses[0], '2001:db8::1');
  assert.equal(Math.round(answer.ttlMs), 200_000);
  skip(199_000);
  assert.ok((await resolver.resolve('www.example')).ttlMs <= 1000);
  assert.equal(server.asked.length, 2);
  skip(2000);
  await resolver.resolve('www.example');
  assert.equal(server.asked.length, 4);
});

test('a time to live of zero is kept for a second', async (t) => {
  const { server, resolver, skip } = await openScene(t);
  server.replies.set('A zero.example', { addresses: ['192.0.2.1'], ttl: 0 });
  const { ttlMs } = await resolver.resolve('zero.example');
  assert.ok(Math.abs(ttlMs - 1000) < 1, `${ttlMs}`);
  skip(1001);
  await resolver.resolve('zero.example');
  assert.equal(server.asked.length, 4);
});

test('no such name, no address, failure, refusal, nonsense, silence', async (t) => {
  const { server, resolver } = await openScene(t);
  for (const type of ['A', 'AAAA']) {
    server.replies.set(`${type} empty.example`, { addresses: [], ttl: 0 });
    server.replies.set(`${type} failing.example`, { rcode: Rcode.ServFail });
    server.replies.set(`${type} refused.example`, { rcode: Rcode.Refused });
    server.replies.set(`${type} silent.example`, 'silence');
    server.replies.set(`${type} nonsense.example`, 'nonsense');
  }
  const table: [string, string][] = [
    ['absent.example', 'name-not-found'],
    ['empty.example', 'name-not-found'],
    ['failing.example', 'name-failure'],
    ['refused.example', 'name-failure'],
    ['silent.example', 'timed-out'],
    ['nonsense.example', 'name-failure'],
  ];
  await Promise.all(
    table.map(([name, expected]) => assert.rejects(resolver.resolve(name), code(expected), `${name}: ${expected}`)),
  );
});

test('a name with underscores, and one of the greatest length', async (t) => {
  const { server, resolver } = await openScene(t);
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;
  for (const name of ['_service._tcp.example', long]) {
    server.replies.set(`A ${name}`, { addresses: ['192.0.2.1'], ttl: 60 });
    assert.deepEqual((await resolver.resolve(name)).addresses, ['192.0.2.1']);
  }
});

test('IPv4 waits 50 ms for IPv6 and no longer', async (t) => {
  const { server, resolver } = await openScene(t);
  server.replies.set('A late.example', { addresses: ['192.0.2.1'], ttl: 60 });
  server.replies.set('AAAA late.example', { addresses: ['2001:db8::1'], ttl: 60, delayMs: 200 });
  const start = performance.now();
  let earlyAt = 0;
  const answer = await resolver.resolve('late.example', {
    onEarly: (addresses) => {
      assert.deepEqual(addresses, ['192.0.2.1']);
      earlyAt = performance.now() - start;
    },
  });
  assert.ok(earlyAt >= 49 && earlyAt < 190, `early after ${earlyAt} ms`);
  assert.deepEqual(answer.addresses, ['2001:db8::1', '192.0.2.1']);
});

test('a server that comes back is noticed although failures are cached', async (t) => {
  const { server, resolver, skip } = await openScene(t);
  server.replies.set('A a.example', { rcode: Rcode.ServFail });
  server.replies.set('AAAA a.example', { rcode: Rcode.ServFail });
  await assert.rejects(resolver.resolve('a.example'), code('name-failure'));
  server.replies.set('A a.example', { addresses: ['192.0.2.1'], ttl: 60 });
  await assert.rejects(resolver.resolve('a.example'), code('name-failure'));
  skip(1001);
  assert.deepEqual((await resolver.resolve('a.example')).addresses, ['192.0.2.1']);
});

test('a thousand callers of one name ask once', async (t) => {
  const { server, resolver } = await openScene(t);
  server.replies.set('A a.example', { addresses: ['192.0.2.1'], ttl: 60, delayMs: 20 });
  await Promise.all(Array.from({ length: 1000 }, () => resolver.resolve('a.example')));
  assert.deepEqual(server.asked.sort(), ['A a.example', 'AAAA a.example']);
});

test('no name server at all', async (t) => {
  const { resolver } = await openScene(t, { servers: ['127.0.0.1:1'] });
  await assert.rejects(resolver.resolve('a.example'), (error: Error & { code?: string }) => {
    return error.code === 'name-failure' || error.code === 'timed-out';
  });
});
