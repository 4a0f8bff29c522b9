// Run on its own with a low limit of open files: an acceptor pauses when descriptors run out, and goes on once there
// are some again. Prints `done` when all is as it should be.

import assert from 'node:assert/strict';

import { Acceptor } from '#anabranch/dataplane/acceptor.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { openListener } from '#anabranch/socket/listen.js';
import { openSocketPair } from '#anabranch/socket/pair.js';
import { createLoop, play, wait } from './stage.ts';

const CLIENTS = 5;

const loop = createLoop();
const options = {
  address: '127.0.0.1',
  port: 0,
  transport: 'tcp',
  shared: false,
  fastOpen: false,
  socket: {},
} as const;
const listener = openListener(options);
const clients = Array.from({ length: CLIENTS }, () =>
  beginConnect('127.0.0.1', listener.local.port, { mptcp: false, sourceAddress: [], socket: {}, fastOpen: false }),
);
assert.ok(clients.every((fd) => fd >= 0));

const ballast: number[] = [];
try {
  for (;;) ballast.push(...openSocketPair());
} catch (error) {
  assert.equal((error as Error & { code: string }).code, 'EMFILE');
}
// A pair takes two, so one may be left.
const spare = beginConnect('127.0.0.1', listener.local.port, {
  mptcp: false,
  sourceAddress: [],
  socket: {},
  fastOpen: false,
});

const accepted: number[] = [];
const shortages: { readonly errno: number; readonly at: number }[] = [];
let calls = 0;
const acceptor = new Acceptor(loop, listener.fd, {
  onAccept: (fd, client) => {
    assert.equal(client.address, '127.0.0.1');
    accepted.push(fd);
  },
  onShortage: (errno) => {
    calls++;
    shortages.push({ errno, at: performance.now() });
  },
});
play(loop, [
  wait(350),
  () => assert.deepEqual(accepted, []),
  () => {
    // Once each 100 ms, not at every turn of the loop.
    assert.ok(calls >= 2 && calls <= 5, `${calls} calls`);
    for (const { errno } of shortages) assert.equal(errno, 24);
    const gaps = shortages.slice(1).map(({ at }, i) => at - (shortages[i]?.at ?? 0));
    for (const gap of gaps) assert.ok(gap >= 99, `${gap} ms`);
  },
  () => ballast.forEach((fd) => void close(fd)),
  () => accepted.length >= CLIENTS,
  () => assert.equal(accepted.length, CLIENTS + (spare >= 0 ? 1 : 0)),
]);
acceptor.close();
assert.ok(close(listener.fd) < 0, 'the listener is the acceptor’s');
process.stdout.write('done');
