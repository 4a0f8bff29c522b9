// The parts of workloads that need no lab: what is refused, when bytes came, what two ends make of one transfer.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { LabError } from '#anabranch/lab/lab-error.js';
import { Arrivals } from '#anabranch/lab/workloads/arrivals.js';
import { checkWorkload } from '#anabranch/lab/workloads/check.js';
import type { ServerReport } from '#anabranch/lab/workloads/job.js';
import { Latencies } from '#anabranch/lab/workloads/latencies.js';
import { mergeReports } from '#anabranch/lab/workloads/merge.js';
import { type BulkResult, timeoutOf, type Workload } from '#anabranch/lab/workloads/workload.js';

const route = { from: 'client', to: { host: 'server' }, transport: 'tcp' } as const;
const bulk: Workload = { kind: 'bulk', direction: 'up', bytes: 1_000, ...route };

describe('workloads are checked before anything starts', () => {
  const good: Workload[] = [
    bulk,
    { kind: 'ping-pong', requestBytes: 1, responseBytes: 1, intervalMs: 0, count: 1, ...route },
    { kind: 'connect-close', requestBytes: 0, responseBytes: 0, seconds: 1, ...route },
    { kind: 'stream', bitsPerSecond: 1e6, seconds: 1, bufferMs: 0, ...route },
    { kind: 'page', objects: [0], ...route },
    { kind: 'tool', from: 'client', command: ['true'] },
  ];
  for (const workload of good) test(`${workload.kind}: sound`, () => checkWorkload(workload));

  const bad: [string, object][] = [
    ['bytes or seconds', { kind: 'bulk', direction: 'down' }],
    ['bytes', { kind: 'bulk', direction: 'down', bytes: 0.5 }],
    ['seconds', { kind: 'bulk', direction: 'down', seconds: 0 }],
    ['seconds', { kind: 'bulk', direction: 'down', seconds: Number.NaN }],
    ['flows', { kind: 'bulk', direction: 'down', seconds: 1, flows: 1_000 }],
    ['to.port', { kind: 'bulk', direction: 'down', seconds: 1, to: { host: 'server', port: 70_000 } }],
    ['receiveBuffer', { kind: 'bulk', direction: 'down', seconds: 1, receiveBuffer: -1 }],
    ['timeoutSeconds', { kind: 'bulk', direction: 'down', seconds: 1, timeoutSeconds: 1e9 }],
    ['requestBytes', { kind: 'ping-pong', requestBytes: 0, responseBytes: 1, intervalMs: 1, count: 1 }],
    ['count or seconds', { kind: 'ping-pong', requestBytes: 1, responseBytes: 1, intervalMs: 1 }],
    ['perSecond', { kind: 'connect-close', requestBytes: 1, responseBytes: 1, perSecond: 0, count: 1 }],
    ['bitsPerSecond', { kind: 'stream', bitsPerSecond: 0, seconds: 1, bufferMs: 0 }],
    ['the number of objects', { kind: 'page', objects: [] }],
    ['objects', { kind: 'page', objects: [-1] }],
    ['command', { kind: 'tool', command: [] }],
  ];
  for (const [field, workload] of bad) {
    test(`${JSON.stringify(workload)} is refused for ${field}`, () => {
      assert.throws(
        () => checkWorkload({ ...route, ...workload } as unknown as Workload),
        (error) => error instanceof LabError && error.message.includes(`workload: ${field} must `),
      );
    });
  }

  test('each has a limit of time', () => {
    assert.equal(timeoutOf(bulk), 300);
    assert.equal(timeoutOf({ kind: 'bulk', direction: 'up', seconds: 10, ...route }), 30);
    assert.equal(timeoutOf({ ...bulk, timeoutSeconds: 7 }), 7);
  });
});

describe('arrivals', () => {
  test('fall into bins on multiples of 50 ms', () => {
    const arrivals = new Arrivals(1_020);
    for (const [at, bytes] of [
      [1_030, 1],
      [1_049.9, 2],
      [1_050, 4],
      [1_201, 8],
    ] as const) {
      arrivals.add(at, bytes);
    }
    assert.deepEqual(arrivals.series, { startMs: 1_000, binMs: 50, bytes: [3, 4, 0, 0, 8] });
    assert.equal(arrivals.bytes, 15);
    assert.equal(arrivals.firstMs, 1_030);
  });

  test('the start-up is no gap; the silence before the end is one when bytes were awaited', () => {
    const arrivals = new Arrivals(0);
    arrivals.add(500, 1);
    assert.equal(arrivals.longestGap.ms, 0);
    arrivals.add(530, 1);
    arrivals.add(540, 1);
    assert.deepEqual(arrivals.longestGap, { ms: 30, atMs: 500 });
    arrivals.stopWaiting(560);
    assert.deepEqual(arrivals.longestGap, { ms: 30, atMs: 500 });
    arrivals.stopWaiting(900);
    assert.deepEqual(arrivals.longestGap, { ms: 360, atMs: 540 });
  });
});

test('latencies: quantiles over all, none without any', () => {
  const latencies = new Latencies();
  assert.equal(latencies.summary(), undefined);
  for (let i = 0; i <= 100; i++) latencies.add(1_000 + i, i);
  assert.deepEqual(latencies.summary(), { count: 101, min: 0, mean: 50, p50: 50, p90: 90, p95: 95, p99: 99, max: 100 });
  assert.equal(latencies.samples.atMs[100], 1_100);
});

describe('what both ends saw becomes one result', () => {
  const result: BulkResult = {
    kind: 'bulk',
    startedMs: 1_000,
    endedMs: 3_000,
    finished: true,
    errors: [],
    errorCount: 0,
    bytes: 0,
    goodput: { startMs: 1_000, binMs: 50, bytes: [] },
    bitsPerSecond: 0,
    longestGap: { ms: 0, atMs: 1_000 },
    integrity: { ok: true },
    flows: [
      {
        flow: 0,
        bytes: 0,
        connectedAfterMs: 10,
        firstByteAfterMs: undefined,
        endedAfterMs: 2_000,
        longestGapMs: 0,
        mptcp: false,
        finished: true,
      },
    ],
  };
  const report: ServerReport = {
    bytes: 1_000,
    series: { startMs: 950, binMs: 50, bytes: [0, 500, 500] },
    longestGap: { ms: 40, atMs: 1_050 },
    lastByteMs: 2_000,
    corrupt: [],
    errors: [],
    uploads: [{ flow: 0, bytes: 1_000, longestGapMs: 40, firstByteMs: 1_020 }],
  };

  test('an upload has the bytes that the server got', () => {
    const merged = mergeReports(result, bulk, { kind: 'report', report }) as BulkResult;
    assert.equal(merged.bytes, 1_000);
    assert.equal(merged.bitsPerSecond, 8_000);
    assert.deepEqual(merged.longestGap, { ms: 40, atMs: 1_050 });
    assert.deepEqual(merged.goodput, report.series);
    assert.equal(merged.flows[0]!.bytes, 1_000);
    assert.equal(merged.flows[0]!.firstByteAfterMs, 20);
    assert.ok(merged.finished);
  });

  test('an upload that did not finish was silent from its last byte on', () => {
    const merged = mergeReports({ ...result, finished: false }, bulk, { kind: 'report', report }) as BulkResult;
    assert.deepEqual(merged.longestGap, { ms: 1_000, atMs: 2_000 });
  });

  test('what the server found corrupt, the result says', () => {
    const corrupt = [{ flow: 2, firstBadOffset: 77 }];
    const merged = mergeReports(result, bulk, { kind: 'report', report: { ...report, corrupt } }) as BulkResult;
    assert.deepEqual(merged.integrity, { ok: false, flow: 2, firstBadOffset: 77 });
    assert.ok(!merged.finished);
    assert.equal(merged.errors[0]!.code, 'WORKLOAD_CORRUPT');
  });

  test('a server without a report makes an error', () => {
    const merged = mergeReports(result, bulk, new LabError('LAB_COMMAND', 'it was killed')) as BulkResult;
    assert.ok(!merged.finished);
    assert.equal(merged.errors[0]!.code, 'WORKLOAD_CRASHED');
  });
});
