// From a picture of the network to the steps that set its paths up, and back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { NetworkView } from '#anabranch/netlink/network.js';
import { discoverPaths } from '#anabranch/paths/discover.js';
import { noteOf, OUR_PROTOCOL } from '#anabranch/paths/marks.js';
import type { Path } from '#anabranch/paths/path.js';
import { type Present, planRemoval, planSteps, type Step } from '#anabranch/paths/plan.js';
import { Preferences } from '#anabranch/paths/preferences.js';
import type { PmAddress } from '#anabranch/wire/mptcp-pm.js';
import type { Address, Link, Route, Rule } from '#anabranch/wire/rtnetlink.js';

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  const common = { up: true, carrier: true, loopback: false, pointToPoint: false, hardware: 1, mtu: 1500 };
  return { index, name, ...common, kind: '', master: 0, ...more };
}

function address(index: number, text: string, more: Partial<Address> = {}): Address {
  const family = text.includes(':') ? 6 : 4;
  const common = { global: true, tentative: false, deprecated: false, secondary: false };
  return { family, index, address: text, prefix: family === 4 ? 24 : 64, ...common, ...more };
}

function route(index: number, more: Partial<Route> = {}): Route {
  const common = { unicast: true, onLink: false, destination: undefined, prefix: 0, source: undefined } as const;
  return { family: 4, table: 254, protocol: 16, ...common, index, gateway: undefined, metric: 100, ...more };
}

function ruleOf(from: string, table: number, more: Partial<Rule> = {}): Rule {
  return { family: 4, priority: 1_000, table, protocol: 0, from, fromPrefix: 32, plain: true, ...more };
}

const KERNEL = { mode: 'kernel', wish: { kind: 'max-throughput' } } as const;

interface Picture {
  readonly links: readonly Link[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly rules: readonly Rule[];
  readonly endpoints: readonly PmAddress[];
}

/** Wi-Fi and cellular, both with IPv4, and a bridge of containers. */
const TWO: Picture = {
  links: [
    link(1, 'lo', { loopback: true }),
    link(2, 'wlan0'),
    link(3, 'wwan0'),
    link(4, 'docker0', { kind: 'bridge' }),
  ],
  addresses: [address(2, '192.0.2.7'), address(3, '198.51.100.7'), address(4, '172.17.0.1')],
  routes: [
    route(2, { gateway: '192.0.2.1', metric: 600 }),
    route(3, { gateway: '198.51.100.1', metric: 700 }),
    route(2, { onLink: true, destination: '192.0.2.0', prefix: 24, metric: 0, protocol: 2 }),
    route(3, { onLink: true, destination: '198.51.100.0', prefix: 24, metric: 0, protocol: 2 }),
    route(4, { onLink: true, destination: '172.17.0.0', prefix: 16, metric: 0, protocol: 2 }),
  ],
  rules: [],
  endpoints: [],
};

function present({ links, addresses, routes, rules, endpoints }: Picture): Present {
  const view: NetworkView = { links: new Map(links.map((one) => [one.index, one])), addresses, routes, rules };
  return { view, endpoints, limits: { subflows: 2, acceptedAddresses: 0 } };
}

function stepsFor(picture: Picture, dead: readonly string[] = [], preferences = new Preferences()): Step[] {
  const now = present(picture);
  const isDead = (path: Path): boolean => dead.includes(path.address);
  const paths = preferences.rank(discoverPaths(now.view, undefined, preferences.judge), isDead);
  return planSteps(paths, now, isDead);
}

/** The kernel as it would be after the steps; endpoints get the ids from 128 on. */
function after(picture: Picture, steps: readonly Step[]): Picture {
  let { routes, rules, endpoints } = picture;
  for (const step of steps) {
    if (step.kind === 'set-route') {
      routes = [...routes, { ...step.route, unicast: true, onLink: step.route.gateway === undefined }];
    } else if (step.kind === 'remove-route') routes = routes.filter((one) => one !== step.route);
    else if (step.kind === 'add-rule') rules = [...rules, { ...step.rule, fromPrefix: 32, plain: true }];
    else if (step.kind === 'remove-rule') {
      rules = rules.filter(({ from, table }) => from !== step.rule.from || table !== step.rule.table);
    } else if (step.kind === 'add-endpoint') {
      const { address: text, index } = step.path;
      const made: PmAddress = { address: text, index, flags: step.flags, port: step.port, id: 128 + endpoints.length };
      endpoints = [...endpoints, made];
      rules = [...rules, { ...noteOf(made), fromPrefix: 32, plain: true }];
    } else if (step.kind === 'set-flags') {
      endpoints = endpoints.map((one) => (one.id === step.endpoint.id ? step.endpoint : one));
    } else if (step.kind === 'delete-endpoint') endpoints = endpoints.filter((one) => one !== step.endpoint);
  }
  return { ...picture, routes, rules, endpoints };
}

const withoutLimits = (steps: readonly Step[]): Step[] => steps.filter(({ kind }) => kind !== 'set-limits');

function brief(step: Step): string {
  if (step.kind === 'set-route' || step.kind === 'remove-route') {
    const { destination = 'default', gateway, index, table } = step.route;
    return `${step.kind} ${destination} ${gateway ?? `on ${index}`} table ${table}`;
  }
  if (step.kind === 'add-rule' || step.kind === 'remove-rule') {
    return `${step.kind} from ${step.rule.from} table ${step.rule.table}`;
  }
  if (step.kind === 'add-endpoint') return `add-endpoint ${step.path.address} ${step.flags}`;
  if (step.kind === 'delete-endpoint') return `delete-endpoint ${step.endpoint.address} ${step.endpoint.id}`;
  if (step.kind === 'set-flags') return `set-flags ${step.endpoint.address} ${step.endpoint.flags}`;
  return step.kind === 'set-limits' ? `set-limits ${step.limits.subflows}` : step.kind;
}

test('two paths are found, in the order of their routes, and the bridge is none', () => {
  const paths = discoverPaths(present(TWO).view);
  assert.deepEqual(
    paths.map(({ name, kind, cost, gateway, metric, trouble }) => [name, kind, cost, gateway, metric, trouble]),
    [
      ['wlan0', 'wifi', 'free', '192.0.2.1', 600, undefined],
      ['wwan0', 'cellular', 'metered', '198.51.100.1', 700, undefined],
    ],
  );
});

test('all of it is set up, in an order in which each step can rest on those before', () => {
  assert.deepEqual(stepsFor(TWO).map(brief), [
    'set-route 192.0.2.0 on 2 table 17300',
    'set-route 198.51.100.0 on 3 table 17300',
    'set-route 172.17.0.0 on 4 table 17300',
    'set-route default 192.0.2.1 table 17300',
    'set-route 198.51.100.0 on 3 table 17301',
    'set-route 192.0.2.0 on 2 table 17301',
    'set-route 172.17.0.0 on 4 table 17301',
    'set-route default 198.51.100.1 table 17301',
    'add-rule from 192.0.2.7 table 17300',
    'add-rule from 198.51.100.7 table 17301',
    'set-limits 8',
    'add-endpoint 192.0.2.7 subflow',
    'add-endpoint 198.51.100.7 subflow',
  ]);
});

test('what is set up needs nothing, and goes without a rest', () => {
  const set = after(TWO, stepsFor(TWO));
  assert.deepEqual(withoutLimits(stepsFor(set)), []);
  const gone = after(set, planRemoval(present(set)));
  // The rules that note the endpoints are removed along with them.
  const notes = after(gone, planRemoval(present(gone)));
  assert.deepEqual([notes.routes, notes.rules, notes.endpoints], [TWO.routes, [], []]);
});

test('a path without carrier loses its endpoint and keeps its routing; it gets it back with another id', () => {
  const set = after(TWO, stepsFor(TWO));
  const cut = { ...set, links: set.links.map((one) => (one.index === 2 ? { ...one, carrier: false } : one)) };
  assert.deepEqual(withoutLimits(stepsFor(cut)).map(brief), ['delete-endpoint 192.0.2.7 128']);
  const back = { ...after(cut, stepsFor(cut)), links: set.links };
  assert.deepEqual(
    withoutLimits(stepsFor(back))
      .map(brief)
      .filter((text) => !text.startsWith('remove-rule')),
    ['add-endpoint 192.0.2.7 subflow'],
  );
});

test('a path that fell silent is treated as one without carrier', () => {
  const set = after(TWO, stepsFor(TWO));
  assert.deepEqual(withoutLimits(stepsFor(set, ['192.0.2.7'])).map(brief), ['delete-endpoint 192.0.2.7 128']);
});

test('another address takes the place of the old one, and the other path is left in peace', () => {
  const set = after(TWO, stepsFor(TWO));
  const moved = { ...set, addresses: [address(2, '192.0.2.99'), ...set.addresses.slice(1)] };
  const steps = withoutLimits(stepsFor(moved)).map(brief);
  assert.deepEqual(
    steps.filter((text) => /198\.51\.100\.7/.test(text)),
    [],
  );
  assert.ok(steps.includes('delete-endpoint 192.0.2.7 128'));
  assert.ok(steps.includes('remove-rule from 192.0.2.7 table 17300'));
  assert.ok(steps.includes('add-endpoint 192.0.2.99 subflow'));
  const settled = after(moved, stepsFor(moved));
  assert.ok(settled.rules.some(({ from }) => from === '192.0.2.99'));
});

test('what others set up is left alone, whatever its numbers', () => {
  const theirs: Picture = {
    ...TWO,
    rules: [
      ruleOf('192.0.2.7', 101),
      // By chance in our range, or with our protocol alone.
      ruleOf('203.0.113.1', 17_300, { priority: 17_300 }),
      ruleOf('203.0.113.2', 99, { protocol: OUR_PROTOCOL }),
      ruleOf('203.0.113.3', 17_305, { priority: 17_305, protocol: OUR_PROTOCOL, plain: false }),
    ],
    routes: [
      ...TWO.routes,
      route(2, { table: 101, gateway: '192.0.2.1' }),
      route(2, { table: 17_300, gateway: '192.0.2.9' }),
    ],
    endpoints: [{ address: '192.0.2.7', id: 200, port: 0, flags: ['subflow'], index: 2 }],
  };
  assert.deepEqual(withoutLimits(stepsFor(theirs)).map(brief), [
    'set-route 198.51.100.0 on 3 table 17301',
    'set-route 192.0.2.0 on 2 table 17301',
    'set-route 172.17.0.0 on 4 table 17301',
    'set-route default 198.51.100.1 table 17301',
    'add-rule from 198.51.100.7 table 17301',
    'add-endpoint 198.51.100.7 subflow',
  ]);
  assert.deepEqual(planRemoval(present(theirs)), []);
});

test('after a crash the same numbers are used again, and what is stale goes', () => {
  const set = after(TWO, stepsFor(TWO));
  // Meanwhile the first path has gone for good, and an endpoint was noted but never added.
  const found: Picture = {
    ...set,
    links: set.links.filter(({ index }) => index !== 2),
    addresses: set.addresses.filter(({ index }) => index !== 2),
    routes: set.routes.filter(({ index }) => index !== 2),
    rules: [...set.rules, { ...noteOf({ address: '198.51.100.7', id: 222 }), fromPrefix: 32, plain: true }],
  };
  const steps = withoutLimits(stepsFor(found)).map(brief);
  assert.deepEqual(steps, [
    'delete-endpoint 192.0.2.7 128',
    'remove-rule from 198.51.100.7 table 173222',
    'remove-rule from 192.0.2.7 table 17300',
    'remove-route 198.51.100.0 on 3 table 17300',
    'remove-route 172.17.0.0 on 4 table 17300',
  ]);
});

test('of several IPv6 addresses that one is used which new connections take', () => {
  const addresses = [
    address(2, 'fd00::7'),
    address(2, '2001:db8::7'),
    address(2, '2001:db8::aaaa', { secondary: true, deprecated: true }),
    address(2, '2001:db8::bbbb', { secondary: true }),
    address(2, '2001:db8::cccc', { secondary: true, tentative: true }),
    address(2, 'fe80::7', { global: false }),
  ];
  const routes = [route(2, { family: 6, gateway: 'fe80::1' })];
  const [path, ...more] = discoverPaths(present({ ...TWO, addresses, routes }).view);
  assert.equal(path?.address, '2001:db8::bbbb');
  assert.deepEqual(more, []);
});

test('an address that is not ready gets nothing yet', () => {
  const addresses = [address(2, '2001:db8::7', { tentative: true })];
  const routes = [route(2, { family: 6, gateway: 'fe80::1' })];
  assert.deepEqual(stepsFor({ ...TWO, addresses, routes }), []);
});

test('a gateway is remembered while the kernel has forgotten it', () => {
  const { view } = present({ ...TWO, routes: [] });
  assert.deepEqual(discoverPaths(view), []);
  const known = new Map([['2 192.0.2.7', { address: '192.0.2.1', metric: 600 }]]);
  assert.equal(discoverPaths(view, known)[0]?.gateway, '192.0.2.1');
});

test('tunnels, ports of bridges and loopback are no paths', () => {
  for (const more of [{ kind: 'wireguard' }, { name: 'tun0' }, { master: 9 }, { loopback: true }] as Partial<Link>[]) {
    const links = [link(2, 'eth0', more)];
    assert.deepEqual(discoverPaths(present({ ...TWO, links }).view), [], JSON.stringify(more));
  }
});

test('endpoints get the flags that their owner wants, and change without a rest', () => {
  const endpoint = { subflow: true, backup: true, fullmesh: false, signal: false, laminar: false, port: 0 };
  const known = (more: Partial<typeof endpoint>) =>
    new Preferences({ ...KERNEL, known: [{ match: { interface: 'wwan0' }, endpoint: { ...endpoint, ...more } }] });
  const plain = after(TWO, stepsFor(TWO));
  const change = (picture: Picture, preferences: Preferences): string[] =>
    withoutLimits(stepsFor(picture, [], preferences)).map(brief);
  assert.deepEqual(change(plain, known({})), ['set-flags 198.51.100.7 subflow,backup']);
  assert.deepEqual(change(plain, known({ fullmesh: true })), ['set-flags 198.51.100.7 subflow,backup,fullmesh']);
  const backed = after(plain, stepsFor(plain, [], known({})));
  assert.deepEqual(change(backed, known({})), []);
  assert.deepEqual(change(backed, new Preferences()), ['set-flags 198.51.100.7 subflow']);
  // What the kernel cannot change is made anew.
  const server = { subflow: false, signal: true, backup: false };
  assert.deepEqual(change(backed, known({ ...server, port: 8443 })), [
    'delete-endpoint 198.51.100.7 129',
    'add-endpoint 198.51.100.7 signal',
  ]);
  const signalled = after(backed, stepsFor(backed, [], known({ ...server, port: 8443 })));
  assert.deepEqual(
    signalled.endpoints.map(({ flags, port }) => [flags.join(), port]),
    [
      ['subflow', 0],
      ['signal', 8443],
    ],
  );
  assert.deepEqual(change(signalled, known({ ...server, port: 8443 })), []);
  assert.deepEqual(change(signalled, known(server)).length, 2);
  // A kernel that knows no laminar endpoints leaves the flag out: that is no reason to begin anew.
  assert.deepEqual(change(backed, known({ laminar: true })), []);
});

test('others keep the flags of their endpoints', () => {
  const theirs: PmAddress = { address: '198.51.100.7', index: 3, flags: ['signal'], port: 0, id: 9 };
  const picture = { ...TWO, endpoints: [theirs] };
  const steps = stepsFor(
    picture,
    [],
    new Preferences({ ...KERNEL, known: [{ match: { interface: 'wwan0' }, priority: 5 }] }),
  );
  assert.deepEqual(steps.filter(({ kind }) => kind.endsWith('-endpoint') || kind === 'set-flags').map(brief), [
    'add-endpoint 192.0.2.7 subflow',
  ]);
});

test('limits make room for every path, and for announced addresses where endpoints are made for them', () => {
  const flags = { subflow: true, backup: false, fullmesh: false, signal: false, laminar: false, port: 0 };
  const limitsOf = (picture: Picture, more: Partial<typeof flags>) => {
    const known = [{ match: { interface: '*' }, endpoint: { ...flags, ...more } }];
    const step = stepsFor(picture, [], new Preferences({ ...KERNEL, known })).find(({ kind }) => kind === 'set-limits');
    return step?.kind === 'set-limits' ? step.limits : undefined;
  };
  const one = { ...TWO, addresses: TWO.addresses.slice(0, 1) };
  assert.deepEqual(limitsOf(TWO, {}), { subflows: 8, acceptedAddresses: 0 });
  assert.equal(limitsOf(one, {}), undefined);
  for (const more of [{ fullmesh: true }, { laminar: true }]) {
    assert.deepEqual(limitsOf(TWO, more), { subflows: 8, acceptedAddresses: 8 });
    assert.deepEqual(limitsOf(one, more), { subflows: 8, acceptedAddresses: 8 });
  }
});
