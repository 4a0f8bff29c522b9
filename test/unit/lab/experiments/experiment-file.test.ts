import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { listExperiments, parseExperiment, readExperiment } from '#anabranch/lab/experiments/experiment-file.js';
import { LabError } from '#anabranch/lab/lab-error.js';

const FULL = { quick: false, only: [] };

const GOOD = `name: mine
title: a test
topology:
  hosts: { client: , server: }
  links:
    wire: { between: [client, server], rate: "\${rate}", addresses: { server: 192.0.2.2/24, client: 192.0.2.1/24 } }
parameters:
  rate: [1mbit, 2mbit]
  way: { down: { direction: down }, up: { direction: up } }
skip: [{ rate: 2mbit, way: up }]
variables: { seconds: 9s }
repetitions: 3
quick: { repetitions: 1, parameters: { rate: [2mbit] }, variables: { seconds: 1s } }
processes:
  proxy:
    host: server
    anabranch:
      inbounds: [{ type: socks, listen: "\${address.server.wire}:1080", open: true }]
workloads:
  transfer: { kind: bulk, from: client, to: server, via: "\${address.server.wire}:1080", direction: "\${way.direction}", seconds: "\${seconds}" }
timeline: [{ at: 1s, down: wire }]
reloads: [{ at: 2s, process: proxy, with: { rules: [{ use: direct }] } }]
capacity: { links: [wire], direction: "\${way.direction}", protocol: tcp }
measures: { goodput: { take: goodput, of: transfer } }
papers: [{ when: { way: down }, measure: goodput, figure: 5, source: a paper }]
`;

function faultsOf(text: string): string {
  try {
    parseExperiment(text, 'mine.yaml', FULL);
    return '';
  } catch (error) {
    assert.ok(error instanceof LabError, String(error));
    return error.message;
  }
}

describe('an experiment file', () => {
  test('becomes a scene for each setting that is not skipped', () => {
    const { settings, repetitions, name } = parseExperiment(GOOD, 'mine.yaml', FULL);
    assert.equal(name, 'mine');
    assert.equal(repetitions, 3);
    assert.deepEqual(
      settings.map(({ setting }) => setting.labels),
      [
        { rate: '1mbit', way: 'down' },
        { rate: '1mbit', way: 'up' },
        { rate: '2mbit', way: 'down' },
      ],
    );
    const { scene } = settings[2]!;
    assert.equal(scene.topology.links[0]?.up.rate, 2e6);
    assert.deepEqual(scene.processes[0]?.ready, [1080]);
    assert.deepEqual(scene.processes[0]?.anabranch, {
      workers: 1,
      inbounds: [{ type: 'socks', listen: '192.0.2.2:1080', open: true }],
    });
    const { workload, startMs } = scene.workloads[0]!;
    assert.equal(startMs, 0);
    assert.ok(workload.kind === 'bulk');
    assert.equal(workload.seconds, 9);
    assert.deepEqual(workload.via, { socks: '192.0.2.2:1080' });
    assert.deepEqual(
      scene.timeline.map(({ atMs }) => atMs),
      [1_000],
    );
    assert.deepEqual(scene.reloads, [
      {
        atMs: 2_000,
        process: 'proxy',
        keys: ['rules'],
        anabranch: { ...scene.processes[0].anabranch, rules: [{ use: 'direct' }] },
      },
    ]);
  });

  test('has a quick variant, and gives way to the command line', () => {
    const quick = parseExperiment(GOOD, 'mine.yaml', { quick: true, only: ['down'] });
    assert.deepEqual(
      quick.settings.map(({ setting }) => setting.labels),
      [{ rate: '2mbit', way: 'down' }],
    );
    assert.equal(quick.repetitions, 1);
    const { workload } = quick.settings[0]!.scene.workloads[0]!;
    assert.ok(workload.kind === 'bulk' && workload.seconds === 1);
    assert.equal(parseExperiment(GOOD, 'mine.yaml', { quick: true, repetitions: 7, only: [] }).repetitions, 7);
  });

  for (const [what, from, to, expected] of [
    [
      'a mistyped key',
      'repetitions:',
      'repetition:',
      /^mine\.yaml:12:1 repetition: unknown key "repetition" — did you mean repetitions\?/,
    ],
    ['a missing title', 'title: a test\n', '', /title: is missing — a title/],
    [
      'an unknown host',
      'host: server',
      'host: sever',
      /^mine\.yaml:16:11 processes\.proxy\.host: is "sever": no host has this name — did you mean server\?/,
    ],
    ['an unknown link in the timeline', 'down: wire }', 'down: wir }', /^mine\.yaml:21:28 timeline\[0\]\.down: .*wir/],
    [
      'an unknown link in the topology',
      'between: [client, server]',
      'between: [client, sever]',
      /topology\.links\.wire\.between\[1\]: .*sever/,
    ],
    [
      'a placeholder for nothing',
      '"${seconds}"',
      '"${second}"',
      /workloads\.transfer\.seconds: nothing is named second — known: .*seconds/,
    ],
    [
      'a wrong proxy configuration',
      'type: socks',
      'type: sock',
      /^mine\.yaml:18:\d+ processes\.proxy\.anabranch\.inbounds\[0\]\.type: is "sock" — did you mean socks\?/,
    ],
    ['a workload of no kind', 'kind: bulk', 'kind: bulky', /workloads\.transfer/],
    [
      'a measure of no workload',
      'of: transfer',
      'of: transfers',
      /measures\.goodput\.of: is "transfers": no workload has this name — did you mean transfer\?/,
    ],
    ['a figure of no measure', 'measure: goodput,', 'measure: putgood,', /papers\[0\]\.measure: is "putgood"/],
    [
      'a figure for no setting',
      'when: { way: down }',
      'when: { way: left }',
      /papers\[0\]\.when\.way: left is no value of it — known: down, up/,
    ],
    [
      'a skip of no setting',
      'skip: [{ rate: 2mbit',
      'skip: [{ rat: 2mbit',
      /skip\[0\]\.rat: is no parameter — known: rate, way/,
    ],
    [
      'a quick variable that is none',
      'variables: { seconds: 1s }',
      'variables: { second: 1s }',
      /quick\.variables\.second: is no variable — known: seconds/,
    ],
    [
      'a reload of nobody',
      'process: proxy, with',
      'process: prox, with',
      /^mine\.yaml:22:30 reloads\[0\]\.process: is "prox": no anabranch has this name — did you mean proxy\?/,
    ],
    [
      'a reload with a wrong configuration',
      'use: direct',
      'use: dirct',
      /^mine\.yaml:22:\d+ reloads\[0\]\.with\.rules\[0\]\.use: no outbound has this name — did you mean direct\?/,
    ],
    ['a reload without a time', 'at: 2s, process', 'process', /reloads\[0\]\.at: is missing/],
    ['no YAML', 'name: mine', 'name: [mine', /^mine\.yaml:\d+:\d+: /],
    ['a process without a program', 'anabranch:\n      inbounds: [', 'env:\n      inbounds: "[', /mine\.yaml/],
  ] as const) {
    test(`${what} is told with line and key, once`, () => {
      const text = GOOD.replace(from, to);
      assert.notEqual(text, GOOD);
      const faults = faultsOf(text);
      assert.match(faults, expected);
      assert.equal(new Set(faults.split('\n')).size, faults.split('\n').length);
    });
  }

  test('any text ends in faults, not in a crash', () => {
    const lines = GOOD.split('\n');
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.string(), fc.nat(120), (at, junk, column) => {
        const line = lines[at]!;
        faultsOf(lines.with(at, line.slice(0, column) + junk + line.slice(column)).join('\n'));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the experiments that come along', () => {
  const names = [
    'buffers',
    'dead-route',
    'failover',
    'handover',
    'latency',
    'mtu',
    'pooling',
    'recovery',
    'regeneration',
    'strategies',
    'wish-switch',
    'wishes',
  ];

  test('are all found', () => {
    assert.deepEqual(
      listExperiments().map(({ name }) => name),
      names,
    );
  });

  for (const name of names) {
    test(`${name} is right, in full and quick`, () => {
      const full = readExperiment(name, FULL);
      const quick = readExperiment(name, { quick: true, only: [] });
      assert.ok(full.repetitions >= 5);
      assert.ok(quick.settings.length > 0 && quick.settings.length <= full.settings.length);
      assert.equal(full.name, name);
      assert.ok(full.about.length > 100);
    });
  }

  test('a name that is none is told', () => {
    assert.throws(() => readExperiment('poling', FULL), /no experiment is named poling; did you mean pooling\?/);
    assert.throws(() => readExperiment('./poling.yaml', FULL), /cannot read \.\/poling\.yaml: there is no such file/);
  });
});
