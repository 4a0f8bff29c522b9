// The demo's report: what its plots and its page say of a download that survives the cut.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DemoCourse, type DemoDownload, pageOfDemo, plotsOfDemo } from '#anabranch/report/demo-report.js';
import { reportOfTexts } from '#anabranch/report/lines-report.js';
import { drawSvg } from '#anabranch/report/plots/draw.js';
import { sampleFlows } from './sample-flows.js';

/** Four samples a second at steady rates, over path 1 or over both; from 4 to 8 s nothing comes over path 1. */
function download(
  name: string,
  { over, seconds, finished = true }: { over: 1 | 2; seconds: number; finished?: boolean },
) {
  let pathBytes = [0, 0];
  const samples: { atMs: number; bytes: number; pathBytes: number[] }[] = [];
  for (let atMs = 250; atMs < seconds * 1_000 + 250; atMs += 250) {
    const cut = atMs > 4_000 && atMs <= 8_000;
    pathBytes = [pathBytes[0]! + (cut ? 0 : 625_000), pathBytes[1]! + (over === 2 ? 312_500 : 0)];
    samples.push({ atMs, bytes: pathBytes[0]! + pathBytes[1]!, pathBytes });
  }
  const marks = [
    { atMs: 4_000, what: 'path 1 is cut' },
    { atMs: 8_000, what: 'path 1 is back' },
  ];
  return { name, finished, longestStallMs: 1_500, seconds, samples, marks } satisfies DemoDownload;
}

const COURSE: DemoCourse = {
  fileBytes: 24_000_000,
  paths: ['path 1: 20 Mbit/s, 20 ms', 'path 2: 10 Mbit/s, 100 ms'],
  downloads: [download('over MPTCP', { over: 2, seconds: 11.7 }), download('over TCP', { over: 1, seconds: 19.9 })],
  connections: undefined,
  verdict: ['Both downloads came through whole.', '', '  over path 1: <b>14.9 MB</b>'],
};

/** What a layer of a specification is drawn from. */
function valuesOf(spec: unknown, layer: number): Record<string, number>[] {
  return (spec as { layer: { data: { values: Record<string, number>[] } }[] }).layer[layer]!.data.values;
}

describe("the demo's report", () => {
  test('draws both downloads up to their ends', () => {
    const [received] = plotsOfDemo(COURSE);
    const values = valuesOf(received!.spec, 0);
    const last = values.filter(({ name }) => String(name) === 'over MPTCP').at(-1)!;
    assert.deepEqual([last.at, last.bytes], [11.7, 24_000_000]);
    assert.ok(values.every(({ at }) => at! <= 19.9));
    assert.deepEqual(
      valuesOf(received!.spec, 1).map(({ at }) => at),
      [11.7, 19.9],
    );
    assert.match(received!.legend!, /1: path 1 is cut at 4.00 s; 2: path 1 is back at 8.00 s/);
  });

  test('gives a download that did not finish no dot', () => {
    const lost = { ...download('over TCP', { over: 1, seconds: 19.9 }), finished: false };
    const [received] = plotsOfDemo({ ...COURSE, downloads: [COURSE.downloads[0]!, lost] });
    assert.equal(valuesOf(received!.spec, 1).length, 1);
    assert.match(pageOfDemo({ ...COURSE, downloads: [lost] }, []), /not finished/);
  });

  test('shows the rates of each path, on one scale', () => {
    const [, mptcp, tcp] = plotsOfDemo(COURSE);
    const rates = valuesOf(mptcp!.spec, 0);
    const at = (second: number) => rates.filter((value) => value.at === second).map(({ bits }) => bits);
    assert.deepEqual(at(2), [20e6, 10e6]);
    assert.deepEqual(at(5), [0, 10e6], 'path 1 is away');
    assert.equal(Math.max(...rates.map(({ at }) => at!)), 11.7);
    for (const { spec } of [mptcp!, tcp!]) assert.match(JSON.stringify(spec), /"domainMax":31200000/);
  });

  test('is a page without scripts, with what the demo said', async () => {
    const plots = plotsOfDemo(COURSE);
    const drawn = await Promise.all(plots.map(async (plot) => ({ plot, svg: await drawSvg(plot) })));
    for (const { svg } of drawn) assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
    const page = pageOfDemo(COURSE, drawn);
    assert.equal(page.match(/<svg/g)?.length, 3);
    assert.match(page, / {2}over path 1: &lt;b&gt;14\.9 MB&lt;\/b&gt;/);
    assert.doesNotMatch(page, /<script|<b>/);
  });

  test('shows the download among the connections beside it', async () => {
    const texts = [...sampleFlows(60)].map((flow) => JSON.stringify(flow));
    const plots = plotsOfDemo({ ...COURSE, connections: reportOfTexts(texts, 'the demo') });
    assert.deepEqual(
      plots.map(({ name }) => name),
      ['demo-received', 'demo-paths-1', 'demo-paths-2', 'demo-duration-volume', 'demo-durations'],
    );
    const svg = await drawSvg(plots[3]!);
    assert.match(svg, />mirror\.example\.edu:443: 1\.0 GB in 30\.8 min</);
    // A label for the download, none for what is a hundredth of it.
    assert.equal(svg.match(/ in [\d.]+ (ms|s|min)</g)?.length, 2, 'the text and its halo');
  });

  test('bears a demo that ended before its first sample', async () => {
    const nothing = { ...download('over TCP', { over: 1, seconds: 0 }), samples: [], marks: [], finished: false };
    for (const plot of plotsOfDemo({ ...COURSE, downloads: [nothing, nothing] })) {
      assert.doesNotMatch(await drawSvg(plot), /NaN|undefined|Infinity/);
    }
  });
});
