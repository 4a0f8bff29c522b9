import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { NetworkView } from '#anabranch/netlink/network.js';
import type { Path } from '#anabranch/paths/path.js';
import type { Step } from '#anabranch/paths/plan.js';
import { Gateways, isGatewayNumber } from '#anabranch/paths/userspace/gateways.js';
import { MAIN_TABLE, type Route, type Rule } from '#anabranch/wire/rtnetlink.js';
import { pathOf } from './paths.ts';

const dsl: Path = pathOf({ name: 'dsl', index: 2, address: '192.0.2.7', gateway: '192.0.2.1' });

function route(gateway: string, metric: number, more: Partial<Route> = {}): Route {
  return {
    family: 4,
    table: MAIN_TABLE,
    protocol: 4,
    unicast: true,
    onLink: false,
    destination: undefined,
    prefix: 0,
    index: 2,
    gateway,
    source: undefined,
    metric,
    ...more,
  } as Route;
}

/** Carries the steps out. */
function apply(view: NetworkView, steps: readonly Step[]): NetworkView {
  let { routes, rules } = view;
  for (const step of steps) {
    if (step.kind === 'set-route') routes = [...routes, { ...route('', 0), ...step.route } as Route];
    else if (step.kind === 'remove-route') {
      routes = routes.filter((one) => one.table !== step.route.table || one.destination !== step.route.destination);
    } else if (step.kind === 'add-rule') {
      const { ports: _, ...rule } = step.rule;
      rules = [...rules, { ...rule, fromPrefix: 32, plain: false } as Rule];
    } else if (step.kind === 'remove-rule') rules = rules.filter(({ table }) => table !== step.rule.table);
  }
  return { ...view, routes, rules };
}

const bare: NetworkView = {
  links: new Map(),
  addresses: [],
  rules: [],
  routes: [
    route('192.0.2.1', 100),
    route('192.0.2.2', 200),
    route('192.0.2.3', 300),
    route('198.51.100.1', 50, { index: 3 }),
  ],
};

test('a table and a rule with ports of its own for each further gateway', () => {
  const gateways = new Gateways();
  const steps = gateways.plan([dsl], bare);
  const rules = steps.flatMap((step) => (step.kind === 'add-rule' ? [step.rule] : []));
  assert.deepEqual(
    rules.map(({ from, ports, priority, table }) => [from, ports, priority === table && isGatewayNumber(table)]),
    [
      ['192.0.2.7', [61_000, 61_511], true],
      ['192.0.2.7', [61_512, 62_023], true],
    ],
  );
  const routes = steps.flatMap((step) => (step.kind === 'set-route' ? [step.route] : []));
  assert.deepEqual(
    routes.map(({ destination, prefix, gateway, table }) => [destination, prefix, gateway, table === rules[0]!.table]),
    [
      ['192.0.2.0', 24, undefined, true],
      [undefined, 0, '192.0.2.2', true],
      ['192.0.2.0', 24, undefined, false],
      [undefined, 0, '192.0.2.3', false],
    ],
  );
  assert.deepEqual(
    gateways.portsOf(dsl).map(({ from }) => from),
    [61_000, 61_512],
  );
  // Routes come before the rules that lead to them.
  assert.ok(
    steps.findLastIndex(({ kind }) => kind === 'set-route') < steps.findIndex(({ kind }) => kind === 'add-rule'),
  );
});

test('once done there is nothing to do, a gateway that goes keeps the others where they are', () => {
  const gateways = new Gateways();
  const view = apply(bare, gateways.plan([dsl], bare));
  assert.deepEqual(gateways.plan([dsl], view), []);
  const fewer = {
    ...view,
    routes: view.routes.filter(({ gateway, table }) => gateway !== '192.0.2.2' || table !== MAIN_TABLE),
  };
  const after = apply(fewer, gateways.plan([dsl], fewer));
  assert.deepEqual(
    gateways.portsOf(dsl).map(({ from }) => from),
    [61_512],
  );
  assert.deepEqual(gateways.plan([dsl], after), []);
  // Taken back: nothing of ours is left.
  const end = apply(after, new Gateways().plan([], after));
  assert.deepEqual(end.rules, []);
  assert.ok(end.routes.every(({ table }) => table === MAIN_TABLE));
});

test('after a crash what is found is taken over', () => {
  const view = apply(bare, new Gateways().plan([dsl], bare));
  assert.deepEqual(new Gateways().plan([dsl], view), []);
});

test('a path in trouble, or with one gateway, needs nothing', () => {
  assert.deepEqual(new Gateways().plan([{ ...dsl, trouble: 'no carrier' }], bare), []);
  assert.deepEqual(new Gateways().plan([{ ...dsl, index: 3, gateway: '198.51.100.1' }], bare), []);
  const nine = Array.from({ length: 9 }, (_, i) => route(`192.0.2.${i + 1}`, 100 + i));
  const gateways = new Gateways();
  gateways.plan([dsl], { ...bare, routes: nine });
  assert.equal(gateways.portsOf(dsl).length, 7);
  assert.ok(gateways.portsOf(dsl).every(({ to }) => to < 65_536));
});
