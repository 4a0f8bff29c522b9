import assert from 'node:assert/strict';
import { scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { createPasswordCheck, hashPassword, verifyPassword } from '#anabranch/proxy/passwords.js';

const ann = await hashPassword('correct horse');
/** An eighth of the usual cost, where many checks must be waited for. */
const cheap = `scrypt:16384:1:1:${Buffer.alloc(16).toString('base64url')}:${Buffer.alloc(32).toString('base64url')}`;
const bob = await hashPassword('бэтмен');

test('a hash is scrypt over the UTF-8 of the password', () => {
  const [, cost, blockSize, parallelization, salt, hash] = bob.split(':') as string[];
  const options = { cost: Number(cost), blockSize: Number(blockSize), parallelization: Number(parallelization) };
  const expected = scryptSync(Buffer.from('бэтмен', 'utf8'), Buffer.from(salt as string, 'base64url'), 32, options);
  assert.equal(hash, expected.toString('base64url'));
});

test('every hash has a salt of its own', async () => {
  assert.notEqual(await hashPassword('correct horse'), ann);
});

test('verifies', async () => {
  assert.equal(await verifyPassword(ann, 'correct horse'), true);
  assert.equal(await verifyPassword(ann, 'correct hors'), false);
  assert.equal(await verifyPassword(ann, ''), false);
  assert.equal(await verifyPassword(ann, ann), false);
  assert.equal(await verifyPassword('correct horse', 'correct horse'), false);
});

test('refuses passwords that no client could send', async () => {
  await assert.rejects(hashPassword(''), RangeError);
  await assert.rejects(hashPassword('x'.repeat(256)), RangeError);
  await assert.rejects(hashPassword('ü'.repeat(128)), RangeError);
  await hashPassword('x'.repeat(255));
});

const users = [
  { name: 'ann', password: ann },
  { name: 'bob', password: bob },
];

test('checks by name', async () => {
  const check = createPasswordCheck(users);
  assert.equal(await check('ann', 'correct horse'), true);
  assert.equal(await check('bob', 'бэтмен'), true);
  assert.equal(await check('ann', 'бэтмен'), false);
  assert.equal(await check('bob', 'correct horse'), false);
  // The decoy's password opens nothing under an unknown name.
  assert.equal(await check('eve', 'correct horse'), false);
  assert.equal(await check('', ''), false);
  assert.equal(await check('ann', 'x'.repeat(10_000)), false);
  assert.equal(await createPasswordCheck([])('ann', 'correct horse'), false);
});

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

test('a proven password is remembered for a while, a wrong one never', async () => {
  let now = 0;
  const check = createPasswordCheck(users, () => now);
  const full = await msOf(() => check('ann', 'correct horse'));
  const again = await msOf(() => check('ann', 'correct horse'));
  assert.ok(again < full / 4, `${again} ms after ${full} ms`);
  now = 299_999;
  assert.ok((await msOf(() => check('ann', 'correct horse'))) < full / 4);
  now = 300_001;
  assert.ok((await msOf(() => check('ann', 'correct horse'))) > full / 8);
  await check('ann', 'wrong');
  assert.ok((await msOf(() => check('ann', 'wrong'))) > full / 8);
});

test('an unknown name takes as long as a known one', async () => {
  const check = createPasswordCheck(users);
  const unknown = await msOf(() => check('eve', 'x'));
  const known = await msOf(() => check('ann', 'x'));
  assert.ok(unknown > known / 8, `${unknown} ms against ${known} ms`);
});

test('a burst of one client is checked once, and too many different ones are refused', async () => {
  const check = createPasswordCheck(users);
  const one = await msOf(() => check('bob', 'бэтмен'));
  const burst = createPasswordCheck(users);
  const all = await msOf(async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => burst('ann', 'correct horse')));
    assert.ok(answers.every(Boolean));
  });
  assert.ok(all < one * 25, `${all} ms for a hundred, ${one} ms for one`);
  const crowded = createPasswordCheck([{ name: 'ann', password: cheap }]);
  const crowd = Array.from({ length: 300 }, (_, index) => crowded('ann', `guess ${index}`));
  // With two running and 256 waiting the rest is turned away at once.
  assert.equal(await crowd[299], false);
  assert.equal(await Promise.race([crowd[257], Promise.resolve('still waiting')]), 'still waiting');
  // The cache answers also while the queue is full.
  assert.equal(await burst('ann', 'correct horse'), true);
  assert.deepEqual(new Set(await Promise.all(crowd)), new Set([false]));
});
