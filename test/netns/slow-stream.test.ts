// A slow stream over a path that fades and dies. The kernel grows a receive buffer with the rate it is read at, and a
// small one can fill with out-of-order data for good; see src/socket/receive-buffer.ts.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ExperimentResult } from '#anabranch/lab/experiments/results.js';
import { requireCommands, requireMptcp, requireRoot } from '../requirements.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
/** Of a run of seven seconds in which Wi-Fi is away for two. */
const GAP_MS_MAX = 3_000;

test('a stream of 4 Mbit/s outlives its path', {
  skip: requireRoot() || requireMptcp() || requireCommands('ip'),
}, (t) => {
  const out = join(tmpdir(), `anabranch-slow-stream-${process.pid}`);
  t.after(() => rmSync(out, { recursive: true, force: true }));
  const args = ['lab', 'run', 'handover', '--quick', '--only', 'stream', '--only', 'both', '--json', '--out', out];
  const run = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', timeout: 200_000 });
  assert.equal(run.status, 0, run.stderr);
  const { settings } = JSON.parse(run.stdout) as ExperimentResult;
  const gaps = settings.flatMap(({ runs }) => runs.map(({ figures }) => figures.gap ?? Number.POSITIVE_INFINITY));
  t.diagnostic(`longest silence: ${Math.round(Math.max(...gaps))} ms`);
  assert.equal(gaps.length, 1);
  assert.ok(Math.max(...gaps) < GAP_MS_MAX, `silent for ${Math.max(...gaps)} ms`);
});
