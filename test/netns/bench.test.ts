import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { requireCommands, requireNamespaces } from '../requirements.ts';

const main = join(import.meta.dirname, '../../bench/main.js');
const directory = mkdtempSync(join(tmpdir(), 'anabranch-bench-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const skip = requireNamespaces() || requireCommands('ip', 'nsenter', 'tcpdump');

// It asks whether each load gets through a proxy and yields figures, never how large they are.
test('every kind of measurement yields its figures', { skip, timeout: 240_000 }, () => {
  const json = join(directory, 'readings.json');
  const only =
    'throughput/forward/tcp/up/1,throughput/forward/tcp/down/32,connections/forward,latency/forward/50,delay/forward';
  const args = ['--quick', '--seconds', '0.3', '--only', only, '--peers', 'direct,node-pipe', '--json', json];
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    timeout: 200_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^### New connections/m);
  const { outcomes } = JSON.parse(readFileSync(json, 'utf8')) as {
    outcomes: { measure: string; peer: string; readings?: Record<string, number>; failure?: string }[];
  };
  assert.deepEqual(
    outcomes.map(({ measure, peer }) => `${measure} ${peer}`).sort(),
    only
      .split(',')
      .flatMap((id) => (id === 'delay/forward' ? [`${id} node-pipe`] : [`${id} direct`, `${id} node-pipe`]))
      .sort(),
  );
  for (const { measure, peer, readings, failure } of outcomes) {
    assert.equal(failure, undefined, `${measure} of ${peer}: ${failure}`);
    for (const [key, value] of Object.entries(readings ?? {})) {
      const free = peer === 'direct' && key.startsWith('cpu');
      assert.ok(free ? value === 0 : value > 0, `${measure} of ${peer}: ${key} is ${value}`);
    }
  }
});

test('a wrong name is refused before anything is started', () => {
  const { status, stderr } = spawnSync(process.execPath, [main, '--peers', 'nobody'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /no peer is called nobody/);
});
