// States told to systemd, received on a socket as systemd's own.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer, nativeCopy } from '#anabranch/ffi/native-buffer.js';
import { bind, recv, socket } from '#anabranch/ffi/sockets.js';
import { notifySystemd } from '#anabranch/socket/systemd-notify.js';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** Listens at `name`, `@…` for an abstract one; returns what came, or −errno. */
function listenAt(t: TestContext, name: string): () => string | number {
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  t.after(() => close(fd));
  const path = Buffer.from(name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`);
  const address = nativeCopy(Buffer.concat([Uint8Array.of(AF_UNIX, 0), path]));
  assert.equal(bind(fd, address, address.size), 0);
  const buffer = new NativeBuffer(4096);
  return () => {
    const got = recv(fd, buffer, 0, buffer.size, MSG_DONTWAIT);
    return got < 0 ? got : Buffer.from(buffer.bytes.subarray(0, got)).toString();
  };
}

test('a state goes to a path and to an abstract name', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'anabranch-notify-'));
  t.after(() => rmSync(directory, { recursive: true }));
  for (const name of [join(directory, 'socket'), `@anabranch-test-${process.pid}`]) {
    const receive = listenAt(t, name);
    assert.ok(notifySystemd(name, 'READY=1'));
    assert.ok(notifySystemd(name, 'STATUS=two words\nWATCHDOG=1'));
    assert.equal(receive(), 'READY=1');
    assert.equal(receive(), 'STATUS=two words\nWATCHDOG=1');
    assert.equal(receive(), -11);
  }
});

test('where nobody listens, or what is no name, nothing is sent', () => {
  for (const name of ['', 'relative', '/no/such/socket', `@anabranch-nobody-${process.pid}`, `/${'x'.repeat(107)}`]) {
    assert.equal(notifySystemd(name, 'READY=1'), false, name);
  }
});
