import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import fc from 'fast-check';

import { createHostsFile, parseHosts } from '#anabranch/dataplane/hosts-file.js';
import { readTextBounded } from '#anabranch/dataplane/watched-file.js';

test('addresses and names as hosts(5) has them, everything else passed over', () => {
  const hosts = parseHosts(
    [
      '127.0.0.1 localhost',
      '# 192.0.2.9 commented',
      '  192.0.2.1\tweb  WWW.Example.ORG. # trailing words',
      '2001:DB8::1 web',
      '::ffff:192.0.2.7 mapped',
      '192.0.2.1 web',
      'fe80::1%eth0 zoned',
      '192.0.2 short',
      'nonsense',
      '192.0.2.3',
      '192.0.2.4 bad..name -bad also/bad good',
      '',
    ].join('\r\n'),
  );
  assert.deepEqual(Object.fromEntries(hosts), {
    localhost: ['127.0.0.1'],
    web: ['192.0.2.1', '2001:db8::1'],
    'www.example.org': ['192.0.2.1'],
    mapped: ['192.0.2.7'],
    good: ['192.0.2.4'],
  });
});

test('any text parses', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseHosts(text) instanceof Map));
});

test('a changed, replaced or removed file is noticed within a second', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'hosts');
  let time = 0;
  const hosts = createHostsFile(path, () => time);
  assert.equal(hosts.lookup('a'), undefined);
  writeFileSync(path, '192.0.2.1 a\n');
  time = 999;
  assert.equal(hosts.lookup('a'), undefined);
  time = 1000;
  assert.deepEqual(hosts.lookup('a'), ['192.0.2.1']);
  writeFileSync(`${path}.new`, '192.0.2.2 a\n');
  renameSync(`${path}.new`, path);
  time = 2000;
  assert.deepEqual(hosts.lookup('a'), ['192.0.2.2']);
  rmSync(path);
  time = 2500;
  assert.deepEqual(hosts.lookup('a'), ['192.0.2.2']);
  time = 3000;
  assert.equal(hosts.lookup('a'), undefined);
});

test('while it cannot be read, what was read last holds', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'hosts');
  writeFileSync(path, '192.0.2.1 a\n');
  let time = 0;
  const hosts = createHostsFile(path, () => time);
  assert.deepEqual(hosts.lookup('a'), ['192.0.2.1']);
  // A folder is there, and is no more readable than a file is without a descriptor.
  rmSync(path);
  mkdirSync(path);
  for (time = 1000; time < 4000; time += 1000) assert.deepEqual(hosts.lookup('a'), ['192.0.2.1']);
  rmSync(path, { recursive: true });
  writeFileSync(path, '192.0.2.2 a\n');
  assert.deepEqual(hosts.lookup('a'), ['192.0.2.2']);
});

test('a file beyond the bound is read up to its last whole line', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'hosts');
  writeFileSync(path, 'one\ntwo\nthree\n');
  assert.equal(readTextBounded(path, 14), 'one\ntwo\nthree\n');
  assert.equal(readTextBounded(path, 13), 'one\ntwo\n');
  assert.equal(readTextBounded(path, 8), 'one\ntwo\n');
  assert.equal(readTextBounded(path, 7), 'one\n');
  assert.equal(readTextBounded(path, 2), '');
  assert.equal(readTextBounded(folder, 100), undefined);
  assert.equal(readTextBounded(join(folder, 'absent'), 100), undefined);
});
