// What is started and stopped as the configuration changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Follower } from '#anabranch/cli/follower.js';
import type { Config } from '#anabranch/config/config.js';
import { parseConfig } from '#anabranch/config/parse.js';

function configOf(paths: string, rest = ''): Config {
  const parsed = parseConfig(`paths: { ${paths} }\n${rest}`, {
    fileName: 'f',
    defaults: { workers: 1, admin: undefined },
  });
  assert.ok('config' in parsed, JSON.stringify(parsed));
  return parsed.config;
}

/** Tells what it does; `start` may be slow, and refuses what begins with `bad`. */
function scene() {
  const told: string[] = [];
  const follower = new Follower<string>({
    part: ({ paths }) => paths.probe,
    start: async ({ paths: { probe } }) => {
      await new Promise((resolve) => setImmediate(resolve));
      const name = probe?.to.host;
      if (name?.startsWith('bug')) throw new Error('a bug');
      told.push(name === undefined ? 'nothing' : `start ${name}`);
      return name?.startsWith('bad') ? undefined : name;
    },
    stop: (name) => void told.push(`stop ${name}`),
  });
  return { follower, take: () => told.splice(0).join(', ') };
}

const probe = (name: string) => configOf(`probe: { to: "${name}.example:1080" }`);

test('started, left alone, changed, stopped', async () => {
  const { follower, take } = scene();
  await follower.follow(probe('a'));
  assert.equal(take(), 'start a.example');
  await follower.follow(configOf('probe: { to: "a.example:1080" }', 'limits: { connections: 5 }'));
  assert.equal(take(), '');
  assert.equal(follower.running, 'a.example');
  await follower.follow(probe('b'));
  assert.equal(take(), 'stop a.example, start b.example');
  await follower.follow(configOf(''));
  assert.equal(take(), 'stop b.example, nothing');
  assert.equal(follower.running, undefined);
  await follower.follow(probe('a'));
  await follower.stop();
  await follower.stop();
  assert.equal(take(), 'start a.example, stop a.example');
});

test('what could not be started is tried again with the next reload', async () => {
  const { follower, take } = scene();
  await follower.follow(probe('bad'));
  await follower.follow(probe('bad'));
  assert.equal(take(), 'start bad.example, start bad.example');
  await assert.rejects(follower.follow(probe('bug')), /a bug/);
  await follower.follow(probe('a'));
  assert.equal(take(), 'start a.example');
});

test('reloads that overlap are followed in their order, and so is the end', async () => {
  const { follower, take } = scene();
  void follower.follow(probe('a'));
  void follower.follow(probe('b'));
  await follower.stop();
  assert.equal(take(), 'start a.example, stop a.example, start b.example, stop b.example');
});
