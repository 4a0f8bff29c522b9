// The picture of `anabranch top`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderTop, type TopReading } from '#anabranch/cli/top-screen.js';
import type { FlowStatus } from '#anabranch/proxy/flow-status.js';

function flowOf(id: string, bytesDown: number, host: string): FlowStatus {
  return {
    id,
    phase: 'relaying',
    inbound: 'mixed',
    client: { address: '127.0.0.1', port: 4000 },
    user: undefined,
    asked: { host, port: 443 },
    reached: undefined,
    outbound: 'direct',
    acceptedAt: 0,
    idleMs: 0,
    bytesUp: 0,
    bytesDown,
    clientSide: undefined,
    serverSide: undefined,
  };
}

function readingOf(at: number, bytes: number, flows: FlowStatus[]): TopReading {
  const path = { addresses: ['192.0.2.1'], kind: 'wifi', bytesOut: 0 } as const;
  return {
    at,
    version: '1.2.3',
    counters: { active: flows.length, bytesDown: bytes, bytesUp: 0 },
    paths: [
      { ...path, name: 'wlan0', state: 'up', bytesIn: bytes },
      { ...path, name: 'wwan0', state: 'no-carrier', bytesIn: 0 },
    ],
    flows,
  };
}

test('rates come from two readings, and the busiest connection is first', () => {
  const before = readingOf(0, 0, [flowOf('a', 0, 'slow.example'), flowOf('b', 0, 'fast.example')]);
  const now = readingOf(2_000, 2_500_000, [flowOf('a', 1_000, 'slow.example'), flowOf('b', 2_499_000, 'fast.example')]);
  const lines = renderTop(now, before, { columns: 140, rows: 20 });
  assert.match(lines[0] as string, /2 connections {3}↓ 10\.0 Mbit\/s/);
  assert.match(lines[2] as string, /^wlan0 .*█{24} {2}↓ 10\.0 Mbit\/s/);
  assert.match(lines[3] as string, /^wwan0 .*·{24}.*no link$/);
  assert.match(lines[6] as string, /^fast\.example:443 .*10\.0 Mbit\/s/);
  assert.match(lines[7] as string, /^slow\.example:443 .*4\.0 kbit\/s/);
});

test('the first reading has no rates', () => {
  const lines = renderTop(readingOf(0, 5_000, []), undefined, { columns: 140, rows: 20 });
  assert.match(lines[0] as string, /↓ 0 bit\/s/);
});

test('it fits the screen, and names cannot steer it', () => {
  const flows = Array.from({ length: 100 }, (_, i) => flowOf(`${i}`, i, `\u001b[2J${'x'.repeat(300)}`));
  const lines = renderTop(readingOf(0, 0, flows), undefined, { columns: 80, rows: 24 });
  assert.equal(lines.length, 24);
  for (const line of lines) {
    assert.ok(line.length <= 80);
    assert.doesNotMatch(line, /\p{Cc}/u);
  }
});
