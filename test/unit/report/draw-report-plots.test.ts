// Plots made in a thread of their own.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { COLOURS, onDark } from '#anabranch/report/colours.js';
import { drawReportPlots } from '#anabranch/report/draw-report-plots.js';
import { sampleFlows } from './sample-flows.js';

const directory = mkdtempSync(join(tmpdir(), 'anabranch-report-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, 'flows.jsonl');
const flows = [...sampleFlows(500)];
writeFileSync(path, flows.map((flow) => `${JSON.stringify(flow)}\n`).join(''));
const log = { kind: 'file', path } as const;

describe('plots in a thread', { timeout: 240_000 }, () => {
  test('come with the figures, for light and dark ground', async () => {
    const { figures, plots } = await drawReportPlots({ log, filter: {}, words: [] });
    assert.equal(figures.flows, 500);
    assert.deepEqual(
      plots.map(({ name }) => name),
      ['working-subflows', 'throughput', 'rtt', 'durations', 'duration-volume', 'destinations', 'stalls'],
    );
    for (const { light, dark, title, about } of plots) {
      assert.match(light, /^<svg [\s\S]*<\/svg>$/);
      assert.equal(light.length, dark.length, 'nothing but colours differs');
      for (const colour of COLOURS) {
        const isUsed = new RegExp(`(fill|stroke)="${colour.light}"`).test(light);
        assert.equal(new RegExp(`(fill|stroke)="${colour.dark}"`).test(dark), isUsed, `${title}: ${colour.dark}`);
      }
      assert.ok(about.length > 0);
    }
  });

  test('of a range of time', async () => {
    const since = Math.max(...flows.map(({ endedAt }) => endedAt));
    const { figures } = await drawReportPlots({ log, filter: { since }, words: ['since then'] });
    assert.deepEqual([figures.flows, figures.filter], [1, ['since then']]);
  });

  test('fail with a code and a message', async () => {
    await assert.rejects(drawReportPlots({ log, filter: { user: 'nobody' }, words: ['user nobody'] }), {
      name: 'ReportPlotsError',
      code: 'nothing-to-report',
      message: `${path} holds no flow with user nobody`,
    });
    const missing = { kind: 'file', path: join(directory, 'missing.jsonl') } as const;
    await assert.rejects(drawReportPlots({ log: missing, filter: {}, words: [] }), { code: 'ENOENT' });
    const nowhere = { kind: 'postgres', url: 'postgres://reader:secret@127.0.0.1:1/flows' } as const;
    await assert.rejects(
      drawReportPlots({ log: nowhere, filter: {}, words: [] }),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'log-not-readable');
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  });

  test('end when they take too long, and when nobody waits for them any more', async () => {
    const request = { log, filter: {}, words: [] };
    await assert.rejects(drawReportPlots(request, { waitMs: 1 }), { code: 'timed-out' });
    const stopped = new Error('stopped');
    await assert.rejects(drawReportPlots(request, { signal: AbortSignal.abort(stopped) }), stopped);
    const abort = new AbortController();
    const drawing = drawReportPlots(request, { signal: abort.signal });
    abort.abort(stopped);
    await assert.rejects(drawing, stopped);
  });
});

test('a colour in a text of a picture stays', () => {
  assert.equal(
    onDark('<text fill="#1b2127">fill=&quot;#1b2127&quot;</text>'),
    '<text fill="#e4e8ec">fill=&quot;#1b2127&quot;</text>',
  );
});
