// Settings in words.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readSettings, splitSetting } from '#anabranch/paths/settings.js';

test('every key is read', () => {
  assert.deepEqual(
    readSettings([
      ['priority', '10'],
      ['backup', 'on'],
      ['cost', 'metered'],
      ['ignore', 'off'],
    ]),
    { priority: 10, backup: true, cost: 'metered', ignore: false },
  );
  assert.deepEqual(readSettings([['priority', '4294967295']]), { priority: 4_294_967_295 });
  assert.deepEqual(splitSetting('a=b=c'), ['a', 'b=c']);
});

test('what is wrong is said, with what would be right', () => {
  for (const [entries, fault] of [
    [[], 'nothing to set: give priority, backup, cost, ignore, as in priority=10'],
    [[['prioritiy', '1']], 'unknown key "prioritiy": did you mean priority?'],
    [[['__proto__', '1']], 'unknown key "__proto__": known: priority, backup, cost, ignore'],
    [[['toString', '1']], 'unknown key "toString": known: priority, backup, cost, ignore'],
    [[['priority', '1.5']], 'priority is "1.5": a whole number from 0 to 4294967295, smaller is preferred'],
    [
      [['priority', '4294967296']],
      'priority is "4294967296": a whole number from 0 to 4294967295, smaller is preferred',
    ],
    [[['priority', '']], 'priority is "": a whole number from 0 to 4294967295, smaller is preferred'],
    [[['backup', 'true']], 'backup is "true": say on; on or off'],
    [[['ignore', 'no']], 'ignore is "no": say off; on or off'],
    [[['cost', 'meterd']], 'cost is "meterd": did you mean metered? free or metered'],
    [
      [
        ['backup', 'on'],
        ['backup', 'on'],
      ],
      'backup is there twice',
    ],
  ] as const) {
    assert.deepEqual(readSettings(entries), { fault });
  }
  for (const text of ['backup', '=on', '']) assert.ok('fault' in splitSetting(text), text);
});
