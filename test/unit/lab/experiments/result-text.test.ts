import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { parseExperiment } from '#anabranch/lab/experiments/experiment-file.js';
import { formatResult } from '#anabranch/lab/experiments/result-text.js';
import { type ExperimentResult, settingResult } from '#anabranch/lab/experiments/results.js';
import type { Run } from '#anabranch/lab/experiments/run.js';

const { settings, papers } = parseExperiment(
  `name: x
title: a test
topology:
  hosts: { client: , server: }
  links: { wifi: { between: [client, server], rate: 20mbit } }
parameters: { way: [down, up] }
workloads: { transfer: { kind: bulk, from: client, to: server, seconds: 1s, direction: "\${way}" } }
capacity: { links: [wifi], direction: "\${way}", protocol: tcp }
measures: { goodput: { take: goodput, of: transfer }, failover: { take: recovery, of: transfer, after: 0 } }
papers: [{ when: { way: down }, measure: goodput, figure: about 19, source: a paper of 2013 }]
`,
  'x.yaml',
  { quick: false, only: [] },
);

function run(goodput: number, failover: number | null): Run {
  const measures = { startedMs: 0, endedMs: 0, lateReadings: 0, interfaces: [], hosts: [], processes: [] };
  return {
    seed: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    figures: { goodput, failover },
    moments: {},
    steps: [],
    originMs: 0,
    workloads: {},
    measures,
    flows: {},
  };
}

function resultOf(runs: readonly (readonly Run[])[], interrupted = false): ExperimentResult {
  return {
    format: 1,
    experiment: { name: 'x', title: 'a test', path: 'x.yaml', text: '' },
    quick: true,
    repetitions: 3,
    seed: 1,
    interrupted,
    provenance: {
      startedAt: '',
      anabranch: '',
      node: '',
      kernel: '6.18.0 #1 SMP',
      cpu: '',
      cores: 2,
      memoryBytes: 0,
      load: 0.5,
      sysctls: {},
      command: '',
    },
    settings: settings.map((setting, i) => settingResult(setting, runs[i] ?? [], papers)),
  };
}

describe('tables of an experiment', () => {
  test('a row for each setting, a column for each figure, the papers beside them', () => {
    const text = formatResult(resultOf([[run(18, 0.5), run(19, null), run(20, 1.5)], [run(7, null)]]));
    assert.equal(
      text,
      `x: a test — quick run
Linux 6.18.0, 2 cores, load 0.50 at the start

goodput, Mbit/s
way   runs  mean  median  std dev  95 % interval  can carry     paper
────  ────  ────  ──────  ───────  ─────────────  ─────────  ────────
down     3  19.0    19.0     1.00    16.5 – 21.5       19.1  about 19
up       1  7.00    7.00        –              –       19.1         –

failover, s
way   runs  mean  median  std dev  95 % interval  without
────  ────  ────  ──────  ───────  ─────────────  ───────
down     3  1.00    1.00     0.71   -5.35 – 7.35        1
up       1     –       –        –              –        1

paper: goodput about 19: a paper of 2013
`,
    );
  });

  test('settings without a run are left out when it was interrupted', () => {
    const text = formatResult(resultOf([[run(18, 0.5)], []], true));
    assert.match(text, /^x: a test — quick run — interrupted: not all runs were made\n/);
    assert.doesNotMatch(text, /^up /m);
    assert.match(formatResult(resultOf([[], []], true)), /interrupted/);
  });
});
