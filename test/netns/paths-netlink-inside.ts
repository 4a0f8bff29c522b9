// Run in a network of its own, with another beside it (see paths-netlink.test.ts).

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';

import { NetworkWatch } from '#anabranch/netlink/network-watch.js';
import { PathManager } from '#anabranch/netlink/path-manager.js';
import type { PmAddress } from '#anabranch/wire/mptcp-pm.js';
import { encodeRouteChange, encodeRuleChange, type RouteChange, type RuleChange } from '#anabranch/wire/rtnetlink.js';
import { until } from '../loopback/support/wait.ts';

const [, , otherName, otherPath] = process.argv;
assert.ok(otherName !== undefined && otherPath !== undefined, 'to be run by paths-netlink.test.ts');

function ip(...lines: readonly string[]): void {
  const six = lines.filter((line) => line.startsWith('-6 ')).map((line) => line.slice(3));
  const rest = lines.filter((line) => !line.startsWith('-6 '));
  for (const [options, batch] of [
    [[], rest],
    [['-6'], six],
  ] as const) {
    if (batch.length > 0) execFileSync('ip', [...options, '-batch', '-'], { input: batch.join('\n'), timeout: 30_000 });
  }
}

function open(t: TestContext, options: ConstructorParameters<typeof NetworkWatch>[0] = {}): NetworkWatch {
  const watch = new NetworkWatch(options);
  t.after(() => watch.close());
  return watch;
}

/** A veth pair, gone with the test. */
function pair(t: TestContext, name: string): void {
  ip(`link add ${name} type veth peer name ${name}-far`, `link set ${name} up`, `link set ${name}-far up`);
  t.after(() => spawnSync('ip', ['link', 'del', name]));
}

/** Reads until it is so: of carriers the kernel tells in its own time. */
function becomes(watch: NetworkWatch, condition: () => boolean): Promise<void> {
  return until(
    () => {
      watch.read();
      return condition();
    },
    () => [condition.toString(), ...watch.network.links.values()],
  );
}

const linkNamed = (watch: NetworkWatch, name: string) =>
  [...watch.network.links.values()].find((link) => link.name === name);
const addressesOf = (watch: NetworkWatch) => watch.network.addresses.map((one) => one.address);
const defaults = (watch: NetworkWatch) => watch.network.routes.filter(({ destination }) => destination === undefined);

test('the list says what is there, and notifications what has changed', async (t) => {
  const watch = open(t);
  assert.equal(linkNamed(watch, 'one'), undefined);
  assert.deepEqual(watch.read(), { changed: false, settleMs: 0 });
  pair(t, 'one');
  assert.equal(watch.read().changed, true);
  assert.deepEqual([linkNamed(watch, 'one')?.kind, linkNamed(watch, 'one')?.up], ['veth', true]);
  await becomes(watch, () => linkNamed(watch, 'one')?.carrier === true);
  await until(() => {
    const { changed, settleMs } = watch.read();
    return !changed && settleMs === 0;
  });
});

test('an interface that goes down, loses its carrier, is renamed, or goes', async (t) => {
  const watch = open(t);
  pair(t, 'one');
  await becomes(watch, () => linkNamed(watch, 'one')?.carrier === true);
  const { index } = linkNamed(watch, 'one')!;
  ip('link set one-far down');
  await becomes(watch, () => watch.network.links.get(index)?.carrier === false);
  assert.equal(watch.network.links.get(index)?.up, true);
  ip('link set one down', 'link set one name renamed', 'link set renamed up');
  watch.read();
  assert.equal(watch.network.links.get(index)?.name, 'renamed');
  assert.equal(linkNamed(watch, 'one'), undefined);
  ip('address add 192.0.2.1/24 dev renamed', 'link del renamed');
  watch.read();
  assert.equal(watch.network.links.get(index), undefined);
  assert.deepEqual(addressesOf(watch).includes('192.0.2.1'), false);
});

test('addresses of both families come and go', async (t) => {
  const watch = open(t);
  pair(t, 'one');
  ip('address add 192.0.2.1/24 dev one', 'address add 2001:db8::1/64 dev one nodad');
  const have = () => ['192.0.2.1', '2001:db8::1'].map((address) => addressesOf(watch).includes(address));
  // That of IPv6 is told once the interface has its carrier.
  await becomes(watch, () => have().every(Boolean));
  ip('address del 192.0.2.1/24 dev one', 'address del 2001:db8::1/64 dev one');
  watch.read();
  assert.deepEqual(have(), [false, false]);
});

test('routes that the kernel drops without a word are dropped here too', async (t) => {
  const watch = open(t);
  pair(t, 'one');
  const settle = async () => {
    for (let { settleMs } = watch.read(); settleMs > 0; { settleMs } = watch.read()) {
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
  };
  const give = () =>
    ip('address replace 192.0.2.1/24 dev one', 'route replace default via 192.0.2.254 dev one metric 100');
  give();
  await settle();
  assert.deepEqual(
    defaults(watch).map(({ gateway, metric }) => [gateway, metric]),
    [['192.0.2.254', 100]],
  );
  // Replaced: the kernel tells of the new one only.
  ip('route replace default via 192.0.2.253 dev one metric 100');
  await settle();
  assert.deepEqual(
    defaults(watch).map(({ gateway }) => gateway),
    ['192.0.2.253'],
  );
  ip('link set one down');
  await settle();
  assert.deepEqual(defaults(watch), []);
  ip('link set one up');
  give();
  await settle();
  assert.equal(defaults(watch).length, 1);
  ip('address del 192.0.2.1/24 dev one');
  await settle();
  assert.deepEqual(defaults(watch), []);
});

test('a flood of a thousand link events loses nothing when there is room, and is made up for when there is none', (t) => {
  const roomy = open(t);
  const tight = open(t, { kernelBytes: 16_384 });
  pair(t, 'one');
  const flood = Array.from({ length: 500 }, () => ['link set one down', 'link set one up']).flat();
  ip(...flood, 'link set one name flooded');
  for (const watch of [roomy, tight]) {
    assert.equal(watch.read().changed, true);
    assert.equal(linkNamed(watch, 'flooded')?.up, true);
    assert.equal(linkNamed(watch, 'one'), undefined);
  }
  assert.equal(tight.overflows, 1);
  ip('link set flooded name one');
  assert.equal(tight.read().changed, true);
  assert.ok(linkNamed(tight, 'one'));
});

test('a hundred interfaces at once', (t) => {
  const watch = open(t, { kernelBytes: 16_384 });
  const names = Array.from({ length: 100 }, (_, i) => `many${i}`);
  ip(...names.map((name) => `link add ${name} type bridge`));
  t.after(() => ip(...names.map((name) => `link del ${name}`)));
  watch.read();
  assert.deepEqual(
    names.filter((name) => linkNamed(watch, name) === undefined),
    [],
  );
});

test('routes and rules that are asked for are those that ip(8) shows', (t) => {
  const watch = open(t, { keepTable: (table) => table === 17_333 });
  pair(t, 'one');
  ip('address add 192.0.2.1/24 dev one', 'address add 2001:db8::1/64 dev one nodad');
  watch.read();
  const { index } = linkNamed(watch, 'one')!;
  const common = { table: 17_333, protocol: 173, index, metric: 1, source: undefined } as const;
  const routes: readonly RouteChange[] = [
    { ...common, family: 4, destination: '192.0.2.0', prefix: 24, gateway: undefined },
    { ...common, family: 4, destination: undefined, prefix: 0, gateway: '192.0.2.254' },
    { ...common, family: 6, destination: '2001:db8::', prefix: 64, gateway: undefined },
    { ...common, family: 6, destination: undefined, prefix: 0, gateway: '2001:db8::254' },
  ];
  const rules: readonly RuleChange[] = [
    { family: 4, priority: 17_333, table: 17_333, protocol: 173, from: '192.0.2.1' },
    { family: 6, priority: 17_333, table: 17_333, protocol: 173, from: '2001:db8::1' },
  ];
  for (const route of routes) watch.socket.change('route', (n) => encodeRouteChange('set', route, n));
  for (const rule of rules) watch.socket.change('rule', (n) => encodeRuleChange('add', rule, n));
  const shown = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
  assert.match(shown('route', 'show', 'table', '17333'), /default via 192\.0\.2\.254 dev one proto 173 metric 1/);
  assert.match(shown('-6', 'route', 'show', 'table', '17333'), /default via 2001:db8::254 dev one proto 173 metric 1/);
  assert.match(shown('rule', 'show'), /17333:\s+from 192\.0\.2\.1 lookup 17333 proto 173/);
  assert.match(shown('-6', 'rule', 'show'), /17333:\s+from 2001:db8::1 lookup 17333 proto 173/);
  // Once more: EEXIST for rules, nothing for routes.
  for (const route of routes) watch.socket.change('route', (n) => encodeRouteChange('set', route, n));
  assert.equal(
    watch.socket.request((n) => encodeRuleChange('add', rules[0]!, n)),
    17,
  );
  for (const route of routes) watch.socket.change('route', (n) => encodeRouteChange('remove', route, n));
  for (const rule of rules) watch.socket.change('rule', (n) => encodeRuleChange('remove', rule, n));
  assert.equal(shown('route', 'show', 'table', 'all').includes('17333'), false);
  assert.throws(() => watch.socket.change('the rule', (n) => encodeRuleChange('remove', rules[0]!, n)), {
    code: 'ENOENT',
    message: /the rule: the kernel answered ENOENT/,
  });
});

test('endpoints and limits are those that ip(8) shows', (t) => {
  const pm = PathManager.open();
  assert.ok(pm);
  t.after(() => pm.close());
  pair(t, 'one');
  ip('address add 192.0.2.1/24 dev one', 'address add 2001:db8::1/64 dev one nodad');
  const watch = open(t);
  const { index } = linkNamed(watch, 'one')!;
  const endpoints: readonly PmAddress[] = [
    { address: '192.0.2.1', id: 200, port: 0, flags: ['subflow', 'backup'], index },
    { address: '2001:db8::1', id: 201, port: 0, flags: ['subflow'], index: 0 },
  ];
  for (const endpoint of endpoints) pm.add(endpoint);
  t.after(() => spawnSync('ip', ['mptcp', 'endpoint', 'flush']));
  assert.deepEqual(pm.endpoints(), endpoints);
  const shown = execFileSync('ip', ['mptcp', 'endpoint'], { encoding: 'utf8' });
  assert.match(shown, /192\.0\.2\.1 id 200 subflow backup dev one/);
  assert.throws(() => pm.add({ ...endpoints[0]!, id: 0 }), { code: 'EEXIST', message: /192\.0\.2\.1/ });
  pm.setFlags({ ...endpoints[0]!, flags: ['subflow'] });
  assert.deepEqual(pm.endpoints()[0]?.flags, ['subflow']);
  pm.delete(endpoints[0]!);
  assert.deepEqual(pm.endpoints(), endpoints.slice(1));
  pm.setLimits({ subflows: 5, acceptedAddresses: 3 });
  assert.deepEqual(pm.limits(), { subflows: 5, acceptedAddresses: 3 });
  assert.throws(() => pm.setLimits({ subflows: 9, acceptedAddresses: 0 }), { code: 'EINVAL' });
});

test('sockets of a named namespace, opened without leaving the own one', (t) => {
  execFileSync('ip', ['-netns', otherName, 'link', 'add', 'elsewhere', 'type', 'bridge']);
  const here = readlinkSync('/proc/thread-self/ns/net');
  const watch = open(t, { namespace: otherPath });
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), here);
  assert.ok(linkNamed(watch, 'elsewhere'));
  assert.equal(linkNamed(open(t), 'elsewhere'), undefined);
  assert.throws(() => new NetworkWatch({ namespace: `${otherPath}-none` }), { code: 'ENOENT' });
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), here);
});
