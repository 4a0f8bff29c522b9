// Whatever happens to a program with a lab, nothing of the lab is left.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createLab } from '#anabranch/lab/lab.js';
import { LabError } from '#anabranch/lab/lab-error.js';
import { NETNS_DIRECTORY, processesIn, STATE_DIRECTORY } from '#anabranch/lab/registry.js';
import { cleanLabs } from '#anabranch/lab/teardown.js';

import { requireCommands, requireNamespaces } from '../requirements.ts';

const VICTIM = fileURLToPath(new URL('./lab-victim.js', import.meta.url));
const skip = requireCommands('ip', 'nsenter') || requireNamespaces();

/** Names of namespaces and records of a lab. */
function leftOf(id: string): string[] {
  const names = (directory: string): string[] => {
    try {
      return readdirSync(directory);
    } catch {
      return [];
    }
  };
  return [
    ...names(NETNS_DIRECTORY).filter((name) => name.startsWith(`anb-${id}-`) || name === `anb-${id}.links`),
    ...names(STATE_DIRECTORY).filter((name) => name.startsWith(`${id}.`)),
  ];
}

async function startVictim(ending: string, id: string): Promise<ChildProcess> {
  const victim = spawn(process.execPath, [VICTIM, ending, id], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(victim.stdout, 'data');
  return victim;
}

describe('a lab ends with its program', { skip, timeout: 240_000 }, () => {
  for (const [ending, signal, expected] of [
    ['end', undefined, [0, null]],
    ['exit', undefined, [7, null]],
    ['throw', undefined, [1, null]],
    ['interrupt', 'SIGINT', [null, 'SIGINT']],
    ['terminate', 'SIGTERM', [null, 'SIGTERM']],
    ['hang-up', 'SIGHUP', [null, 'SIGHUP']],
  ] as const) {
    test(ending, async () => {
      const id = `t${process.pid}${ending.slice(0, 2)}`;
      const victim = await startVictim(ending, id);
      if (signal !== undefined) victim.kill(signal);
      assert.deepEqual(victim.exitCode === null ? await once(victim, 'exit') : [victim.exitCode, null], [...expected]);
      assert.deepEqual(leftOf(id), []);
    });
  }

  test('what a kill −9 leaves is found by cleaning, which spares labs in use', async () => {
    const id = `t${process.pid}ki`;
    const alive = await createLab({ hosts: { a: {} }, links: {} });
    try {
      const victim = await startVictim('kill', id);
      victim.kill('SIGKILL');
      await once(victim, 'exit');
      const left = leftOf(id);
      assert.equal(left.length, 4, left.join(' '));
      const processes = processesIn([`anb-${id}-a`]);
      assert.equal(processes.length, 1);
      assert.deepEqual(
        cleanLabs().filter((cleaned) => cleaned === id || cleaned === alive.id),
        [id],
      );
      assert.deepEqual(leftOf(id), []);
      assert.equal((await alive.host('a').exec(['cat', '/proc/net/dev'])).status, 0);
    } finally {
      await alive.close();
    }
    await alive.close();
    assert.deepEqual(leftOf(alive.id), []);
  });

  test('a lab that cannot be built leaves nothing, and says why', async () => {
    const id = `t${process.pid}no`;
    const hosts = { a: { sysctls: { 'net.ipv4.ip_forward': 'perhaps' } }, b: {} };
    await assert.rejects(
      createLab({ hosts, links: { wire: { between: ['a', 'b'] } } }, { id }),
      (error: unknown) =>
        error instanceof LabError && /sysctl net\.ipv4\.ip_forward does not take 'perhaps'/.test(error.message),
    );
    assert.deepEqual(leftOf(id), []);
  });

  test('several labs run at once, and closing ends what runs in them', async () => {
    const topology = { hosts: { a: {}, b: {} }, links: { wire: { between: ['a', 'b'] as [string, string] } } };
    const labs = await Promise.all([createLab(topology), createLab(topology), createLab(topology)]);
    assert.equal(new Set(labs.map(({ id }) => id)).size, 3);
    const running = labs[0].host('a').spawn(['sleep', '600']);
    await Promise.all(labs.map((lab) => lab.close()));
    assert.equal((await running.exited).signal, 'SIGKILL');
    assert.deepEqual(
      labs.flatMap(({ id }) => leftOf(id)),
      [],
    );
  });
});
