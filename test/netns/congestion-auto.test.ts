// `congestion: auto` over the lab's lossy path: the gateway must notice that the path loses without being full, change the
// live connection to bbr, and say so in its record; without loss it must let cubic be. `sendBuffer: auto` beside it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ExperimentResult } from '#anabranch/lab/experiments/results.js';
import type { SideRecord } from '#anabranch/proxy/flow-record.js';
import { requireCommands, requireMptcp, requireRoot } from '../requirements.ts';

const PROGRAM = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

/** The client's side of the gateway's only flow, for each loss. */
function play(loss: string, path: string): { readonly side: SideRecord | undefined; readonly used: number } {
  const out = join(tmpdir(), `anabranch-congestion-${process.pid}-${loss}-${path}`);
  try {
    const only = ['--only', path, '--only', 'auto', '--only', loss];
    const args = ['lab', 'run', 'pooling', '--repetitions', '1', ...only, '--json', '--out', out];
    const run = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', timeout: 240_000 });
    assert.equal(run.status, 0, run.stderr);
    const { settings } = JSON.parse(run.stdout) as ExperimentResult;
    const [only1] = settings.flatMap(({ runs }) => runs);
    const flows =
      (only1?.flows as Readonly<Record<string, readonly { readonly clientSide?: SideRecord }[]>> | undefined) ?? {};
    return { side: flows.far?.[0]?.clientSide, used: only1?.figures.used ?? 0 };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

const skip = requireRoot() || requireMptcp() || requireCommands('ip');

test('bbr over a path that loses without being full', { skip }, (t) => {
  const { side, used } = play('with', 'both');
  t.diagnostic(`${used} % used; ${side?.congestion?.why}`);
  assert.equal(side?.congestion?.name, 'bbr');
  assert.match(side?.congestion?.why ?? '', /% lost at \d+ ms without a queue/);
  // cubic: 45 to 70 %.
  assert.ok(used > 80, `${used} %`);
});

test('cubic where nothing is lost, and no more in the send buffer than keeps both paths busy', { skip }, (t) => {
  const { side, used } = play('without', 'both');
  t.diagnostic(`${used} % used; ${side?.sendBuffer} bytes`);
  assert.equal(side?.congestion, undefined);
  // 30 Mbit/s for 100 ms are 375 kB; with a full queue it is 200 ms, and Wi-Fi may be ahead by as much. At the end it may
  // have been for one path only.
  const buffer = side?.sendBuffer ?? 0;
  assert.ok(buffer > 150_000 && buffer < 1_800_000, `${buffer}`);
  assert.ok(used > 90, `${used} %`);
});
