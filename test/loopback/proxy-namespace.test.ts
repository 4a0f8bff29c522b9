// What needs a network of its own: names from /etc/hosts and from name servers that fail, networks that cannot be
// reached, and clients that do not come from loopback. The file runs itself again inside of new namespaces.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testOnLabHost } from '../lab-host.ts';
import { requireCommands, requireNamespaces } from '../requirements.ts';
import { Peer } from './support/peer.ts';
import { MIXED, startProxy } from './support/proxy.ts';
import { openBlackHole, openEcho, openHttpServer, openRefused } from './support/servers.ts';
import { httpConnect, openTunnel, socks4, socks5 } from './support/tunnel.ts';

const INSIDE = process.env.ANABRANCH_TEST_INSIDE === '1';
/** An address of the machine that is not loopback; it lies on the loopback interface. */
const OWN = '198.51.100.1';
const HOSTS = `127.0.0.1 four.test\n::1 six.test\n::1 both.test\n127.0.0.1 both.test\n${OWN} own.test\n`;

const SETUP = `
set -e
mount --bind "$FOLDER/hosts" /etc/hosts
mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
ip addr add ${OWN}/32 dev lo
ip route add unreachable 203.0.113.0/24
exec "$@"
`;

if (!INSIDE) {
  const skip = requireNamespaces() || requireCommands('ip', 'mount', 'nsenter', 'unshare', 'sh');
  test('in a network of its own', { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'anabranch-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'hosts'), HOSTS);
    writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n');
    await testOnLabHost(import.meta.filename, {
      // The files that lie over those of /etc are seen by this test alone.
      prefix: ['unshare', '--mount', 'sh', '-c', SETUP, 'sh'],
      env: { ANABRANCH_TEST_INSIDE: '1', FOLDER: folder },
    });
  });
} else {
  registerTests();
}

function registerTests(): void {
  test('names of /etc/hosts, of each family and of both', async (t) => {
    const four = await openEcho(t);
    const six = await openEcho(t, { host: '::1' });
    const proxy = await startProxy(t);
    const table = [
      { host: 'four.test', port: four.port },
      { host: 'FOUR.test.', port: four.port },
      { host: 'six.test', port: six.port },
      { host: 'both.test', port: four.port },
      { host: 'both.test', port: six.port },
    ];
    for (const target of table) {
      for (const kind of ['socks5', 'socks4a', 'connect'] as const) {
        const peer = await openTunnel(t, kind, { port: proxy.port() }, target);
        peer.end('x');
        assert.equal(String(await peer.readAll()), 'x', `${kind} ${target.host}`);
      }
    }
  });

  test('each failure has its reply: SOCKS 5, SOCKS 4, CONNECT, plain HTTP, and the record', async (t) => {
    const silent = await openSilentNameServer();
    t.after(() => silent.close());
    const proxy = await startProxy(t, {
      timeouts: { connect: '600ms', resolve: '300ms' },
      rules: [{ when: { domain: 'denied.test' }, use: 'deny' }],
    });
    const nobody = openRefused(t);
    const table: [string, string, number, number, number, string][] = [
      ['refused', '127.0.0.1', nobody, 5, 502, 'connection_refused'],
      ['host-unreachable', '203.0.113.1', 80, 4, 502, 'destination_ip_unroutable'],
      ['network-unreachable', '192.0.2.1', 80, 3, 502, 'destination_ip_unroutable'],
      ['network-unreachable', '2001:db8:0:0:0:0:0:1', 80, 3, 502, 'destination_ip_unroutable'],
      ['timed-out', '127.0.0.1', openBlackHole(t), 6, 504, 'connection_timeout'],
      ['denied', 'denied.test', 80, 2, 403, 'destination_ip_prohibited'],
      ['name-not-found', 'nothing.invalid', 80, 1, 502, 'dns_error'],
      ['timed-out', 'silent.test', 80, 6, 504, 'connection_timeout'],
    ];
    const connect = () => Peer.connect(t, { port: proxy.port() });
    for (const [end, host, port, reply, status, proxyStatus] of table) {
      const start = proxy.records.length;
      assert.equal(await socks5(await connect(), { host, port }), reply, `${end} ${host}`);
      if (!host.includes(':')) assert.equal(await socks4(await connect(), { host, port }), 91);
      else await connect().then((peer) => peer.end());
      const head = await httpConnect(await connect(), { host, port });
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), `${end} ${host}`);
      assert.match(head, new RegExp(`\r\nProxy-Status: anabranch; error=${proxyStatus}; details="${end}"`, 'i'));
      const plain = await connect();
      const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
      plain.write(`GET http://${authority}/ HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n\r\n`);
      const answer = await plain.readThrough('\r\n\r\n');
      assert.ok(answer.startsWith(`HTTP/1.1 ${status} `) && answer.includes(`error=${proxyStatus}`), answer);
      await proxy.record(start + 4);
      const ends = proxy.records.slice(start).map((record) => record.end);
      const told = host.includes(':') ? 3 : 4;
      assert.equal(ends.filter((one) => one === end).length, told, `${host}: ${ends}`);
    }
  });

  test('a name server that refuses is a failure of names, not a name that does not exist', async (t) => {
    const proxy = await startProxy(t);
    const target = { host: 'some.test', port: 80 };
    assert.equal(await socks5(await Peer.connect(t, { port: proxy.port() }), target), 1);
    const head = await httpConnect(await Peer.connect(t, { port: proxy.port() }), target);
    assert.match(head, /^HTTP\/1\.1 504 [\s\S]*error=dns_timeout; details="name-failure"/);
    await proxy.record(1);
    assert.deepEqual(new Set(proxy.records.map(({ end }) => end)), new Set(['name-failure']));
  });

  test('a client from beyond loopback reaches nothing local', async (t) => {
    const echo = await openEcho(t, { host: '0.0.0.0' });
    const six = await openEcho(t, { host: '::1' });
    const http = await openHttpServer(t, (_, response) => response.end('inside'));
    const inbounds = [
      { type: 'mixed', name: 'guarded', listen: `${OWN}:0`, sources: ['198.51.100.0/24'] },
      { type: 'mixed', name: 'allowed', listen: `${OWN}:0`, sources: ['198.51.100.0/24'], allowLocal: true },
      MIXED,
      { type: 'forward', listen: `${OWN}:0`, target: `127.0.0.1:${echo.port}`, sources: ['198.51.100.0/24'] },
    ];
    const proxy = await startProxy(t, { inbounds });
    const at = (name: string) => ({ host: OWN, port: proxy.port(name), from: OWN });
    const hosts = ['127.0.0.1', '127.9.9.9', '0.0.0.0', 'localhost', 'a.localhost', 'four.test', 'own.test', OWN];
    for (const host of [...hosts, '169.254.169.254', '::1', '0:0:0:0:0:ffff:7f00:1', 'six.test', 'both.test']) {
      const port = host.includes('six') || host === '::1' ? six.port : echo.port;
      assert.equal(await socks5(await Peer.connect(t, at('guarded')), { host, port }), 2, host);
      assert.match(await httpConnect(await Peer.connect(t, at('guarded')), { host, port }), /^HTTP\/1\.1 403 /, host);
    }
    const plain = await Peer.connect(t, at('guarded'));
    plain.write(`GET http://four.test:${http.port}/ HTTP/1.1\r\nHost: four.test\r\nConnection: close\r\n\r\n`);
    assert.match(String(await plain.readAll()), /^HTTP\/1\.1 403 /);
    assert.equal(echo.peers.length + six.peers.length, 0);

    // What was asked for by name, and what a local client may do anyway.
    const open = [
      await openTunnel(t, 'socks5', at('allowed'), { host: '127.0.0.1', port: echo.port }),
      await openTunnel(t, 'forward', at('forward'), { host: '', port: 0 }),
      await openTunnel(t, 'socks5', { port: proxy.port('mixed') }, { host: 'own.test', port: echo.port }),
    ];
    for (const peer of open) {
      peer.end('x');
      assert.equal(String(await peer.readAll()), 'x');
    }
  });

  test('a client from an address of this machine has an account, too', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, {
      inbounds: [{ type: 'mixed', listen: `${OWN}:0`, sources: [OWN], allowLocal: true }],
      outbounds: [{ name: 'ours', type: 'direct' }],
      rules: [{ when: { account: process.getuid?.() }, use: 'ours' }, { use: 'deny' }],
    });
    const target = { host: '127.0.0.1', port: echo.port };
    const peer = await openTunnel(t, 'socks5', { host: OWN, port: proxy.port(), from: OWN }, target);
    peer.end('x');
    assert.equal(String(await peer.readAll()), 'x');
    assert.equal((await proxy.record()).outbound, 'ours');
  });

  test('a client from beyond loopback does not get there through a proxy on this machine either', async (t) => {
    const echo = await openEcho(t);
    const upstream = await startProxy(t);
    const proxy = await startProxy(t, {
      inbounds: [{ type: 'mixed', listen: `${OWN}:0`, sources: [OWN] }],
      outbounds: [{ name: 'next', type: 'socks', server: `127.0.0.1:${upstream.port()}` }],
      rules: [{ use: 'next' }],
    });
    for (const host of ['127.0.0.1', 'localhost', OWN]) {
      const peer = await Peer.connect(t, { host: OWN, port: proxy.port(), from: OWN });
      assert.equal(await socks5(peer, { host, port: echo.port }), 2, host);
    }
    assert.equal(upstream.counter('accepted'), 0);
  });
}

/** Takes every question and answers none. */
async function openSilentNameServer() {
  const socket = createSocket('udp4');
  socket.bind(53, '127.0.0.53');
  await once(socket, 'listening');
  return socket;
}
