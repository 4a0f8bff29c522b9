// Pictures: what is on them, and that it can be told apart.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathColour } from '#anabranch/report/colours.js';
import { reportOfLines } from '#anabranch/report/lines-report.js';
import { drawSvg } from '#anabranch/report/plots/draw.js';
import { flowTimeline } from '#anabranch/report/plots/flow-timeline.js';
import { rttPlot, throughputPlot } from '#anabranch/report/plots/paths.js';
import { plotsOfReport } from '#anabranch/report/plots/report-plots.js';
import type { Report } from '#anabranch/report/report.js';
import { sampleFlows } from './sample-flows.js';

const directory = mkdtempSync(join(tmpdir(), 'anabranch-report-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function reportOf(count: number): Promise<Report> {
  const path = join(directory, `${count}.jsonl`);
  writeFileSync(path, [...sampleFlows(count)].map((flow) => `${JSON.stringify(flow)}\n`).join(''));
  return reportOfLines({ path, filter: {}, words: [] });
}

/** CIE lightness, 0 to 100: what is left in grey. */
function lightness(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

test('paths that lie on one another differ in grey', () => {
  for (let i = 1; i < 7; i++) {
    const difference = Math.abs(lightness(pathColour(i)) - lightness(pathColour(i - 1)));
    assert.ok(difference >= 12, `${pathColour(i - 1)} and ${pathColour(i)} differ by ${difference.toFixed(1)}`);
  }
});

describe('pictures', { timeout: 240_000 }, () => {
  test('of many flows name the survivor, the paths and the axes', async () => {
    const report = await reportOf(5_000);
    const texts = new Map<string, string>();
    for (const plot of plotsOfReport(report)) texts.set(plot.name, await drawSvg(plot));
    assert.match(texts.get('durations') ?? '', /mirror\.example\.edu:443, 30\.8 min/);
    assert.match(texts.get('duration-volume') ?? '', /mirror\.example\.edu:443: 1\.0 GB in 30\.8 min/);
    assert.match(texts.get('throughput') ?? '', />192\.0\.2\.10<[\s\S]*>198\.51\.100\.20</);
    assert.match(texts.get('throughput') ?? '', /UTC, 2026-05-01/);
    assert.match(texts.get('working-subflows') ?? '', />two or more</);
    for (const [name, svg] of texts) assert.doesNotMatch(svg, /NaN|undefined|null|Infinity/, name);
  });

  test('of one flow, of two and of flows without bytes are drawn too', async () => {
    for (const count of [1, 2]) {
      for (const plot of plotsOfReport(await reportOf(count))) {
        assert.doesNotMatch(await drawSvg(plot), /NaN|undefined|Infinity/, plot.name);
      }
    }
    const path = join(directory, 'failed.jsonl');
    const [flow] = sampleFlows(1);
    const failed = {
      ...flow,
      bytesUp: 0,
      bytesDown: 0,
      endedAt: flow?.acceptedAt,
      serverSide: undefined,
      clientSide: undefined,
      longestStallMs: 0,
    };
    writeFileSync(path, JSON.stringify(failed));
    const report = await reportOfLines({ path, filter: {}, words: [] });
    for (const plot of plotsOfReport(report))
      assert.doesNotMatch(await drawSvg(plot), /NaN|undefined|Infinity/, plot.name);
  });

  test('mark when a path went and came', async () => {
    const report = await reportOf(500);
    const at = report.firstStartedAt + 3_600_000;
    const events = [
      { at, kind: 'path-down', path: 'wlan0', message: undefined },
      { at: at + 600_000, kind: 'path-up', path: 'wlan0', message: undefined },
      { at, kind: 'reload', path: undefined, message: undefined },
    ];
    const svg = await drawSvg(throughputPlot({ ...report, events })!);
    assert.match(svg, />wlan0 down</);
    assert.match(svg, />wlan0 up</);
    // What is marked is no path: the legend names those alone.
    const rtt = await drawSvg(rttPlot({ ...report, events })!);
    assert.doesNotMatch(rtt, />(true|false)</);
    assert.equal(rtt.match(/>192\.0\.2\.10</g)?.length, 1);
  });

  test('of a flow interrupt the lane of a path that was away', async () => {
    const [flow] = (await reportOf(500)).longest;
    const subflow = {
      side: 'server' as const,
      local: '192.0.2.10:1',
      remote: '203.0.113.5:2',
      addresses: ['192.0.2.10', '203.0.113.5'],
      ...{ bytesSent: 1, bytesReceived: 2, rttMs: 20, retransmits: 0, backup: false, closed: false },
    };
    const events = [
      { at: flow!.startedAt + 60_000, kind: 'path-down', path: '192.0.2.10', message: undefined },
      { at: flow!.startedAt + 120_000, kind: 'path-up', path: '192.0.2.10', message: undefined },
    ];
    const bars = (plot: ReturnType<typeof flowTimeline>) =>
      (plot.spec as unknown as { layer: { data: { values: { from: number; to: number }[] } }[] }).layer[0]!.data.values;
    const interrupted = bars(flowTimeline({ flow: flow!, milestones: [], subflows: [subflow], events }));
    assert.deepEqual(
      interrupted.slice(1).map(({ from, to }) => [from, Math.round(to)]),
      [
        [0, 1],
        [2, 31],
      ],
    );
    assert.equal(bars(flowTimeline({ flow: flow!, milestones: [], subflows: [subflow], events: [] })).length, 2);
  });
});
