// Counters in shared memory: rows of threads, and their sum.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { allocateCounters, Counters, sumCounters } from '#anabranch/dataplane/counters.js';
import { COUNTER_LAYOUT } from '#anabranch/proxy/counter-layout.js';

const { names } = COUNTER_LAYOUT;

test('each thread has a row of its own, and all are summed', () => {
  const memory = allocateCounters(COUNTER_LAYOUT, 3);
  const rows = [0, 1, 2].map((thread) => new Counters(COUNTER_LAYOUT, memory, thread));
  names.forEach((name, i) => {
    for (const [thread, row] of rows.entries()) row.add(name, 1 + i + 100 * thread);
  });
  names.forEach((name, i) => {
    for (const [thread, row] of rows.entries()) assert.equal(row.read(name), 1 + i + 100 * thread, name);
  });
  const sums = sumCounters(COUNTER_LAYOUT, memory);
  names.forEach((name, i) => {
    if (name === 'lagMsMax') assert.equal(sums[name], 1 + i + 200);
    else if (name === 'heartbeat') assert.equal(sums[name], 1 + i);
    else assert.equal(sums[name], 3 * (1 + i) + 300, name);
  });
});

test('add counts up and down, set replaces', () => {
  const row = new Counters(COUNTER_LAYOUT, allocateCounters(COUNTER_LAYOUT, 1), 0);
  row.add('active');
  row.add('active');
  row.add('active', -1);
  assert.equal(row.read('active'), 1);
  row.set('pipes', 7);
  row.set('pipes', 5);
  assert.equal(row.read('pipes'), 5);
  assert.equal(row.read('accepted'), 0);
  // Bytes beyond what 32 bits hold.
  row.add('bytesUp', 2 ** 40);
  row.add('bytesUp', 1);
  assert.equal(row.read('bytesUp'), 2 ** 40 + 1);
});

test('the oldest heartbeat counts, but not that of a thread that has not begun', () => {
  const memory = allocateCounters(COUNTER_LAYOUT, 3);
  new Counters(COUNTER_LAYOUT, memory, 1).set('heartbeat', 2_000);
  assert.equal(sumCounters(COUNTER_LAYOUT, memory).heartbeat, 2_000);
  new Counters(COUNTER_LAYOUT, memory, 2).set('heartbeat', 1_000);
  assert.equal(sumCounters(COUNTER_LAYOUT, memory).heartbeat, 1_000);
});

test('what another thread counts is seen here', async () => {
  const memory = allocateCounters(COUNTER_LAYOUT, 1);
  const source = `
    const { workerData } = require('node:worker_threads');
    const { module, layout, memory } = workerData;
    import(module).then(({ Counters }) => new Counters(layout, memory, 0).add('flows', 42));
  `;
  const module = import.meta.resolve('#anabranch/dataplane/counters.js');
  const worker = new Worker(source, { eval: true, workerData: { memory, module, layout: COUNTER_LAYOUT } });
  await new Promise((resolve) => worker.once('exit', resolve));
  assert.equal(new Counters(COUNTER_LAYOUT, memory, 0).read('flows'), 42);
});
