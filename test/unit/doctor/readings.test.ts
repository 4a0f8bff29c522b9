import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import {
  parseDefaultRoutes,
  parseEndpoints,
  parseInterfaces,
  parseLimits,
  parseNofile,
  parseRoute,
} from '#anabranch/doctor/readings.js';

test('what ip(8) and /proc print', () => {
  const links = [
    { ifname: 'lo', ifindex: 1, flags: ['LOOPBACK', 'UP'], addr_info: [{ local: '127.0.0.1', scope: 'host' }] },
    {
      ifname: 'eth0',
      ifindex: 2,
      flags: ['UP'],
      addr_info: [
        { local: '192.0.2.2', scope: 'global' },
        { local: 'fe80::1', scope: 'link' },
        { local: '2001:DB8::2', scope: 'global' },
        { local: '2001:db8::3', scope: 'global', deprecated: true },
      ],
    },
    { ifname: 'down0', ifindex: 3, flags: [] },
  ];
  const routes = [
    { dst: 'default', gateway: '192.0.2.1', dev: 'eth0' },
    { dst: 'default', dev: 'ppp0' },
  ];
  assert.deepEqual(parseInterfaces(JSON.stringify(links), parseDefaultRoutes(JSON.stringify(routes))), [
    { name: 'eth0', index: 2, addresses: ['192.0.2.2', '2001:db8::2'], gateways: ['192.0.2.1'] },
    { name: 'down0', index: 3, addresses: [], gateways: [] },
  ]);
  assert.deepEqual(parseEndpoints('[{"address":"192.0.2.2","id":1,"subflow":true,"backup":true,"dev":"eth0"}]'), [
    { address: '192.0.2.2', flags: ['subflow', 'backup'], device: 'eth0' },
  ]);
  assert.deepEqual(parseLimits('add_addr_accepted 0 subflows 2 \n'), { subflows: 2, addAddrAccepted: 0 });
  assert.deepEqual(parseLimits('{"add_addr_accepted": 3,"subflows":8}'), { subflows: 8, addAddrAccepted: 3 });
  assert.equal(parseRoute('[{"dst":"192.0.2.9","dev":"eth0","flags":[]}]'), 'eth0');
  assert.deepEqual(parseNofile('Limit\nMax open files            1024                 unlimited            files\n'), {
    soft: 1024,
    hard: Infinity,
  });
});

test('any text is taken without a throw', () => {
  const text = fc.oneof(fc.string(), fc.json());
  fc.assert(
    fc.property(text, (any) => {
      parseInterfaces(any, []);
      parseDefaultRoutes(any);
      parseEndpoints(any);
      parseLimits(any);
      parseRoute(any);
      parseNofile(any);
    }),
  );
});
