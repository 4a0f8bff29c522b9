// What each path carried, from one look at the flows to the next.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubflowRecord } from '#anabranch/proxy/flow-record.js';
import type { FlowStatus } from '#anabranch/proxy/flow-status.js';
import { PathMeter } from '#anabranch/proxy/path-meter.js';

function subflow(local: string, changes: Partial<SubflowRecord> = {}): SubflowRecord {
  return {
    id: 1,
    local: { address: local, port: 4000 },
    remote: { address: '198.51.100.1', port: 443 },
    bytesSent: 0,
    bytesReceived: 0,
    rttMs: 20,
    retransmits: 0,
    congestionWindow: 10,
    backup: false,
    closed: false,
    ...changes,
  };
}

function flow(id: string, subflows: SubflowRecord[]): FlowStatus {
  const common = {
    user: undefined,
    asked: undefined,
    reached: undefined,
    outbound: 'direct',
    acceptedAt: 0,
    idleMs: 0,
  };
  return {
    ...common,
    id,
    phase: 'relaying',
    inbound: 'mixed',
    client: { address: '127.0.0.1', port: 1 },
    bytesUp: 0,
    bytesDown: 0,
    clientSide: { mptcp: 'not-asked', subflows: [subflow('127.0.0.1', { bytesSent: 999 })] },
    serverSide: { mptcp: 'mptcp', subflows },
  };
}

const nameOf = (address: string) => ({ '192.0.2.1': 'wlan0' })[address];

test('bytes since the last look, by path; loopback is none', () => {
  const meter = new PathMeter();
  const first = [flow('a', [subflow('192.0.2.1', { bytesReceived: 100 }), subflow('203.0.113.1', { rttMs: 90 })])];
  assert.deepEqual(meter.measure(first, nameOf), [
    { path: 'wlan0', subflows: 1, bytesSent: 0, bytesReceived: 100, retransmits: 0, rttMs: 20 },
    { path: '203.0.113.1', subflows: 1, bytesSent: 0, bytesReceived: 0, retransmits: 0, rttMs: 90 },
  ]);
  const second = [
    flow('a', [subflow('192.0.2.1', { bytesReceived: 150, bytesSent: 7, retransmits: 2, rttMs: 30 })]),
    flow('b', [subflow('192.0.2.1', { bytesReceived: 10, rttMs: 10 })]),
  ];
  assert.deepEqual(meter.measure(second, nameOf), [
    { path: 'wlan0', subflows: 2, bytesSent: 7, bytesReceived: 60, retransmits: 2, rttMs: 20 },
  ]);
});

test('a closed subflow still counts what it carried, but is none; a counter never goes back', () => {
  const meter = new PathMeter();
  meter.measure([flow('a', [subflow('192.0.2.1', { bytesReceived: 100 })])], nameOf);
  const closed = [flow('a', [subflow('192.0.2.1', { bytesReceived: 90, closed: true, rttMs: 0 })])];
  assert.deepEqual(meter.measure(closed, nameOf), [
    { path: 'wlan0', subflows: 0, bytesSent: 0, bytesReceived: 0, retransmits: 0, rttMs: undefined },
  ]);
  assert.deepEqual(meter.measure([], nameOf), []);
});

test('a flow that is missing once is not new when it is there again', () => {
  const meter = new PathMeter();
  const look = (bytesReceived: number) => [flow('a', [subflow('192.0.2.1', { bytesReceived })])];
  meter.measure(look(1_000_000), nameOf);
  assert.deepEqual(meter.measure([], nameOf), []);
  assert.equal(meter.measure(look(1_000_500), nameOf)[0]?.bytesReceived, 500);
});

test('what was not seen for long is forgotten', () => {
  const meter = new PathMeter();
  const look = (id: string) => [flow(id, [subflow('192.0.2.1', { bytesReceived: 7 })])];
  meter.measure(look('first'), nameOf);
  for (let i = 0; i < 33_000; i++) meter.measure(look(`flow ${i}`), nameOf);
  assert.equal(meter.measure(look('flow 32999'), nameOf)[0]?.bytesReceived, 0, 'the latest is known');
  assert.equal(meter.measure(look('first'), nameOf)[0]?.bytesReceived, 7, 'the oldest is not');
});
