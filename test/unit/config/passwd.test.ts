import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseConfig } from '#anabranch/config/parse.js';
import { type Accounts, parsePasswd, readUid, UID_MAX } from '#anabranch/config/passwd.js';

const PASSWD = `root:x:0:0:root:/root:/bin/bash
# a comment:x:5:5:::
daemon:*:1:1::/usr/sbin:/usr/sbin/nologin

ann:x:1000:1001:Ann,,,:/home/ann:/bin/zsh
ann:x:1002:1002:another:/home/x:/bin/sh
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
+@admins:x:6:6:::
-bob:x:7:7:::
:x:8:8:::
short:x:9:9
many:x:10:10:a:b:c:d
letters:x:ten:10:::
empty:x::11:::
signed:x:-1:12:::
beyond:x:4294967295:13:::
last:x:4294967294:4294967294:::
`;

test('accounts are those of lines that make sense, the first of each name', () => {
  assert.deepEqual(Object.fromEntries(parsePasswd(PASSWD)), {
    root: { uid: 0, gid: 0 },
    daemon: { uid: 1, gid: 1 },
    ann: { uid: 1000, gid: 1001 },
    _apt: { uid: 42, gid: 65_534 },
    last: { uid: UID_MAX, gid: UID_MAX },
  });
  assert.equal(parsePasswd('').size, 0);
});

test('any text gives accounts with numbers that there are', () => {
  const line = fc.array(fc.constantFrom('root', 'x', '0', '1000', '4294967295', '-1', '', '+', '#', 'é', ' '), {
    maxLength: 9,
  });
  const text = fc.array(line.map((fields) => fields.join(':'))).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(fc.oneof(fc.string(), text), (passwd) => {
      for (const [name, { uid, gid }] of parsePasswd(passwd)) {
        assert.ok(name !== '' && !name.includes(':') && readUid(String(uid)) === uid && readUid(String(gid)) === gid);
      }
    }),
  );
});

function accountsOf(rule: string, accounts?: Accounts): readonly number[] | undefined {
  const defaults = { workers: 1, admin: undefined, ...(accounts === undefined ? {} : { accounts }) };
  const parsed = parseConfig(`rules: [{ when: { account: ${rule} }, use: deny }]`, { fileName: 'f', defaults });
  assert.ok('config' in parsed, JSON.stringify(parsed));
  return parsed.config.rules[0]?.when.account;
}

test('rules hold the numbers of their accounts', () => {
  const accounts = parsePasswd(PASSWD);
  assert.deepEqual(accountsOf('ann', accounts), [1000]);
  assert.deepEqual(accountsOf('[_apt, root, 7, "8", 4294967294]', accounts), [42, 0, 7, 8, UID_MAX]);
  assert.deepEqual(accountsOf('[0, "1000"]'), [0, 1000]);
});
