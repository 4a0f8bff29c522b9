import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readAnnounced } from '#anabranch/config/announced.js';
import { warningsFor } from '#anabranch/paths/balancer.js';

const readings: [string, { address: string; port: number } | undefined][] = [
  ['198.51.100.9', { address: '198.51.100.9', port: 0 }],
  ['198.51.100.9:10443', { address: '198.51.100.9', port: 10_443 }],
  ['2001:DB8::9', { address: '2001:db8::9', port: 0 }],
  ['[2001:db8::9]', { address: '2001:db8::9', port: 0 }],
  ['[2001:db8::9]:443', { address: '2001:db8::9', port: 443 }],
  ['gw.example.net', undefined],
  ['gw.example.net:443', undefined],
  ['0.0.0.0', undefined],
  ['[::]:443', undefined],
  ['127.0.0.1:443', undefined],
  ['::1', undefined],
  ['224.0.0.1', undefined],
  ['ff02::1', undefined],
  ['198.51.100.9:99999', undefined],
  ['', undefined],
];
for (const [text, expected] of readings) {
  test(`announcing "${text}"`, () => {
    const reading = readAnnounced(text);
    assert.deepEqual('value' in reading ? reading.value : undefined, expected);
  });
}

const here = '198.51.100.9';
const own = new Set([here, '2001:db8::9']);
const warnings: [string, { address: string; port: number }, { address: string; port: number }[], RegExp?][] = [
  ['a listener on any address', { address: here, port: 0 }, [{ address: '0.0.0.0', port: 1080 }]],
  ['a listener on any address of both families', { address: here, port: 0 }, [{ address: '::', port: 1080 }]],
  ['a listener on this address', { address: here, port: 0 }, [{ address: here, port: 1080 }]],
  [
    'a listener on another one',
    { address: here, port: 0 },
    [{ address: '192.0.2.1', port: 1 }],
    /no inbound .* listens/,
  ],
  ['a port of its own', { address: here, port: 10_443 }, []],
  ['the other family', { address: '2001:db8::9', port: 0 }, [{ address: '0.0.0.0', port: 1 }], /no inbound/],
  ['an address of a translator', { address: '203.0.113.5', port: 0 }, [], /no address of this machine/],
];
for (const [name, announced, listening, expected] of warnings) {
  test(`what to know of ${name}`, () => {
    const found = warningsFor([announced], own, listening);
    assert.equal(found.length, expected === undefined ? 0 : 1);
    if (expected !== undefined) assert.match(found[0] ?? '', expected);
  });
}
