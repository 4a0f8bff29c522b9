// When the kernel is asked whose program a client is: fakes count the questions.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseConfig } from '#anabranch/config/parse.js';
import { ClientAccount } from '#anabranch/proxy/client-account.js';
import { Purpose, WishLine } from '#anabranch/proxy/purpose.js';
import { type RouteSearch, Routes } from '#anabranch/proxy/routes.js';
import type { Endpoint } from '#anabranch/wire/destination.js';

const CLIENT: Endpoint = { address: '127.0.0.1', port: 40_000 };
const OURS: Endpoint = { address: '127.0.0.1', port: 1080 };
const OWN = new Set(['198.51.100.1', '2001:db8::1']);

class FakeOwners {
  readonly asked: (readonly [Endpoint, Endpoint])[] = [];
  readonly #uid: number | undefined;

  constructor(uid: number | undefined) {
    this.#uid = uid;
  }

  ownerOf(peer: Endpoint, ours: Endpoint): number | undefined {
    this.asked.push([peer, ours]);
    return this.#uid;
  }
}

function routesOf(rules: string): Routes {
  const parsed = parseConfig(`outbounds: [{ name: up, type: direct }]\nrules: ${rules}`, {
    fileName: 'f',
    defaults: { workers: 1, admin: undefined },
  });
  assert.ok('config' in parsed, JSON.stringify(parsed));
  return new Routes(parsed.config, OWN);
}

function find(rules: string, account: { readonly uid: number | undefined }, source = '127.0.0.1'): RouteSearch {
  const parsed = parseConfig('inbounds: [{ type: mixed, listen: 127.0.0.1:0 }]', {
    fileName: 'f',
    defaults: { workers: 1, admin: undefined },
  });
  assert.ok('config' in parsed);
  const [inbound] = parsed.config.inbounds;
  assert.ok(inbound !== undefined);
  const destination = { host: '192.0.2.1', port: 443 };
  return routesOf(rules).find({ inbound, source, user: undefined, account, destination }, 0);
}

function useOf(search: RouteSearch): string {
  return search.kind === 'found' ? search.route.name : search.kind;
}

const RULES = '[{ when: { account: 1000 }, use: up }, { when: { account: [0, 1001] }, use: deny }]';

test('the kernel is asked once for a client, however often rules are judged', () => {
  for (const uid of [1000, undefined]) {
    const owners = new FakeOwners(uid);
    const account = new ClientAccount(owners, CLIENT, () => OURS);
    assert.deepEqual(owners.asked, []);
    for (let i = 0; i < 3; i++) assert.equal(useOf(find(RULES, account)), uid === 1000 ? 'up' : 'direct');
    assert.deepEqual(owners.asked, [[CLIENT, OURS]]);
  }
});

test('a client whose connection is closed is not asked for', () => {
  const owners = new FakeOwners(1000);
  assert.equal(new ClientAccount(owners, CLIENT, () => undefined).uid, undefined);
  assert.deepEqual(owners.asked, []);
});

test('accounts are of clients of this machine', () => {
  const table: readonly (readonly [source: string, uid: number, use: string])[] = [
    ['127.0.0.1', 1000, 'up'],
    ['127.9.9.9', 1000, 'up'],
    ['::1', 1000, 'up'],
    ['198.51.100.1', 1000, 'up'],
    ['2001:db8::1', 1000, 'up'],
    ['127.0.0.1', 0, 'denied'],
    ['127.0.0.1', 1002, 'direct'],
    ['198.51.100.2', 1000, 'direct'],
    ['198.51.100.2', 0, 'direct'],
    ['fe80::1', 0, 'direct'],
  ];
  for (const [source, uid, use] of table) assert.equal(useOf(find(RULES, { uid }, source)), use, `${source} ${uid}`);
});

test('a reload reaches the accounts of connections that stand', () => {
  const file = (rules: string) => `paths: { manage: true, mode: userspace, wish: low-latency }\nrules: ${rules}`;
  const configOf = (rules: string) => {
    const parsed = parseConfig(file(rules), { fileName: 'f', defaults: { workers: 1, admin: undefined } });
    assert.ok('config' in parsed, JSON.stringify(parsed));
    return parsed.config;
  };
  const config = configOf('[]');
  const [inbound] = config.inbounds;
  assert.ok(inbound !== undefined);
  const context = { config, routes: new Routes(config, OWN), wishes: new WishLine(), clock: () => 0 };
  const owners = new FakeOwners(1000);
  const account = new ClientAccount(owners, CLIENT, () => OURS);
  const destination = { host: '192.0.2.1', port: 443 };
  const purpose = new Purpose(context, { inbound, source: CLIENT.address, user: undefined, account, destination });
  const search = purpose.find();
  assert.ok(search.kind === 'found');
  purpose.decided(search.route);
  purpose.stands(1, '192.0.2.1');
  assert.equal(purpose.wish.kind, 'low-latency');
  assert.deepEqual(owners.asked, []);
  for (const [rules, wish] of [
    ['[{ when: { account: 1000 }, use: direct, wish: avoid metered }]', 'avoid-metered'],
    ['[{ when: { account: 1001 }, use: direct, wish: avoid metered }]', 'low-latency'],
  ] as const) {
    context.routes = new Routes(configOf(rules), OWN);
    purpose.anew();
    assert.equal(purpose.wish.kind, wish);
  }
  assert.equal(owners.asked.length, 1);
});

test('without a rule on accounts nobody is asked for', () => {
  const nobody = {
    get uid(): number {
      return assert.fail('asked');
    },
  };
  assert.equal(useOf(find('[{ when: { port: 443 }, use: up }]', nobody)), 'up');
  assert.equal(useOf(find('[]', nobody)), 'direct');
  assert.equal(useOf(find(RULES, nobody, '192.0.2.9')), 'direct');
});
