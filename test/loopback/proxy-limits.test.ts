// Limits of time and number, and changes while connections live: time-outs, access, drain, reload.

import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { isListening } from './support/kernel.ts';
import { Peer } from './support/peer.ts';
import { MIXED, type Settings, startProxy } from './support/proxy.ts';
import { openBlackHole, openEcho, openHttpServer, openRefused, openServer } from './support/servers.ts';
import { httpConnect, openTunnel, socks4, socks5 } from './support/tunnel.ts';
import { until, within } from './support/wait.ts';

describe('time-outs', () => {
  test('handshake: a client that does not ask in time is closed', async (t) => {
    const proxy = await startProxy(t, { timeouts: { handshake: '200ms' } });
    for (const first of ['', '\x05', '\x05\x01\x00', 'CONNECT a:1 HTT', '\x04\x01']) {
      const client = await Peer.connect(t, { port: proxy.port() });
      if (first !== '') client.write(Buffer.from(first, 'latin1'));
      await client.readAll();
      assert.equal(await client.ended, 'end', JSON.stringify(first));
    }
    await proxy.record(4);
    assert.deepEqual(new Set(proxy.records.map(({ end }) => end)), new Set(['handshake-timeout']));
    assert.equal(proxy.counter('end:handshake-timeout'), 5);
  });

  test('connect: the client is told', async (t) => {
    const proxy = await startProxy(t, { timeouts: { connect: '200ms' } });
    const target = { host: '127.0.0.1', port: openBlackHole(t) };
    assert.equal(await socks5(await Peer.connect(t, { port: proxy.port() }), target), 6);
    assert.match(await httpConnect(await Peer.connect(t, { port: proxy.port() }), target), /^HTTP\/1\.1 504 /);
    await proxy.record(1);
    for (const { end, connectedAt } of proxy.records) {
      assert.deepEqual({ end, connectedAt }, { end: 'timed-out', connectedAt: undefined });
    }
  });

  test('connect: an upstream that accepts and says nothing counts too', async (t) => {
    const mute = await openServer(t);
    const proxy = await startProxy(t, {
      timeouts: { connect: '200ms' },
      outbounds: [{ name: 'mute', type: 'socks', server: `127.0.0.1:${mute.port}` }],
      rules: [{ use: 'mute' }],
    });
    const reply = await socks5(await Peer.connect(t, { port: proxy.port() }), { host: '127.0.0.1', port: 1 });
    assert.equal(reply, 6);
    assert.equal(await (await mute.peer()).ended, 'end');
  });

  test('idle: both sides are reset, and a busy connection is not', async (t) => {
    const server = await openServer(t);
    const proxy = await startProxy(t, { timeouts: { idle: '1500ms', halfClosed: '20s' } });
    const to = { host: '127.0.0.1', port: server.port };
    const idle = await openTunnel(t, 'socks5', { port: proxy.port() }, to);
    const busy = await openTunnel(t, 'connect', { port: proxy.port() }, to);
    const beat = setInterval(() => busy.write('.'), 50);
    t.after(() => clearInterval(beat));
    assert.equal(await within(idle.closed, 'the idle client'), 'ECONNRESET');
    assert.equal(await within((await server.peer(0)).closed, 'its server'), 'ECONNRESET');
    const { end, endedAt, connectedAt = 0 } = await proxy.record();
    assert.equal(end, 'idle-timeout');
    assert.ok(endedAt - connectedAt >= 1_499 && endedAt - connectedAt < 15_000, `${endedAt - connectedAt} ms`);
    assert.equal(proxy.counter('active'), 1);
    await (await server.peer(1)).read(3);
  });

  for (const side of ['client', 'server'] as const) {
    test(`half-closed: silence after the end of the ${side}`, async (t) => {
      const target = await openServer(t);
      const proxy = await startProxy(t, { timeouts: { idle: '20s', halfClosed: '1500ms' } });
      const client = await openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: target.port });
      const server = await target.peer();
      const [first, second] = side === 'client' ? [client, server] : [server, client];
      // Half-closed, and still in use: this must not end it.
      first.end();
      await second.ended;
      for (let i = 0; i < 7; i++) {
        await new Promise((resolve) => setTimeout(resolve, 300));
        second.write('x');
        await first.read(1);
      }
      assert.equal(await within(first.closed, 'a reset'), 'ECONNRESET');
      assert.equal((await proxy.record()).end, 'half-closed-timeout');
    });
  }
});

describe('limits', () => {
  test('connections in all, and of one source', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, { workers: 2, limits: { connections: 6, connectionsPerSource: 4 } });
    const to = { host: '127.0.0.1', port: echo.port };
    const open = (from: string) => openTunnel(t, 'socks5', { port: proxy.port(), from }, to);
    const refused = async (from: string) => {
      const peer = await Peer.connect(t, { port: proxy.port(), from });
      await peer.readAll();
      assert.notEqual(await peer.ended, 'open');
    };
    const first = [];
    for (let i = 0; i < 4; i++) first.push(await open('127.0.0.1'));
    await refused('127.0.0.1');
    for (let i = 0; i < 2; i++) await open('127.0.0.2');
    await refused('127.0.0.2');
    await refused('127.0.0.3');
    assert.equal(proxy.counter('refused'), 3);
    // A place that becomes free is free for others.
    first[0]?.end();
    await first[0]?.readAll();
    await until(() => proxy.counter('active') === 5);
    await open('127.0.0.3');
    await refused('127.0.0.1');
  });

  test('plain HTTP clients count, also after they were handed over, and stop counting', async (t) => {
    const server = await openHttpServer(t, (_, response) => response.end('ok'));
    const proxy = await startProxy(t, { limits: { connections: 2 } });
    const ask = async () => {
      const peer = await Peer.connect(t, { port: proxy.port() });
      peer.write(`GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`);
      await peer.readThrough('\r\n\r\nok');
      return peer;
    };
    const kept = [await ask(), await ask()];
    const third = await Peer.connect(t, { port: proxy.port() });
    await third.readAll();
    assert.equal(proxy.counter('refused'), 1);
    for (const peer of kept) peer.socket.destroy();
    await until(
      () => proxy.counter('active') === 0,
      () => proxy.service.counters(),
    );
    // The count goes down on the main thread, once Node has closed the socket.
    for (let tries = 0; ; tries++) {
      try {
        await ask();
        break;
      } catch (error) {
        if (tries === 20) throw error;
      }
    }
  });
});

describe('access', () => {
  const table: { name: string; settings: (port: number) => Settings; allowed: boolean }[] = [
    {
      name: 'a domain is denied',
      settings: () => ({ rules: [{ when: { domain: 'localhost' }, use: 'deny' }] }),
      allowed: false,
    },
    {
      name: 'an address is denied, also behind a name',
      settings: () => ({ rules: [{ when: { address: ['127.0.0.0/8', '::1'] }, use: 'deny' }] }),
      allowed: false,
    },
    { name: 'a port is denied', settings: (port) => ({ rules: [{ when: { port }, use: 'deny' }] }), allowed: false },
    {
      name: 'a source is denied',
      settings: () => ({ rules: [{ when: { source: '127.0.0.1' }, use: 'deny' }] }),
      allowed: false,
    },
    {
      name: 'another source is denied',
      settings: () => ({ rules: [{ when: { source: '127.0.0.2' }, use: 'deny' }] }),
      allowed: true,
    },
    {
      name: 'an exception before the rule',
      settings: (port) => ({ rules: [{ when: { domain: '=localhost', port }, use: 'direct' }, { use: 'deny' }] }),
      allowed: true,
    },
  ];
  for (const { name, settings, allowed } of table) {
    test(name, async (t) => {
      const echo = await openEcho(t);
      const proxy = await startProxy(t, settings(echo.port));
      const target = { host: 'localhost', port: echo.port };
      const connect = () => Peer.connect(t, { port: proxy.port() });
      assert.equal(await socks5(await connect(), target), allowed ? 0 : 2);
      assert.equal(await socks4(await connect(), target), allowed ? 90 : 91);
      assert.match(await httpConnect(await connect(), target), allowed ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 403 /);
      await until(() => echo.peers.length === (allowed ? 3 : 0));
    });
  }

  test('only listed clients get in', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, { inbounds: [{ ...MIXED, sources: ['127.0.0.2'] }] });
    const to = { host: '127.0.0.1', port: echo.port };
    await openTunnel(t, 'socks5', { port: proxy.port(), from: '127.0.0.2' }, to);
    const stranger = await Peer.connect(t, { port: proxy.port(), from: '127.0.0.3' });
    assert.equal(String(await stranger.readAll()), '');
    assert.equal(proxy.counter('refused'), 1);
  });
});

describe('drain', () => {
  test('a live transfer ends in its own time, and nobody new gets in', async (t) => {
    const target = await openServer(t);
    const proxy = await startProxy(t);
    const port = proxy.port();
    const client = await openTunnel(t, 'socks5', { port }, { host: '127.0.0.1', port: target.port });
    const server = await target.peer();
    const stopped = proxy.stop(20_000);
    await until(() => !isListening(port));
    await assert.rejects(Peer.connect(t, { port }), /ECONNREFUSED/);
    server.write('late');
    assert.equal(String(await client.read(4)), 'late');
    client.end('too');
    assert.equal(String(await server.readAll()), 'too');
    server.end();
    assert.equal(await client.ended, 'end');
    assert.equal(await within(stopped, 'the stop'), 0);
    assert.equal((await proxy.record()).end, 'done');
  });

  test('what does not end is cut, and counted', async (t) => {
    const target = await openServer(t);
    const proxy = await startProxy(t, { workers: 2 });
    const to = { host: '127.0.0.1', port: target.port };
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await openTunnel(t, 'connect', { port: proxy.port() }, to));
    const silent = await Peer.connect(t, { port: proxy.port() });
    await until(() => proxy.counter('active') === 5);
    assert.equal(await within(proxy.stop(200), 'the stop'), 5);
    for (const client of clients) assert.equal(await within(client.closed, 'a reset'), 'ECONNRESET');
    assert.equal(await silent.ended, 'end');
    await proxy.record(4);
    assert.deepEqual(new Set(proxy.records.map(({ end }) => end)), new Set(['shutdown']));
  });

  test('a second call does not wait', async (t) => {
    const target = await openServer(t);
    const proxy = await startProxy(t);
    await openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: target.port });
    const stopped = proxy.stop(60_000);
    proxy.service.cut();
    assert.equal(await within(stopped, 'the stop'), 1);
  });

  test('a plain HTTP response reaches a slow client whole', async (t) => {
    const body = Buffer.alloc(3 << 20, 'b');
    const server = await openHttpServer(t, (_, response) => response.end(body));
    const proxy = await startProxy(t);
    const client = await Peer.connect(t, { port: proxy.port() });
    client.socket.pause();
    client.write(`GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`);
    await until(() => proxy.counter('bytesDown') > 1 << 16);
    const stopped = proxy.stop(20_000);
    await until(() => proxy.service.counters().active <= 1);
    client.socket.resume();
    const answer = await client.readAll();
    assert.equal(answer.length - answer.indexOf('\r\n\r\n') - 4, body.length);
    assert.equal(await within(stopped, 'the stop'), 0);
  });
});

describe('reload', () => {
  test('new inbounds open, old ones close, live connections stay', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, {
      workers: 2,
      inbounds: [
        { ...MIXED, name: 'a' },
        { ...MIXED, name: 'b' },
      ],
    });
    const to = { host: '127.0.0.1', port: echo.port };
    const old = await openTunnel(t, 'socks5', { port: proxy.port('a') }, to);
    const [a, b] = [proxy.port('a'), proxy.port('b')];
    await proxy.reload({
      inbounds: [
        { ...MIXED, name: 'b' },
        { type: 'http', name: 'c', listen: '127.0.0.1:0' },
      ],
    });
    await until(() => !isListening(a));
    assert.equal(proxy.port('b'), b);
    for (const name of ['b', 'c']) {
      const peer = await openTunnel(t, 'connect', { port: proxy.port(name) }, to);
      peer.end('x');
      assert.equal(String(await peer.readAll()), 'x');
    }
    old.end('still here');
    assert.equal(String(await old.readAll()), 'still here');
    await proxy.record(2);
    assert.deepEqual(proxy.records.map(({ inbound, end }) => `${inbound} ${end}`).sort(), [
      'a done',
      'b done',
      'c done',
    ]);
  });

  test('time-outs apply to forwarded HTTP requests after them', async (t) => {
    const server = await openServer(t);
    const proxy = await startProxy(t);
    await proxy.reload({ timeouts: { idle: '300ms' } });
    const client = await Peer.connect(t, { port: proxy.port() });
    client.write(`GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    await (await server.peer()).read(3);
    assert.match(String(await client.readAll()), /^HTTP\/1\.1 504 /);
  });

  test('rules apply to what comes after them', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t);
    const to = { host: '127.0.0.1', port: echo.port };
    const before = await openTunnel(t, 'socks5', { port: proxy.port() }, to);
    await proxy.reload({ rules: [{ use: 'deny' }] });
    assert.equal(await denied(t, proxy.port(), to), 2);
    before.end('x');
    assert.equal(String(await before.readAll()), 'x');
    await proxy.reload({});
    assert.equal(await denied(t, proxy.port(), to), 0);
  });

  test('an address that is not to be had changes nothing', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, { workers: 2 });
    const taken = openRefused(t);
    const to = { host: '127.0.0.1', port: echo.port };
    const wanted = [MIXED, { type: 'socks', listen: '127.0.0.1:0' }, { type: 'http', listen: `127.0.0.1:${taken}` }];
    const bound = proxy.service.inbounds;
    await assert.rejects(proxy.reload({ inbounds: wanted, rules: [{ use: 'deny' }] }), /EADDRINUSE/);
    assert.deepEqual(proxy.service.inbounds, bound);
    assert.equal(await denied(t, proxy.port(), to), 0);
  });

  for (const workers of [1, 2]) {
    test(`an inbound changes what its socket is made of, on its port, with ${workers} threads`, async (t) => {
      const echo = await openEcho(t);
      const proxy = await startProxy(t, { workers });
      const listen = `127.0.0.1:${proxy.port()}`;
      const to = { host: '127.0.0.1', port: echo.port };
      await proxy.reload({ inbounds: [{ ...MIXED, listen }] });
      await proxy.reload({ inbounds: [{ ...MIXED, listen, transport: 'tcp' }] });
      await proxy.reload({
        inbounds: [{ ...MIXED, listen, transport: 'tcp', name: 'renamed', socket: { keepalive: '10s' } }],
      });
      const peer = await openTunnel(t, 'socks5', { port: proxy.port() }, to);
      peer.end('x');
      assert.equal(String(await peer.readAll()), 'x');
      const { inbound, clientSide } = await proxy.record();
      assert.deepEqual([inbound, clientSide?.mptcp], ['renamed', 'not-asked']);
    });
  }
});

async function denied(t: TestContext, port: number, to: { host: string; port: number }): Promise<number> {
  return socks5(await Peer.connect(t, { port }), to);
}

test('a second proxy on the same port is told so, however many threads either has', async (t) => {
  for (const [first, second] of [
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ]) {
    const proxy = await startProxy(t, { workers: first });
    const listen = `127.0.0.1:${proxy.port()}`;
    await assert.rejects(startProxy(t, { workers: second, inbounds: [{ ...MIXED, listen }] }), /EADDRINUSE/);
    await assert.rejects(
      startProxy(t, { workers: second, inbounds: [{ ...MIXED, listen: `0.0.0.0:${proxy.port()}`, open: true }] }),
      /EADDRINUSE/,
    );
  }
});
