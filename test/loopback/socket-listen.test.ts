// Listening sockets.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';

import { LinuxError } from '#anabranch/ffi/linux-error.js';
import * as k from '#anabranch/socket/constants.js';
import { expectFree, isListenError, openListener } from '#anabranch/socket/listen.js';
import { getInt, getText, settleAcceptedTcp } from '#anabranch/socket/options.js';
import { requireMptcp, requireRoot } from '../requirements.ts';
import { acceptNext, eventually, hear, openConnected, openConnecting, openListening, say } from './socket-scene.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === '::1'));
const skipIpv6 = hasIpv6 ? false : 'needs ::1';
const OPTIONS = { port: 0, transport: 'tcp', shared: false, fastOpen: false, socket: {} } as const;

test('a port of 0 becomes the one that the kernel chose', (t) => {
  const { local, isMptcp } = openListening(t);
  assert.equal(local.address, '127.0.0.1');
  assert.ok(local.port > 0);
  assert.equal(isMptcp, false);
});

test('an address in use is named, with what is wrong', (t) => {
  const { local } = openListening(t);
  const again = () => openListener({ ...OPTIONS, address: '127.0.0.1', port: local.port });
  assert.throws(again, {
    code: 'EADDRINUSE',
    message: `bind 127.0.0.1:${local.port}: address already in use (EADDRINUSE)`,
  });
  try {
    again();
  } catch (error) {
    assert.ok(isListenError(error));
    assert.ok(error instanceof LinuxError);
  }
  assert.equal(isListenError(new RangeError('x')), false);
  assert.equal(isListenError(undefined), false);
});

test('an address that is not ours is named', () => {
  assert.throws(() => openListener({ ...OPTIONS, address: '192.0.2.1' }), {
    code: 'EADDRNOTAVAIL',
    message: /^bind 192\.0\.2\.1:0: .* \(EADDRNOTAVAIL\)$/,
  });
  assert.throws(() => openListener({ ...OPTIONS, address: '2001:db8::1', port: 80 }), {
    message: /^(bind|socket) \[2001:db8::1\]:80: /,
  });
});

test('a low port without the right is named', { skip: requireRoot() }, () => {
  const script = `
    const { openListener } = await import(${JSON.stringify(import.meta.resolve('#anabranch/socket/listen.js'))});
    const { readFileSync } = await import('node:fs');
    if (Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) < 80) process.stdout.write('free');
    else {
      process.setuid(65534);
      try {
        openListener({ ...${JSON.stringify(OPTIONS)}, address: '127.0.0.1', port: 79 });
      } catch (error) {
        process.stdout.write(error.code + ' ' + error.message);
      }
    }
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 20_000 });
  if (run.stdout === 'free') return;
  assert.equal(run.stdout, 'EACCES bind 127.0.0.1:79: permission denied (EACCES)', run.stderr);
});

test('sockets that share a port share its connections', (t) => {
  const first = openListening(t, { shared: true });
  const second = openListening(t, { shared: true, port: first.local.port });
  assert.equal(second.local.port, first.local.port);
  assert.throws(() => openListener({ ...OPTIONS, address: '127.0.0.1', port: first.local.port }), {
    code: 'EADDRINUSE',
  });
  const clients = Array.from({ length: 40 }, () => openConnecting(t, first.local));
  assert.ok(clients.every((fd) => fd >= 0));
  // Each of them gets some; with 40, none goes without but once in 10^12 runs.
  acceptNext(t, first);
  acceptNext(t, second);
});

test('a port that somebody would share is not free', (t) => {
  for (const transport of requireMptcp() ? (['tcp'] as const) : (['tcp', 'mptcp'] as const)) {
    const { local } = openListening(t, { shared: true, transport });
    assert.throws(() => expectFree('127.0.0.1', local.port), { code: 'EADDRINUSE' });
    assert.throws(() => expectFree('0.0.0.0', local.port), { code: 'EADDRINUSE' });
    expectFree('127.0.0.8', local.port);
  }
  expectFree('127.0.0.1', 0);
});

test('[::] takes IPv4 too, whose addresses are shown as IPv4', { skip: skipIpv6 }, (t) => {
  for (const transport of requireMptcp() ? (['tcp'] as const) : (['tcp', 'mptcp'] as const)) {
    const over4 = openConnected(t, { listen: { address: '::', transport }, address: '127.0.0.1' });
    assert.equal(over4.from.address, '127.0.0.1');
    const over6 = openConnected(t, { listen: { address: '::', transport }, address: '::1' });
    assert.equal(over6.from.address, '::1');
  }
});

test('an IPv6 address takes IPv6 only', { skip: skipIpv6 }, (t) => {
  const six = openListening(t, { address: '::1' });
  openListening(t, { address: '127.0.0.1', port: six.local.port });
  assert.equal(getInt(six.fd, k.SOL_IPV6, k.IPV6_V6ONLY), 1);
});

test('auto listens over MPTCP where there is MPTCP', { skip: requireMptcp() }, (t) => {
  const auto = openListening(t, { transport: 'auto' });
  assert.ok(auto.isMptcp);
  assert.equal(getInt(auto.fd, k.SOL_SOCKET, k.SO_PROTOCOL), k.IPPROTO_MPTCP);
  assert.equal(openListening(t, { transport: 'mptcp' }).isMptcp, true);
  assert.equal(openListening(t, { transport: 'tcp' }).isMptcp, false);
});

test('what is set on a listener holds for what it accepts, TCP and MPTCP', { skip: requireMptcp() }, (t) => {
  for (const isMptcp of [false, true]) {
    for (const clientMptcp of [false, true]) {
      const socket = { congestion: 'reno', notsentLowat: 65_536, keepalive: 45, userTimeout: 12_345 };
      const { server } = openConnected(t, {
        listen: { transport: isMptcp ? 'mptcp' : 'tcp', socket },
        connect: { mptcp: clientMptcp },
      });
      if (isMptcp && !clientMptcp) settleAcceptedTcp(server, socket);
      assert.equal(getText(server, k.SOL_TCP, k.TCP_CONGESTION), 'reno');
      assert.equal(getInt(server, k.SOL_TCP, k.TCP_NODELAY), 1);
      assert.equal(getInt(server, k.SOL_SOCKET, k.SO_KEEPALIVE), 1);
      assert.equal(getInt(server, k.SOL_TCP, k.TCP_KEEPIDLE), 45);
      assert.equal(getInt(server, k.SOL_TCP, k.TCP_KEEPINTVL), 15);
      assert.equal(getInt(server, k.SOL_TCP, k.TCP_KEEPCNT), 3);
      assert.equal(getInt(server, k.SOL_TCP, k.TCP_NOTSENT_LOWAT), 65_536);
      if (!isMptcp || !clientMptcp) assert.equal(getInt(server, k.SOL_TCP, k.TCP_USER_TIMEOUT), 12_345);
    }
  }
});

test('fast open: bytes that come with the SYN are there at accept', (t) => {
  const listener = openListening(t, { fastOpen: true });
  assert.ok(getInt(listener.fd, k.SOL_TCP, k.TCP_FASTOPEN) > 0);
  // The first connection fetches the cookie, the second carries its bytes along, where the system's setting allows it.
  for (let i = 0; i < 2; i++) {
    const client = openConnecting(t, listener.local, { fastOpen: true });
    assert.ok(client >= 0);
    // Without a cookie the first send may only begin the handshake.
    eventually(() => (say(client, 'early') === 5 ? true : undefined), 'room');
    assert.equal(hear(acceptNext(t, listener).fd), 'early');
  }
});
