import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatProbes, readPortal, readTarget } from '#anabranch/cli/paths-probe.js';

const health = {
  interface: 'wlan0',
  at: 0,
  answers: true,
  rttMs: 21,
  rttMinMs: 20,
  loss: 0,
  mptcp: 'through',
  portal: undefined,
  detail: undefined,
  probes: 3,
} as const;

test('one line a path', () => {
  const probes = [
    { ...health, path: 'wlan0', address: '192.0.2.7' },
    { ...health, path: 'lte', address: '198.51.100.70', answers: false, loss: 1, detail: 'no answer' },
  ];
  assert.equal(
    formatProbes(probes),
    [
      'PATH   ADDRESS        FOUND',
      'wlan0  192.0.2.7      21 ms, 0 % lost, MPTCP gets through',
      'lte    198.51.100.70  silent: no answer, 100 % lost',
      '',
    ].join('\n'),
  );
  assert.match(formatProbes([]), /^No path was probed/);
});

test('what flags take', () => {
  assert.deepEqual(readTarget('gw.example:1080'), { host: 'gw.example', port: 1080 });
  assert.throws(() => readTarget('gw.example'), /not HOST:PORT/);
  for (const good of ['http://a/', 'http://a:8080/generate_204', 'http://[2001:db8::1]/x?y', undefined]) {
    assert.equal(readPortal(good), good);
  }
  for (const bad of ['https://a/', 'a', 'http://', 'http://user:secret@a/', 'http://a/#x', 'http://a:99999/']) {
    assert.throws(() => readPortal(bad), /not an http:\/\/ URL/, bad);
  }
});
