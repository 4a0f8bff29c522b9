import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { matches, readOnly, settingName, settingsOf } from '#anabranch/lab/experiments/settings.js';

const PARAMETERS = new Map([
  [
    'cut',
    new Map<string, unknown>([
      ['admin', { how: 'admin' }],
      ['silent', { how: 'silent' }],
    ]),
  ],
  [
    'rate',
    new Map<string, unknown>([
      ['1', 1],
      ['2', 2],
      ['silent', 3],
    ]),
  ],
]);

describe('settings', () => {
  test('all ways to choose, the last parameter changing fastest', () => {
    assert.deepEqual(settingsOf(PARAMETERS).map(settingName), [
      'admin 1',
      'admin 2',
      'admin silent',
      'silent 1',
      'silent 2',
      'silent silent',
    ]);
    assert.deepEqual(settingsOf(PARAMETERS)[1]?.values, { cut: { how: 'admin' }, rate: 2 });
  });

  test('without parameters there is one', () => {
    assert.deepEqual(settingsOf(new Map()), [{ labels: {}, values: {} }]);
    assert.equal(settingName({ labels: {}, values: {} }), 'all');
  });

  test('their number is the product, and each is another', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }), { maxLength: 4 }),
        (lists) => {
          const parameters = new Map(
            lists.map((labels, i) => [`p${i}`, new Map(labels.map((label) => [label, label]))]),
          );
          const settings = settingsOf(parameters);
          assert.equal(
            settings.length,
            lists.reduce((product, { length }) => product * length, 1),
          );
          assert.equal(new Set(settings.map(({ labels }) => JSON.stringify(labels))).size, settings.length);
        },
      ),
    );
  });

  for (const [wishes, expected] of [
    [[], 6],
    [['admin'], 3],
    [['cut=silent'], 3],
    [['1', '2'], 4],
    [['admin', 'rate=1'], 1],
    [['rate=silent', 'cut=silent'], 1],
  ] as const) {
    test(`--only ${wishes.join(' ') || 'nothing'} keeps ${expected}`, () => {
      const when = readOnly(wishes, PARAMETERS);
      assert.ok(typeof when !== 'string', String(when));
      assert.equal(settingsOf(PARAMETERS).filter((setting) => matches(setting, when)).length, expected);
    });
  }

  for (const [wish, expected] of [
    ['carrier', /no setting is carrier; there are: cut=admin\|silent, rate=1\|2\|silent/],
    ['rate=admin', /no setting is rate=admin/],
    ['silent', /may mean several parameters: write cut=silent or rate=silent/],
  ] as const) {
    test(`--only ${wish} is refused`, () => assert.match(String(readOnly([wish], PARAMETERS)), expected));
  }
});
