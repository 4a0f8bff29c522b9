// What a flow record says: the bytes, the times in their order, why it ended, and how each side travelled.

import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FlowRecord } from '#anabranch/proxy/flow-record.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { requireMptcp } from '../requirements.ts';
import { Peer } from './support/peer.ts';
import { MIXED, startProxy } from './support/proxy.ts';
import { openEcho, openRefused, openServer } from './support/servers.ts';
import { openTunnel, socks5 } from './support/tunnel.ts';
import { until, within } from './support/wait.ts';

/** Times that came to pass never go back. */
function assertInOrder(record: FlowRecord): void {
  const { acceptedAt, requestedAt, connectedAt, firstByteUpAt, firstByteDownAt, endedAt } = record;
  const chain = [acceptedAt, requestedAt, connectedAt].filter((at) => at !== undefined);
  const firsts = [firstByteUpAt, firstByteDownAt].filter((at) => at !== undefined);
  for (const first of firsts) assert.ok(first >= (chain.at(-1) ?? 0) && first <= endedAt, JSON.stringify(record));
  assert.deepEqual(
    [...chain, endedAt],
    [...chain, endedAt].sort((a, b) => a - b),
  );
}

test('a conversation: asked, reached, counted, timed', async (t) => {
  const server = await openServer(t);
  const proxy = await startProxy(t);
  const before = Date.now();
  const client = await openTunnel(t, 'socks5', { port: proxy.port() }, { host: 'LOCALHOST', port: server.port });
  const peer = await server.peer();
  client.write(Buffer.alloc(1000));
  await peer.read(1000);
  peer.write(Buffer.alloc(10));
  await client.read(10);
  // The server goes on after a silence: a stall. The client's thinking is none.
  await sleep(600);
  peer.write(Buffer.alloc(10));
  await client.read(10);
  await sleep(2_000);
  client.end('bye');
  await peer.read(3);
  peer.end();
  await client.ended;
  const record = await proxy.record();
  const { id, inbound, user, asked, reached, outbound, bytesUp, bytesDown, end, detail, longestStallMs } = record;
  assert.match(id, /^[0-9a-f]{12}-0-/);
  assert.deepEqual(
    { inbound, user, asked, reached, outbound, bytesUp, bytesDown, end, detail },
    {
      inbound: 'mixed',
      user: undefined,
      asked: { host: 'localhost', port: server.port },
      reached: { address: '127.0.0.1', port: server.port },
      outbound: 'direct',
      bytesUp: 1003,
      bytesDown: 20,
      end: 'done',
      detail: undefined,
    },
  );
  assert.deepEqual(record.client, { address: '127.0.0.1', port: client.ports[0] });
  assertInOrder(record);
  assert.ok(record.acceptedAt >= before - 50 && record.endedAt <= Date.now() + 50, 'times are those of the clock');
  assert.ok(longestStallMs >= 590 && longestStallMs < 1_990, `${longestStallMs} ms`);
  const { firstByteUpAt, firstByteDownAt } = record;
  assert.ok((firstByteUpAt ?? 0) <= (firstByteDownAt ?? 0));
});

test('a client that goes before it is connected, and one that is refused', async (t) => {
  const proxy = await startProxy(t);
  const gone = await Peer.connect(t, { port: proxy.port() });
  gone.end(Buffer.from([5, 1]));
  const refused = await Peer.connect(t, { port: proxy.port() });
  await socks5(refused, { host: '127.0.0.1', port: openRefused(t) });
  await refused.readAll();
  await proxy.record(1);
  const [first, second] = [...proxy.records].sort(
    (a, b) => (a.asked === undefined ? -1 : 1) - (b.asked === undefined ? -1 : 1),
  );
  assert.deepEqual([first?.end, first?.requestedAt, first?.reached], ['client-gone', undefined, undefined]);
  assert.deepEqual([second?.end, second?.connectedAt, second?.bytesUp], ['refused', undefined, 0]);
  assert.match(second?.detail ?? '', /^ECONNREFUSED from 127\.0\.0\.1:/);
  for (const record of proxy.records) assertInOrder(record);
});

test('bytes that go with the upstream handshake count, and have their time', async (t) => {
  const echo = await openEcho(t);
  const upstream = await startProxy(t);
  const proxy = await startProxy(t, {
    inbounds: [{ type: 'forward', listen: '127.0.0.1:0', target: `127.0.0.1:${echo.port}` }],
    outbounds: [{ name: 'next', type: 'socks', server: `127.0.0.1:${upstream.port()}`, optimistic: true }],
    rules: [{ use: 'next' }],
  });
  for (let i = 0; i < 5; i++) {
    const client = await Peer.connect(t, { port: proxy.port() });
    client.end('early');
    assert.equal(String(await client.readAll()), 'early');
  }
  await proxy.record(4);
  for (const { bytesUp, bytesDown, end, firstByteUpAt, firstByteDownAt } of proxy.records) {
    assert.deepEqual({ bytesUp, bytesDown, end }, { bytesUp: 5, bytesDown: 5, end: 'done' });
    assert.ok(firstByteUpAt !== undefined && firstByteDownAt !== undefined && firstByteUpAt <= firstByteDownAt);
  }
});

describe('how each side travelled', { skip: requireMptcp() }, () => {
  async function mptcpClient(t: TestContext, port: number): Promise<Peer> {
    const fd = beginConnect('127.0.0.1', port, { mptcp: true, sourceAddress: [], socket: {}, fastOpen: false });
    assert.ok(fd > 0);
    const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    t.after(() => socket.destroy());
    return new Peer(socket);
  }

  test('an MPTCP client has subflows, with the bytes they carried', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, { inbounds: [MIXED] });
    const client = await mptcpClient(t, proxy.port());
    assert.equal(await socks5(client, { host: '127.0.0.1', port: echo.port }), 0);
    const bytes = Buffer.alloc(1 << 20, 5);
    client.end(bytes);
    assert.ok((await client.readAll()).equals(bytes));
    const { end, clientSide, serverSide, bytesUp, bytesDown } = await proxy.record();
    assert.deepEqual({ end, bytesUp, bytesDown }, { end: 'done', bytesUp: 1 << 20, bytesDown: 1 << 20 });
    assert.equal(clientSide?.mptcp, 'mptcp');
    const [subflow] = clientSide?.subflows ?? [];
    assert.equal(clientSide?.subflows.length, 1);
    assert.deepEqual(subflow?.remote, { address: '127.0.0.1', port: client.ports[0] });
    assert.equal(subflow?.local.port, proxy.port());
    assert.ok((subflow?.bytesReceived ?? 0) >= 1 << 20, JSON.stringify(subflow));
    // The last of it is in the kernel's queue when the record is made.
    assert.ok((subflow?.bytesSent ?? 0) > 0, JSON.stringify(subflow));
    assert.ok((subflow?.rttMs ?? 0) > 0 && (subflow?.congestionWindow ?? 0) > 0);
    // Loopback is not asked for MPTCP unless the configuration insists.
    assert.equal(serverSide?.mptcp, 'not-asked');
    assert.equal(serverSide?.subflows.length, 1);
    assert.deepEqual([proxy.counter('mptcpClients'), proxy.counter('fallbacksClient')], [1, 0]);
  });

  test('why a side is plain TCP', async (t) => {
    const echo = await openEcho(t);
    const proxy = await startProxy(t, {
      inbounds: [
        { ...MIXED, name: 'auto' },
        { ...MIXED, name: 'plain', transport: 'tcp' },
      ],
      outbounds: [{ name: 'insist', type: 'direct', transport: 'mptcp' }],
      rules: [{ use: 'insist' }],
    });
    for (const inbound of ['auto', 'plain']) {
      const to = { host: '127.0.0.1', port: echo.port };
      const peer = await openTunnel(t, 'connect', { port: proxy.port(inbound) }, to);
      peer.end('x');
      await peer.readAll();
    }
    await proxy.record(1);
    assert.deepEqual(
      proxy.records.map(({ clientSide, serverSide }) => [clientSide?.mptcp, serverSide?.mptcp]),
      [
        ['client-without-mptcp', 'peer-without-mptcp'],
        ['not-asked', 'peer-without-mptcp'],
      ],
    );
    assert.equal(proxy.counter('fallbacksServer'), 2);
  });

  test('MPTCP on the way to the next proxy, and a reset on it', async (t) => {
    const server = await openServer(t);
    const upstream = await startProxy(t);
    const proxy = await startProxy(t, {
      outbounds: [{ name: 'gw', type: 'socks', server: `127.0.0.1:${upstream.port()}`, transport: 'mptcp' }],
      rules: [{ use: 'gw' }],
    });
    const to = { host: '127.0.0.1', port: server.port };
    const client = await openTunnel(t, 'socks5', { port: proxy.port() }, to);
    const peer = await server.peer();
    client.write('a');
    await peer.read(1);
    const [live] = await proxy.service.flows(10);
    assert.equal(live?.serverSide?.mptcp, 'mptcp');
    assert.equal(live?.phase, 'relaying');
    peer.reset();
    assert.equal(await within(client.closed, 'a reset'), 'ECONNRESET');
    assert.equal((await proxy.record()).end, 'server-reset');
    assert.equal((await upstream.record()).end, 'server-reset');
    assert.deepEqual([(await upstream.record()).clientSide?.mptcp, proxy.counter('mptcpServers')], ['mptcp', 1]);
  });

  test('an MPTCP client whose request is forwarded is told of as one', async (t) => {
    const server = await openServer(t);
    const proxy = await startProxy(t);
    const client = await mptcpClient(t, proxy.port());
    client.write(`GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    const peer = await server.peer();
    await peer.read(16);
    peer.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
    await client.readAll();
    const { clientSide } = await proxy.record();
    assert.deepEqual(clientSide, { mptcp: 'mptcp', subflows: [] });
  });

  test('a reset of an MPTCP client reaches the server as one', async (t) => {
    const server = await openServer(t);
    const proxy = await startProxy(t);
    const client = await mptcpClient(t, proxy.port());
    assert.equal(await socks5(client, { host: '127.0.0.1', port: server.port }), 0);
    const peer = await server.peer();
    client.write('a');
    await peer.read(1);
    client.reset();
    assert.equal(await within(peer.closed, 'a reset'), 'ECONNRESET');
    assert.equal((await proxy.record()).end, 'client-reset');
  });
});

test('status: live flows, as many as asked for', async (t) => {
  const server = await openServer(t);
  const proxy = await startProxy(t, { workers: 2 });
  const to = { host: '127.0.0.1', port: server.port };
  for (let i = 0; i < 6; i++) await openTunnel(t, 'socks5', { port: proxy.port() }, to);
  await until(() => proxy.counter('flows') === 6);
  const flows = await proxy.service.flows(100);
  assert.equal(flows.length, 6);
  assert.equal((await proxy.service.flows(4)).length, 4);
  assert.deepEqual(new Set(flows.map(({ phase, outbound }) => `${phase} ${outbound}`)), new Set(['relaying direct']));
});
