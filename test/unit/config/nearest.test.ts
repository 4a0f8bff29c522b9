import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, suggest } from '#anabranch/config/nearest.js';

const KNOWN = ['listen', 'allowLocal', 'target', 'use', 'via'];

test('finds what was meant', () => {
  const table = [
    ['lisen', 'listen'],
    ['listne', 'listen'],
    ['LISTEN', 'listen'],
    ['allow_local', 'allowLocal'],
    ['allow-local', 'allowLocal'],
    ['alowlocal', 'allowLocal'],
    ['uses', 'use'],
    ['targets', 'target'],
    ['', undefined],
    ['colour', undefined],
    ['xyz', undefined],
    ['l'.repeat(100_000), undefined],
  ] as const;
  for (const [word, expected] of table) assert.equal(nearest(word, KNOWN), expected, word.slice(0, 20));
});

test('says what there is when nothing is near', () => {
  assert.equal(suggest('lisen', KNOWN), 'did you mean listen?');
  assert.equal(suggest('colour', ['a', 'b']), 'known: a, b');
  assert.equal(suggest('colour', []), 'there is none');
});
