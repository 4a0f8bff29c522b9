// Subflows of MPTCP connections, in a network namespace of their own, with and without the right to administer it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { test } from 'node:test';

import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const inside = new URL('./subflows-inside.js', import.meta.url).pathname;
const skip = requireMptcp() || requireCommands('ip', 'ss', 'nft', 'nstat', 'unshare') || requireNamespaces();

test('subflows in a namespace', { skip }, () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const outside = readlinkSync('/proc/self/ns/net');
  const run = spawnSync('unshare', ['--net', process.execPath, inside, outside], {
    encoding: 'utf8',
    timeout: 120_000,
    env,
  });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  assert.doesNotMatch(run.stdout, /^# (?:pass 0|skipped [1-9])/m);
});
