import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameOf, secretsOf } from '#anabranch/flowlog/target.js';
import { isAboutData, isAboutPartition, troubleOf } from '#anabranch/flowlog/trouble.js';

const postgres = (url: string) => ({ kind: 'postgres', url }) as const;

test('a database is named without its password', () => {
  for (const [url, name] of [
    ['postgres://u:p%40ss@h:5433/d?sslmode=disable', 'postgres://u@h:5433/d'],
    ['postgresql://h/d', 'postgres://h/d'],
    ['postgres://h/d?user=u&password=p', 'postgres://h/d'],
    ['postgres://u:p@[2001:db8::1]/d', 'postgres://u@[2001:db8::1]/d'],
  ] as const) {
    assert.equal(nameOf(postgres(url)), name);
  }
  assert.equal(nameOf({ kind: 'embedded', directory: '/srv/x' }), 'embedded database /srv/x');
});

test('its secrets, as written and as meant', () => {
  assert.deepEqual(secretsOf(postgres('postgres://u:p%40ss@h/d')), ['p%40ss', 'p@ss']);
  assert.deepEqual(secretsOf(postgres('postgres://h/d?password=a%26b')), ['a&b']);
  assert.deepEqual(secretsOf(postgres('postgres://u@h/d')), []);
  assert.deepEqual(secretsOf(postgres('postgres://u:%zz@h/d')), ['%zz']);
});

test('errors become states', () => {
  const table = [
    [{ code: 'ECONNREFUSED' }, 'unreachable'],
    [{ code: 'ENOTFOUND' }, 'unreachable'],
    [{ code: '57P03', message: 'the database system is starting up' }, 'unreachable'],
    [{ message: 'Connection terminated unexpectedly' }, 'unreachable'],
    [{ code: '28P01' }, 'refused'],
    [{ code: '3D000' }, 'refused'],
    [{ code: '42501' }, 'refused'],
    [{ code: '53100' }, 'full'],
    [{ code: '53300' }, 'full'],
    [{ code: 'ENOSPC' }, 'full'],
    [{ code: '57014' }, 'slow'],
    [{ message: 'timeout expired' }, 'slow'],
    [{ code: 'XX000', message: 'broken' }, 'failed'],
  ] as const;
  for (const [error, kind] of table) assert.equal(troubleOf(error, 'd', []).kind, kind, JSON.stringify(error));
});

test('a message says where, and nothing secret', () => {
  const error = Object.assign(new Error('role "u" with p@ss and p%40ss\nis refused'), { code: '28000' });
  assert.deepEqual(troubleOf(error, 'postgres://u@h/d', ['p%40ss', 'p@ss']), {
    kind: 'refused',
    message:
      'postgres://u@h/d: role "u" with *** and *** is refused: check the URL of `log` and the rights of its account',
  });
});

test('an entry at fault is told from a database at fault', () => {
  assert.ok(isAboutData({ code: '22003' }));
  assert.ok(isAboutData({ code: '23502' }));
  assert.ok(!isAboutData({ code: '53100' }));
  assert.ok(!isAboutData({ code: 'ECONNRESET' }));
  assert.ok(!isAboutData(new Error('no code')));
  assert.ok(isAboutPartition({ code: '23514', message: 'no partition of relation "flows" found for row' }));
  assert.ok(!isAboutPartition({ code: '23514', message: 'violates check constraint "side"' }));
});
