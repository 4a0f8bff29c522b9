// Months, counters and what follows when little is left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import type { BudgetConfig } from '#anabranch/config/config.js';
import { type BudgetRecord, countBytes, monthOf, spentOf } from '#anabranch/paths/budget.js';
import { BudgetKeeper, type BudgetRecords } from '#anabranch/paths/budget-keeper.js';
import type { LinkBytes } from '#anabranch/wire/link-bytes.js';
import { pathOf } from './path-of.ts';

test('a month begins on its day, or on the last one where it has no such day', () => {
  for (const [at, from, since, until] of [
    ['2026-11-21', 1, '2026-11-01', '2026-12-01'],
    ['2026-11-01', 1, '2026-11-01', '2026-12-01'],
    ['2026-11-14', 15, '2026-10-15', '2026-11-15'],
    ['2026-11-15', 15, '2026-11-15', '2026-12-15'],
    ['2026-01-10', 15, '2025-12-15', '2026-01-15'],
    ['2026-12-31', 31, '2026-12-31', '2027-01-31'],
    ['2026-02-28', 31, '2026-02-28', '2026-03-31'],
    ['2026-02-27', 31, '2026-01-31', '2026-02-28'],
    ['2028-02-28', 30, '2028-01-30', '2028-02-29'],
    ['2028-02-29', 30, '2028-02-29', '2028-03-30'],
    ['2026-04-30', 31, '2026-04-30', '2026-05-31'],
  ] as const) {
    assert.deepEqual(monthOf(new Date(`${at}T12:00:00`), from), { since, until }, `${at} from ${from}`);
  }
});

test('every moment lies in its month, and months follow one another without a gap', () => {
  const moments = fc.date({ min: new Date(2000, 0, 1), max: new Date(2099, 11, 31), noInvalidDate: true });
  fc.assert(
    fc.property(moments, fc.integer({ min: 1, max: 31 }), (at, from) => {
      const { since, until } = monthOf(at, from);
      const begin = new Date(`${since}T00:00:00`);
      const end = new Date(`${until}T00:00:00`);
      assert.ok(begin.getTime() <= at.getTime() && at.getTime() < end.getTime());
      assert.equal(monthOf(end, from).since, until);
      assert.equal(monthOf(new Date(begin.getTime() - 1), from).until, since);
    }),
  );
});

const NOVEMBER = { since: '2026-11-01', machine: 'boot-1 net' };
const link = (index: number, bytes: number): LinkBytes => ({ index, name: `p${index}`, bytes });

test('what interfaces carry is counted, whatever becomes of them', () => {
  // What they had carried when the budget was made is nobody's.
  let record = countBytes(undefined, [link(2, 1_000)], NOVEMBER);
  const count = (links: readonly LinkBytes[], when = NOVEMBER): number => {
    record = countBytes(record, links, when);
    return record.bytes;
  };
  assert.equal(record.bytes, 0);
  assert.equal(count([link(2, 1_500)]), 500);
  assert.equal(count([link(2, 1_500)]), 500);
  // A second interface, as a modem that was plugged in.
  assert.equal(count([link(2, 1_600), link(3, 50)]), 650);
  // Gone for a while, with what it carried unseen, and back with the same counter.
  assert.equal(count([link(3, 50)]), 650);
  assert.equal(count([link(2, 1_900), link(3, 50)]), 950);
  // Made anew under the same index.
  assert.equal(count([link(2, 10), link(3, 50)]), 960);
  // The machine was started anew.
  const next = { ...NOVEMBER, machine: 'boot-2 net' };
  assert.equal(count([link(2, 5_000)], next), 5_960);
  assert.equal(count([link(2, 5_001)], next), 5_961);
  // A new month.
  const december = { ...next, since: '2026-12-01' };
  assert.equal(count([link(2, 5_011)], december), 10);
  assert.equal(count([link(2, 5_012)], december), 11);
});

test('as long as the machine runs and counters only grow, all that was carried is counted once', () => {
  const steps = fc.array(fc.tuple(fc.nat({ max: 1e6 }), fc.nat({ max: 1e6 })), { maxLength: 30 });
  fc.assert(
    fc.property(steps, (growth) => {
      let counters = [7, 9] as [number, number];
      let record = countBytes(undefined, [link(2, counters[0]), link(3, counters[1])], NOVEMBER);
      for (const [a, b] of growth) {
        counters = [counters[0] + a, counters[1] + b];
        record = countBytes(record, [link(2, counters[0]), link(3, counters[1])], NOVEMBER);
      }
      assert.equal(record.bytes, counters[0] + counters[1] - 16);
    }),
  );
});

// biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
const BUDGET: BudgetConfig = { monthly: 1_000, from: 1, then: 'off' };

test('nearly used up, a path stands by; used up, what its owner says', () => {
  assert.equal(spentOf(BUDGET, 949), undefined);
  assert.equal(spentOf(BUDGET, 950), 'backup');
  assert.equal(spentOf(BUDGET, 999), 'backup');
  assert.equal(spentOf(BUDGET, 1_000), 'off');
  // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
  assert.equal(spentOf({ ...BUDGET, then: 'backup' }, 2_000), 'backup');
});

test('the keeper counts by name, says what changes, and has kept what must be kept', () => {
  const at = new Date('2026-11-21T12:00:00');
  let carried = 100;
  const saved: BudgetRecords[] = [];
  const said: string[] = [];
  const start = (records: BudgetRecords): BudgetKeeper =>
    new BudgetKeeper({
      records,
      machine: 'boot net',
      readBytes: () => [link(2, carried), link(3, 77_777)],
      save: (kept) => saved.push(kept),
      say: (level, _, text) => said.push(`${level} ${text}`),
    });
  // Both families of one interface are one path.
  const paths = ['192.0.2.7', '2001:db8::7'].map((address) => pathOf(2, address, { name: 'lte', budget: BUDGET }));
  const [path] = paths as [(typeof paths)[number]];
  const keeper = start({});
  assert.equal(keeper.look([...paths, pathOf(3, '198.51.100.7')], at, 0), false);
  assert.equal(saved.length, 1);
  carried += 960;
  assert.equal(keeper.look(paths, at, 1_000), true);
  assert.deepEqual(keeper.useOf('lte'), {
    ...BUDGET,
    used: 960,
    since: '2026-11-01',
    until: '2026-12-01',
    spent: 'backup',
  });
  assert.equal(keeper.spentOf(path, at), 'backup');
  // What matters is kept at once, all else now and then.
  assert.equal(saved.length, 2);
  carried += 1;
  assert.equal(keeper.look(paths, at, 2_000), false);
  assert.equal(saved.length, 2);
  keeper.look(paths, at, 40_000);
  assert.equal(saved.length, 3);
  carried += 2;
  keeper.look(paths, at, 41_000);
  keeper.close();
  assert.equal(saved.length, 4);
  // Another one goes on where this one ended, and knows at once what is spent.
  carried += 100;
  const next = start(saved.at(-1) as BudgetRecords);
  assert.equal(next.spentOf(path, at), 'backup');
  assert.equal(next.look(paths, at, 0), true);
  assert.equal(next.useOf('lte')?.used, 1_063);
  assert.equal(next.spentOf(path, at), 'off');
  // Until the next month.
  assert.equal(next.spentOf(path, new Date('2026-12-01T00:00:01')), undefined);
  next.look(paths, new Date('2026-12-01T00:00:01'), 1_000);
  assert.deepEqual(said, [
    'warn lte: 96 % of its 1000 bytes are used up, it stands by until 2026-12-01',
    'warn lte: 106 % of its 1000 bytes are used up, it is not used any more until 2026-12-01',
    'info lte: used again, there is room in its budget',
  ]);
});

test('no more paths are remembered than a configuration may know', () => {
  const record: BudgetRecord = { since: '2026-11-01', bytes: 1, machine: 'm', counters: {} };
  const records = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`p${i}`, record]));
  let kept: BudgetRecords = {};
  const keeper = new BudgetKeeper({
    records,
    machine: 'm',
    readBytes: () => [link(2, 5)],
    save: (now) => {
      kept = now;
    },
    say: () => undefined,
  });
  keeper.look([pathOf(2, '192.0.2.7', { name: 'lte', budget: BUDGET })], new Date('2026-11-21T12:00:00'), 0);
  assert.equal(Object.keys(kept).length, 256);
  assert.ok('lte' in kept && 'p999' in kept && !('p0' in kept));
});
