import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { fillTemplate, type TemplateFault } from '#anabranch/lab/experiments/template.js';

function fill(value: unknown, scope: Record<string, unknown>): { filled: unknown; faults: TemplateFault[] } {
  const faults: TemplateFault[] = [];
  return { filled: fillTemplate(value, scope, [], faults), faults };
}

describe('placeholders', () => {
  const scope = { loss: '1%', count: 3, path: { links: ['wifi'], protocol: 'tcp' }, none: null };
  for (const [name, value, expected] of [
    ['text that is one becomes the value, with its type', '${count}', 3],
    ['a map or a list too', { a: '${path.links}' }, { a: ['wifi'] }],
    ['null too', '${none}', null],
    ['within other text it is text', 'p=${path.protocol}, ${count} times', 'p=tcp, 3 times'],
    ['in lists and maps', [{ a: ['${loss}'] }], [{ a: ['1%'] }]],
    ['what is no text stays', [1, true, null], [1, true, null]],
    ['a dollar alone stays', 'costs $5 {a}', 'costs $5 {a}'],
  ] as const) {
    test(name, () => assert.deepEqual(fill(value, scope), { filled: expected, faults: [] }));
  }

  test('one that stands for nothing is told with its place, and all are', () => {
    const { filled, faults } = fill({ a: ['${los}', 'x ${path.nothing} ${loss.length}'] }, scope);
    assert.deepEqual(filled, { a: ['${los}', 'x ${path.nothing} ${loss.length}'] });
    assert.deepEqual(
      faults.map(({ path, message }) => [path, message]),
      [
        [['a', 0], 'nothing is named los'],
        [['a', 1], 'nothing is named path.nothing'],
        [['a', 1], 'nothing is named loss.length'],
      ],
    );
  });

  test('a map does not fit within text', () => {
    const { faults } = fill('is ${path}', scope);
    assert.equal(faults[0]?.message, '${path} is not a plain value');
  });

  test('what every object has is no name', () => {
    for (const name of ['constructor', '__proto__', 'path.toString']) {
      assert.equal(fill(`\${${name}}`, scope).faults.length, 1, name);
    }
  });

  test('nesting beyond measure is told', () => {
    let deep: unknown = 'x';
    for (let i = 0; i < 100; i++) deep = [deep];
    assert.equal(fill(deep, scope).faults[0]?.message, 'is nested too deeply');
  });
});
