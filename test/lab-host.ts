// Test files that need a network of their own: they run again on a host of a lab that has no links.

import assert from 'node:assert/strict';
import { createLab, type Lab } from '#anabranch/lab/lab.js';

export interface InsideOptions {
  /** Hosts beside the one that the file runs on. */
  readonly others?: readonly string[];
  /** Put before the program, such as `['unshare', '--mount']`. */
  readonly prefix?: readonly string[];
  readonly args?: (lab: Lab) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a compiled test file on a lab's host, with nothing but a loopback interface; each of its tests must pass. */
export async function testOnLabHost(file: string, options: InsideOptions = {}): Promise<void> {
  const { others = [], prefix = [], args = () => [], env = {}, timeoutMs = 120_000 } = options;
  const lab = await createLab({
    name: 'alone',
    hosts: Object.fromEntries(['alone', ...others].map((name) => [name, {}])),
    links: {},
  });
  try {
    // Were it told of this test runner, it would talk to it instead of writing what comes out.
    const node = ['env', '-u', 'NODE_TEST_CONTEXT', process.execPath, '--test-reporter=tap', file];
    const run = await lab.host('alone').exec([...prefix, ...node, ...args(lab)], { env, timeoutMs, check: false });
    const said = `${run.stdout}\n${run.stderr}`;
    assert.equal(run.status, 0, said);
    assert.match(run.stdout, /^# pass [1-9]/m, said);
    assert.match(run.stdout, /^# skipped 0$/m, said);
  } finally {
    await lab.close();
  }
}
