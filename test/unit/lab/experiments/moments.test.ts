import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { parseExperiment } from '#anabranch/lab/experiments/experiment-file.js';
import { drawMoments } from '#anabranch/lab/experiments/moments.js';
import { LabError } from '#anabranch/lab/lab-error.js';

function draw(value: unknown, seed?: number): { value: unknown; drawn: Map<string, number>; faults: string[] } {
  const drawn = new Map<string, number>();
  const findings: Parameters<typeof drawMoments>[4] = [];
  const made = drawMoments(value, seed, drawn, ['timeline'], findings);
  return { value: made, drawn, faults: findings.map(({ path, message }) => `${path.join('.')}: ${message}`) };
}

describe('a time that differs from run to run', () => {
  for (const text of ['12s ± 500ms', '12s±500ms', '12s +- 500ms', ' 12s +/- 0.5s ', '12000 ms ± 500 ms']) {
    test(`is written ${text}`, () => {
      assert.equal(draw(text).value, 12_000);
      const { value, drawn } = draw(text, 7);
      assert.ok(typeof value === 'number' && value >= 11_500 && value <= 12_500 && value !== 12_000, String(value));
      assert.deepEqual([...drawn], [[text.trim(), value]]);
    });
  }

  test('is found anywhere, and nothing else is changed', () => {
    const other = { at: '12s', down: 'wifi', how: null, list: [1, true, 'a ± b', '± 1s', '1s ±', '1s ± 2', '5 ± 1s'] };
    assert.deepEqual(draw(other, 1), { value: other, drawn: new Map(), faults: [] });
    const { value } = draw([{ at: '1s ± 10ms', to: { rate: '1mbit' } }, '1s ± 10ms', '2s ± 10ms'], 1);
    assert.ok(Array.isArray(value));
    assert.equal(value[0].at, value[1]);
    assert.notEqual(value[2] - value[1], 1_000);
  });

  test('is the same with the same seed, and spread evenly over seeds', () => {
    const values = Array.from({ length: 2_000 }, (_, seed) => draw('5s ± 1s', seed).value as number);
    assert.equal(draw('5s ± 1s', 42).value, values[42]);
    const mean = values.reduce((sum, ms) => sum + ms, 0) / values.length;
    assert.ok(Math.abs(mean - 5_000) < 100, String(mean));
    for (const from of [4_000, 4_500, 5_000, 5_500]) {
      const share = values.filter((ms) => ms >= from && ms < from + 500).length / values.length;
      assert.ok(Math.abs(share - 0.25) < 0.06, `${from}: ${share}`);
    }
  });

  test('stays in its bounds', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.integer(), (middle, spread, seed) => {
        const { value, faults } = draw(`${middle}ms ± ${spread}ms`, seed);
        assert.equal(faults.length, spread > middle ? 1 : 0);
        assert.ok((value as number) >= middle - spread && (value as number) <= middle + spread);
      }),
    );
  });

  test('may not be before the start', () => {
    assert.deepEqual(draw([{ at: '1s ± 2s' }], 1).faults, [
      'timeline.0.at: is "1s ± 2s", which may be before the start',
    ]);
  });
});

const TEXT = `name: mine
title: a test
topology:
  hosts: { client: , server: }
  links: { wire: { between: [client, server], rate: 10mbit } }
variables: { cut-at: 2s ± 500ms, back-at: 4s ± 1s }
workloads: { transfer: { kind: bulk, from: client, to: server, seconds: 9s } }
timeline:
  - { at: "\${cut-at}", down: wire }
  - { at: "\${back-at}", up: wire }
measures:
  back: { take: regain, link: wire, after: "\${back-at}", before: [0s, "\${cut-at}"] }
`;

describe('an experiment with such times', () => {
  const read = (text = TEXT) => parseExperiment(text, 'mine.yaml', { quick: false, only: [] }).settings[0]!;

  test('has them in the middle until a run draws them, the same ones for its timeline and its measures', () => {
    const { scene, sceneOf } = read();
    assert.deepEqual(
      scene.timeline.map(({ atMs }) => atMs),
      [2_000, 4_000],
    );
    const seen = new Set<number>();
    for (let seed = 1; seed <= 20; seed++) {
      const { timeline, measures, moments } = sceneOf(seed);
      const [cut, back] = timeline.map(({ atMs }) => atMs) as [number, number];
      assert.ok(cut >= 1_500 && cut <= 2_500 && back >= 3_000 && back <= 5_000, `${cut}, ${back}`);
      const regain = measures.get('back');
      assert.ok(regain?.take === 'regain');
      assert.deepEqual([regain.before, regain.after], [[0, cut], back]);
      assert.deepEqual(Object.fromEntries(moments), { '2s ± 500ms': cut, '4s ± 1s': back });
      seen.add(back - cut);
    }
    assert.ok(seen.size > 15, `${[...seen]}`);
  });

  test('is one scene when there are none', () => {
    const { scene, sceneOf } = read(TEXT.replace(' ± 500ms', '').replace(' ± 1s', ''));
    assert.equal(sceneOf(3), scene);
  });

  test('tells where one cannot be', () => {
    assert.throws(
      () => read(TEXT.replace('2s ± 500ms', '2s ± 3s')),
      (error) => error instanceof LabError && /^mine\.yaml:9:\d+ timeline\[0\]\.at: is "2s ± 3s"/.test(error.message),
    );
  });
});
