// Every way in with every way out: the bytes arrive, both ways, and the record says which way they took.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { hashPassword } from '#anabranch/proxy/passwords.js';
import { Peer } from './support/peer.ts';
import { MIXED, startProxy, type TestProxy } from './support/proxy.ts';
import { openBlackHole, openEcho, openHttpServer } from './support/servers.ts';
import { type ClientKind, httpConnect, openTunnel, socks4, socks5, type Target } from './support/tunnel.ts';

const guest = { name: 'guest', password: 'p:ss wörd' };
let hash = '';

before(async () => {
  hash = await hashPassword(guest.password);
});

/** Bytes there and back, a half-close, and the end. */
async function converse(peer: Peer): Promise<void> {
  peer.write('hello');
  assert.equal(String(await peer.read(5)), 'hello');
  peer.end(' world');
  assert.equal(String(await peer.readAll()), ' world');
  assert.equal(await peer.ended, 'end');
}

const CLIENTS: readonly { kind: ClientKind; inbound: string; host: string }[] = [
  { kind: 'socks5', inbound: 'socks', host: '127.0.0.1' },
  { kind: 'socks5', inbound: 'socks', host: 'localhost' },
  { kind: 'socks4', inbound: 'socks', host: '127.0.0.1' },
  { kind: 'socks4a', inbound: 'socks', host: 'localhost' },
  { kind: 'connect', inbound: 'http', host: '127.0.0.1' },
  { kind: 'connect', inbound: 'http', host: 'localhost' },
  { kind: 'socks5', inbound: 'mixed', host: '127.0.0.1' },
  { kind: 'socks4a', inbound: 'mixed', host: 'localhost' },
  { kind: 'connect', inbound: 'mixed', host: 'localhost' },
  { kind: 'forward', inbound: 'forward', host: '127.0.0.1' },
];

function inboundsFor(port: number) {
  return [
    { type: 'socks', listen: '127.0.0.1:0' },
    { type: 'http', listen: '127.0.0.1:0' },
    MIXED,
    { type: 'forward', listen: '127.0.0.1:0', target: `127.0.0.1:${port}` },
  ];
}

/** An upstream proxy, and a way to it for each protocol and temper. */
function outboundsTo(upstream: TestProxy) {
  const at = (inbound: string) => `127.0.0.1:${upstream.port(inbound)}`;
  return [
    { name: 'socks', type: 'socks', server: at('open') },
    { name: 'socks-optimistic', type: 'socks', server: at('open'), optimistic: true },
    { name: 'socks-login', type: 'socks', server: at('closed'), credentials: guest },
    { name: 'socks-login-optimistic', type: 'socks', server: at('closed'), credentials: guest, optimistic: true },
    { name: 'http', type: 'http', server: at('open') },
    { name: 'http-optimistic', type: 'http', server: at('open'), optimistic: true },
    { name: 'http-login', type: 'http', server: at('closed'), credentials: guest },
    { name: 'chain-2', type: 'http', server: at('closed'), credentials: guest, via: 'socks' },
    { name: 'chain-3', type: 'socks', server: at('open'), optimistic: true, via: 'chain-2' },
  ];
}

describe('every inbound with every outbound', () => {
  const names = ['direct', ...['socks', 'socks-optimistic', 'socks-login', 'socks-login-optimistic']];
  for (const use of [...names, 'http', 'http-optimistic', 'http-login', 'chain-2', 'chain-3']) {
    test(use, async (t) => {
      const echo = await openEcho(t);
      const upstream = await startProxy(t, {
        inbounds: [
          { ...MIXED, name: 'open' },
          { ...MIXED, name: 'closed', users: [{ name: guest.name, password: hash }] },
        ],
      });
      const proxy = await startProxy(t, {
        inbounds: inboundsFor(echo.port),
        outbounds: outboundsTo(upstream),
        rules: [{ use }],
      });
      for (const { kind, inbound, host } of CLIENTS) {
        const target: Target = { host, port: echo.port };
        await converse(await openTunnel(t, kind, { port: proxy.port(inbound) }, target));
      }
      await proxy.record(CLIENTS.length - 1);
      assert.deepEqual(
        proxy.records.map(({ inbound, outbound, end, bytesUp, bytesDown }) => {
          return { inbound, outbound, end, bytesUp, bytesDown };
        }),
        CLIENTS.map(({ inbound }) => ({ inbound, outbound: use, end: 'done', bytesUp: 11, bytesDown: 11 })),
      );
      const hops = use === 'direct' ? 0 : use === 'chain-2' ? 2 : use === 'chain-3' ? 3 : 1;
      await upstream.idle();
      assert.equal(upstream.counter('accepted'), hops * CLIENTS.length);
      await proxy.idle();
    });
  }
});

test('plain HTTP goes the same ways', async (t) => {
  const server = await openHttpServer(t, (request, response) => response.end(`${request.method} ${request.url}`));
  const upstream = await startProxy(t, {
    inbounds: [
      { ...MIXED, name: 'open' },
      { ...MIXED, name: 'closed' },
    ],
  });
  for (const use of ['direct', 'socks', 'socks-optimistic', 'http', 'chain-2', 'chain-3']) {
    const proxy = await startProxy(t, {
      inbounds: [MIXED, { type: 'http', listen: '127.0.0.1:0' }],
      outbounds: outboundsTo(upstream).map(({ credentials: _, ...outbound }) => outbound),
      rules: [{ use }],
    });
    for (const inbound of ['mixed', 'http']) {
      const peer = await Peer.connect(t, { port: proxy.port(inbound) });
      for (const path of ['/a', '/b?c=d']) {
        peer.write(`GET http://localhost:${server.port}${path} HTTP/1.1\r\nHost: localhost:${server.port}\r\n\r\n`);
        assert.match(await peer.readThrough('\r\n\r\n'), /^HTTP\/1\.1 200 /);
        assert.equal(String(await peer.read(4 + path.length)), `GET ${path}`, use);
      }
      peer.end();
      await peer.readAll();
    }
    await proxy.record(3);
    const ends = proxy.records.map(({ end, outbound }) => `${end} ${outbound}`).sort();
    assert.deepEqual(ends, [`done ${use}`, `done ${use}`, 'handed-over undefined', 'handed-over undefined'], use);
  }
});

test('users: the right password, a wrong one, none, and a protocol without any', async (t) => {
  const echo = await openEcho(t);
  const users = [{ name: guest.name, password: hash }];
  const proxy = await startProxy(t, {
    inbounds: [
      { type: 'socks', listen: '127.0.0.1:0', users },
      { type: 'http', listen: '127.0.0.1:0', users },
    ],
  });
  const target = { host: '127.0.0.1', port: echo.port };
  const wrong = { name: guest.name, password: 'wrong' };
  const stranger = { name: 'stranger', password: guest.password };
  await converse(await openTunnel(t, 'socks5', { port: proxy.port('socks') }, target, guest));
  await converse(await openTunnel(t, 'connect', { port: proxy.port('http') }, target, guest));
  assert.deepEqual([(await proxy.record(0)).user, (await proxy.record(1)).user], [guest.name, guest.name]);

  const socks = () => Peer.connect(t, { port: proxy.port('socks') });
  assert.equal(await socks5(await socks(), target, wrong), -2);
  assert.equal(await socks5(await socks(), target, stranger), -2);
  assert.equal(await socks5(await socks(), target), -1);
  assert.equal(await socks4(await socks(), target), 93);
  const http = () => Peer.connect(t, { port: proxy.port('http') });
  for (const credentials of [wrong, stranger, undefined]) {
    const head = await httpConnect(await http(), target, credentials);
    assert.match(head, /^HTTP\/1\.1 407 /);
    assert.match(head, /\r\nProxy-Authenticate: Basic realm=/i);
  }
  await proxy.record(8);
  const ends = proxy.records.slice(2).map(({ end, user }) => `${end} ${user}`);
  const [failed, required] = ['auth-failed undefined', 'auth-required undefined'];
  assert.deepEqual(ends.sort(), [failed, failed, failed, failed, required, required, required]);
  assert.equal(echo.peers.length, 2);
});

test('IPv6: listening, asked for by literal, and through an upstream', async (t) => {
  const echo = await openEcho(t, { host: '::1' });
  const upstream = await startProxy(t, { inbounds: [{ type: 'mixed', listen: '[::1]:0' }] });
  const proxy = await startProxy(t, {
    inbounds: [{ type: 'mixed', listen: '[::1]:0' }],
    outbounds: [{ name: 'next', type: 'socks', server: `[::1]:${upstream.port()}` }],
    rules: [{ when: { port: echo.port }, use: 'next' }],
  });
  for (const kind of ['socks5', 'connect'] as const) {
    const target = { host: '::1', port: echo.port };
    await converse(await openTunnel(t, kind, { host: '::1', port: upstream.port() }, target));
    await converse(await openTunnel(t, kind, { host: '::1', port: proxy.port() }, target));
  }
  const { client, reached, asked } = await upstream.record();
  assert.equal(client.address, '::1');
  assert.deepEqual(reached, { address: '::1', port: echo.port });
  assert.deepEqual(asked, { host: '::1', port: echo.port });
});

test('happy eyeballs: IPv4 is reached when IPv6 refuses, and when it does not answer', async (t) => {
  const proxy = await startProxy(t);
  const refused = await openEcho(t);
  await converse(await openTunnel(t, 'socks5', { port: proxy.port() }, { host: 'localhost', port: refused.port }));
  const silent = await openEcho(t);
  openBlackHole(t, '::1', silent.port);
  const start = performance.now();
  await converse(await openTunnel(t, 'connect', { port: proxy.port() }, { host: 'localhost', port: silent.port }));
  const took = performance.now() - start;
  // RFC 8305 §8: the attempt delay is 250 ms. The attempt that is not answered would take ten seconds.
  assert.ok(took >= 200 && took < 8_000, `${took} ms`);
  for (const i of [0, 1]) assert.equal((await proxy.record(i)).reached?.address, '127.0.0.1');
});

test('a listener on [::] takes IPv4 clients too, with their address as it is', async (t) => {
  const echo = await openEcho(t);
  const proxy = await startProxy(t, {
    inbounds: [{ type: 'mixed', listen: '[::]:0', sources: ['127.0.0.0/8', '::1'] }],
  });
  const target = { host: '127.0.0.1', port: echo.port };
  for (const host of ['127.0.0.1', '::1']) {
    await converse(await openTunnel(t, 'socks5', { host, port: proxy.port() }, target));
  }
  assert.deepEqual(
    [(await proxy.record(0)).client.address, (await proxy.record(1)).client.address],
    ['127.0.0.1', '::1'],
  );
});
