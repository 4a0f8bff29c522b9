// Clients and servers that break the rules, or just break: each ends in a clear reply or a close, under a reason that is
// counted, and leaves nothing behind.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import type { FlowEnd } from '#anabranch/proxy/flow-record.js';
import { hashPassword } from '#anabranch/proxy/passwords.js';
import { openDescriptors } from './support/kernel.ts';
import { Peer } from './support/peer.ts';
import { MIXED, type Settings, startProxy, type TestProxy } from './support/proxy.ts';
import { openBlackHole, openEcho, openServer } from './support/servers.ts';
import { httpConnect, openTunnel, socks5, socks5Request } from './support/tunnel.ts';
import { until, within } from './support/wait.ts';

/** A proxy, and a check that after the test it has as many descriptors as before. */
async function startWatched(t: TestContext, settings: Settings = {}): Promise<TestProxy> {
  const proxy = await startProxy(t, settings);
  const before = openDescriptors();
  t.after(async () => {
    // The servers and clients of the test are closed before, or after this: only what grows without end is looked for.
    await proxy.idle();
    await until(
      () => openDescriptors() <= before + 12,
      () => `${openDescriptors()} descriptors, ${before} before`,
    );
  });
  return proxy;
}

function endsOf(proxy: TestProxy): Set<FlowEnd> {
  return new Set(proxy.records.map(({ end }) => end));
}

const INBOUNDS = ['socks', 'http', 'mixed'].map((type) => ({ type, listen: '127.0.0.1:0' }));

test('one byte at a time, and time runs out all the same', async (t) => {
  const proxy = await startWatched(t, { inbounds: INBOUNDS, timeouts: { handshake: '500ms' } });
  const texts: [string, string][] = [
    ['socks', `\x05\x20${'\x00'.repeat(32)}`],
    ['socks', `\x04\x01\x00\x50\x00\x00\x00\x01${'n'.repeat(200)}`],
    ['http', `CONNECT a.test:80 HTTP/1.1\r\nX: ${'y'.repeat(200)}`],
    ['mixed', `GET http://a.test/ HTTP/1.1\r\nX: ${'y'.repeat(200)}`],
  ];
  await Promise.all(
    texts.map(async ([inbound, text]) => {
      const client = await Peer.connect(t, { port: proxy.port(inbound) });
      const start = performance.now();
      let i = 0;
      const drip = setInterval(() => client.write(Buffer.from(text.charAt(i++ % text.length), 'latin1')), 50);
      t.after(() => clearInterval(drip));
      await client.ended;
      clearInterval(drip);
      const took = performance.now() - start;
      assert.ok(took > 400 && took < 20_000, `${took} ms`);
    }),
  );
  await proxy.record(texts.length - 1);
  assert.deepEqual(endsOf(proxy), new Set(['handshake-timeout']));
});

test('64 KiB of noise, of every beginning', async (t) => {
  const proxy = await startWatched(t, { inbounds: INBOUNDS, timeouts: { handshake: '300ms', connect: '300ms' } });
  const clients = INBOUNDS.flatMap(({ type }) =>
    Array.from({ length: 32 }, (_, i) => ({ type, first: i * 8 + (i % 8) })),
  );
  await Promise.all(
    clients.map(async ({ type, first }) => {
      const client = await Peer.connect(t, { port: proxy.port(type) });
      const noise = randomBytes(1 << 16);
      noise[0] = first;
      client.write(noise);
      await within(client.ended, `the end of noise that begins with ${first}`);
      client.socket.destroy();
    }),
  );
  await proxy.record(clients.length - 1);
  const allowed = new Set(['bad-request', 'too-large', 'unsupported', 'handshake-timeout', 'client-gone']);
  for (const end of endsOf(proxy)) assert.ok(allowed.has(end), end);
});

test('a head without an end', async (t) => {
  const proxy = await startWatched(t, { inbounds: INBOUNDS });
  for (const first of ['CONNECT a.test:80', 'GET http://a.test/']) {
    const client = await Peer.connect(t, { port: proxy.port('http') });
    client.write(`${first} HTTP/1.1\r\n`);
    // The proxy may have closed before all of it was written.
    for (let i = 0; i < 200 && !client.socket.destroyed; i++) client.write(`X-${i}: ${'y'.repeat(1000)}\r\n`);
    assert.match(await client.readThrough('\r\n\r\n'), /^HTTP\/1\.1 431 /);
    client.socket.destroy();
  }
  await proxy.record(1);
  assert.deepEqual(endsOf(proxy), new Set(['too-large']));
});

test('requests smuggled by doubled lengths reach nobody', async (t) => {
  const server = await openServer(t);
  const proxy = await startWatched(t);
  const fields = [
    'Content-Length: 5\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 44',
    'Content-Length: 5, 44',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding : chunked\r\nContent-Length: 44',
  ];
  for (const field of fields) {
    const client = await Peer.connect(t, { port: proxy.port() });
    const at = `127.0.0.1:${server.port}`;
    client.write(
      `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\n${field}\r\n\r\n0\r\n\r\nGET http://${at}/smuggled HTTP/1.1\r\nHost: ${at}\r\n\r\n`,
    );
    assert.match(String(await client.readAll()), /^HTTP\/1\.1 (?:400|501) /, field);
    client.socket.destroy();
  }
  assert.equal(server.peers.length, 0);
});

describe('a client that resets at each step', () => {
  const password = 'secret';
  const to = (port: number) => ({ host: '127.0.0.1', port });
  const scripts: Record<string, (port: number) => Buffer> = {
    'SOCKS 5': (port) => Buffer.concat([Buffer.from([5, 1, 0]), socks5Request(to(port))]),
    'SOCKS 5 with a password': (port) => {
      const login = Buffer.from([1, 5, ...Buffer.from('guest'), password.length, ...Buffer.from(password)]);
      return Buffer.concat([Buffer.from([5, 1, 2]), login, socks5Request(to(port))]);
    },
    'SOCKS 4A': (port) => Buffer.from([4, 1, port >> 8, port & 255, 0, 0, 0, 1, 0, ...Buffer.from('localhost\0')]),
    CONNECT: (port) => Buffer.from(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`),
    'plain HTTP': (port) => Buffer.from(`GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: a\r\n\r\n`),
  };
  for (const [name, script] of Object.entries(scripts)) {
    test(name, async (t) => {
      const echo = await openEcho(t);
      const users = name.includes('password') ? [{ name: 'guest', password: await hashPassword(password) }] : [];
      const proxy = await startWatched(t, { inbounds: [{ ...MIXED, users }] });
      const bytes = script(echo.port);
      for (let length = 0; length <= bytes.length; length++) {
        const client = await Peer.connect(t, { port: proxy.port() });
        await new Promise<void>((resolve) => void client.socket.write(bytes.subarray(0, length), () => resolve()));
        // Sometimes before the proxy has read it, sometimes after.
        if (length % 2 === 0) await until(() => proxy.counter('active') > 0 || proxy.records.length > 0);
        client.reset();
      }
      await until(() => proxy.counter('accepted') === bytes.length + 1);
      await proxy.idle();
      for (const { socket } of echo.peers) socket.destroy();
    });
  }

  test('while the proxy connects, and while it looks up the name', async (t) => {
    const proxy = await startWatched(t);
    const port = openBlackHole(t);
    for (let i = 0; i < 20; i++) {
      const client = await Peer.connect(t, { port: proxy.port() });
      client.write(
        Buffer.concat([Buffer.from([5, 1, 0]), socks5Request({ host: i % 2 ? 'localhost' : '127.0.0.1', port })]),
      );
      await client.read(2);
      client.reset();
    }
    await proxy.record(19);
    for (const end of endsOf(proxy)) assert.ok(end === 'client-gone' || end === 'refused', end);
  });
});

test('a flood of early data while the proxy connects stays with the client', async (t) => {
  const proxy = await startWatched(t, { timeouts: { connect: '700ms' } });
  const port = openBlackHole(t);
  const clients: Peer[] = [];
  const before = process.memoryUsage().rss;
  const flood = Buffer.alloc(16 << 20);
  for (let i = 0; i < 8; i++) {
    const client = await Peer.connect(t, { port: proxy.port() });
    client.write(Buffer.concat([Buffer.from([5, 1, 0]), socks5Request({ host: '127.0.0.1', port })]));
    await client.read(2);
    client.write(flood);
    clients.push(client);
  }
  await Promise.all(
    clients.map(async (client) => {
      assert.equal((await client.read(10))[1], 6);
      client.socket.destroy();
    }),
  );
  assert.ok(process.memoryUsage().rss - before < 64 << 20);
});

describe('upstream proxies that misbehave', () => {
  const table: { name: string; type: 'socks' | 'http'; answer: (peer: Peer) => void; end: FlowEnd }[] = [
    {
      name: 'SOCKS: noise',
      type: 'socks',
      answer: (peer) => peer.write(randomBytes(4096).fill(9, 0, 2)),
      end: 'upstream-failed',
    },
    { name: 'SOCKS: an end', type: 'socks', answer: (peer) => peer.end(), end: 'upstream-failed' },
    { name: 'SOCKS: a reset', type: 'socks', answer: (peer) => peer.reset(), end: 'upstream-failed' },
    {
      name: 'SOCKS: a method nobody offered',
      type: 'socks',
      answer: (peer) => peer.write('\x05\x77'),
      end: 'upstream-failed',
    },
    { name: 'SOCKS: half an answer', type: 'socks', answer: (peer) => peer.write('\x05'), end: 'timed-out' },
    { name: 'HTTP: noise', type: 'http', answer: (peer) => peer.write('\x00\x01\x02\r\n\r\n'), end: 'upstream-failed' },
    {
      name: 'HTTP: a head without an end',
      type: 'http',
      answer: (peer) => peer.write(`HTTP/1.1 200 OK\r\nX: ${'y'.repeat(200_000)}`),
      end: 'upstream-failed',
    },
    {
      name: 'HTTP: wants a password',
      type: 'http',
      answer: (peer) => peer.write('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n'),
      end: 'upstream-failed',
    },
    {
      name: 'HTTP: denies',
      type: 'http',
      answer: (peer) => peer.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
      end: 'denied',
    },
  ];
  for (const { name, type, answer, end } of table) {
    test(name, async (t) => {
      const upstream = await openServer(t, answer);
      const proxy = await startWatched(t, {
        timeouts: { connect: '500ms' },
        outbounds: [{ name: 'bad', type, server: `127.0.0.1:${upstream.port}` }],
        rules: [{ use: 'bad' }],
      });
      const client = await Peer.connect(t, { port: proxy.port() });
      const reply = await socks5(client, { host: '127.0.0.1', port: 9 });
      assert.equal(reply, end === 'denied' ? 2 : end === 'timed-out' ? 6 : 1);
      client.socket.destroy();
      assert.equal((await proxy.record()).end, end);
      assert.equal(proxy.counter(`end:${end}`), 1);
    });
  }
});

test('servers that reset at once, and clients that ask for themselves', async (t) => {
  const rude = await openServer(t, (peer) => peer.reset());
  const proxy = await startWatched(t, { timeouts: { connect: '2s', handshake: '1s' }, limits: { connections: 64 } });
  for (let i = 0; i < 20; i++) {
    const client = await Peer.connect(t, { port: proxy.port() });
    const reply = await socks5(client, { host: '127.0.0.1', port: rude.port }).catch(() => 'reset');
    if (reply === 0)
      assert.equal(
        await within(
          client.ended.then((end) => end !== 'open'),
          'the end',
        ),
        true,
      );
    client.socket.destroy();
  }
  // The proxy through itself, again and again, runs into its limit and not into the ground.
  const self = { host: '127.0.0.1', port: proxy.port() };
  const client = await openTunnel(t, 'socks5', { port: proxy.port() }, self);
  let depth = 1;
  for (; depth < 100; depth++) {
    const head = await httpConnect(client, self).catch(() => '');
    if (!head.startsWith('HTTP/1.1 200 ')) break;
  }
  assert.ok(depth > 20 && depth <= 64, `${depth} times`);
  client.socket.destroy();
  await proxy.idle();
});
