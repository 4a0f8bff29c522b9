// The resolver against servers made of promises, in virtual time.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';

import type { DnsClient } from '#anabranch/dataplane/name-servers.js';
import { createResolver, type Resolver, type ResolverOptions } from '#anabranch/dataplane/resolver.js';

type Records = { address: string; ttl: number }[];

interface Asked {
  readonly name: string;
  readonly family: 4 | 6;
  answer(...addresses: string[]): void;
  fail(code: string): void;
}

interface Scene {
  readonly resolver: Resolver;
  readonly asked: Asked[];
  readonly lookups: string[];
  readonly clients: { count: number };
  readonly folder: string;
  tick(ms: number): Promise<void>;
}

const TTL = 60;

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

function openScene(t: TestContext, options: Partial<ResolverOptions> = {}): Scene {
  mock.timers.enable({ apis: ['setTimeout'] });
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-resolver-'));
  t.after(() => {
    mock.timers.reset();
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, 'hosts'), '192.0.2.80 listed.example\n');
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 192.0.2.53\n');
  let time = 0;
  const asked: Asked[] = [];
  const lookups: string[] = [];
  const clients = { count: 0 };
  const question = (name: string, family: 4 | 6): Promise<Records> =>
    new Promise((resolve, reject) => {
      asked.push({
        name,
        family,
        answer: (...addresses) => resolve(addresses.map((address) => ({ address, ttl: TTL }))),
        fail: (code) => reject(Object.assign(new Error(code), { code })),
      });
    });
  const client: DnsClient = {
    resolve4: (name) => question(name, 4),
    resolve6: (name) => question(name, 6),
    cancel: () => {},
  };
  const resolver = createResolver({
    now: () => time,
    timeoutMs: 5000,
    hostsPath: join(folder, 'hosts'),
    resolvConfPath: join(folder, 'resolv.conf'),
    openClient: () => {
      clients.count++;
      return client;
    },
    lookup: async (name) => {
      lookups.push(name);
      if (name.startsWith('known')) return [{ address: '192.0.2.70' }, { address: 'fe80::1%eth0' }];
      throw Object.assign(new Error('ENOTFOUND'), { code: 'ENOTFOUND' });
    },
    ...options,
  });
  const tick = async (ms: number): Promise<void> => {
    await settle();
    time += ms;
    mock.timers.tick(ms);
    await settle();
  };
  return { resolver, asked, lookups, clients, folder, tick };
}

function take(scene: Scene, family: 4 | 6): Asked {
  const index = scene.asked.findIndex((question) => question.family === family);
  const [question] = scene.asked.splice(index, 1);
  assert.ok(index >= 0 && question, `no IPv${family} question is open`);
  return question;
}

const code = (expected: string) => (error: Error & { code?: string }) => {
  assert.equal(error.code, expected);
  assert.match(error.message, /^cannot resolve /);
  return true;
};

test('what needs no asking', async (t) => {
  const scene = openScene(t);
  const { resolver } = scene;
  const table: [string, string[]][] = [
    ['192.0.2.1', ['192.0.2.1']],
    ['2001:DB8::1', ['2001:db8::1']],
    ['localhost', ['::1', '127.0.0.1']],
    ['a.b.LOCALHOST.', ['::1', '127.0.0.1']],
    ['Listed.Example.', ['192.0.2.80']],
  ];
  for (const [host, addresses] of table) assert.deepEqual((await resolver.resolve(host)).addresses, addresses);
  for (const host of ['x.invalid', 'abc.onion', '', 'a..b', '1.2.3', 'a b.example', '-x.example']) {
    await assert.rejects(resolver.resolve(host), code('name-not-found'));
  }
  assert.equal(scene.asked.length, 0);
  assert.deepEqual(scene.lookups, []);
});

test('both families are asked at once, and the answer is kept for its time to live', async (t) => {
  const scene = openScene(t);
  const answer = scene.resolver.resolve('a.example');
  await settle();
  assert.equal(scene.asked.length, 2);
  take(scene, 4).answer('192.0.2.1', '192.0.2.2');
  take(scene, 6).answer('2001:db8::1');
  assert.deepEqual(await answer, { addresses: ['2001:db8::1', '192.0.2.1', '192.0.2.2'], ttlMs: 60_000 });
  await scene.tick(59_999);
  assert.equal((await scene.resolver.resolve('A.example.')).ttlMs, 1);
  await scene.tick(1);
  void scene.resolver.resolve('a.example').catch(() => {});
  assert.equal(scene.asked.length, 2);
});

test('IPv6 addresses are delivered at once, IPv4 ones after 50 ms, both together when they come together', async (t) => {
  const scene = openScene(t);
  const early: string[][] = [];
  const onEarly = (addresses: readonly string[]): void => void early.push([...addresses]);

  const six = scene.resolver.resolve('six.example', { onEarly });
  take(scene, 6).answer('2001:db8::1');
  await settle();
  assert.deepEqual(early.splice(0), [['2001:db8::1']]);
  take(scene, 4).answer('192.0.2.1');
  assert.deepEqual((await six).addresses, ['2001:db8::1', '192.0.2.1']);

  const four = scene.resolver.resolve('four.example', { onEarly });
  take(scene, 4).answer('192.0.2.1');
  await scene.tick(49);
  assert.deepEqual(early, []);
  await scene.tick(1);
  assert.deepEqual(early.splice(0), [['192.0.2.1']]);
  // Who comes now gets them now.
  const late = scene.resolver.resolve('four.example', { onEarly });
  assert.deepEqual(early.splice(0), [['192.0.2.1']]);
  take(scene, 6).answer('2001:db8::1');
  assert.deepEqual((await four).addresses, ['2001:db8::1', '192.0.2.1']);
  assert.deepEqual(await late, await four);

  const close = scene.resolver.resolve('close.example', { onEarly });
  take(scene, 4).answer('192.0.2.1');
  await scene.tick(49);
  take(scene, 6).answer('2001:db8::1');
  assert.deepEqual((await close).addresses, ['2001:db8::1', '192.0.2.1']);
  await scene.tick(100);
  assert.deepEqual(early, []);

  const no = scene.resolver.resolve('no.example', { onEarly });
  take(scene, 6).fail('ENODATA');
  await settle();
  take(scene, 4).answer('192.0.2.1');
  assert.deepEqual((await no).addresses, ['192.0.2.1']);
  assert.deepEqual(early, []);
});

test('one family that fails or keeps silent does not spoil the other', async (t) => {
  const scene = openScene(t);
  const failing = scene.resolver.resolve('failing.example');
  take(scene, 6).fail('ESERVFAIL');
  take(scene, 4).answer('192.0.2.1');
  assert.deepEqual(await failing, { addresses: ['192.0.2.1'], ttlMs: 30_000 });

  const silent = scene.resolver.resolve('silent.example');
  take(scene, 4).answer('192.0.2.1');
  await scene.tick(4999);
  await scene.tick(1);
  assert.deepEqual((await silent).addresses, ['192.0.2.1']);
});

test('refusals and failures have their own codes', async (t) => {
  const scene = openScene(t);
  const table: [string, string, string][] = [
    ['ENOTFOUND', 'ENOTFOUND', 'name-not-found'],
    ['ENODATA', 'ENODATA', 'name-not-found'],
    ['ENOTFOUND', 'ESERVFAIL', 'name-failure'],
    ['ESERVFAIL', 'ENODATA', 'name-failure'],
    ['EREFUSED', 'EREFUSED', 'name-failure'],
    ['ETIMEOUT', 'ETIMEOUT', 'timed-out'],
    ['ECONNREFUSED', 'ECONNREFUSED', 'name-failure'],
    ['ESOMETHING', 'ESOMETHING', 'name-failure'],
  ];
  for (const [i, [six, four, expected]] of table.entries()) {
    const answer = scene.resolver.resolve(`n${i}.example`);
    take(scene, 6).fail(six);
    take(scene, 4).fail(four);
    await assert.rejects(answer, code(expected));
    // From the cache.
    await assert.rejects(scene.resolver.resolve(`n${i}.example`), code(expected));
  }
  assert.deepEqual(scene.lookups, ['n0.example', 'n1.example', 'n6.example']);
});

test('the system is asked for single labels, .local and what the servers do not know', async (t) => {
  const scene = openScene(t);
  assert.deepEqual(await scene.resolver.resolve('known'), { addresses: ['192.0.2.70'], ttlMs: 30_000 });
  assert.deepEqual((await scene.resolver.resolve('known.local')).addresses, ['192.0.2.70']);
  assert.equal(scene.asked.length, 0);
  const answer = scene.resolver.resolve('known.example');
  take(scene, 6).fail('ENOTFOUND');
  take(scene, 4).fail('ENOTFOUND');
  assert.deepEqual((await answer).addresses, ['192.0.2.70']);
  await assert.rejects(scene.resolver.resolve('other'), code('name-not-found'));
  assert.deepEqual(scene.lookups, ['known', 'known.local', 'known.example', 'other']);
});

test('callers of one name share a question; a caller may leave, be late or time out on its own', async (t) => {
  const scene = openScene(t);
  const leaving = new AbortController();
  const first = scene.resolver.resolve('a.example');
  const second = scene.resolver.resolve('a.example', { signal: leaving.signal });
  await settle();
  assert.equal(scene.asked.length, 2);
  leaving.abort(new Error('left'));
  await assert.rejects(second, /left/);
  await scene.tick(3000);
  const third = scene.resolver.resolve('a.example');
  const timedOut = assert.rejects(first, code('timed-out'));
  await scene.tick(2000);
  await timedOut;
  take(scene, 6).fail('ENODATA');
  take(scene, 4).answer('192.0.2.1');
  assert.deepEqual((await third).addresses, ['192.0.2.1']);
  await assert.rejects(scene.resolver.resolve('a.example', { signal: AbortSignal.abort(new Error('gone')) }), /gone/);
});

test('an expired answer serves while the servers fail or are slow', async (t) => {
  const scene = openScene(t);
  const first = scene.resolver.resolve('a.example');
  take(scene, 6).fail('ENODATA');
  take(scene, 4).answer('192.0.2.1');
  await first;
  await scene.tick(70_000);
  const failing = scene.resolver.resolve('a.example');
  take(scene, 6).fail('ESERVFAIL');
  take(scene, 4).fail('ESERVFAIL');
  assert.deepEqual((await failing).addresses, ['192.0.2.1']);
  // Not asked again for a while.
  assert.deepEqual((await scene.resolver.resolve('a.example')).addresses, ['192.0.2.1']);
  assert.equal(scene.asked.length, 0);
  await scene.tick(30_000);
  const slow = scene.resolver.resolve('a.example');
  await scene.tick(1800);
  assert.deepEqual((await slow).addresses, ['192.0.2.1']);
  take(scene, 6).fail('ENODATA');
  take(scene, 4).answer('192.0.2.9');
  await settle();
  assert.deepEqual((await scene.resolver.resolve('a.example')).addresses, ['192.0.2.9']);
});

test('questions under way are bounded', async (t) => {
  const scene = openScene(t, { questionsMax: 2 });
  const open = [scene.resolver.resolve('a.example'), scene.resolver.resolve('b.example')];
  await assert.rejects(scene.resolver.resolve('c.example'), code('resources'));
  const joined = scene.resolver.resolve('a.example');
  const ends = Promise.allSettled([...open, joined]);
  await settle();
  scene.resolver.close();
  for (const end of await ends) {
    assert.equal(end.status, 'rejected');
    assert.ok(code('name-failure')(end.reason));
  }
  await assert.rejects(scene.resolver.resolve('d.example'), code('resources'));
});

test('a new resolv.conf means new servers and an empty cache', async (t) => {
  const scene = openScene(t);
  const first = scene.resolver.resolve('a.example');
  take(scene, 6).fail('ENODATA');
  take(scene, 4).answer('192.0.2.1');
  await first;
  assert.equal(scene.clients.count, 1);
  writeFileSync(join(scene.folder, 'resolv.conf'), 'nameserver 192.0.2.54 \n');
  await scene.tick(1000);
  const second = scene.resolver.resolve('a.example');
  assert.equal(scene.clients.count, 2);
  take(scene, 6).fail('ENODATA');
  take(scene, 4).answer('192.0.2.2');
  assert.deepEqual((await second).addresses, ['192.0.2.2']);
  await scene.tick(2000);
  await scene.resolver.resolve('a.example');
  assert.equal(scene.clients.count, 2);
});
