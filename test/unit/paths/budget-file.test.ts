// The file that keeps the use of budgets: written whole or not at all, and read whatever is in it.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';

import { BudgetFile } from '#anabranch/paths/budget-file.js';
import type { BudgetRecords } from '#anabranch/paths/budget-keeper.js';

const root = mkdtempSync(join(tmpdir(), 'anabranch-budget-'));
after(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
let path: string;
let warned: string[];
let count = 0;

beforeEach(() => {
  folder = join(root, String(count++));
  mkdirSync(folder);
  path = join(folder, 'budgets.json');
  warned = [];
});

const open = (): BudgetFile => new BudgetFile(path, { warn: (message) => warned.push(message) });

const RECORDS: BudgetRecords = {
  lte: { since: '2026-11-01', bytes: 5, machine: 'boot net:[1]', counters: { 2: 17 } },
};

test('what was written is read, and nothing else is left in the directory', async () => {
  assert.deepEqual(await open().read(), {});
  const file = open();
  await file.write(RECORDS);
  assert.deepEqual(await open().read(), RECORDS);
  assert.deepEqual(readdirSync(folder), ['budgets.json']);
  assert.deepEqual(warned, []);
});

test('of several writes at once the last one counts', async () => {
  const file = open();
  const writes = Array.from({ length: 20 }, (_, bytes) =>
    file.write({ lte: { ...RECORDS.lte, bytes } as BudgetRecords[string] }),
  );
  await Promise.all(writes);
  assert.equal((await open().read()).lte?.bytes, 19);
  assert.deepEqual(readdirSync(folder), ['budgets.json']);
});

test('a damaged file is told of and put aside, however it is damaged', async () => {
  await open().write(RECORDS);
  const whole = readFileSync(path, 'utf8');
  const damages = [
    ...Array.from({ length: 20 }, (_, i) => whole.slice(0, Math.floor((whole.length * i) / 20))),
    'null',
    '[]',
    '{"version":2,"paths":{}}',
    whole.replace('"bytes": 5', '"bytes": -5'),
    whole.replace('"bytes": 5', '"bytes": "5"'),
    whole.replace('2026-11-01', 'yesterday'),
    '\0'.repeat(100),
  ];
  for (const damage of damages) {
    warned = [];
    writeFileSync(path, damage);
    assert.deepEqual(await open().read(), {}, damage);
    assert.equal(warned.length, 1);
    assert.match(
      warned[0] ?? '',
      /budgets\.json is damaged: budgets are counted from nothing.*put aside as .*\.broken/,
    );
    assert.equal(readFileSync(`${path}.broken`, 'utf8'), damage);
    // It goes on from there.
    await open().write(RECORDS);
    assert.deepEqual(await open().read(), RECORDS);
  }
});

test('a file that is none of ours, and a directory that is not there, are told of', async () => {
  writeFileSync(path, '');
  truncateSync(path, 2 << 20);
  assert.deepEqual(await open().read(), {});
  assert.match(warned.join(), /cannot be read \(it has 2097152 bytes/);
  rmSync(folder, { recursive: true });
  await open().write(RECORDS);
  assert.match(warned.at(-1) ?? '', /cannot be written \(ENOENT/);
});
