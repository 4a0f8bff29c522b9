import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileAccess, isLocal, isLoopback } from '#anabranch/routing/access.js';
import { canonicalIp } from '#anabranch/wire/ip.js';

const OWN = new Set(['192.0.2.10', '2001:db8::10']);

const LOCAL = [
  '127.0.0.1',
  '127.255.255.255',
  '0.0.0.0',
  '0.1.2.3',
  '169.254.169.254',
  '224.0.0.1',
  '239.255.255.255',
  '255.255.255.255',
  '192.0.2.10',
  '::',
  '::1',
  'fe80::1',
  'febf:ffff::1',
  'ff02::1',
  '2001:db8::10',
  '::ffff:127.0.0.1',
  '::ffff:192.0.2.10',
  '::127.0.0.1',
  '::ffff:0:127.0.0.1',
  '64:ff9b::127.0.0.1',
  '64:ff9b::169.254.169.254',
  '64:ff9b::192.0.2.10',
  '64:ff9b:1::127.0.0.1',
  '2002:7f00:1::',
  '2002:7f00:1::5',
  '2002:c000:20a::1',
  '2002:a9fe:a9fe::1',
];

const REMOTE = [
  '126.255.255.255',
  '128.0.0.1',
  '1.0.0.0',
  '10.0.0.1',
  '192.168.1.1',
  '169.253.255.255',
  '169.255.0.0',
  '223.255.255.255',
  '240.0.0.1',
  '192.0.2.11',
  '2001:db8::11',
  'fd00::1',
  'fec0::1',
  'fe00::1',
  '64:ff9b::203.0.113.1',
  '64:ff9c::127.0.0.1',
  '2002:cb00:7101::1',
  '2003:7f00:1::',
  '::ffff:203.0.113.1',
];

const canonical = (text: string) => canonicalIp(text) as string;

test('knows what is local, in every disguise', () => {
  for (const address of LOCAL) assert.equal(isLocal(canonical(address), OWN), true, address);
  for (const address of REMOTE) assert.equal(isLocal(canonical(address), OWN), false, address);
});

test('the list of own addresses may change', () => {
  assert.equal(isLocal('192.0.2.10', new Set()), false);
  assert.equal(isLocal('64:ff9b::c000:20a', new Set()), false);
  assert.equal(isLocal('192.0.2.11', new Set(['192.0.2.11'])), true);
});

test('loopback is 127.0.0.0/8 and ::1', () => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1']) assert.ok(isLoopback(address), address);
  for (const address of ['0.0.0.0', '::', '128.0.0.1', '::2', 'fe80::1']) assert.ok(!isLoopback(address), address);
});

test('only a client on loopback, or one of an inbound that allows it, reaches what is local', () => {
  const closed = compileAccess({ sources: [], allowLocal: false });
  const open = compileAccess({ sources: [], allowLocal: true });
  for (const address of LOCAL.map(canonical)) {
    assert.equal(closed.mayReach('198.51.100.1', address, OWN), false, address);
    assert.equal(closed.mayReach('192.0.2.10', address, OWN), false, address);
    assert.equal(closed.mayReach('127.0.0.1', address, OWN), true, address);
    assert.equal(closed.mayReach('::1', address, OWN), true, address);
    assert.equal(open.mayReach('198.51.100.1', address, OWN), true, address);
  }
  for (const address of REMOTE.map(canonical)) assert.equal(closed.mayReach('198.51.100.1', address, OWN), true);
});

test('a host is judged as it was asked for, too', () => {
  const closed = compileAccess({ sources: [], allowLocal: false });
  for (const host of ['localhost', 'a.localhost', '127.0.0.1', '::1', '192.0.2.10']) {
    assert.equal(closed.mayAsk('198.51.100.1', host, OWN), false, host);
    assert.equal(closed.mayAsk('127.0.0.1', host, OWN), true, host);
  }
  for (const host of ['example.org', 'notlocalhost', 'localhost.example.org', '203.0.113.1']) {
    assert.equal(closed.mayAsk('198.51.100.1', host, OWN), true, host);
  }
  const open = compileAccess({ sources: [], allowLocal: true });
  assert.equal(open.mayAsk('198.51.100.1', 'localhost', OWN), true);
});

test('the source list admits its networks only, loopback included', () => {
  const access = compileAccess({ sources: ['192.0.2.0/24', '2001:db8::/32'], allowLocal: false });
  assert.ok(access.admits('192.0.2.200'));
  assert.ok(access.admits('2001:db8:5::1'));
  assert.ok(access.admits('::ffff:192.0.2.200'));
  assert.ok(!access.admits('192.0.3.1'));
  assert.ok(!access.admits('127.0.0.1'));
  assert.ok(!access.admits('::1'));
  assert.ok(compileAccess({ sources: [], allowLocal: false }).admits('203.0.113.7'));
});
