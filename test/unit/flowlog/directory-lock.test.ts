import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DirectoryLock, DirectoryLockedError, lockHolder } from '#anabranch/flowlog/directory-lock.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anabranch-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const lockFile = () => join(directory, 'lock');

test('one at a time, and again after release', async () => {
  const lock = await DirectoryLock.take(directory);
  assert.equal(await lockHolder(directory), process.pid);
  await assert.rejects(DirectoryLock.take(directory), (error) => {
    assert.ok(error instanceof DirectoryLockedError);
    assert.equal(error.pid, process.pid);
    return true;
  });
  assert.deepEqual(readdirSync(directory), ['lock']);
  await lock.release();
  assert.equal(await lockHolder(directory), undefined);
  await (await DirectoryLock.take(directory)).release();
  assert.deepEqual(readdirSync(directory), []);
});

test('of many that come together, one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => DirectoryLock.take(directory)));
  const won = results.filter(({ status }) => status === 'fulfilled');
  assert.equal(won.length, 1);
  await (won[0] as PromiseFulfilledResult<DirectoryLock>).value.release();
});

test('what a crash left locks nobody out', async () => {
  const own = await DirectoryLock.take(directory);
  const holder = JSON.parse(readFileSync(lockFile(), 'utf8')) as { pid: number; start: string; namespace: string };
  await own.release();
  for (const left of [
    { ...holder, pid: 4_194_304 },
    // The number was handed out again: to us.
    { ...holder, start: '1' },
  ]) {
    writeFileSync(lockFile(), JSON.stringify(left));
    await (await DirectoryLock.take(directory)).release();
  }
  for (const text of ['', 'garbage', '{}']) {
    writeFileSync(lockFile(), text);
    utimesSync(lockFile(), 0, 0);
    await (await DirectoryLock.take(directory)).release();
  }
});

test('a holder in another container counts for as long as it is heard of', async () => {
  writeFileSync(lockFile(), JSON.stringify({ pid: 7, start: '1', namespace: 'pid:[1]' }));
  await assert.rejects(DirectoryLock.take(directory), /in use by process 7/);
  utimesSync(lockFile(), Date.now() / 1000 - 120, Date.now() / 1000 - 120);
  await (await DirectoryLock.take(directory)).release();
});
