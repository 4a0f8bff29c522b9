import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Options, parseOptions } from '../../../bench/options.ts';
import { planSteps } from '../../../bench/rounds.ts';

function options(...args: readonly string[]): Options {
  const parsed = parseOptions(args);
  assert.ok(!('help' in parsed));
  return parsed;
}

describe('options', () => {
  test('without any: everything, and the report is kept', () => {
    const { rounds, warmUpRounds, seconds, isFull } = options();
    assert.deepEqual(
      { rounds, warmUpRounds, seconds, isFull },
      { rounds: 5, warmUpRounds: 1, seconds: 3, isFull: true },
    );
  });

  test('quick is a preset, not a lock', () => {
    assert.equal(options('--quick').rounds, 1);
    assert.equal(options('--quick', '--rounds', '3').rounds, 3);
    assert.equal(options('--quick').isFull, false);
  });

  test('sections and names', () => {
    const ids = options('--only', 'memory,latency/forward').measures.map(({ id }) => id);
    assert.deepEqual(
      ids.toSorted(),
      [1, 50, 500]
        .map((count) => `latency/forward/${count}`)
        .concat('memory/forward', 'memory/http', 'memory/socks')
        .sort(),
    );
    // latency/forward/5 is no beginning of latency/forward/50.
    assert.throws(() => options('--only', 'latency/forward/5'), { code: 'USAGE' });
  });

  test('refused, by name', () => {
    for (const [args, named] of [
      [['--only', 'nothing'], /nothing/],
      [['--peers', 'haproxy,envoy'], /envoy.*haproxy/s],
      [['--rounds', '0'], /--rounds 0.*1 to 100/],
      [['--rounds', '2.5'], /2\.5/],
      [['--seconds', 'x'], /--seconds x/],
      [['--seconds', ''], /--seconds/],
      [['--fast'], /--fast/],
      [['stray'], /stray/],
    ] as const) {
      assert.throws(() => parseOptions(args), { code: 'USAGE', message: named });
    }
  });

  test('help and list measure nothing', () => {
    assert.match((parseOptions(['--help']) as { help: string }).help, /usage/);
    assert.match((parseOptions(['--list']) as { help: string }).help, /throughput\/forward\/tcp\/up\/1/);
  });
});

describe('the order of runs', () => {
  const chosen = options('--only', 'connections', '--rounds', '3', '--warm-up', '2');
  const steps = planSteps(chosen, chosen.peers);

  test('every peer that fits a measurement runs once in each round', () => {
    const forward = steps.filter(({ measure }) => measure.id === 'connections/forward');
    for (const round of [-1, 0, 1, 2, 3]) {
      const names = forward.filter((step) => step.round === round).map(({ peer }) => peer.name);
      assert.deepEqual(names.toSorted(), ['anabranch', 'direct', 'haproxy', 'nginx', 'node-pipe']);
    }
    assert.ok(steps.every(({ measure, peer }) => peer.entries.includes(measure.entry)));
  });

  test('peers stand side by side within a round, and another one begins each round', () => {
    const rounds = steps.map(({ round }) => round);
    assert.deepEqual(
      rounds,
      rounds.toSorted((a, b) => a - b),
    );
    const first = [-1, 0, 1, 2, 3].map((round) => steps.find((step) => step.round === round)?.peer.name);
    assert.equal(new Set(first).size, 5);
  });

  test('warm-up rounds take half the time', () => {
    assert.ok(steps.every(({ round, seconds }) => seconds === (round > 0 ? 3 : 1.5)));
  });
});
