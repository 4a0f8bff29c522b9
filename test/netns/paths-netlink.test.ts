// The netlink adapter against the kernel, in a network namespace of its own.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const inside = new URL('./paths-netlink-inside.js', import.meta.url).pathname;
const skip = requireMptcp() || requireCommands('ip', 'unshare') || requireNamespaces();

test('netlink in a namespace', { skip }, () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync('unshare', ['--net', process.execPath, inside], { encoding: 'utf8', timeout: 120_000, env });
  assert.equal(run.status, 0, `${run.stdout}\n${run.stderr}`);
  assert.doesNotMatch(run.stdout, /^# (?:pass 0|skipped [1-9])/m);
});
