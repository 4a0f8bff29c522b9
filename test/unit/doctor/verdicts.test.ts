import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Facts } from '#anabranch/doctor/facts.js';
import { commandOf } from '#anabranch/doctor/remedy.js';
import { judge } from '#anabranch/doctor/verdicts.js';

const eth = { name: 'eth0', index: 2, addresses: ['192.0.2.2'], gateways: ['192.0.2.1'] };
const lte = { name: 'wwan0', index: 3, addresses: ['198.51.100.2', '2001:db8::2'], gateways: ['198.51.100.1'] };
const leaving = (source: string, device: string, leavesBy: string | undefined, reachableByOwn = true) => ({
  source,
  device,
  leavesBy,
  reachableByOwn,
});

const good: Facts = {
  kernelRelease: '6.18.44-x',
  mptcpSocket: { available: true, detail: 'MPTCP is available' },
  sysctls: {
    'net.mptcp.enabled': '1',
    'net.mptcp.path_manager': 'kernel',
    'net.ipv4.tcp_fastopen': '3',
    'net.ipv4.tcp_congestion_control': 'cubic',
    'net.ipv4.tcp_available_congestion_control': 'reno cubic bbr',
    'net.ipv4.tcp_allowed_congestion_control': 'reno cubic bbr',
    'net.ipv4.tcp_rmem': '4096\t131072\t6291456',
    'net.ipv4.tcp_wmem': '4096\t16384\t4194304',
    'net.ipv4.conf.all.rp_filter': '0',
    'net.ipv4.conf.eth0.rp_filter': '2',
    'net.core.rmem_max': '4194304',
    'net.core.wmem_max': '4194304',
    'net.core.somaxconn': '4096',
    'fs.pipe-user-pages-soft': '16384',
  },
  descriptors: { soft: 1024, hard: 1_048_576 },
  interfaces: [eth, lte],
  primary: 'eth0',
  endpoints: [
    { address: '192.0.2.2', flags: ['subflow'], device: 'eth0' },
    { address: '198.51.100.2', flags: ['subflow'], device: 'wwan0' },
  ],
  limits: { subflows: 8, addAddrAccepted: 8 },
  routes: [leaving('192.0.2.2', 'eth0', 'eth0'), leaving('198.51.100.2', 'wwan0', 'wwan0')],
  probe: undefined,
};

test('other managers are named, and a warning is given where they are in the way', () => {
  const managers = [
    { name: 'NetworkManager', pid: 812 },
    { name: 'mptcpd', pid: 9 },
  ];
  const verdictOf = (facts: Facts) => judge(facts).find(({ id }) => id === 'managers');
  assert.equal(verdictOf(good), undefined);
  const aside = verdictOf({ ...good, managers });
  assert.equal(aside?.level, 'ok');
  assert.match(aside?.found ?? '', /^NetworkManager \(process 812\), mptcpd \(process 9\) may set up endpoints/);
  const sysctls = { ...good.sysctls, 'net.mptcp.path_manager': 'userspace' };
  assert.equal(verdictOf({ ...good, sysctls, managers })?.level, 'warn');
  assert.equal(verdictOf({ ...good, sysctls, managers: managers.slice(0, 1) })?.level, 'ok');
});

test('a machine in good order', () => {
  const verdicts = judge(good);
  assert.deepEqual([...new Set(verdicts.map(({ level }) => level))], ['ok']);
  assert.equal(new Set(verdicts.map(({ id }) => id)).size, verdicts.length);
  assert.ok(verdicts.every(({ why, mend, found }) => why === '' && mend.length === 0 && found !== ''));
});

const sysctls = (changed: Record<string, string>): Partial<Facts> => ({ sysctls: { ...good.sysctls, ...changed } });
const to = { host: 'gw.example', port: 1080 };

const table: [string, Partial<Facts>, string, string, RegExp?][] = [
  ['too old', { kernelRelease: '5.4.0' }, 'kernel', 'fail'],
  ['old', { kernelRelease: '5.15.0-91-generic' }, 'kernel', 'warn'],
  ['not quite new', { kernelRelease: '6.1.0' }, 'kernel', 'warn'],
  ['new enough', { kernelRelease: '6.5.0' }, 'kernel', 'ok'],
  ['strange', { kernelRelease: 'plan9' }, 'kernel', 'unknown'],
  [
    'switched off',
    { mptcpSocket: { available: false, detail: 'off' }, ...sysctls({ 'net.mptcp.enabled': '0' }) },
    'mptcp',
    'fail',
    /net\.mptcp\.enabled=1/,
  ],
  ['a daemon’s', sysctls({ 'net.mptcp.path_manager': 'userspace' }), 'path-manager', 'warn', /path_manager=kernel/],
  ['neither', sysctls({ 'net.ipv4.tcp_allowed_congestion_control': 'reno' }), 'congestion', 'warn', /"reno cubic bbr"/],
  [
    'no module',
    sysctls({
      'net.ipv4.tcp_allowed_congestion_control': 'reno cubic',
      'net.ipv4.tcp_available_congestion_control': 'reno cubic',
    }),
    'congestion',
    'warn',
    /^modprobe tcp_bbr\nsysctl -w \S+="reno cubic bbr"$/,
  ],
  ['for an hour', sysctls({ 'net.mptcp.blackhole_timeout': '3600' }), 'blackhole', 'warn', /blackhole_timeout=60/],
  ['off', sysctls({ 'net.mptcp.blackhole_timeout': '0' }), 'blackhole', 'ok'],
  ['short', sysctls({ 'net.mptcp.close_timeout': '2' }), 'close-timeout', 'warn', /close_timeout=60/],
  ['long', sysctls({ 'net.mptcp.close_timeout': '600' }), 'close-timeout', 'ok'],
  ['client only', sysctls({ 'net.ipv4.tcp_fastopen': '1' }), 'fast-open', 'warn', /tcp_fastopen=3/],
  ['with more bits', sysctls({ 'net.ipv4.tcp_fastopen': '1027' }), 'fast-open', 'ok'],
  ['small', sysctls({ 'net.ipv4.tcp_rmem': '4096 87380 1048576' }), 'buffers', 'warn', /tcp_rmem/],
  ['its own least sizes stay', sysctls({ 'net.ipv4.tcp_wmem': '1 2 3' }), 'buffers', 'warn', /"1 2 16777216"/],
  ['little to ask for', sysctls({ 'net.core.rmem_max': '212992' }), 'buffers', 'warn', /rmem_max=4194304/],
  ['little to ask for', sysctls({ 'net.core.wmem_max': '212992' }), 'buffers', 'warn', /wmem_max=4194304/],
  ['few', { descriptors: { soft: 1024, hard: 4096 } }, 'descriptors', 'warn', /LimitNOFILE/],
  ['unlimited', { descriptors: { soft: 1024, hard: Infinity } }, 'descriptors', 'ok'],
  ['unread', { descriptors: undefined }, 'descriptors', 'unknown'],
  ['few pages', sysctls({ 'fs.pipe-user-pages-soft': '1024' }), 'pipes', 'warn'],
  ['no bound', sysctls({ 'fs.pipe-user-pages-soft': '0' }), 'pipes', 'ok'],
  ['short', sysctls({ 'net.core.somaxconn': '128' }), 'backlog', 'warn'],
  ['no ip command', { interfaces: undefined }, 'paths', 'unknown', /iproute2/],
  ['no address', { interfaces: [{ ...eth, addresses: [] }] }, 'paths', 'fail'],
  ['one path', { interfaces: [eth] }, 'paths', 'ok'],
  ['no endpoints', { endpoints: [] }, 'endpoints', 'warn', /endpoint add 198\.51\.100\.2 dev wwan0 subflow/],
  ['the first path needs none', { endpoints: good.endpoints?.slice(1) }, 'endpoints', 'ok'],
  ['the second one does', { endpoints: good.endpoints?.slice(0, 1) }, 'endpoints', 'warn', /198\.51\.100\.2 dev wwan0/],
  ['no first path', { endpoints: [], primary: undefined }, 'endpoints', 'warn', /192\.0\.2\.2[\s\S]*198\.51\.100\.2/],
  ['no more', { limits: { subflows: 0, addAddrAccepted: 0 } }, 'limits', 'warn', /limits set subflows 8/],
  [
    'the wrong way',
    { endpoints: [], routes: [leaving('198.51.100.2', 'wwan0', 'eth0')] },
    'routing 198.51.100.2',
    'warn',
    /route add default via 198\.51\.100\.1 dev wwan0 table 1003[\s\S]*rule add from 198\.51\.100\.2 table 1003/,
  ],
  [
    'no way',
    { routes: [leaving('2001:db8::2', 'wwan0', undefined, false)] },
    'routing 2001:db8::2',
    'warn',
    /ip -6 rule/,
  ],
  ['bound by its endpoint', { routes: [leaving('198.51.100.2', 'wwan0', 'eth0')] }, 'routing 198.51.100.2', 'ok'],
  ['bound to nowhere', { routes: [leaving('198.51.100.2', 'wwan0', 'eth0', false)] }, 'routing 198.51.100.2', 'warn'],
  [
    'nowhere to join',
    sysctls({ 'net.mptcp.allow_join_initial_addr_port': '0' }),
    'joins',
    'warn',
    /announce[\s\S]*allow_join_initial_addr_port=1/,
  ],
  [
    'an announced address',
    {
      ...sysctls({ 'net.mptcp.allow_join_initial_addr_port': '0' }),
      endpoints: [{ address: '192.0.2.2', flags: ['signal'], device: undefined }, ...(good.endpoints ?? [])],
    },
    'joins',
    'ok',
  ],
  ['strict', sysctls({ 'net.ipv4.conf.all.rp_filter': '1' }), 'rp-filter', 'warn', /wwan0\.rp_filter=2/],
  ['through', { probe: { destination: to, result: { kind: 'mptcp' } } }, 'reach', 'ok'],
  ['stripped', { probe: { destination: to, result: { kind: 'tcp', detail: 'x' } } }, 'reach', 'warn', /on the server/],
  ['down', { probe: { destination: to, result: { kind: 'failed', detail: 'ECONNREFUSED' } } }, 'reach', 'fail'],
];

for (const [name, changed, id, level, mend] of table) {
  test(`${id}: ${name}`, () => {
    const found = judge({ ...good, ...changed }).find((verdict) => verdict.id === id);
    assert.equal(found?.level, level);
    if (level === 'warn' || level === 'fail') assert.notEqual(found?.why, '');
    if (mend) assert.match(found?.mend.join('\n') ?? '', mend);
    // What is done by itself is what is said.
    for (const remedy of found?.remedies ?? []) assert.ok(found?.mend.includes(commandOf(remedy)));
  });
}

test('a machine about which nothing is known', () => {
  const nothing: Facts = {
    ...good,
    ...{ kernelRelease: undefined, sysctls: {}, descriptors: undefined, interfaces: undefined },
    ...{ endpoints: undefined, limits: undefined, routes: [] },
  };
  for (const verdict of judge(nothing)) assert.ok(verdict.id === 'mptcp' || verdict.level === 'unknown', verdict.id);
});
