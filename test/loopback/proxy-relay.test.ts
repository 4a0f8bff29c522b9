// What a relay owes both ends: their ends, their resets, their pace, and every byte.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isReset } from './support/kernel.ts';
import type { Peer } from './support/peer.ts';
import { startProxy, type TestProxy } from './support/proxy.ts';
import { openServer, type ServerOptions } from './support/servers.ts';
import { openTunnel } from './support/tunnel.ts';
import { until, within } from './support/wait.ts';

interface Pair {
  readonly proxy: TestProxy;
  readonly client: Peer;
  readonly server: Peer;
}

/** A client and a server with the proxy between them, and a first byte gone each way. */
async function openPair(t: TestContext, settings = {}, options: ServerOptions = {}): Promise<Pair> {
  const target = await openServer(t, () => {}, options);
  const proxy = await startProxy(t, settings);
  const client = await openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: target.port });
  const server = await target.peer();
  if (options.paused !== true) {
    client.write('c');
    await server.read(1);
    server.write('s');
    await client.read(1);
  }
  return { proxy, client, server };
}

describe('half-close', () => {
  test('a client that ends first still reads', async (t) => {
    const { proxy, client, server } = await openPair(t);
    client.end('question');
    assert.equal(String(await server.readAll()), 'question');
    assert.equal(await server.ended, 'end');
    for (const part of ['a long', ' answer', ' in parts']) {
      server.write(part);
      assert.equal(String(await client.read(part.length)), part);
    }
    server.end();
    assert.equal(await client.ended, 'end');
    const { end, bytesUp, bytesDown } = await proxy.record();
    assert.deepEqual({ end, bytesUp, bytesDown }, { end: 'done', bytesUp: 9, bytesDown: 23 });
  });

  test('a server that ends first still reads', async (t) => {
    const { proxy, client, server } = await openPair(t);
    server.end('hello');
    assert.equal(String(await client.readAll()), 'hello');
    assert.equal(await client.ended, 'end');
    for (const part of ['one', 'two']) {
      client.write(part);
      assert.equal(String(await server.read(part.length)), part);
    }
    client.end();
    assert.equal(await server.ended, 'end');
    assert.equal((await proxy.record()).end, 'done');
  });

  test('an end behind bytes that the other side takes late arrives behind them', async (t) => {
    const { client, server } = await openPair(t, {}, { paused: true });
    const bytes = randomBytes(24 << 20);
    client.end(bytes);
    // The kernel and the proxy are full by the time that nothing moves any more.
    await settled(() => client.socket.writableLength);
    server.socket.resume();
    assert.ok((await server.readAll()).equals(bytes));
    assert.equal(await server.ended, 'end');
    server.end('thanks');
    assert.equal(String(await client.readAll()), 'thanks');
  });
});

/** Waits until a figure has not changed for a while. */
async function settled(figure: () => number): Promise<number> {
  let last = figure();
  for (let same = 0; same < 10; ) {
    await sleep(20);
    const now = figure();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

describe('a reset is carried over as a reset', () => {
  const table: { name: string; from: 'client' | 'server'; before?: (pair: Pair) => Promise<void> }[] = [
    { name: 'the client resets', from: 'client' },
    { name: 'the server resets', from: 'server' },
    {
      name: 'the client resets after its end',
      from: 'client',
      async before({ client, server }) {
        client.end();
        await server.ended;
      },
    },
    {
      name: 'the server resets after its end',
      from: 'server',
      async before({ client, server }) {
        server.end();
        await client.ended;
      },
    },
    {
      name: 'the client resets after the end of the server',
      from: 'client',
      async before({ client, server }) {
        server.end();
        await client.ended;
      },
    },
    {
      name: 'the server resets after the end of the client',
      from: 'server',
      async before({ client, server }) {
        client.end();
        await server.ended;
      },
    },
  ];
  for (const { name, from, before } of table) {
    test(name, async (t) => {
      const pair = await openPair(t);
      await before?.(pair);
      const other = from === 'client' ? pair.server : pair.client;
      const hasEnded = other.socket.readableEnded;
      pair[from].reset();
      if (hasEnded) await until(() => isReset(other));
      else assert.equal(await within(other.closed, 'a reset at the other end'), 'ECONNRESET');
      const { end } = await pair.proxy.record();
      assert.equal(end, `${from}-reset`);
      assert.equal(pair.proxy.counter(`end:${from}-reset` as const), 1);
    });
  }

  test('the client resets while the server takes nothing: at once', async (t) => {
    const { proxy, client, server } = await openPair(t);
    server.socket.pause();
    client.write(Buffer.alloc(32 << 20));
    await settled(() => client.socket.writableLength);
    client.reset();
    assert.equal((await proxy.record()).end, 'client-reset');
    // A reset beyond a closed window is not believed; it comes again as the answer to what opens the window.
    server.socket.resume();
    await until(() => isReset(server));
  });

  test('the server resets while the client takes nothing: behind what the proxy has of it', async (t) => {
    const { proxy, client, server } = await openPair(t);
    client.socket.pause();
    server.write(Buffer.alloc(32 << 20));
    const left = await settled(() => server.socket.writableLength);
    server.reset();
    client.socket.resume();
    await until(() => isReset(client));
    const { end, bytesDown } = await proxy.record();
    assert.equal(end, 'server-reset');
    // More than what the client's kernel had of it by the time of the reset.
    assert.ok(bytesDown > ((32 << 20) - left) / 2, `${bytesDown} bytes`);
  });

  test('what a server says before it resets arrives', async (t) => {
    const { client, server } = await openPair(t);
    server.socket.write('go away', () => server.reset());
    assert.equal(String(await client.readAll()), 'go away');
    // libuv takes a reset right behind bytes for an end; the kernel knows better.
    await until(() => isReset(client));
  });
});

describe('back-pressure', () => {
  /** The kernel's buffers on both sides of the proxy, a pipe, and what Node's streams hold. */
  const TAKEN_MAX = 24 << 20;
  const PAIRS = 20;

  for (const direction of ['up', 'down'] as const) {
    test(`${direction}: a receiver that does not read stops the sender, and the memory does not grow`, async (t) => {
      const target = await openServer(t);
      const proxy = await startProxy(t, { workers: 2 });
      const block = Buffer.alloc(1 << 16, 7);
      const before = process.memoryUsage().rss;
      const senders: Peer[] = [];
      const receivers: Peer[] = [];
      for (let i = 0; i < PAIRS; i++) {
        const to = { host: '127.0.0.1', port: target.port };
        const client = await openTunnel(t, 'socks5', { port: proxy.port() }, to);
        const server = await target.peer(i);
        const [sender, receiver] = direction === 'up' ? [client, server] : [server, client];
        receiver.socket.pause();
        senders.push(sender);
        receivers.push(receiver);
        pour(sender, block);
      }
      const sent = () => senders.reduce((sum, { socket }) => sum + socket.bytesWritten - socket.writableLength, 0);
      const taken = await settled(sent);
      assert.ok(taken > PAIRS << 16, `${taken} bytes`);
      assert.ok(taken < PAIRS * TAKEN_MAX, `${taken} bytes`);
      // A stash of 256 KiB for each, and Node's own; a megabyte for each would be a queue.
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < PAIRS << 20, `${grown} bytes`);
      assert.equal((await proxy.service.flows(100)).length, PAIRS);
      for (const { socket } of [...senders, ...receivers]) socket.destroy();
      await proxy.idle();
    });
  }

  function pour({ socket }: Peer, block: Buffer): void {
    const more = () => {
      while (!socket.destroyed && socket.write(block));
    };
    socket.on('drain', more);
    more();
  }
});

test('64 MB each way at once, whole, over one hop and over two', async (t) => {
  const BYTES = 64 << 20;
  const target = await openServer(t, ({ socket }) => {
    // Its own bytes and the digest of the client's, so that each direction has its own.
    socket.pause();
  });
  const upstream = await startProxy(t);
  const proxy = await startProxy(t, {
    inbounds: [
      { type: 'mixed', listen: '127.0.0.1:0' },
      { type: 'socks', listen: '127.0.0.1:0' },
    ],
    outbounds: [{ name: 'next', type: 'http', server: `127.0.0.1:${upstream.port()}` }],
    rules: [{ when: { inbound: 'socks' }, use: 'next' }],
  });
  const bytes = [randomBytes(1 << 20), randomBytes(1 << 20)] as const;
  const expected = bytes.map((block) => {
    const hash = createHash('sha256');
    for (let i = 0; i < BYTES / block.length; i++) hash.update(block);
    return hash.digest('hex');
  });
  for (const [i, inbound] of ['mixed', 'socks'].entries()) {
    const to = { host: '127.0.0.1', port: target.port };
    const client = await openTunnel(t, 'socks5', { port: proxy.port(inbound) }, to);
    const server = await target.peer(i);
    const digests = Promise.all([digestOf(server), digestOf(client)]);
    await Promise.all([send(client, bytes[0], BYTES), send(server, bytes[1], BYTES)]);
    assert.deepEqual(await within(digests, 'both digests', 60_000), expected);
  }
  await proxy.record(1);
  for (const { end, bytesUp, bytesDown } of proxy.records) {
    assert.deepEqual({ end, bytesUp, bytesDown }, { end: 'done', bytesUp: BYTES, bytesDown: BYTES });
  }
});

function digestOf({ socket }: Peer): Promise<string> {
  const hash = createHash('sha256');
  socket.removeAllListeners('data');
  socket.on('data', (data) => void hash.update(data));
  socket.resume();
  return new Promise((resolve) => socket.once('end', () => resolve(hash.digest('hex'))));
}

async function send({ socket }: Peer, block: Buffer, total: number): Promise<void> {
  for (let sent = 0; sent < total; sent += block.length) {
    if (!socket.write(block)) await new Promise<void>((resolve) => void socket.once('drain', resolve));
  }
  socket.end();
}

test('a byte each way does not wait for company', async (t) => {
  const { client, server } = await openPair(t);
  const times: number[] = [];
  for (let i = 0; i < 300; i++) {
    const start = performance.now();
    // Of two writes in a row Nagle's algorithm would hold back the second.
    client.write('a');
    await new Promise(setImmediate);
    client.write('b');
    await server.read(2);
    server.write('p');
    await client.read(1);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const median = times[150] as number;
  // A delayed acknowledgement takes 40 ms.
  assert.ok(median < 10, `${median} ms`);
});
