// Who holds the other end of a connection, asked of the kernel.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { type TestContext, test } from 'node:test';

import { close } from '#anabranch/ffi/descriptors.js';
import { beginConnect, type ConnectOptions, localEndpoint } from '#anabranch/socket/connect.js';
import * as k from '#anabranch/socket/constants.js';
import type { Listener } from '#anabranch/socket/listen.js';
import { setInt } from '#anabranch/socket/options.js';
import { SocketOwners } from '#anabranch/socket/socket-owners.js';
import type { Endpoint } from '#anabranch/wire/destination.js';
import { requireMptcp, requireRoot } from '../requirements.ts';
import { type Accepted, acceptNext, eventually, openListening } from './socket-scene.ts';

const OURS = process.getuid?.() ?? 0;
const NOBODY = 65_534;
/** include/uapi/linux/tcp.h */
const TCP_REPAIR = 19;
const addresses = Object.values(networkInterfaces()).flatMap((own) => own?.map(({ address }) => address) ?? []);
const LOOPBACK = addresses.includes('::1') ? ['127.0.0.1', '::1'] : ['127.0.0.1'];

interface Pair {
  /** For the test to close. */
  readonly client: number;
  readonly accepted: Accepted;
  readonly ours: Endpoint;
}

/** The client belongs to `uid`, when root asks for it. */
function openPair(
  t: TestContext,
  listener: Listener,
  { uid, to = listener.local.address, ...options }: { uid?: number; to?: string } & Partial<ConnectOptions> = {},
): Pair {
  const connect = () => {
    return beginConnect(to, listener.local.port, {
      mptcp: false,
      sourceAddress: [],
      socket: {},
      fastOpen: false,
      ...options,
    });
  };
  const client = uid === undefined ? connect() : actingAs(uid, connect);
  assert.ok(client >= 0);
  const accepted = acceptNext(t, listener);
  return { client, accepted, ours: localEndpoint(accepted.fd) };
}

/** Nothing else runs meanwhile. */
function actingAs<T>(uid: number, act: () => T): T {
  process.seteuid?.(uid);
  try {
    return act();
  } finally {
    process.seteuid?.(OURS);
  }
}

function ask(t: TestContext): SocketOwners {
  const owners = new SocketOwners(() => assert.fail('the kernel does not tell'));
  t.after(() => owners.close());
  return owners;
}

for (const transport of ['tcp', 'mptcp'] as const) {
  const mptcp = transport === 'mptcp';
  test(`${transport}: the account of each client`, { skip: mptcp && requireMptcp() }, (t) => {
    const owners = ask(t);
    for (const address of [...LOOPBACK, '::']) {
      const listener = openListening(t, { address, transport });
      for (const uid of OURS === 0 ? [0, NOBODY, 4_294_967_294] : [undefined]) {
        // At a socket of both families the client's is of IPv4.
        const to = address === '::' ? '127.0.0.1' : address;
        const { client, accepted, ours } = openPair(t, listener, { to, mptcp, ...(uid === undefined ? {} : { uid }) });
        assert.equal(owners.ownerOf(accepted.client, ours), uid ?? OURS, `${uid} to ${address}`);
        close(client);
      }
    }
  });
}

test('a client that is bound to an interface', { skip: requireRoot() }, (t) => {
  const owners = ask(t);
  const listener = openListening(t, { address: '0.0.0.0' });
  const [device, own] =
    Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? [])
        .filter(({ family, internal }) => family === 'IPv4' && !internal)
        .map(({ address }) => [name, address]),
    )[0] ?? [];
  const bound = [
    { to: '127.0.0.1', socket: { interface: 'lo' } },
    { to: '127.0.0.1', socket: { interface: 'lo' }, sourceAddress: ['127.0.0.9'] },
    // A machine without a network has no such interface.
    ...(device === undefined || own === undefined ? [] : [{ to: own, socket: { interface: device } }]),
  ];
  for (const options of bound) {
    const { client, accepted, ours } = openPair(t, listener, { uid: NOBODY, ...options });
    assert.equal(owners.ownerOf(accepted.client, ours), NOBODY, JSON.stringify(options));
    close(client);
  }
});

test('a socket that no program holds any more is nobody’s, not root’s', (t) => {
  const owners = ask(t);
  const listener = openListening(t);
  const { client, accepted, ours } = openPair(t, listener);
  assert.equal(owners.ownerOf(accepted.client, ours), OURS);
  // FIN_WAIT, then TIME_WAIT: the kernel says uid 0 of both.
  close(client);
  assert.equal(owners.ownerOf(accepted.client, ours), undefined);
  close(accepted.fd);
  assert.equal(owners.ownerOf(accepted.client, ours), undefined);
});

test('a listener in the client’s place is not the client', (t) => {
  const owners = ask(t);
  const listener = openListening(t, { shared: true });
  const { client, accepted, ours } = openPair(t, listener);
  assert.equal(owners.ownerOf(accepted.client, ours), OURS);
  close(client);
  const { local } = openListening(t, { shared: true });
  assert.equal(owners.ownerOf(local, accepted.client), undefined);
});

test('a kernel that knows neither end is asked eight times, then told of once', (t) => {
  let told = 0;
  const owners = new SocketOwners(() => {
    told++;
  });
  t.after(() => owners.close());
  const nowhere = { address: '127.0.0.1', port: 1 };
  for (let i = 1; i <= 20; i++) {
    assert.equal(owners.ownerOf(nowhere, { address: '127.0.0.1', port: 2 }), undefined);
    assert.equal(told, i < 8 ? 0 : 1);
  }
  const { client, accepted, ours } = openPair(t, openListening(t));
  assert.equal(owners.ownerOf(accepted.client, ours), undefined);
  close(client);
});

test('but not one that knows our own end', { skip: requireRoot() }, (t) => {
  const owners = ask(t);
  const { client, accepted, ours } = openPair(t, openListening(t));
  // Closed in repair it vanishes without a packet, as a client does behind whose back its network changes.
  setInt(client, k.SOL_TCP, TCP_REPAIR, 1);
  close(client);
  for (let i = 0; i < 20; i++) assert.equal(owners.ownerOf(accepted.client, ours), undefined);
});

test('what a question costs', (t) => {
  const owners = ask(t);
  const { client, accepted, ours } = openPair(t, openListening(t));
  const QUESTIONS = 2_000;
  /** A hundred times what it takes on an idle machine; the fastest of several, so that other load does not count. */
  const MOST_US = 400;
  const took = eventually(() => {
    const began = performance.now();
    for (let i = 0; i < QUESTIONS; i++) assert.equal(owners.ownerOf(accepted.client, ours), OURS);
    const us = ((performance.now() - began) * 1000) / QUESTIONS;
    return us < MOST_US ? us : undefined;
  }, `question under ${MOST_US} µs`);
  t.diagnostic(`${took.toFixed(1)} µs a question`);
  close(client);
});
