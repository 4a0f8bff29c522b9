// Names from the network are data: nothing of them runs in a page, steers a terminal, or is a formula.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FlowEntry } from '#anabranch/flowlog/entry.js';
import { csvLine } from '#anabranch/report/csv.js';
import { printable } from '#anabranch/report/figures.js';
import { detailOfLine, flowOfLine, parseFlowLine } from '#anabranch/report/flow-line.js';
import { reportOfLines } from '#anabranch/report/lines-report.js';
import { drawPng, drawSvg } from '#anabranch/report/plots/draw.js';
import { flowTimeline } from '#anabranch/report/plots/flow-timeline.js';
import type { Plot } from '#anabranch/report/plots/plot.js';
import { plotsOfReport } from '#anabranch/report/plots/report-plots.js';
import { pageOfFlow, pageOfReport } from '#anabranch/report/report-page.js';
import { formatFlow, formatReport } from '#anabranch/report/text.js';
import { sampleFlows } from './sample-flows.js';

const NASTY = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'); DROP TABLE anabranch.flows; --",
  '\u001b[2J\u001b]0;title\u0007\r\n',
  '\u202eexe.txt\u2066',
  ']]></style><!--',
  'datum.x; while(1){}',
  '${process.exit(1)}',
  '\ud800half',
  'x'.repeat(5_000),
];
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function hostileFlows(): FlowEntry[] {
  return [...sampleFlows(200)].map((flow, n) => {
    const text = NASTY[n % NASTY.length] as string;
    const subflows = (flow.serverSide?.subflows ?? []).map((subflow) => ({
      ...subflow,
      local: { address: text, port: 1 },
      remote: { address: text, port: 2 },
    }));
    return {
      ...flow,
      id: `${text}${n}`,
      inbound: text,
      outbound: text,
      user: text,
      asked: { host: text, port: 443 },
      end: text,
      bytesDown: flow.bytesDown + (n < NASTY.length ? 1e10 : 0),
      clientSide: { mptcp: text, subflows: [] },
      serverSide: { mptcp: text, subflows },
    };
  });
}

function checkMarkup(markup: string): void {
  // Whatever the names are, no tag begins and no attribute ends where we did not write it.
  const tags = markup.replace(/="[^"]*"/g, '=""');
  assert.doesNotMatch(markup, /<(script|img|iframe|object|a|link|!--)\b/i);
  assert.doesNotMatch(tags, /<[a-z][^>]*\son[a-z]+\s*=/i);
  assert.doesNotMatch(markup, STEERING);
}

const directory = mkdtempSync(join(tmpdir(), 'anabranch-report-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, 'hostile.jsonl');
writeFileSync(
  path,
  hostileFlows()
    .map((flow) => `${JSON.stringify(flow)}\n`)
    .join(''),
);

async function draw(plots: readonly Plot[]): Promise<{ plot: Plot; svg: string }[]> {
  return Promise.all(plots.map(async (plot) => ({ plot, svg: await drawSvg(plot) })));
}

describe('hostile names', () => {
  test('in the pictures and the page', { timeout: 240_000 }, async () => {
    const report = await reportOfLines({ path, filter: {}, words: [`destination ${NASTY[0]}`] });
    const drawn = await draw(plotsOfReport(report));
    assert.equal(drawn.length, 7);
    for (const { svg } of drawn) {
      checkMarkup(svg);
      // A picture that is not well-formed is refused.
      assert.deepEqual([...(await drawPng(svg)).subarray(1, 4)], [...Buffer.from('PNG')]);
    }
    checkMarkup(pageOfReport(report, drawn));
  });

  test('in one flow', { timeout: 240_000 }, async () => {
    for (const flow of hostileFlows().slice(0, NASTY.length)) {
      const detail = detailOfLine(parseFlowLine(JSON.stringify(flow))!);
      const [drawn] = await draw([flowTimeline(detail)]);
      checkMarkup(pageOfFlow(detail, [drawn!]));
      assert.doesNotMatch(formatFlow(detail), STEERING);
    }
  });

  test('on the terminal', async () => {
    const text = formatReport(await reportOfLines({ path, filter: {}, words: [NASTY[3] as string] }));
    assert.doesNotMatch(text, STEERING);
    assert.ok(text.split('\n').every((line) => line.length < 600));
  });

  test('as comma-separated values', () => {
    const [first] = sampleFlows(1);
    const cell = (host: string) =>
      csvLine(flowOfLine(parseFlowLine(JSON.stringify({ ...first, asked: { host, port: 1 } }))!)).split(',')[8];
    assert.equal(cell('=cmd|1'), "'=cmd|1");
    assert.equal(cell('@SUM(A1)'), "'@SUM(A1)");
    assert.equal(cell('a"b'), '"a""b"');
    assert.equal(cell('plain.example'), 'plain.example');
    assert.match(csvLine(flowOfLine(parseFlowLine(JSON.stringify({ ...first, user: 'a\r\nb,c' }))!)), /,"a\r\nb,c",/);
  });

  test('are cut by letters, not in the middle of one', () => {
    assert.equal(printable('😀'.repeat(10), 4), '😀😀😀…');
    assert.equal(printable('a\u001b[31mb'), 'a?[31mb');
  });
});

test('a proxy never loads what draws: only draw.ts imports it, and nothing imports that at once', () => {
  const source = join(dirname(fileURLToPath(import.meta.url)), '../../../../src');
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )) {
    const text = readFileSync(join(source, file), 'utf8');
    assert.doesNotMatch(text, /^import (?!type)[^;]*from '(vega|vega-lite|@resvg\/resvg-js)'/m, file);
    // The thread is one that ends with its drawing.
    if (file !== join('report', 'plots-thread.ts'))
      assert.doesNotMatch(text, /^import (?!type)[^;]*plots\/draw\.ts'/m, file);
    assert.doesNotMatch(text, /from '[^']*plots-thread\.ts'/, file);
  }
});
