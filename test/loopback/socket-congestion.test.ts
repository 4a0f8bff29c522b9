// The congestion control of live connections: what the kernel tells of them, and that a change reaches every subflow.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { changeCongestion, initialCongestion, tryCongestion } from '#anabranch/socket/congestion.js';
import { localEndpoint } from '#anabranch/socket/connect.js';
import { readSending } from '#anabranch/socket/send-reading.js';
import { requireCommands, requireMptcp } from '../requirements.ts';
import { eventually, hear, openConnected, say } from './socket-scene.ts';

const ENOENT = 2;
const skip = requireMptcp() || requireCommands('ss');

/** As ss(8) sees the TCP socket, or the subflow, that leaves from this port. */
function inUse(port: number): string | undefined {
  const { stdout } = spawnSync('ss', ['-tinH', `sport = :${port}`], { encoding: 'utf8' });
  return /\b(cubic|bbr|reno)\b/.exec(stdout)?.[1];
}

for (const transport of ['tcp', 'mptcp'] as const) {
  test(`a live ${transport} connection is read and changed`, { skip }, (t) => {
    const { client, server } = openConnected(t, {
      listen: { transport },
      connect: { mptcp: transport === 'mptcp', socket: { congestion: 'cubic' } },
    });
    const isMptcp = transport === 'mptcp';
    const { port } = localEndpoint(client);
    assert.equal(inUse(port), 'cubic');
    const bytes = 200_000;
    const text = 'x'.repeat(10_000);
    for (let sent = 0; sent < bytes; sent += text.length) {
      assert.equal(say(client, text), text.length);
      for (let got = 0; got < text.length; ) got += (hear(server) as string).length;
    }
    const [reading, ...others] = eventually(() => {
      const readings = readSending(client, isMptcp);
      return (readings[0]?.bytesAcked ?? 0) >= bytes ? readings : undefined;
    }, 'acknowledgement');
    assert.equal(others.length, 0);
    assert.equal(reading?.id, isMptcp ? 1 : 0);
    // SYN and, of MPTCP, nothing else counts as a byte.
    assert.ok(reading.bytesAcked - bytes <= 1, `${reading.bytesAcked}`);
    assert.ok(reading.bytesSent >= bytes && reading.bytesRetransmitted === 0);
    assert.ok(reading.rttUs > 0 && reading.minRttUs > 0 && reading.minRttUs <= 1e6 && reading.segmentBytes > 500);
    // Counted in jiffies: over loopback there may be none.
    assert.ok(reading.busyUs >= 0 && reading.busyUs < 10e6);
    // The initial window is ten segments (RFC 6928), and nothing was lost that would have ended slow start.
    assert.ok(reading.windowBytes >= 10 * reading.segmentBytes && reading.windowBytes < reading.thresholdBytes);
    assert.ok(reading.pacingRate > 0 && reading.unsentBytes === 0);

    assert.equal(changeCongestion(client, 'reno'), 0);
    assert.equal(inUse(port), 'reno');
    assert.equal(say(client, 'on'), 2);
    assert.equal(hear(server), 'on');
  });
}

test('what the kernel does not have is told, not thrown', () => {
  assert.equal(tryCongestion('no-such'), -ENOENT);
  assert.equal(tryCongestion('reno'), 0);
  assert.ok(changeCongestion(-1, 'reno') < 0);
  assert.deepEqual(readSending(-1, true), []);
});

test('what a connection begins with', () => {
  assert.equal(initialCongestion('bbr'), 'bbr');
  assert.equal(initialCongestion(undefined), undefined);
  assert.equal(initialCongestion('auto'), tryCongestion('cubic') === 0 ? 'cubic' : undefined);
});
