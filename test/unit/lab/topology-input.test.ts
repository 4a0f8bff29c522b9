import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { LabError } from '#anabranch/lab/lab-error.js';
import { applyChange, linkChange } from '#anabranch/lab/link-change.js';
import { meanLoss, PERFECT } from '#anabranch/lab/link-settings.js';
import { createTopology, settleTopology } from '#anabranch/lab/topology-input.js';

const two = { hosts: { a: {}, b: {} }, links: { wifi: { between: ['a', 'b'] as [string, string] } } };

describe('a topology for programs', () => {
  test('everything that is left out has its default', () => {
    const topology = createTopology(two);
    const mptcp = { enabled: true, endpoints: 'auto', subflows: 8, addAddrAccepted: 8 };
    assert.deepEqual(topology.hosts, [
      { name: 'a', forward: false, sourceRouting: true, mptcp, sysctls: [] },
      { name: 'b', forward: false, sourceRouting: true, mptcp, sysctls: [] },
    ]);
    const [link] = topology.links;
    assert.deepEqual([link?.up, link?.down, link?.mtu], [PERFECT, PERFECT, 1_500]);
    assert.deepEqual([topology.name, topology.seed, topology.timeline], ['lab', 1, []]);
  });

  test('without IPv6 there is none', () => {
    const { links } = createTopology({ ...two, ipv6: false });
    assert.deepEqual(
      links[0]?.addresses.flat().map(({ family }) => family),
      [4, 4],
    );
  });

  test('MPTCP: off in a word, or with endpoints and limits', () => {
    const specs = createTopology({
      hosts: {
        a: { mptcp: false },
        b: { mptcp: { endpoints: { wifi: ['subflow', 'backup'] }, subflows: 2 } },
        c: { mptcp: { endpoints: 'none' } },
      },
      links: { wifi: { between: ['a', 'b'] } },
    }).hosts.map(({ mptcp }) => mptcp);
    assert.equal(specs[0]?.enabled, false);
    assert.deepEqual(specs[1]?.endpoints, new Map([['wifi', ['subflow', 'backup']]]));
    assert.deepEqual([specs[1]?.subflows, specs[1]?.addAddrAccepted], [2, 8]);
    assert.deepEqual(specs[2]?.endpoints, new Map());
  });

  test('the timeline becomes actions', () => {
    const { timeline } = createTopology({
      ...two,
      timeline: [
        { at: '1.5s', down: 'wifi', how: 'carrier', side: 'b' },
        { at: 2_000, up: 'wifi' },
        { at: '3s', set: 'wifi', to: { rate: '1mbit' } },
        { at: '4s', address: { host: 'a', link: 'wifi', to: '10.0.1.9/24' } },
      ],
    });
    assert.deepEqual(timeline, [
      { atMs: 1_500, action: { kind: 'down', link: 'wifi', cut: { how: 'carrier', direction: undefined, side: 'b' } } },
      { atMs: 2_000, action: { kind: 'up', link: 'wifi' } },
      { atMs: 3_000, action: { kind: 'set', link: 'wifi', change: { rate: 1e6 } } },
      { atMs: 4_000, action: { kind: 'address', host: 'a', link: 'wifi', address: '10.0.1.9/24' } },
    ]);
  });

  test('every fault is told, each on a line', () => {
    const wrong = {
      hosts: { a: {}, b: {} },
      links: { x: { between: ['a', 'c'] as [string, string], mtu: 1_500 } },
      seed: -1,
    };
    assert.throws(
      () => createTopology(wrong),
      (error: unknown) => {
        assert.ok(error instanceof LabError);
        assert.equal(error.code, 'LAB_TOPOLOGY');
        assert.equal(error.message, 'seed: is -1 — a whole number from 0 to 4294967295');
        return true;
      },
    );
    assert.throws(() => createTopology({ ...wrong, seed: 1 }), {
      message: 'links.x.between[1]: no host is named c — there are: a, b',
    });
  });

  test('there may not be too many of anything', () => {
    const hosts = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`h${i}`, {}]));
    assert.deepEqual(
      settleTopology({ hosts, links: {} }).faults?.map(({ message, hint }) => `${message}, ${hint}`),
      ['are 65, at most 64'],
    );
    const links = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`l${i}`, { between: ['a', 'b'] }]));
    assert.deepEqual(
      settleTopology({ hosts: two.hosts, links }).faults?.map(({ message, hint }) => `${message}, ${hint}`),
      ['are 129, at most 128'],
    );
  });

  test('any value at all is a topology or has faults', () => {
    const key = fc.constantFrom(
      'hosts',
      'links',
      'timeline',
      'a',
      'b',
      'wifi',
      'between',
      'rate',
      'mptcp',
      'at',
      'down',
    );
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<unknown>('a', 'b', 'wifi', 1, null, true, '1mbit'),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(key, tie('node'), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(value, (input) => {
        const { topology, faults } = settleTopology(input);
        assert.equal(topology === undefined, faults !== undefined);
        for (const fault of faults ?? []) assert.ok(fault.message !== '' && fault.hint !== '', JSON.stringify(fault));
      }),
    );
  });
});

describe('changes to a link', () => {
  const change = (input: unknown) => linkChange.parse(input);

  test('the RTT is halved, and an explicit delay wins', () => {
    assert.equal(applyChange(PERFECT, change({ rtt: '30ms' }), 'up').delayMs, 15);
    assert.equal(applyChange(PERFECT, change({ rtt: '30ms', delay: '1ms' }), 'up').delayMs, 1);
    assert.equal(applyChange(PERFECT, change({ rtt: '30ms', down: { delay: '9ms' } }), 'down').delayMs, 9);
    assert.equal(applyChange(PERFECT, change({ rtt: '30ms', down: { delay: '9ms' } }), 'up').delayMs, 15);
  });

  test('what is not named stays, and null ends a trace', () => {
    const before = applyChange(PERFECT, change({ rate: '5mbit', loss: '2%', trace: [1, 2] }), 'up');
    const next = applyChange(before, change({ rate: 'unlimited' }), 'up');
    assert.deepEqual(next, { ...before, rate: Number.POSITIVE_INFINITY });
    assert.equal(applyChange(before, change({ trace: null }), 'up').trace, undefined);
  });

  test('bursts by their average and length lose that share, in runs of that length', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 0.45, noNaN: true }),
        fc.double({ min: 1, max: 100, noNaN: true }),
        (average, burst) => {
          const { loss } = applyChange(PERFECT, change({ loss: { average, burst } }), 'up');
          assert.ok(Math.abs(meanLoss(loss) - average) < 1e-9);
          assert.ok(loss.kind === 'gilbert-elliott' && Math.abs(1 / loss.badToGood - burst) < 1e-9);
        },
      ),
    );
  });

  test('no loss is no loss', () =>
    assert.deepEqual(applyChange(PERFECT, change({ loss: 0 }), 'up').loss, { kind: 'none' }));
});
