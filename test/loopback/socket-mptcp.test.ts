// MPTCP or not: what the kernel has, and what became of a connection.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';

import { close, duplicate } from '#anabranch/ffi/descriptors.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import * as k from '#anabranch/socket/constants.js';
import { acceptedIsMptcp, probeMptcp, staysMptcp } from '#anabranch/socket/mptcp.js';
import { getInt, resetOnClose } from '#anabranch/socket/options.js';
import { sampleMptcp, sampleMptcpInParts } from '#anabranch/socket/subflows.js';
import { requireMptcp } from '../requirements.ts';
import { acceptNext, hear, openConnected, openConnecting, openListening, say } from './socket-scene.ts';

const skip = requireMptcp();
const hasIpv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === '::1'));
const ADDRESSES = hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'];

test('the probe agrees with the system, and says so in words', () => {
  const { available, detail } = probeMptcp();
  assert.equal(available, skip === false);
  assert.match(detail, available ? /^MPTCP is available$/ : /MPTCP/);
  assert.equal(probeMptcp(), probeMptcp());
});

for (const address of ADDRESSES) {
  const pair = (listen: 'tcp' | 'mptcp', mptcp: boolean) => ({
    listen: { address, transport: listen },
    connect: { mptcp },
  });

  test(`${address}: both sides speak MPTCP`, { skip }, (t) => {
    const { client, server } = openConnected(t, pair('mptcp', true));
    assert.ok(acceptedIsMptcp(server));
    assert.ok(staysMptcp(server));
    assert.ok(staysMptcp(client));
    assert.ok(sampleMptcp(client) && sampleMptcp(server));
  });

  test(`${address}: the client speaks TCP only`, { skip }, (t) => {
    const { client, server } = openConnected(t, pair('mptcp', false));
    assert.equal(acceptedIsMptcp(server), false);
    assert.equal(getInt(server, k.SOL_SOCKET, k.SO_PROTOCOL), k.IPPROTO_TCP);
    assert.equal(sampleMptcp(server), undefined);
    assert.equal(sampleMptcp(client), undefined);
    assert.equal(say(client, 'hello'), 5);
    assert.equal(hear(server), 'hello');
  });

  test(`${address}: the server speaks TCP only`, { skip }, (t) => {
    const { client, server } = openConnected(t, pair('tcp', true));
    // The socket is one of MPTCP still; the connection is not.
    assert.equal(getInt(client, k.SOL_SOCKET, k.SO_PROTOCOL), k.IPPROTO_MPTCP);
    assert.equal(staysMptcp(client), false);
    assert.equal(sampleMptcp(client), undefined);
    assert.equal(sampleMptcpInParts(client), undefined);
    assert.equal(say(client, 'hello'), 5);
    assert.equal(hear(server), 'hello');
    assert.equal(say(server, 'back'), 4);
    assert.equal(hear(client), 'back');
  });

  test(`${address}: neither speaks MPTCP`, { skip }, (t) => {
    const { client, server } = openConnected(t, pair('tcp', false));
    assert.equal(acceptedIsMptcp(server), false);
    assert.equal(sampleMptcp(client), undefined);
  });
}

test('a plain socket in between does not change how MPTCP sockets are asked', { skip }, (t) => {
  // An option refused on one socket must not make later ones be asked in the old way.
  const plain = openConnected(t, {});
  assert.equal(sampleMptcp(plain.client), undefined);
  const both = openConnected(t, { listen: { transport: 'mptcp' }, connect: { mptcp: true } });
  assert.equal(sampleMptcp(both.client)?.subflows[0]?.id, 1);
});

test('a reset reaches the peer as a reset, over MPTCP and over TCP', { skip }, (t) => {
  for (const mptcp of [false, true]) {
    for (const unread of [false, true]) {
      const listener = openListening(t, { transport: mptcp ? 'mptcp' : 'tcp' });
      const { address, port } = listener.local;
      const client = beginConnect(address, port, { mptcp, sourceAddress: [], socket: {}, fastOpen: false });
      const { fd: server } = acceptNext(t, listener);
      say(client, 'x');
      assert.equal(hear(server), 'x');
      if (unread) say(server, 'never read');
      resetOnClose(client);
      close(client);
      assert.equal(hear(server), -104);
      assert.equal(say(server, 'y'), -32);
    }
  }
});

test('Node’s own sockets work on MPTCP descriptors', { skip }, async (t) => {
  const { client, server } = openConnected(t, { listen: { transport: 'mptcp' }, connect: { mptcp: true } });
  const [ours, theirs] = [client, server].map(
    (fd) => new Socket({ fd: duplicate(fd), readable: true, writable: true, allowHalfOpen: true }),
  ) as [Socket, Socket];
  t.after(() => {
    ours.destroy();
    theirs.destroy();
  });
  assert.equal(ours.remoteAddress, '127.0.0.1');
  assert.equal(ours.remotePort, theirs.localPort);
  ours.setNoDelay(true);
  ours.setKeepAlive(true, 1_000);
  const bytes = Buffer.alloc(3_000_000, 'anabranch');
  const chunks: Buffer[] = [];
  theirs.on('data', (chunk) => chunks.push(chunk));
  ours.end(bytes);
  await once(theirs, 'end');
  assert.ok(Buffer.concat(chunks).equals(bytes));
  // Half-closed: the other direction still goes.
  theirs.end('bye');
  const [answer] = await once(ours, 'data');
  assert.equal(String(answer), 'bye');
  await once(ours, 'end');
});

test('a connection to where nobody listens is refused, also over MPTCP', { skip }, (t) => {
  const { local } = openListening(t);
  const fd = openConnecting(t, { address: '127.0.0.10', port: local.port }, { mptcp: true });
  if (fd >= 0) assert.equal(sampleMptcp(fd)?.subflows.length ?? 0, 0);
});
