// Which paths cannot be taken back while connections run over them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pathsStoodOn } from '#anabranch/paths/stood-on.js';
import type { SubflowProgress } from '#anabranch/wire/subflow-dump.js';
import { pathOf } from './path-of.ts';

const wifi = pathOf(2, '192.0.2.7', { name: 'wifi' });
const cellular = pathOf(3, '198.51.100.7', { name: 'cellular' });
const dsl = pathOf(4, '203.0.113.7', { name: 'dsl' });

function subflow(token: number, address: string): SubflowProgress {
  const counts = { bytesAcked: 0, bytesReceived: 0, segmentsIn: 0, unacked: 0, timeouts: 0, silentMs: 0 };
  const remote = { address: '203.0.113.99', port: 1080 };
  const how = { initiated: true, initial: true, localId: 0, backup: false };
  return { token, ...how, local: { address, port: 4_000 }, remote, rttMs: 0, rttVarianceMs: 0, ...counts };
}

const cases = [
  { name: 'no connections', over: [], left: '' },
  { name: 'one over both: the preferred one stays', over: ['1 wifi cellular'], left: 'wifi' },
  { name: 'one over the second alone', over: ['1 cellular'], left: 'cellular' },
  { name: 'one of them stands on what stays anyway', over: ['1 wifi cellular', '2 wifi'], left: 'wifi' },
  { name: 'each on its own', over: ['1 wifi', '2 cellular'], left: 'wifi cellular' },
  { name: 'the second helps both', over: ['1 cellular dsl', '2 cellular'], left: 'cellular' },
  { name: 'with a subflow that does not end', over: ['1 wifi elsewhere'], left: '' },
  { name: 'over an endpoint of others', over: ['1 wifi dsl'], others: 'dsl', left: '' },
] as const;

for (const { name, over, left, ...more } of cases) {
  test(name, () => {
    const addresses: Record<string, string> = { wifi: wifi.address, cellular: cellular.address, dsl: dsl.address };
    const subflows = over.flatMap((text) => {
      const [token, ...paths] = text.split(' ');
      return paths.map((path) => subflow(Number(token), addresses[path] ?? '127.0.0.1'));
    });
    const others = 'others' in more ? more.others : undefined;
    const found = pathsStoodOn([wifi, cellular, dsl], subflows, (path) => path.name !== others);
    assert.equal(found.map((path) => path.name).join(' '), left);
  });
}
