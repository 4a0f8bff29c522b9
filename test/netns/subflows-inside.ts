// Run in a network namespace of its own (see subflows.test.ts), whose loopback has several addresses and MPTCP endpoints:
// 127.0.0.2 and fd00::2 are backups, bound to the interface; 127.0.0.3 is not.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { acceptedIsMptcp, staysMptcp } from '#anabranch/socket/mptcp.js';
import { resetOnClose } from '#anabranch/socket/options.js';
import { SubflowDiagnostics } from '#anabranch/socket/subflow-diag.js';
import {
  type MptcpSample,
  type SubflowSample,
  sampleMptcp,
  sampleMptcpInParts,
  sampleTcp,
} from '#anabranch/socket/subflows.js';
import {
  acceptNext,
  eventually,
  hear,
  openConnected,
  openConnecting,
  openListening,
  pause,
  type SocketPair,
  say,
} from '../loopback/socket-scene.ts';

const run = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8', timeout: 10_000 });

function sample(fd: number): MptcpSample {
  const taken = sampleMptcp(fd);
  assert.ok(taken);
  return taken;
}

/** A connection over 127.0.0.1, once all three subflows stand on both sides. */
function openThree(t: TestContext): SocketPair {
  const pair = openConnected(t, {
    listen: { address: '0.0.0.0', transport: 'mptcp' },
    connect: { mptcp: true },
    address: '127.0.0.1',
  });
  allOf(pair, 3);
  return pair;
}

/** The kernel joins further subflows once data has been acknowledged. */
function allOf({ client, server }: SocketPair, count: number): void {
  assert.equal(say(client, 'hello'), 5);
  assert.equal(hear(server), 'hello');
  assert.equal(say(server, 'hello'), 5);
  assert.equal(hear(client), 'hello');
  const standing = () => [client, server].every((fd) => sample(fd).subflows.length === count);
  eventually(() => standing() || undefined, `${count} subflows`);
}

const clientAddress = (subflow: SubflowSample, isClient: boolean) =>
  isClient ? subflow.local.address : subflow.remote.address;

test('each subflow is told with its addresses, on both sides, and whether it is a backup', (t) => {
  const { client, server, listener } = openThree(t);
  for (const fd of [client, server]) {
    const { subflows, token } = sample(fd);
    assert.ok(token > 0);
    const backups = Object.fromEntries(subflows.map((one) => [clientAddress(one, fd === client), one.backup]));
    assert.deepEqual(backups, { '127.0.0.1': false, '127.0.0.2': true, '127.0.0.3': false });
    assert.deepEqual(subflows.map(({ id }) => id).sort(), [1, 2, 3]);
    for (const one of subflows) {
      assert.equal(fd === client ? one.remote.port : one.local.port, listener.local.port);
      assert.ok(one.congestionWindow > 0 && one.rttUs > 0);
    }
  }
});

test('over IPv6, and over IPv4 on a socket that takes both', (t) => {
  const listen = { address: '::', transport: 'mptcp' } as const;
  const six = openConnected(t, { listen, connect: { mptcp: true }, address: 'fd00::1' });
  allOf(six, 2);
  for (const fd of [six.client, six.server]) {
    const backups = sample(fd).subflows.map((one) => [clientAddress(one, fd === six.client), one.backup]);
    assert.deepEqual(Object.fromEntries(backups), { 'fd00::1': false, 'fd00::2': true });
  }
  const four = openConnected(t, { listen, connect: { mptcp: true }, address: '127.0.0.1' });
  allOf(four, 3);
  const backups = sample(four.server).subflows.map((one) => [one.remote.address, one.backup]);
  assert.deepEqual(Object.fromEntries(backups), { '127.0.0.1': false, '127.0.0.2': true, '127.0.0.3': false });
});

test('a change of priority shows', (t) => {
  const { client, server } = openThree(t);
  const third = () =>
    [client, server].map((fd) => {
      const found = sample(fd).subflows.find((one) => clientAddress(one, fd === client) === '127.0.0.3');
      return found?.backup;
    });
  assert.deepEqual(third(), [false, false]);
  run('ip', 'mptcp', 'endpoint', 'change', '127.0.0.3', 'backup');
  try {
    eventually(() => third().every((backup) => backup === true) || undefined, 'change of both sides');
  } finally {
    run('ip', 'mptcp', 'endpoint', 'change', '127.0.0.3', 'nobackup');
  }
  eventually(() => third().every((backup) => backup === false) || undefined, 'change back');
});

test('the calls of older kernels tell the same', (t) => {
  const { client, server } = openThree(t);
  for (let i = 0; i < 20; i++) {
    say(client, 'x'.repeat(1000));
    hear(server);
  }
  pause(50);
  for (const fd of [client, server]) {
    const whole = sample(fd);
    const parts = sampleMptcpInParts(fd);
    assert.ok(parts);
    const { lastAckMs, subflows, ...rest } = whole;
    const { lastAckMs: lastAckMsInParts, subflows: subflowsInParts, ...restInParts } = parts;
    assert.deepEqual(restInParts, rest);
    assert.ok(Math.abs(lastAckMs - lastAckMsInParts) < 100);
    assert.deepEqual(
      subflowsInParts,
      subflows.map((one) => ({ ...one, id: 0 })),
    );
  }
});

test('payload is counted, without SYN and FIN', (t) => {
  const { client, server } = openThree(t);
  let heard = 'hello'.length;
  for (let i = 0; i < 30; i++) {
    assert.equal(say(client, 'x'.repeat(10_000)), 10_000);
    const got = hear(server);
    assert.equal(typeof got, 'string');
    heard += String(got).length;
  }
  while (heard < 300_005) heard += String(hear(server)).length;
  const sum = (fd: number, what: 'bytesSent' | 'bytesReceived') =>
    sample(fd).subflows.reduce((total, one) => total + one[what], 0);
  eventually(() => sum(client, 'bytesSent') === 300_005 || undefined, 'acknowledgement');
  assert.equal(sample(client).unacked, 0);
  assert.equal(sum(server, 'bytesReceived'), 300_005);
  assert.equal(sum(server, 'bytesSent'), 5);
  // A backup carries nothing while others can.
  const backup = sample(client).subflows.find((one) => one.backup);
  assert.equal(backup?.bytesSent, 0);
});

test('what is not acknowledged shows, and stands still', (t) => {
  const { client, server } = openThree(t);
  const before = sample(client);
  assert.equal(before.unacked, 0);
  run('ip', 'link', 'set', 'lo', 'down');
  try {
    say(client, 'into the void');
    const stuck = sample(client);
    assert.equal(stuck.unacked, 13);
    assert.equal(stuck.acknowledged, before.acknowledged);
    pause(30);
    assert.ok(sample(client).lastAckMs >= 20);
  } finally {
    prepare();
  }
  assert.ok(server >= 0);
});

test('ss says the same of the connection and its subflows', (t) => {
  const { client } = openThree(t);
  const { token, subflows } = sample(client);
  assert.match(run('ss', '-Mnit'), new RegExp(`token:${token.toString(16)}\\b|token:${token}\\b`));
  const listed = run('ss', '-tniHO');
  for (const { local, remote, congestionWindow } of subflows) {
    const name = `${local.address}(?:%lo)?:${local.port}\\s+${remote.address}:${remote.port}`;
    const line = listed.split('\n').find((one) => new RegExp(name.replaceAll('.', '\\.')).test(one));
    assert.ok(line, `${name} in\n${listed}`);
    assert.match(line, new RegExp(`\\bcwnd:${congestionWindow}\\b`));
  }
});

test('a subflow that ends is no longer told', (t) => {
  const { client, server } = openThree(t);
  const [, id] = /127\.0\.0\.3 id (\d+)/.exec(run('ip', 'mptcp', 'endpoint', 'show')) ?? [];
  assert.ok(id);
  run('ip', 'mptcp', 'endpoint', 'delete', 'id', id);
  try {
    const left = () => [client, server].map((fd) => sample(fd).subflows.length);
    eventually(() => left().every((count) => count === 2) || undefined, 'end');
  } finally {
    run('ip', 'mptcp', 'endpoint', 'add', '127.0.0.3', 'subflow');
  }
});

test('a reset ends all subflows at once, and the peer learns of it', (t) => {
  const listener = openListening(t, { address: '0.0.0.0', transport: 'mptcp' });
  const options = { mptcp: true, sourceAddress: [], socket: {}, fastOpen: false };
  const client = beginConnect('127.0.0.1', listener.local.port, options);
  const { fd: server } = acceptNext(t, listener);
  allOf({ client, server, listener, from: { address: '', port: 0 } }, 3);
  const fastcloses = () => Number(/MPTcpExtMPFastcloseRx\s+(\d+)/.exec(run('nstat', '-asz'))?.[1]);
  const before = fastcloses();
  resetOnClose(client);
  close(client);
  assert.equal(hear(server), -104);
  assert.equal(say(server, 'x'), -32);
  assert.equal(fastcloses(), before + 3);
});

test('a connection that falls back after it stood is MPTCP no more, and is sampled as TCP', (t) => {
  // Past the handshake's first two packets a middlebox takes the options away: the client thinks it has MPTCP.
  const listener = openListening(t, { address: '0.0.0.0', transport: 'mptcp' });
  const { port } = listener.local;
  run('nft', 'add table inet strip');
  t.after(() => run('nft', 'delete table inet strip'));
  run('nft', 'add chain inet strip output { type filter hook output priority mangle; }');
  run('nft', `add rule inet strip output tcp dport ${port} tcp flags & syn != syn reset tcp option mptcp`);
  const client = openConnecting(t, { address: '127.0.0.1', port }, { mptcp: true });
  assert.ok(staysMptcp(client));
  assert.equal(sample(client).subflows.length, 1);
  const { fd: server, client: from } = acceptNext(t, listener);
  assert.equal(acceptedIsMptcp(server), false);
  say(server, 'hello');
  assert.equal(hear(client), 'hello');
  assert.equal(staysMptcp(client), false);
  assert.equal(sampleMptcp(client), undefined);
  assert.equal(sampleMptcpInParts(client), undefined);
  const plain = sampleTcp(client, from, { address: '127.0.0.1', port });
  assert.equal(plain?.bytesReceived, 5);
  assert.equal(plain?.backup, undefined);
});

test('one socket asks for all, and gives up where nobody ever answers', (t) => {
  const { client } = openThree(t);
  const [first] = sample(client).subflows as [SubflowSample];
  const nowhere = { address: '127.0.0.1', port: 1 };
  const files = readdirSync('/proc/self/fd').length;
  const asked = new SubflowDiagnostics();
  for (let i = 0; i < 10; i++) assert.equal(asked.look(first.local, first.remote)?.backup, false);
  for (let i = 0; i < 100; i++) assert.equal(asked.look(nowhere, nowhere), undefined);
  assert.equal(asked.look(first.local, first.remote)?.backup, false, 'it has answered before');
  assert.equal(readdirSync('/proc/self/fd').length, files + 1);
  asked.close();
  assert.equal(asked.look(first.local, first.remote)?.backup, false, 'opens again');
  asked.close();
  const fruitless = new SubflowDiagnostics();
  for (let i = 0; i < 100; i++) assert.equal(fruitless.look(nowhere, nowhere), undefined);
  assert.equal(fruitless.look(first.local, first.remote), undefined);
  assert.equal(readdirSync('/proc/self/fd').length, files);
});

/** Also after the interface was down, which took the IPv6 addresses. */
function prepare(): void {
  run('ip', 'link', 'set', 'lo', 'up');
  for (const address of ['127.0.0.2/8', '127.0.0.3/8', 'fd00::1/128', 'fd00::2/128']) {
    run('ip', 'addr', 'replace', address, 'dev', 'lo');
  }
}

// What follows takes the loopback interface down and up again: never in the namespace that we were called from.
const [, , outside] = process.argv;
assert.ok(outside, 'to be run by subflows.test.ts');
assert.notEqual(readlinkSync('/proc/self/ns/net'), outside);
prepare();
run('ip', 'mptcp', 'limits', 'set', 'subflow', '4', 'add_addr_accepted', '4');
run('ip', 'mptcp', 'endpoint', 'add', '127.0.0.2', 'dev', 'lo', 'subflow', 'backup');
run('ip', 'mptcp', 'endpoint', 'add', '127.0.0.3', 'subflow');
run('ip', 'mptcp', 'endpoint', 'add', 'fd00::2', 'dev', 'lo', 'subflow', 'backup');
