// Accepting: in portions, paused while descriptors are short, and to the end of the queue at close.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';

import { Acceptor } from '#anabranch/dataplane/acceptor.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { openListener } from '#anabranch/socket/listen.js';
import type { Endpoint } from '#anabranch/wire/destination.js';
import { createLoop, pause, play } from './stage.ts';

const PLAIN = { mptcp: false, sourceAddress: [], socket: {}, fastOpen: false };

function listenWithClients(t: TestContext, count: number): number {
  const listener = openListener({
    address: '127.0.0.1',
    port: 0,
    transport: 'tcp',
    shared: false,
    fastOpen: false,
    socket: {},
  });
  const clients = Array.from({ length: count }, () => beginConnect('127.0.0.1', listener.local.port, PLAIN));
  t.after(() => clients.forEach((fd) => void close(fd)));
  pause(10);
  return listener.fd;
}

test('connections come with their address, at most 64 in one round', (t) => {
  const loop = createLoop();
  const accepted: { readonly fd: number; readonly client: Endpoint }[] = [];
  const fd = listenWithClients(t, 100);
  const acceptor = new Acceptor(loop, fd, {
    onAccept: (accept, client) => accepted.push({ fd: accept, client }),
    onShortage: () => assert.fail(),
  });
  t.after(() => accepted.forEach((one) => void close(one.fd)));
  acceptor.onReady();
  assert.equal(accepted.length, 64);
  play(loop, [() => accepted.length === 100]);
  assert.equal(new Set(accepted.map(({ client }) => client.port)).size, 100);
  assert.ok(accepted.every(({ client }) => client.address === '127.0.0.1' && client.port > 0));
  acceptor.close();
});

test('close takes all that is queued', (t) => {
  const loop = createLoop();
  const accepted: number[] = [];
  const acceptor = new Acceptor(loop, listenWithClients(t, 300), {
    onAccept: (fd) => accepted.push(fd),
    onShortage: () => assert.fail(),
  });
  t.after(() => accepted.forEach((fd) => void close(fd)));
  acceptor.close();
  assert.equal(accepted.length, 300);
  play(loop, []);
});

test('when descriptors run out accepting pauses, and goes on when there are some', () => {
  const script = new URL('./acceptor-shortage.js', import.meta.url).pathname;
  const command = 'ulimit -n 64; exec "$0" "$1"';
  const run = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(run.stderr, '');
  assert.equal(run.stdout, 'done');
});
