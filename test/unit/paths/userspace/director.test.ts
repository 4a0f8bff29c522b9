// Strategies, wishes and recovery, against a kernel that is played.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import type { Policy, SubflowPath } from '#anabranch/paths/userspace/desired.js';
import { FakeKernel, SERVER, subflowPath } from './fake-kernel.ts';

const dsl = subflowPath('d');
const lte = subflowPath('te', { cost: 'metered', priority: 200 });
const wifi = subflowPath('wif', { priority: 150 });
const D = dsl.address;
const T = lte.address;
const W = wifi.address;
const policy = (strategy: Policy['strategy'], wish: Policy['wish'] = { kind: 'max-throughput' }): Policy => ({
  strategy,
  wish,
});

function begin(of: Policy, paths: readonly SubflowPath[] = [dsl, lte], settings: object = {}): FakeKernel {
  const kernel = new FakeKernel(of, settings);
  kernel.director.update(paths);
  kernel.connect(1, D);
  kernel.run(100);
  return kernel;
}

function down(of: SubflowPath): SubflowPath {
  return { ...of, works: false };
}

test('a join waits until its gateway is found, and for a second at the most', () => {
  const kernel = new FakeKernel(policy('fullmesh'));
  kernel.looking.add(T);
  kernel.director.update([dsl, lte]);
  kernel.connect(1, D);
  kernel.run(500);
  assert.equal(kernel.shown(), D);
  assert.equal(kernel.log.length, 0);
  kernel.looking.delete(T);
  kernel.run(50);
  assert.equal(kernel.shown(), `${D} ${T}`);
  kernel.looking.add(W);
  kernel.director.update([dsl, lte, wifi]);
  kernel.run(900);
  assert.equal(kernel.shown(), `${D} ${T}`);
  kernel.run(200);
  assert.equal(kernel.shown(), `${D} ${T} ${W}`);
});

describe('strategies', () => {
  test('each of them', () => {
    const twoGateways = { ...dsl, gateways: [{ from: 61_000, to: 61_511 }] };
    assert.equal(begin(policy('fullmesh')).shown(), `${D} ${T}`);
    assert.equal(begin(policy('ndiffports'), [dsl], { subflows: 3 }).shown(), `${D} ${D} ${D}`);
    assert.equal(begin(policy('ndiffports')).shown(), `${D} ${D} ${T} ${T}`);
    assert.equal(begin(policy('backup')).shown(), `${D} (${T})`);
    assert.equal(begin(policy('single')).shown(), D);
    const spread = begin(policy('gateways'), [twoGateways]);
    assert.equal(spread.shown(), `${D} ${D}`);
    assert.ok(spread.live.some(({ local: { port } }) => port >= 61_000 && port <= 61_511));
    assert.ok(spread.live.some(({ local: { port } }) => port < 61_000));
  });

  test('of many paths and addresses no more than the kernel would take', () => {
    const many = Array.from({ length: 12 }, (_, i) => subflowPath('x'.repeat(i + 1)));
    assert.equal(begin(policy('fullmesh'), many).live.length, 9);
    assert.equal(begin(policy('ndiffports'), many, { subflows: 8 }).live.length, 9);
  });

  test('announced addresses of the peer', () => {
    const kernel = begin(policy('fullmesh'));
    const event = (kind: 'announced' | 'removed', more: object) => ({
      kind,
      token: 1,
      local: { address: undefined, port: 0, id: undefined },
      backup: undefined,
      errno: 0,
      index: 0,
      resetReason: undefined,
      serverSide: false,
      denyJoinInitial: false,
      remote: { address: '203.0.113.2', port: 1_080, id: 4 },
      ...more,
    });
    kernel.director.onEvent(event('announced', {}));
    kernel.run(100);
    assert.equal(kernel.live.filter(({ remote }) => remote.address === '203.0.113.2').length, 2);
    kernel.director.onEvent(event('removed', { remote: { address: undefined, port: 0, id: 4 } }));
    kernel.run(1_000);
    assert.equal(kernel.shown(), `${D} ${T}`);
    // Others stay with the first address.
    const other = begin(policy('backup'));
    other.director.onEvent(event('announced', {}));
    other.run(100);
    assert.equal(other.shown(), `${D} (${T})`);
  });

  test('a peer behind a load balancer is joined where it says', () => {
    const kernel = new FakeKernel(policy('single', { kind: 'prefer', path: lte.name }));
    kernel.director.update([dsl, lte]);
    kernel.connect(1, D, { denyJoinInitial: true });
    kernel.run(2_000);
    assert.equal(kernel.shown(), D);
    assert.deepEqual(kernel.log, []);
    kernel.director.onEvent({
      kind: 'announced',
      token: 1,
      local: { address: undefined, port: 0, id: undefined },
      remote: { address: '203.0.113.9', port: 2_000, id: 3 },
      backup: undefined,
      errno: 0,
      index: 0,
      resetReason: undefined,
      serverSide: false,
      denyJoinInitial: false,
    });
    kernel.run(1_000);
    assert.deepEqual(
      kernel.live.map(({ local, remote }) => [local.address, remote.address, remote.port]),
      [[T, '203.0.113.9', 2_000]],
    );
  });

  test('an address that takes no joins keeps its first subflow', () => {
    const kernel = begin(policy('fullmesh'), [
      { ...dsl, joins: false },
      { ...lte, joins: false },
    ]);
    kernel.run(1_000);
    assert.equal(kernel.shown(), D);
  });

  test('loopback is left alone', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.director.update([dsl, lte]);
    kernel.connect(1, '127.0.0.1');
    kernel.run(500);
    assert.deepEqual(kernel.log, []);
  });
});

describe('wishes', () => {
  test('each of them, from the beginning', () => {
    const first = (wish: Policy['wish'], paths = [dsl, wifi, lte]) => {
      const kernel = begin(policy('fullmesh', wish), paths);
      kernel.run(1_000);
      return kernel.shown();
    };
    assert.equal(first({ kind: 'avoid-metered' }), `${D} ${W}`);
    assert.equal(first({ kind: 'prefer', path: wifi.name }), `(${D}) ${W} (${T})`);
    assert.equal(first({ kind: 'only', path: lte.name }), T);
    assert.equal(
      first({ kind: 'low-latency' }, [
        { ...dsl, rttMs: 50 },
        { ...lte, rttMs: 10 },
      ]),
      `${D} (${T})`,
    );
  });

  test('told before the connection stands, it holds from its first event on', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.director.update([dsl, wifi, lte]);
    kernel.director.tell(1, policy('fullmesh', { kind: 'avoid-metered' }));
    kernel.connect(1, D);
    kernel.run(1_000);
    assert.equal(kernel.shown(), `${D} ${W}`);
    assert.ok(!kernel.log.some((line) => line.includes(T)));
  });

  test('so when a list of sockets shows the connection before its first event comes', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.director.update([dsl, wifi, lte]);
    kernel.director.tell(1, policy('fullmesh', { kind: 'avoid-metered' }));
    kernel.connect(1, D, {}, () => kernel.list());
    kernel.run(1_000);
    assert.equal(kernel.shown(), `${D} ${W}`);
    assert.ok(!kernel.log.some((line) => line.includes(T)));
  });

  test('a new wish moves a connection, and never leaves it without a subflow', () => {
    const kernel = begin(policy('fullmesh'));
    kernel.director.tell(1, policy('fullmesh', { kind: 'only', path: lte.name }));
    kernel.run(100);
    assert.equal(kernel.shown(), `(${D}) ${T}`);
    kernel.run(400);
    assert.equal(kernel.shown(), T);
    kernel.director.tell(1, policy('fullmesh', { kind: 'avoid-metered' }));
    for (let i = 0; i < 100; i++) {
      kernel.run(10);
      assert.notEqual(kernel.shown(), '');
    }
    assert.equal(kernel.shown(), D);
    kernel.director.tell(1, policy('fullmesh', { kind: 'prefer', path: lte.name }));
    kernel.run(100);
    assert.equal(kernel.shown(), `(${D}) ${T}`);
    kernel.director.tell(1, policy('fullmesh'));
    kernel.run(100);
    assert.equal(kernel.shown(), `${D} ${T}`);
  });

  test('nothing over the metered path before enough was carried', () => {
    const kernel = begin(policy('fullmesh'), [dsl, lte], { meteredAfter: 1_000_000 });
    kernel.run(1_000);
    assert.equal(kernel.shown(), D);
    kernel.live[0]!.bytes = 999_999;
    kernel.list();
    kernel.run(100);
    assert.equal(kernel.shown(), D);
    kernel.live[0]!.bytes = 1_000_001;
    kernel.list();
    kernel.run(100);
    assert.equal(kernel.shown(), `${D} ${T}`);
    // What its subflows carried counts on when they have ended.
    kernel.end(kernel.live[0]!);
    kernel.list();
    kernel.run(3_000);
    assert.equal(kernel.shown().split(' ').length, 2);
  });

  test('the path that has become faster comes first', () => {
    const kernel = begin(policy('fullmesh', { kind: 'low-latency' }));
    assert.equal(kernel.shown(), `${D} (${T})`);
    for (const live of kernel.live) live.rttMs = live.local.address === D ? 90 : 20;
    for (let i = 0; i < 30; i++) {
      kernel.list();
      kernel.run(100);
    }
    assert.equal(kernel.shown(), `(${D}) ${T}`);
  });

  test('`only` goes nowhere else while its path is away', () => {
    const kernel = begin(policy('fullmesh', { kind: 'only', path: dsl.name }));
    kernel.director.update([down(dsl), lte]);
    kernel.run(2_000);
    assert.equal(kernel.shown(), '');
    kernel.director.update([dsl, lte]);
    kernel.run(100);
    assert.equal(kernel.shown(), D);
  });
});

describe('recovery', () => {
  test('a path that dies is left at once, and joined at once when it returns', () => {
    const kernel = begin(policy('fullmesh'));
    const [id] = kernel.live.filter(({ local }) => local.address === T).map((live) => live.id);
    kernel.director.update([dsl, down(lte)]);
    assert.equal(kernel.shown(), D);
    assert.ok(kernel.log.includes(`remove 1 ${id}`));
    kernel.run(5_000);
    assert.equal(kernel.log.filter((line) => line.startsWith('create')).length, 1);
    kernel.director.update([dsl, lte]);
    kernel.run(30);
    assert.equal(kernel.shown(), `${D} ${T}`);
    // The peer may still hear that the old one is gone.
    assert.ok(kernel.live.every((live) => live.id !== id));
  });

  test('so with the first subflow, and with an address that vanishes', () => {
    const kernel = begin(policy('fullmesh'));
    kernel.director.update([lte]);
    assert.equal(kernel.shown(), T);
    assert.ok(kernel.log.includes('remove 1 0'));
    kernel.director.update([{ ...dsl, address: '192.0.2.99' }, lte]);
    kernel.run(100);
    assert.equal(kernel.shown(), `${T} 192.0.2.99`);
  });

  test('a join that nobody answers is tried again, more and more seldom', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.dead.add(T);
    kernel.director.update([dsl, lte]);
    kernel.connect(1, D);
    kernel.run(1_000);
    const early = kernel.log.length;
    assert.ok(early >= 2 && early <= 4, `${early}`);
    kernel.run(600_000);
    assert.ok(kernel.log.length > early + 5 && kernel.log.length < 40, `${kernel.log.length}`);
    kernel.dead.clear();
    kernel.run(70_000);
    assert.equal(kernel.shown(), `${D} ${T}`);
  });

  test('a join that is refused, and a subflow that is reset', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.refusing.add(SERVER.port);
    kernel.director.update([dsl, lte]);
    kernel.connect(1, D);
    kernel.run(60_000);
    const tries = kernel.log.length;
    assert.ok(tries > 5 && tries < 20, `${tries}`);
    kernel.refusing.clear();
    kernel.run(60_000);
    assert.equal(kernel.shown(), `${D} ${T}`);
    const joined = kernel.live.find(({ local }) => local.address === T)!;
    kernel.end(joined);
    kernel.run(400);
    assert.equal(kernel.shown(), `${D} ${T}`);
  });

  test('a peer that ends what we open is not asked all the time', () => {
    const kernel = begin(policy('fullmesh'));
    const before = kernel.log.length;
    for (let i = 0; i < 6_000; i++) {
      kernel.run(10);
      const joined = kernel.live.find(({ local }) => local.address === T);
      if (joined !== undefined) kernel.end(joined);
    }
    assert.ok(kernel.log.length - before < 20, `${kernel.log.length - before}`);
  });

  test('connections that began before us, and ends that nobody told of', () => {
    const kernel = new FakeKernel(policy('fullmesh'));
    kernel.director.update([dsl, lte]);
    kernel.live.push({
      token: 7,
      local: { address: D, port: 39_000 },
      remote: SERVER,
      id: 0,
      backup: false,
      initial: true,
      bytes: 0,
      rttMs: 20,
    });
    kernel.list();
    kernel.run(100);
    assert.equal(kernel.shown(7), `${D} ${T}`);
    kernel.live = kernel.live.filter(({ local }) => local.address === D);
    kernel.list();
    kernel.run(1_000);
    assert.equal(kernel.shown(7), `${D} ${T}`);
    kernel.live = [];
    for (let i = 0; i < 200; i++) {
      kernel.list();
      kernel.run(1_000);
    }
    const { length } = kernel.log;
    kernel.run(600_000);
    assert.equal(kernel.log.length, length);
  });
});

describe('as a server', () => {
  const serve = (paths: readonly SubflowPath[], of = policy('fullmesh')): FakeKernel => {
    const kernel = new FakeKernel(of);
    kernel.director.update(paths);
    kernel.connect(1, D, { serverSide: true });
    kernel.run(1_000);
    return kernel;
  };

  test('subflows are the peer’s to open', () => {
    assert.deepEqual(serve([dsl, lte]).log, []);
  });

  test('it tells of the addresses that are to be told of, and when they go', () => {
    const signalled = { ...lte, signalPort: 2_000 };
    const kernel = serve([dsl, signalled]);
    const [told = ''] = kernel.log;
    assert.match(told, new RegExp(`announce 1 ${T} \\d+ 2000`));
    assert.equal(kernel.log.length, 1);
    kernel.director.update([dsl, down(signalled)]);
    assert.equal(kernel.log[1], `remove 1 ${told.split(' ')[3]}`);
    kernel.director.update([dsl, signalled]);
    assert.match(kernel.log[2] ?? '', /^announce/);
  });

  test('it asks to spare the path that its wish spares', () => {
    assert.equal(serve([dsl, lte], policy('fullmesh', { kind: 'prefer', path: lte.name })).shown(), `(${D})`);
    assert.equal(serve([dsl, lte], policy('fullmesh', { kind: 'avoid-metered' })).shown(), D);
  });
});

test('whatever happens to the paths, it settles on what is wanted', () => {
  const strategy = fc.constantFrom('fullmesh' as const, 'ndiffports' as const, 'backup' as const, 'single' as const);
  const wish = fc.constantFrom<Policy['wish']>(
    { kind: 'max-throughput' },
    { kind: 'avoid-metered' },
    { kind: 'low-latency' },
    { kind: 'prefer', path: lte.name },
    { kind: 'only', path: wifi.name },
  );
  const states = fc.array(
    fc.record({ works: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), ms: fc.nat(900), wish }),
    {
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(strategy, states, (of, changes) => {
      const all = [dsl, wifi, lte];
      const kernel = begin(policy(of), all);
      for (const { works, ms, wish: next } of changes) {
        kernel.director.update(all.map((path, i) => ({ ...path, works: works[i]! })));
        kernel.director.tell(1, policy(of, next));
        kernel.run(ms);
        kernel.list();
      }
      /** The subflows are looked at all the while: what became of a join that was overtaken by a change shows there. */
      const settle = (one: FakeKernel): void => {
        for (let i = 0; i < 40; i++) {
          one.run(500);
          one.list();
        }
      };
      kernel.director.update(all);
      const last = changes.at(-1)?.wish ?? { kind: 'max-throughput' };
      settle(kernel);
      const expected = new FakeKernel(policy(of, last));
      expected.director.update(all);
      expected.connect(1, D);
      settle(expected);
      const sorted = (shown: string): string[] => shown.split(' ').sort();
      const first = last.kind === 'low-latency' ? (text: string) => sorted(text.replace(/[()]/g, '')) : sorted;
      if (of !== 'single' || last.kind !== 'low-latency')
        assert.deepEqual(first(kernel.shown()), first(expected.shown()));
    }),
    {
      numRuns: 150,
      // A join under way when the path went and came back, with another wish.
      examples: [
        [
          'fullmesh',
          [
            { works: [false, false, false], ms: 0, wish: { kind: 'max-throughput' } },
            { works: [false, true, false], ms: 0, wish: { kind: 'max-throughput' } },
            { works: [false, false, false], ms: 0, wish: { kind: 'prefer', path: lte.name } },
          ],
        ],
      ],
    },
  );
});
