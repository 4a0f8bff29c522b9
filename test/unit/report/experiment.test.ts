// Plots of an experiment in the lab: from its results' file to the picture.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readResults } from '#anabranch/report/experiment.js';
import { pageOfExperiment } from '#anabranch/report/experiment-page.js';
import { drawSvg } from '#anabranch/report/plots/draw.js';
import { plotsOfExperiment } from '#anabranch/report/plots/experiment-plots.js';

const directory = mkdtempSync(join(tmpdir(), 'anabranch-report-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const HOSTILE = 'wifi</svg><script>alert(1)</script>\u001b[2J\u202e';
const TEXT = 'workloads:\n  - from: client\n';
const STEPS = [
  { what: 'wifi changes: {"rate":18000000}', atMs: 1_000 },
  { what: 'wifi changes: {"rate":9000000}', atMs: 1_500 },
  { what: 'wifi changes: {"rate":1000000}', atMs: 2_000 },
  { what: 'wifi is cut: carrier (client)', atMs: 4_000 },
  { what: 'wifi returns', atMs: 7_000 },
  { what: 'wifi changes: {"rate":20000000}', atMs: 7_010 },
];

interface Figures {
  readonly goodput: number;
  readonly finished: number;
}

function settingOf(name: string, figures: readonly Figures[], steps = STEPS) {
  const series = (bytes: number) => ({ startMs: 100, binMs: 100, bytes: Array.from({ length: 90 }, () => bytes) });
  const nothing = { startMs: 100, binMs: 100, bytes: [] };
  const summary = { count: 1, mean: 1, median: 9, min: 1, max: 1, standardDeviation: 0, meanLow: null, meanHigh: null };
  return {
    name,
    labels: { paths: name },
    capacityMbit: 28.2,
    measures: {
      goodput: { take: 'goodput', unit: 'Mbit/s', summary, missing: 0, papers: [{ figure: '≈ 27.5', source: 'x' }] },
      finished: { take: 'finished', unit: '%', summary, missing: 0, papers: [] },
    },
    runs: figures.map((figure) => ({
      figures: figure,
      steps,
      originMs: 100,
      measures: {
        interfaces: [
          { host: 'client', link: HOSTILE, sent: nothing, received: series(250_000) },
          { host: 'client', link: 'cellular', sent: nothing, received: series(125_000) },
        ],
      },
    })),
  };
}

async function resultsOf(settings: readonly unknown[]) {
  const path = join(directory, 'results.json');
  const experiment = { name: 'cuts', title: `cuts of ${HOSTILE}`, text: TEXT };
  const provenance = { kernel: '6.1', cores: 2, load: 0, startedAt: '', anabranch: '1', command: 'lab run' };
  writeFileSync(
    path,
    JSON.stringify({ format: 1, experiment, quick: false, interrupted: false, provenance, settings }),
  );
  return readResults(path);
}

const FIGURES = [9, 8.5, 9.5, 9.2, 8.8].map((goodput, i) => ({ goodput, finished: i < 3 ? 100 : 0 }));

/** What a layer of a specification is drawn from. */
function valuesOf(spec: unknown, layer: number): Record<string, number>[] {
  return (spec as { layer: { data: { values: Record<string, number>[] } }[] }).layer[layer]!.data.values;
}

describe('plots of an experiment', { timeout: 240_000 }, () => {
  test('show every run, the papers and what the links can carry', async () => {
    const plots = plotsOfExperiment(await resultsOf([settingOf('both', FIGURES), settingOf('wifi', FIGURES)]));
    assert.deepEqual(
      plots.map(({ name }) => name),
      ['measure-goodput', 'measure-finished', 'series-01-both', 'series-02-wifi'],
    );
    const [goodput] = plots;
    assert.equal(valuesOf(goodput!.spec, 1).length, 10);
    assert.deepEqual(
      valuesOf(goodput!.spec, 2).map(({ figure }) => figure),
      [27.5, 27.5],
    );
    assert.deepEqual(
      valuesOf(goodput!.spec, 3).map(({ figure }) => figure),
      [28.2, 28.2],
    );
    const svg = await drawSvg(goodput!);
    assert.match(svg, /diamonds: figures from papers, upright strokes: what the links can carry/);
  });

  test('show what is yes or no as a share of the runs', async () => {
    const [, finished] = plotsOfExperiment(await resultsOf([settingOf('both', FIGURES)]));
    const svg = await drawSvg(finished!);
    assert.match(svg, />3 of 5</);
    assert.doesNotMatch(svg, /NaN|undefined/);
  });

  test('mark what was done to the paths, in the picture itself, and changes in a row as one', async () => {
    const [, , series] = plotsOfExperiment(await resultsOf([settingOf('both', FIGURES)]));
    const words =
      '1: wifi changes 3 times from 1.00 to 2.00 s; 2: wifi is cut: carrier (client) at 4.00 s; ' +
      '3: wifi returns at 7.00 s; 4: wifi changes: rate:20000000 at 7.01 s.';
    assert.equal(series!.legend, words);
    const svg = await drawSvg(series!);
    assert.match(svg, />1: wifi changes 3 times from 1.00 to 2.00 s; 2: wifi is cut/);
    // Two marks at nearly the same place share a label.
    assert.match(svg, />3–4</);
  });

  test('take names as data', async () => {
    const results = await resultsOf([settingOf(HOSTILE, FIGURES)]);
    const plots = plotsOfExperiment(results);
    const drawn = await Promise.all(plots.map(async (plot) => ({ plot, svg: await drawSvg(plot) })));
    const page = pageOfExperiment(results, drawn);
    for (const bad of ['<script', '\u001b', '\u202e']) assert.ok(!page.includes(bad), bad);
    for (const { name } of plots) assert.match(name, /^[\w-]+$/);
  });

  test('bear runs without figures and without samples', async () => {
    const empty = settingOf('both', FIGURES, []);
    const runs = empty.runs.map((run) => ({
      ...run,
      figures: { goodput: null, finished: null },
      measures: { interfaces: [] },
    }));
    assert.deepEqual(plotsOfExperiment(await resultsOf([{ ...empty, runs }])), []);
  });
});
