// Socket options by their meaning, on TCP and on MPTCP.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { socket } from '#anabranch/ffi/sockets.js';
import * as k from '#anabranch/socket/constants.js';
import {
  applyLifetimeOptions,
  applyOptions,
  getInt,
  getText,
  refreshSystemCongestion,
  type SocketOptions,
  setInt,
  setNoDelay,
  settleConnection,
  takeError,
} from '#anabranch/socket/options.js';
import { requireMptcp, requireRoot } from '../requirements.ts';

interface Kind {
  readonly name: string;
  readonly protocol: number;
  readonly skip: string | false;
}

const KINDS: readonly Kind[] = [
  { name: 'TCP', protocol: k.IPPROTO_TCP, skip: false },
  { name: 'MPTCP', protocol: k.IPPROTO_MPTCP, skip: requireMptcp() },
];

for (const { name, protocol, skip } of KINDS) {
  const isMptcp = protocol === k.IPPROTO_MPTCP;
  const withSocket = (use: (fd: number) => void) => {
    const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, protocol);
    assert.ok(fd >= 0);
    try {
      use(fd);
    } finally {
      close(fd);
    }
  };

  test(`${name}: each option arrives in the kernel`, { skip }, () => {
    withSocket((fd) => {
      applyOptions(fd, { congestion: 'reno', notsentLowat: 32_768, interface: 'lo' });
      applyLifetimeOptions(fd, { keepalive: 90, userTimeout: 4_000 }, isMptcp);
      assert.equal(getText(fd, k.SOL_TCP, k.TCP_CONGESTION), 'reno');
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_NOTSENT_LOWAT), 32_768);
      assert.equal(getText(fd, k.SOL_SOCKET, k.SO_BINDTODEVICE), 'lo');
      assert.equal(getInt(fd, k.SOL_SOCKET, k.SO_KEEPALIVE), 1);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_KEEPIDLE), 90);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_KEEPINTVL), 30);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_KEEPCNT), 3);
      if (!isMptcp) assert.equal(getInt(fd, k.SOL_TCP, k.TCP_USER_TIMEOUT), 4_000);
      setNoDelay(fd);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_NODELAY), 1);
    });
  });

  test(`${name}: congestion control may be changed, and the system's default left out`, { skip }, () => {
    refreshSystemCongestion();
    withSocket((fd) => {
      const standard = getText(fd, k.SOL_TCP, k.TCP_CONGESTION);
      assert.ok(standard);
      applyOptions(fd, { congestion: standard });
      assert.equal(getText(fd, k.SOL_TCP, k.TCP_CONGESTION), standard);
      applyOptions(fd, { congestion: 'reno' });
      assert.equal(getText(fd, k.SOL_TCP, k.TCP_CONGESTION), 'reno');
    });
  });

  test(`${name}: a mark`, { skip: skip || requireRoot() }, () => {
    withSocket((fd) => {
      applyOptions(fd, { mark: 0x7fff_0001 });
      assert.equal(getInt(fd, k.SOL_SOCKET, k.SO_MARK), 0x7fff_0001);
      // All 32 bits of it: the sign is in how JavaScript reads them.
      applyOptions(fd, { mark: 0xffff_fffe });
      assert.equal(getInt(fd, k.SOL_SOCKET, k.SO_MARK) >>> 0, 0xffff_fffe);
    });
  });

  test(`${name}: zero and absence set nothing`, { skip }, () => {
    withSocket((fd) => {
      const before = getInt(fd, k.SOL_TCP, k.TCP_KEEPIDLE);
      applyOptions(fd, {});
      applyLifetimeOptions(fd, { keepalive: 0, userTimeout: 0 }, isMptcp);
      applyLifetimeOptions(fd, {}, isMptcp);
      assert.equal(getInt(fd, k.SOL_SOCKET, k.SO_KEEPALIVE), 0);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_KEEPIDLE), before);
    });
  });

  test(`${name}: keepalive of a second probes each second`, { skip }, () => {
    withSocket((fd) => {
      applyLifetimeOptions(fd, { keepalive: 1 }, isMptcp);
      assert.equal(getInt(fd, k.SOL_TCP, k.TCP_KEEPINTVL), 1);
    });
  });

  test(`${name}: what the kernel refuses is named`, { skip }, () => {
    const table: readonly (readonly [SocketOptions, string, RegExp])[] = [
      [{ congestion: 'no-such' }, 'ENOENT', /^setsockopt congestion no-such: /],
      [{ congestion: 'x'.repeat(300) }, 'ENOENT', /^setsockopt congestion x{300}: /],
      [{ interface: 'no-such0' }, 'ENODEV', /^setsockopt interface no-such0: /],
    ];
    for (const [options, code, message] of table) {
      withSocket((fd) => assert.throws(() => applyOptions(fd, options), { name: 'LinuxError', code, message }));
    }
    withSocket((fd) => {
      // MPTCP without a subflow yet takes it; the configuration's check has the same bound.
      if (!isMptcp) {
        assert.throws(() => applyLifetimeOptions(fd, { keepalive: 40_000 }, isMptcp), {
          code: 'EINVAL',
          message: /^setsockopt keepalive 40000: /,
        });
      }
      // A connection that stands does not fail for it.
      settleConnection(fd, { keepalive: 40_000 }, isMptcp);
    });
  });
}

test('a name longer than an interface can have is not cut to one that exists', () => {
  const fd = socket(k.AF_INET, k.SOCK_STREAM | k.SOCK_CLOEXEC, k.IPPROTO_TCP);
  // The kernel looks at the first fifteen characters only.
  assert.throws(() => applyOptions(fd, { interface: 'l'.repeat(16) }), { code: 'ENODEV' });
  close(fd);
});

test('options of what is no socket are −errno', () => {
  assert.equal(setInt(-1, k.SOL_SOCKET, k.SO_KEEPALIVE, 1), -9);
  assert.equal(getInt(-1, k.SOL_SOCKET, k.SO_KEEPALIVE), -9);
  assert.equal(getText(-1, k.SOL_TCP, k.TCP_CONGESTION), undefined);
  assert.equal(takeError(-1), -9);
});
