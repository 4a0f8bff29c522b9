import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MEASURES } from '../../../bench/measure/all.ts';
import { PEERS } from '../../../bench/peers/all.ts';
import { renderReport, renderSpread } from '../../../bench/report/markdown.ts';
import { type Outcome, Results } from '../../../bench/report/results.ts';
import { judge, TARGETS } from '../../../bench/report/targets.ts';

const RATE = 'connections/forward';

function outcome(peer: string, round: number, perSecond: number | undefined, failure?: string): Outcome {
  const readings = perSecond === undefined ? undefined : { perSecond, cpuMicroseconds: 1e6 / perSecond };
  return { measure: RATE, peer, round, readings, failure };
}

describe('results', () => {
  const results = new Results([
    outcome('anabranch', 1, 100),
    outcome('haproxy', 1, 50),
    outcome('anabranch', 2, 40),
    outcome('haproxy', 2, 10),
    outcome('anabranch', 3, 90),
    outcome('haproxy', 3, 30),
    outcome('haproxy', 4, 1),
    outcome('nginx', 1, undefined, 'nginx: it ended\nbefore it listened'),
    outcome('anabranch', 5, Number.NaN),
  ]);

  test('median and range over the rounds that worked', () => {
    assert.deepEqual(results.spread(RATE, 'anabranch', 'perSecond'), { median: 90, min: 40, max: 100, rounds: 3 });
    assert.equal(results.spread(RATE, 'nginx', 'perSecond'), undefined);
    assert.equal(results.spread(RATE, 'anabranch', 'gigabits'), undefined);
  });

  test('the ratio is the median of the rounds’ ratios, not the ratio of the medians', () => {
    assert.deepEqual(results.ratio(RATE, 'haproxy', 'perSecond'), { median: 3, min: 2, max: 4, rounds: 3 });
    assert.equal(results.ratio(RATE, 'nginx', 'perSecond'), undefined);
  });

  test('a peer without a cost gives no ratio', () => {
    const free = new Results([outcome('anabranch', 1, 5), { ...outcome('direct', 1, 9), readings: { perSecond: 0 } }]);
    assert.equal(free.ratio(RATE, 'direct', 'perSecond'), undefined);
  });

  test('verdicts: met, missed, unknown', () => {
    const verdicts = judge(results);
    assert.equal(verdicts.length, TARGETS.length);
    const found = verdicts.filter(({ verdict }) => verdict !== 'unknown');
    assert.deepEqual(
      found.map(({ target, verdict }) => [target.measure, target.peer, verdict]),
      [[RATE, 'haproxy', 'met']],
    );
    const slow = new Results([outcome('anabranch', 1, 119), outcome('haproxy', 1, 100)]);
    assert.ok(judge(slow).some(({ verdict }) => verdict === 'missed'));
    const just = new Results([outcome('anabranch', 1, 120), outcome('haproxy', 1, 100)]);
    assert.ok(judge(just).some(({ verdict }) => verdict === 'met'));
  });

  test('every target is on something that is measured, of a peer that is measured there', () => {
    for (const { measure, metric, peer } of TARGETS) {
      const found = MEASURES.find(({ id }) => id === measure);
      assert.ok(found !== undefined, measure);
      assert.ok(
        found.metrics.some(({ key }) => key === metric),
        `${measure} ${metric}`,
      );
      for (const name of ['anabranch', ...(peer === undefined ? [] : [peer])]) {
        const one = PEERS.find((candidate) => candidate.name === name);
        assert.ok(one?.entries.includes(found.entry) === true && found.suits(one), `${measure} of ${name}`);
      }
    }
  });

  test('names of measurements are unique', () => {
    assert.equal(new Set(MEASURES.map(({ id }) => id)).size, MEASURES.length);
  });

  test('the report', () => {
    const peers = ['anabranch', 'haproxy', 'nginx', 'squid'].map((name) => ({ name, version: '1', about: 'x' }));
    const report = renderReport(results, MEASURES, { facts: [['kernel', 'Linux']], peers });
    assert.match(report, /^- kernel: Linux$/m);
    assert.match(report, /^\| new connections, forward \| ≥ 1\.2 × haproxy \| 3\.00 \(2\.00–4\.00\) \| met \|$/m);
    assert.match(report, /^\| anabranch \| 90 \(40–100\) \|/m);
    assert.match(report, /^nginx failed in 1 round: nginx: it ended before it listened$/m);
    // What was not measured has no table, who has no figure no row.
    assert.equal(report.match(/^### /gm)?.length, 1);
    assert.doesNotMatch(report, /^\| squid \| [^1]/m);
  });

  test('numbers', () => {
    assert.equal(renderSpread({ median: 12_345.678, min: 1, max: 99_999, rounds: 2 }, 0), '12,346 (1–99,999)');
    assert.equal(renderSpread({ median: 0.125, min: 0.1, max: 0.2, rounds: 1 }, 3), '0.125');
  });
});
