import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { explainRefusal, mayMakeNamespaces, type NamespaceSettings } from '#anabranch/lab/user-namespace.js';

describe('rights are read from what the kernel says of the process', () => {
  for (const [effective, expected] of [
    ['000001ffffffffff', true],
    ['0000000000201000', true],
    ['0000000000200000', false],
    ['0000000000001000', false],
    ['0000000000000000', false],
  ] as const) {
    test(effective, () =>
      assert.equal(mayMakeNamespaces(`Name:\tnode\nCapEff:\t${effective}\nSeccomp:\t0\n`), expected),
    );
  }
  test('nothing is said', () => assert.equal(mayMakeNamespaces(''), false));
});

describe('what keeps users from namespaces is named, with its remedy', () => {
  const open: NamespaceSettings = {
    known: true,
    unprivilegedClone: '1',
    limits: { user: '1000', net: '1000', mnt: '1000' },
    apparmor: '0',
    filtered: false,
  };
  for (const [change, expected] of [
    [{ known: false }, /CONFIG_USER_NS/],
    [{ unprivilegedClone: '0' }, /sysctl -w kernel\.unprivileged_userns_clone=1/],
    [{ limits: { user: '0', net: '9' } }, /no user namespace is allowed: sysctl -w user\.max_user_namespaces=10000/],
    [{ limits: { user: '9', net: '0' } }, /no network namespace is allowed: sysctl -w user\.max_net_namespaces=10000/],
    [{ limits: { mnt: '0' } }, /no mount namespace is allowed: sysctl -w user\.max_mnt_namespaces=10000/],
    [{ apparmor: '1' }, /sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0/],
    [{ filtered: true }, /seccomp/],
    [{}, /unshare: write failed/],
  ] as const) {
    test(JSON.stringify(change), () => {
      const text = explainRefusal({ ...open, ...change }, 'unshare: write failed');
      assert.match(text, /^a lab needs root, or user namespaces/);
      assert.match(text, expected);
      assert.equal(text.split('sysctl').length - 1 <= 1, true, 'one reason');
    });
  }

  test('too many namespaces', () => {
    const text = explainRefusal(open, 'unshare: unshare failed: No space left on device');
    assert.match(
      text,
      /as many as are allowed are there already \(user\.max_user_namespaces=1000, .*\): end some, or raise/,
    );
  });

  test('several at once', () => {
    const text = explainRefusal({ ...open, limits: { user: '0' }, apparmor: '1', filtered: true }, '');
    assert.match(text, /max_user_namespaces.*apparmor/);
    assert.ok(!text.includes('seccomp'));
  });
});
