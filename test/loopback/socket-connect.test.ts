// Connections begun without blocking.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';

import { beginConnect, localEndpoint } from '#anabranch/socket/connect.js';
import * as k from '#anabranch/socket/constants.js';
import { getInt, takeError } from '#anabranch/socket/options.js';
import { requireMptcp } from '../requirements.ts';
import { acceptNext, eventually, openConnected, openConnecting, openListening } from './socket-scene.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === '::1'));
const PLAIN = { mptcp: false, sourceAddress: [], socket: {}, fastOpen: false } as const;
const skipMptcp = requireMptcp();
const openFiles = () => readdirSync('/proc/self/fd').length;

test('both ends know each other', (t) => {
  for (const mptcp of skipMptcp ? [false] : [false, true]) {
    const { client, from } = openConnected(t, { listen: { transport: mptcp ? 'mptcp' : 'tcp' }, connect: { mptcp } });
    assert.deepEqual(localEndpoint(client), from);
    assert.equal(takeError(client), 0);
    assert.equal(getInt(client, k.SOL_TCP, k.TCP_NODELAY), 1);
  }
  assert.deepEqual(localEndpoint(-1), { address: '0.0.0.0', port: 0 });
});

test('a refused connection is known at once or by its error', (t) => {
  for (const mptcp of skipMptcp ? [false] : [false, true]) {
    const { local } = openListening(t);
    // The port is taken, but nobody listens at this address.
    const fd = openConnecting(t, { address: '127.0.0.9', port: local.port }, { mptcp });
    const error = fd < 0 ? -fd : eventually(() => takeError(fd) || undefined, 'error');
    assert.equal(error, 111);
  }
});

test('what cannot be reached fails at once, and leaves no descriptor', () => {
  const before = openFiles();
  assert.equal(beginConnect('255.255.255.255', 80, PLAIN), -101);
  assert.equal(openFiles(), before);
});

test('the source address of the destination’s family is used', (t) => {
  const sourceAddress = ['::1', '127.0.0.77', '127.0.0.78'];
  for (const mptcp of skipMptcp ? [false] : [false, true]) {
    const listen = { transport: mptcp ? 'mptcp' : 'tcp' } as const;
    const { from } = openConnected(t, { listen, connect: { mptcp, sourceAddress } });
    assert.equal(from.address, '127.0.0.77');
    if (hasIpv6) {
      const six = openConnected(t, { listen: { ...listen, address: '::1' }, connect: { mptcp, sourceAddress } });
      assert.equal(six.from.address, '::1');
    }
  }
  // None of the family: the kernel's choice.
  assert.equal(openConnected(t, { connect: { sourceAddress: ['::1'] } }).from.address, '127.0.0.1');
});

test('connections from one source address take their ports at connect, so that two servers may see the same', (t) => {
  const a = openConnected(t, { connect: { sourceAddress: ['127.0.0.77'] } });
  assert.equal(getInt(a.client, k.SOL_IP, k.IP_BIND_ADDRESS_NO_PORT), 1);
});

test('a source address that is not ours, or an option that is refused, throws and leaves no descriptor', () => {
  const before = openFiles();
  assert.throws(() => beginConnect('127.0.0.1', 80, { ...PLAIN, sourceAddress: ['192.0.2.1'] }), {
    code: 'EADDRNOTAVAIL',
    message: /^bind 192\.0\.2\.1: /,
  });
  assert.throws(() => beginConnect('127.0.0.1', 80, { ...PLAIN, socket: { interface: 'no-such0' } }), {
    code: 'ENODEV',
    message: /interface no-such0/,
  });
  assert.throws(() => beginConnect('nowhere', 80, PLAIN), RangeError);
  assert.equal(openFiles(), before);
});

test('fast open looks connected before anybody has been asked', (t) => {
  const listener = openListening(t, { fastOpen: true });
  for (let i = 0; i < 2; i++) {
    const client = openConnecting(t, listener.local, { fastOpen: true });
    assert.ok(client >= 0);
    assert.equal(getInt(client, k.SOL_TCP, k.TCP_FASTOPEN_CONNECT), 1);
    assert.equal(takeError(client), 0);
  }
});

test('a bound interface is the only one used', (t) => {
  const { server } = openConnected(t, { connect: { socket: { interface: 'lo' } } });
  assert.ok(server >= 0);
  const listener = openListening(t, { socket: { interface: 'lo' } });
  openConnecting(t, listener.local);
  acceptNext(t, listener);
});
