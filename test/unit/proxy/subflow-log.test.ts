// What is remembered of subflows that come, go, and close with their connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SubflowLog } from '#anabranch/proxy/subflow-log.js';
import type { SubflowSample } from '#anabranch/socket/subflows.js';

function sample(port: number, bytesSent: number, backup?: boolean): SubflowSample {
  const local = { address: '192.0.2.1', port };
  const remote = { address: '198.51.100.1', port: 1080 };
  const figures = { bytesReceived: 0, rttUs: 20_500, retransmits: 0, congestionWindow: 10 };
  return { id: 1, local, remote, bytesSent, backup, ...figures };
}

const told = (log: SubflowLog) =>
  log.subflows().map(({ local, bytesSent, closed, backup }) => [local.port, bytesSent, closed, backup]);

test('a subflow that is gone is kept with its last figures and marked', () => {
  const log = new SubflowLog();
  log.update([sample(1, 100, false), sample(2, 50, true)], false);
  log.update([sample(1, 200, false)], false);
  assert.deepEqual(told(log), [
    [1, 200, false, false],
    [2, 50, true, true],
  ]);
  assert.equal(log.subflows()[0]?.rttMs, 20.5);
});

test('subflows that go as their connection ends are not marked, and those gone before stay so', () => {
  const log = new SubflowLog();
  log.update([sample(1, 100), sample(2, 50), sample(3, 10)], false);
  log.update([sample(1, 200), sample(2, 60)], false);
  log.update([sample(2, 70)], true);
  log.update([], true);
  assert.deepEqual(told(log), [
    [1, 200, false, undefined],
    [2, 70, false, undefined],
    [3, 10, true, undefined],
  ]);
});

test('what the kernel no longer tells of a closing subflow is known from before', () => {
  const log = new SubflowLog();
  log.update([sample(1, 100, true)], false);
  log.update([sample(1, 150, undefined)], true);
  assert.deepEqual(told(log), [[1, 150, false, true]]);
});

test('of more than 64 the oldest that are gone are forgotten, open ones never', () => {
  const log = new SubflowLog();
  const open = Array.from({ length: 10 }, (_, i) => sample(i + 1, 1));
  for (let port = 1_000; port < 1_200; port++) log.update([...open, sample(port, 1)], false);
  const ports = log.subflows().map(({ local }) => local.port);
  assert.equal(ports.length, 64);
  assert.deepEqual(ports.slice(0, 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(ports.at(-1), 1_199);
  assert.equal(ports[10], 1_146);
});
