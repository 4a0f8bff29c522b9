// What may lie in a file that is said to be a log.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { parseFlowLine } from '#anabranch/report/flow-line.js';
import { LINE_BYTES_MAX, readLines } from '#anabranch/report/line-reader.js';
import { reportOfLines } from '#anabranch/report/lines-report.js';
import { PathSteps } from '#anabranch/report/path-steps.js';
import { OTHERS, PATHS_MAX, STEPS_MAX } from '#anabranch/report/report.js';
import { Tally } from '#anabranch/report/tally.js';
import { sampleFlows } from './sample-flows.js';

const directory = mkdtempSync(join(tmpdir(), 'anabranch-report-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function linesOf(content: string | Buffer): Promise<(string | undefined)[]> {
  const path = join(directory, 'lines');
  writeFileSync(path, content);
  const lines: (string | undefined)[] = [];
  for await (const line of readLines(path)) lines.push(line);
  return lines;
}

describe('lines of a file', () => {
  test('with and without a final newline, empty ones, across chunks', async () => {
    assert.deepEqual(await linesOf(''), []);
    assert.deepEqual(await linesOf('a\n\nb'), ['a', '', 'b']);
    assert.deepEqual(await linesOf('ä\n'), ['ä']);
    const long = ['x'.repeat(700_000), 'é'.repeat(400_000), 'z'];
    assert.deepEqual(await linesOf(`${long.join('\n')}\n`), long);
  });

  test('what is longer than any record is skipped, and what follows is read', async () => {
    const content = `${'a'.repeat(LINE_BYTES_MAX * 3)}\nb\n${'c'.repeat(LINE_BYTES_MAX + 1)}`;
    assert.deepEqual(await linesOf(content), [undefined, 'b', undefined]);
  });
});

describe('a line', () => {
  test('is a flow, whatever is missing that a report can do without', () => {
    const bare = { id: 'x', acceptedAt: 1, endedAt: 5, bytesUp: 1, bytesDown: 2, end: 'done' };
    assert.equal(parseFlowLine(JSON.stringify(bare))?.longestStallMs, 0);
    for (const broken of [
      '',
      'null',
      '[]',
      '{"id":',
      '{}',
      JSON.stringify({ ...bare, endedAt: 0 }),
      JSON.stringify({ ...bare, bytesUp: 'x' }),
    ]) {
      assert.equal(parseFlowLine(broken), undefined, broken);
    }
    const odd = { ...bare, client: 7, asked: [], serverSide: { mptcp: 'mptcp', subflows: [{ bytesSent: -1 }] } };
    assert.equal(parseFlowLine(JSON.stringify(odd))?.serverSide?.subflows[0]?.bytesSent, 0);
  });

  test('of any text or any JSON does no harm', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseFlowLine(text)));
  });
});

test('broken lines are left out and counted; a file without flows says so', async () => {
  const path = join(directory, 'some.jsonl');
  const [flow] = sampleFlows(1);
  writeFileSync(path, `${JSON.stringify(flow)}\nnonsense\n{"half":`);
  const report = await reportOfLines({ path, filter: {}, words: [] });
  assert.equal(report.flows, 1);
  assert.deepEqual(report.notes, ['2 lines were no flow and left out']);
  writeFileSync(path, '');
  await assert.rejects(reportOfLines({ path, filter: {}, words: [] }), {
    code: 'nothing-to-report',
    message: `${path} holds no flow yet`,
  });
});

test('path steps keep every byte, in bounded many steps of bounded many paths', () => {
  const flow = fc.tuple(
    fc.integer({ min: 0, max: 400 }),
    fc.integer({ min: 0, max: 4e9 }),
    fc.integer({ min: 0, max: 1e8 }),
    fc.integer({ min: 1, max: 1e9 }),
  );
  fc.assert(
    fc.property(fc.array(flow, { minLength: 1, maxLength: 40 }), (flows) => {
      const steps = new PathSteps();
      for (const [path, from, lasted, bytes] of flows) steps.add(`p${path}`, from, from + lasted, bytes, 5);
      const points = steps.points();
      const sum = points.reduce((all, { bytes }) => all + bytes, 0);
      const given = flows.reduce((all, [, , , bytes]) => all + bytes, 0);
      assert.ok(Math.abs(sum - given) <= given * 1e-9);
      assert.ok(new Set(points.map(({ at }) => at)).size <= STEPS_MAX);
      const paths = new Set(points.map(({ path }) => path));
      assert.ok(paths.size <= PATHS_MAX + 1);
      if (new Set(flows.map(([path]) => path)).size > PATHS_MAX) assert.ok(paths.has(OTHERS));
    }),
    { numRuns: 50 },
  );
});

test('a tally keeps the large ones when there are too many names', () => {
  const tally = new Tally(100);
  for (let n = 0; n < 10_000; n++) {
    tally.add(`small ${n}`, 1);
    if (n % 10 === 0) tally.add('large', 1_000);
  }
  assert.ok(tally.isLossy);
  assert.deepEqual(tally.shares('bytes', 1), [{ name: 'large', flows: 1_000, bytes: 1_000_000 }]);
  assert.ok(tally.shares('flows').length <= 100);
});
