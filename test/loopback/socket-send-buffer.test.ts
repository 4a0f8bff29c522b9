// The send buffer of live connections: set, read, and enough to go on with.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { initialSendBuffer, largestSendBuffer, sendBufferOf, setSendBuffer } from '#anabranch/socket/send-buffer.js';
import { requireMptcp } from '../requirements.ts';
import { hear, openConnected, say } from './socket-scene.ts';

const skip = requireMptcp();

for (const transport of ['tcp', 'mptcp'] as const) {
  test(`the send buffer of a live ${transport} connection is changed, both ways`, { skip }, (t) => {
    const { client, server } = openConnected(t, { listen: { transport }, connect: { mptcp: transport === 'mptcp' } });
    for (const bytes of [1_000_000, 300_000, 2_000_000]) {
      setSendBuffer(client, bytes);
      assert.equal(sendBufferOf(client), bytes);
      assert.equal(say(client, 'on'), 2);
      assert.equal(hear(server), 'on');
    }
  });

  test(`a ${transport} connection takes no more than its send buffer holds`, { skip }, (t) => {
    const { client } = openConnected(t, { listen: { transport }, connect: { mptcp: transport === 'mptcp' } });
    setSendBuffer(client, 300_000);
    const chunk = 'x'.repeat(10_000);
    let taken = 0;
    // Nobody reads: the peer's receive buffer fills first.
    for (let sent = 1; sent > 0 && taken < 64 << 20; ) {
      sent = say(client, chunk);
      taken += Math.max(0, sent);
    }
    assert.ok(taken < 64 << 20, `${taken}`);
  });
}

test('what may be set is known before it is tried', () => {
  const most = largestSendBuffer();
  assert.ok(most >= 2 * 212_992, `${most}`);
  assert.equal(largestSendBuffer(), most);
});

test('what a connection begins with: a fixed one is halved, for the kernel doubles it', () => {
  assert.equal(initialSendBuffer('auto'), undefined);
  assert.equal(initialSendBuffer(undefined), undefined);
  assert.equal(initialSendBuffer(1_000_001), 500_001);
});
