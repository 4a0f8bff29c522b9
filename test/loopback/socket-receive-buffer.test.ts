// The receive buffer of MPTCP sockets is as large from the start as it could have grown to.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { closeSocket } from '#anabranch/socket/close.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { SO_RCVBUF, SOL_SOCKET } from '#anabranch/socket/constants.js';
import { openListener } from '#anabranch/socket/listen.js';
import { getInt } from '#anabranch/socket/options.js';
import { requireMptcp, requireRoot } from '../requirements.ts';

const MOST = 8 << 20;

test('MPTCP sockets get it, TCP sockets grow by themselves', { skip: requireRoot() || requireMptcp() }, (t) => {
  const largest = Number(readFileSync('/proc/sys/net/ipv4/tcp_rmem', 'utf8').trim().split(/\s+/)[2]);
  const expected = Math.min(largest, MOST);
  for (const transport of ['tcp', 'mptcp'] as const) {
    const common = { address: '127.0.0.1', port: 0, shared: false, fastOpen: false, socket: {} };
    const listener = openListener({ ...common, transport });
    t.after(() => closeSocket(listener.fd));
    const options = { mptcp: transport === 'mptcp', sourceAddress: [], socket: {}, fastOpen: false };
    const fd = beginConnect('127.0.0.1', listener.local.port, options);
    t.after(() => closeSocket(fd));
    for (const one of [listener.fd, fd]) {
      const bytes = getInt(one, SOL_SOCKET, SO_RCVBUF);
      if (transport === 'mptcp') assert.equal(bytes, expected);
      else assert.ok(bytes < expected, `${bytes}`);
    }
  }
});
