import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { payloadBytes, payloadCapacity, payloadShare } from '#anabranch/lab/experiments/capacity.js';
import type { TimelineEntry } from '#anabranch/lab/timeline.js';
import { createTopology } from '#anabranch/lab/topology-input.js';

const TOPOLOGY = createTopology({
  hosts: { a: {}, b: {} },
  links: {
    wifi: { between: ['a', 'b'], down: { rate: '20mbit' }, up: { rate: '5mbit' } },
    cellular: { between: ['a', 'b'], rate: '10mbit', mtu: 1_300 },
  },
});

function capacity(timeline: readonly TimelineEntry[], direction: 'up' | 'down' = 'down', links = ['wifi']): number {
  const bits = payloadCapacity(TOPOLOGY, timeline, { links, direction, protocol: 'tcp' }, 0, 10_000);
  return bits / 1e6 / payloadShare(1_500, 'tcp');
}

describe('what a link can carry', () => {
  // Payload of full frames as tcpdump shows them on a veth pair: TCP with timestamps, MPTCP with an 8-byte data ack.
  for (const [mtu, protocol, payload] of [
    [1_500, 'tcp', 1_448],
    [1_500, 'mptcp', 1_420],
    [1_000, 'tcp', 948],
    [1_000, 'mptcp', 920],
  ] as const) {
    test(`${mtu} bytes of ${protocol} hold ${payload} of payload`, () => {
      assert.equal(payloadBytes(mtu, protocol), payload);
      assert.equal(payloadShare(mtu, protocol), payload / (mtu + 14));
    });
  }

  test('20 and 10 Mbit/s carry 28.1 by MPTCP', () => {
    const bits = payloadCapacity(
      createTopology({
        hosts: { a: {}, b: {} },
        links: { one: { between: ['a', 'b'], rate: '20mbit' }, two: { between: ['a', 'b'], rate: '10mbit' } },
      }),
      [],
      { links: ['one', 'two'], direction: 'down', protocol: 'mptcp' },
      0,
      1_000,
    );
    assert.equal((bits / 1e6).toFixed(2), '28.14');
  });

  const down = (atMs: number, cut = {}): TimelineEntry => ({ atMs, action: { kind: 'down', link: 'wifi', cut } });
  const up = (atMs: number): TimelineEntry => ({ atMs, action: { kind: 'up', link: 'wifi' } });
  const rate = (atMs: number, bits: number): TimelineEntry => {
    return { atMs, action: { kind: 'set', link: 'wifi', change: { rate: bits } } };
  };
  for (const [name, timeline, expected, direction] of [
    ['each direction has its own', [], 5, 'up'],
    ['a cut link carries nothing', [down(4_000)], 8, 'down'],
    ['until it returns', [down(4_000), up(9_000)], 10, 'down'],
    ['a silence the other way does not count', [down(4_000, { direction: 'up' })], 20, 'down'],
    ['but a lost carrier does', [down(4_000, { how: 'carrier', direction: 'up' })], 8, 'down'],
    ['rates change', [rate(5_000, 10e6)], 15, 'down'],
    ['also while it is cut', [down(2_000), rate(5_000, 10e6), up(8_000)], 6, 'down'],
    ['what comes later does not count', [down(20_000), rate(10_000, 1e6)], 20, 'down'],
  ] as const) {
    test(name, () => assert.equal(Math.round(capacity(timeline, direction) * 1_000) / 1_000, expected));
  }

  test('links add up, each with its own frames', () => {
    const both = payloadCapacity(
      TOPOLOGY,
      [],
      { links: ['wifi', 'cellular'], direction: 'down', protocol: 'tcp' },
      0,
      1_000,
    );
    assert.equal(Math.round(both), Math.round((20e6 * 1_448) / 1_514 + (10e6 * 1_248) / 1_314));
  });
});
