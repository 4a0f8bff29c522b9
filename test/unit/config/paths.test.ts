import assert from 'node:assert/strict';
import { test } from 'node:test';

import { validate } from '#anabranch/config/parse.js';

const defaults = { workers: 1, admin: undefined };

test('paths are left alone unless they are to be managed', () => {
  for (const [raw, manage] of [
    [{}, false],
    [{ paths: {} }, false],
    [{ paths: { manage: true } }, true],
  ] as const) {
    const valid = validate(raw, defaults);
    assert.ok('config' in valid);
    assert.deepEqual(valid.config.paths, { manage });
  }
});

test('an account without the right to administer the network cannot manage paths', () => {
  const valid = validate({ paths: { manage: true }, user: 'nobody' }, defaults);
  assert.ok('findings' in valid);
  assert.deepEqual(
    valid.findings.map(({ path }) => path),
    [['paths', 'manage']],
  );
  assert.ok('config' in validate({ paths: { manage: false }, user: 'nobody' }, defaults));
});
