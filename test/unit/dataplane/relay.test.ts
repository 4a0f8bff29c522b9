// The relay between a client and a server that the test holds the far ends of, in a real event loop.

import assert from 'node:assert/strict';
import { fstatSync } from 'node:fs';
import { type TestContext, test } from 'node:test';

import { Connection } from '#anabranch/dataplane/connection.js';
import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { PipePool } from '#anabranch/dataplane/pipe-pool.js';
import { PumpResources } from '#anabranch/dataplane/pump.js';
import { Relay, type RelayEnd } from '#anabranch/dataplane/relay.js';
import { requireMptcp } from '../../requirements.ts';
import { connectedPair, createLoop, End, pattern, play, type Step, type Transport, wait } from './stage.ts';

const MSG_OOB = 1;
const BIG = 6_000_000;

interface Scene {
  readonly loop: EventLoop;
  readonly client: End;
  readonly server: End;
  readonly relay: Relay;
  readonly resources: PumpResources;
  readonly moved: Moved;
  /** Times that a half-close was told. */
  halfCloses(): number;
  /** How the relay ended, once it has. */
  ended(): { readonly end: RelayEnd; readonly errno: number } | undefined;
  /** A step: the relay has ended. */
  over(): boolean;
}

interface SceneOptions {
  readonly client?: Transport;
  readonly server?: Transport;
  readonly pipes?: number;
  /** SO_RCVBUF of the far ends. */
  readonly receiveBytes?: number;
  /** How the owner lets go of both connections. */
  readonly leave?: 'close' | 'reset';
}

interface Moved {
  bytesUp: number;
  bytesDown: number;
}

const nobody = { onReady: () => undefined };

function createResources(pipes: number, moved: Moved = { bytesUp: 0, bytesDown: 0 }): PumpResources {
  const add = (name: keyof Moved, bytes: number) => {
    moved[name] += bytes;
  };
  return new PumpResources(new PipePool(pipes, pipes), { add });
}

function open(t: TestContext, options: SceneOptions = {}): Scene {
  const { client = 'tcp', server = 'tcp', pipes = 8, receiveBytes, leave = 'close' } = options;
  const loop = createLoop();
  const moved: Moved = { bytesUp: 0, bytesDown: 0 };
  const resources = createResources(pipes, moved);
  const [clientFar, clientNear] = connectedPair(client);
  const [serverNear, serverFar] = connectedPair(server, receiveBytes);
  let ended: { readonly end: RelayEnd; readonly errno: number } | undefined;
  let halfCloses = 0;
  const near = [clientNear, serverNear].map(
    (fd, i) => new Connection(loop, fd, (i === 0 ? client : server) === 'mptcp', nobody),
  ) as [Connection, Connection];
  const relay = new Relay(loop, near[0], near[1], resources, {
    onRelayHalfClosed: () => {
      halfCloses++;
    },
    onRelayEnd: (end, errno) => {
      assert.equal(ended, undefined, 'told twice');
      ended = { end, errno };
      for (const connection of near) connection[leave]();
    },
  });
  t.after(() => {
    relay.stop();
    for (const connection of near) connection.close();
    resources.pipes.drain();
    assert.equal(resources.pipes.open, 0);
  });
  return {
    loop,
    client: new End(t, clientFar),
    server: new End(t, serverFar),
    relay,
    resources,
    moved,
    halfCloses: () => halfCloses,
    ended: () => ended,
    over: () => ended !== undefined,
  };
}

function unlessAvailable(...transports: Transport[]): string | false {
  return transports.includes('mptcp') && requireMptcp();
}

/** Sends all of `bytes` as room comes. */
function sending(end: End, bytes: Buffer): () => boolean {
  let sent = 0;
  return () => {
    const put = end.send(bytes.subarray(sent));
    if (put > 0) sent += put;
    return sent === bytes.length;
  };
}

/** Steps that send both ways at once, half-close one way after the other, and see all arrive. */
function exchange({ client, server, relay, ended, over }: Scene, up: Buffer, down: Buffer): Step[] {
  const sendUp = sending(client, up);
  const sendDown = sending(server, down);
  return [
    () => relay.start(),
    () => {
      const sent = [sendUp(), sendDown()];
      client.take();
      server.take();
      return sent.every(Boolean);
    },
    () => client.endWriting(),
    () => server.take(),
    () => assert.ok(server.received.equals(up), 'bytes to the server differ'),
    () => assert.equal(server.how, 'EOF'),
    () => {
      client.take();
      return client.received.length === down.length;
    },
    () => assert.equal(ended(), undefined, 'half-closed is not closed'),
    () => assert.ok(relay.halfClosed),
    () => server.endWriting(),
    () => client.take(),
    () => assert.equal(client.how, 'EOF'),
    () => assert.ok(client.received.equals(down), 'bytes to the client differ'),
    over,
    () => assert.deepEqual(ended(), { end: 'done', errno: 0 }),
  ];
}

const TRANSPORTS: readonly (readonly [Transport, Transport])[] = [
  ['tcp', 'tcp'],
  ['mptcp', 'tcp'],
  ['tcp', 'mptcp'],
  ['mptcp', 'mptcp'],
  ['unix', 'tcp'],
  ['tcp', 'unix'],
  ['unix', 'unix'],
];

for (const [client, server] of TRANSPORTS) {
  for (const pipes of [8, 0]) {
    const name = `${client} to ${server}, ${pipes} pipes: all bytes both ways, then each end`;
    test(name, { skip: unlessAvailable(client, server) }, (t) => {
      const scene = open(t, { client, server, pipes });
      play(scene.loop, exchange(scene, pattern(BIG, 1), pattern(BIG + 1, 2)), 20_000);
      assert.equal(scene.relay.up.bytes, BIG);
      assert.equal(scene.relay.down.bytes, BIG + 1);
      assert.deepEqual(scene.moved, { bytesUp: BIG, bytesDown: BIG + 1 });
      assert.equal(scene.halfCloses(), 1);
      const { pipes: pool } = scene.resources;
      // Bulk between TCP and unix sockets goes through pipes; MPTCP is copied.
      if (client === 'mptcp' || server === 'mptcp' || pipes === 0) assert.equal(pool.open, 0);
      else assert.ok(pool.open > 0 && pool.open <= 2, `${pool.open}`);
    });
  }
}

test('small messages go through one by one, without pipes', (t) => {
  const { loop, client, server, relay, resources } = open(t);
  play(loop, [
    () => relay.start(),
    ...Array.from({ length: 20 }, (_, i) => [
      () => assert.equal(client.send(`question ${i};`), `question ${i};`.length),
      () => server.text.endsWith(`question ${i};`),
      () => assert.equal(server.send(`answer ${i};`), `answer ${i};`.length),
      () => client.text.endsWith(`answer ${i};`),
    ]).flat(),
  ]);
  assert.equal(resources.pipes.open, 0);
  assert.ok(relay.firstUpAt > 0 && relay.firstDownAt >= relay.firstUpAt);
});

test('bytes that were read before come first', (t) => {
  const { loop, client, server, relay } = open(t);
  relay.up.prepend(Buffer.from('early up, '));
  relay.down.prepend(Buffer.from('early down, '));
  relay.down.prepend(new Uint8Array(0));
  client.send('late up');
  server.send('late down');
  play(loop, [
    () => relay.start(),
    () => server.text === 'early up, late up',
    () => client.text === 'early down, late down',
  ]);
  assert.equal(relay.up.bytes, 'early up, late up'.length);
});

test('a reader that stops holds a bounded number of bytes up, and loses none', (t) => {
  const { loop, client, server, relay, ended } = open(t, { receiveBytes: 65_536 });
  const bytes = pattern(40_000_000, 3);
  const send = sending(client, bytes);
  let stalledAt = 0;
  play(
    loop,
    [
      () => relay.start(),
      () => {
        send();
        const moved = relay.up.bytes;
        const stalled = moved > 0 && moved === stalledAt;
        stalledAt = moved;
        return stalled;
      },
      wait(50),
      () => assert.equal(send(), false),
      () => assert.ok(relay.up.held <= 1 << 20, `${relay.up.held}`),
      () => {
        const all = send();
        server.take();
        return all;
      },
      () => client.endWriting(),
      () => server.take(),
    ],
    30_000,
  );
  assert.ok(server.received.equals(bytes));
  assert.equal(ended(), undefined);
});

for (const [client, server] of TRANSPORTS.slice(0, 4)) {
  const name = `${client} to ${server}: a reset is told as a reset and carried over`;
  test(name, { skip: unlessAvailable(client, server) }, (t) => {
    for (const side of ['client', 'server'] as const) {
      const scene = open(t, { client, server, leave: 'reset' });
      const other = side === 'client' ? scene.server : scene.client;
      play(scene.loop, [
        () => scene.relay.start(),
        () => scene.client.send('x'),
        () => scene.server.text === 'x',
        () => scene.server.send('y'),
        () => scene.client.text === 'y',
        () => scene[side].reset(),
        scene.over,
        () => assert.deepEqual(scene.ended(), { end: `${side}-reset`, errno: 104 }),
        () => other.take(),
        () => assert.equal(other.how, 'ECONNRESET'),
      ]);
    }
  });
}

test("a server's last words reach the client although the server resets", (t) => {
  // In the second case the client's bytes are seen before the server's, and sending them on fails first.
  for (const late of ['', 'still more']) {
    const { loop, client, server, relay, over, ended } = open(t);
    play(loop, [
      () => relay.start(),
      () => client.send('request'),
      () => server.text === 'request',
      () => client.send('more that nobody reads'),
      wait(10),
      () => {
        client.send(late);
        server.send('refused');
        // Closing on unread bytes resets.
        server.close();
      },
      over,
      () => client.take(),
    ]);
    assert.equal(client.received.toString(), 'refused');
    assert.equal(ended()?.end, 'server-reset');
  }
});

test('a client that resets while the server takes nothing is noticed at once', (t) => {
  const { loop, client, server, relay, over, ended } = open(t, { receiveBytes: 65_536 });
  const send = sending(client, pattern(40_000_000));
  let stalledAt = -1;
  let resetAt = 0;
  play(loop, [
    () => relay.start(),
    () => {
      send();
      const stalled = relay.up.bytes > 0 && relay.up.bytes === stalledAt;
      stalledAt = relay.up.bytes;
      return stalled;
    },
    wait(50),
    () => {
      resetAt = performance.now();
      client.reset();
    },
    over,
    () => assert.ok(performance.now() - resetAt < 4_000),
    () => assert.deepEqual(ended(), { end: 'client-reset', errno: 104 }),
    () => assert.equal(server.how, undefined),
  ]);
});

test('a reset after the own end is noticed while the other side is silent', (t) => {
  for (const side of ['client', 'server'] as const) {
    const scene = open(t);
    const other = side === 'client' ? scene.server : scene.client;
    play(scene.loop, [
      () => scene.relay.start(),
      () => scene[side].send('all'),
      () => scene[side].endWriting(),
      () => other.take(),
      () => assert.equal(other.text, 'all'),
      wait(10),
      () => assert.equal(scene.ended(), undefined),
      () => scene[side].reset(),
      scene.over,
      () => assert.equal(scene.ended()?.end, `${side}-reset`),
    ]);
  }
});

test('what a server answered before it reset waits for a slow client', (t) => {
  const { loop, client, server, relay, over, ended } = open(t);
  const answer = pattern(40_000_000, 5);
  const send = sending(server, answer);
  let stalledAt = -1;
  play(
    loop,
    [
      () => relay.start(),
      () => {
        send();
        const stalled = relay.down.bytes > 0 && relay.down.bytes === stalledAt;
        stalledAt = relay.down.bytes;
        return stalled;
      },
      wait(50),
      () => {
        stalledAt = relay.down.bytes;
        server.reset();
      },
      wait(50),
      () => assert.equal(ended(), undefined),
      () => {
        client.take();
        return over();
      },
      () => assert.deepEqual(ended(), { end: 'server-reset', errno: 104 }),
      () => client.take(),
    ],
    20_000,
  );
  assert.ok(client.received.length > stalledAt, `${client.received.length} of ${stalledAt}`);
  assert.ok(client.received.equals(answer.subarray(0, client.received.length)));
});

test('urgent data does not stall what follows it, neither small nor in bulk', (t) => {
  const { loop, client, server, relay } = open(t);
  const bulk = pattern(3_000_000, 7);
  const first = sending(client, bulk);
  const second = sending(client, bulk);
  play(
    loop,
    [
      () => relay.start(),
      () => client.send('abc'),
      () => client.send('!', MSG_OOB),
      () => client.send('def'),
      () => server.text === 'abcdef',
      () => {
        server.received = Buffer.alloc(0);
      },
      () => {
        server.take();
        return first();
      },
      () => client.send('!', MSG_OOB),
      () => {
        server.take();
        return second();
      },
      () => client.endWriting(),
      () => server.take(),
    ],
    20_000,
  );
  assert.ok(server.received.equals(Buffer.concat([bulk, bulk])));
});

test('urgent data in the middle of a splice goes on by copying', (t) => {
  // The relay is not yet running when the bytes come, so that it splices right up to the mark.
  const { loop, client, server, relay } = open(t);
  const bulk = pattern(300_000, 9);
  play(loop, [
    () => {
      assert.equal(client.send(bulk), bulk.length);
      assert.equal(client.send('!', MSG_OOB), 1);
      assert.equal(client.send('after'), 5);
    },
    () => relay.start(),
    () => server.text.endsWith('after'),
  ]);
  assert.ok(server.received.equals(Buffer.concat([bulk, Buffer.from('after')])));
});

test('stop leaves the connections open and moves no more', (t) => {
  const { loop, client, server, relay, ended } = open(t);
  play(loop, [
    () => relay.start(),
    () => client.send('one'),
    () => server.text === 'one',
    () => relay.stop(),
    () => client.send('two'),
    wait(20),
    () => assert.equal(server.text, 'one'),
  ]);
  assert.equal(ended(), undefined);
  assert.ok(fstatSync(relay.client.fd).isSocket() && fstatSync(relay.server.fd).isSocket());
});

test('many relays share a thread: none starves beside a bulk transfer', (t) => {
  const loop = createLoop();
  const resources = createResources(8);
  const owner = { onRelayEnd: () => undefined, onRelayHalfClosed: () => undefined };
  const ends = Array.from({ length: 9 }, () => {
    const [clientFar, clientNear] = connectedPair('tcp');
    const [serverNear, serverFar] = connectedPair('tcp');
    const near = [clientNear, serverNear].map((fd) => new Connection(loop, fd, false, nobody));
    const relay = new Relay(loop, near[0] as Connection, near[1] as Connection, resources, owner);
    t.after(() => {
      relay.stop();
      for (const connection of near) connection.close();
    });
    relay.start();
    return { client: new End(t, clientFar), server: new End(t, serverFar) };
  });
  const [bulk, ...small] = ends as [(typeof ends)[0], ...typeof ends];
  const bytes = pattern(4_000_000);
  let slowest = 0;
  const asked = performance.now();
  const waiting = new Set(small);
  const keepBusy = () => {
    bulk.client.send(bytes);
    bulk.server.take();
    bulk.server.received = Buffer.alloc(0);
  };
  play(loop, [
    keepBusy,
    () => {
      for (const { client } of small) client.send('ping');
    },
    () => {
      keepBusy();
      for (const one of waiting) {
        if (one.server.text !== 'ping') continue;
        waiting.delete(one);
        slowest = performance.now() - asked;
      }
      return waiting.size === 0;
    },
  ]);
  assert.ok(slowest < 1_000, `${slowest} ms`);
  resources.pipes.drain();
});
