import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { createSocksClient } from '#anabranch/handshake/socks-client.js';
import { createSocksServer } from '#anabranch/handshake/socks-server.js';
import {
  BOUND,
  byteByByte,
  cutAt,
  feed,
  hex,
  latin1,
  mergeSends,
  playClient,
  type Seen,
  see,
  unhex,
} from './playbook.js';

const destination = { host: 'example.org', port: 443 };
const credentials = { name: 'gäst', password: 'x' };
const REQUEST = `05010003 0b ${hex(latin1('example.org'))} 01bb`;
const AUTH = '01 05 67c3a47374 01 78';
const OK = '05000001 00000000 0000';

const client = (optimistic = false) => createSocksClient({ destination, optimistic });
const clientWith = (optimistic = false) => createSocksClient({ destination, credentials, optimistic });
const send = (bytes: string): Seen => ({ kind: 'send', bytes: bytes.replaceAll(' ', '') });
const failed = (failure: string, detail: string): Seen => ({ kind: 'failed', failure, detail });
const established = (early = ''): Seen => ({ kind: 'established', early });

interface Play {
  readonly name: string;
  readonly create: typeof client;
  readonly optimistic?: boolean;
  readonly in: string;
  readonly out: Seen[];
}

const PLAYS: Play[] = [
  { name: 'no credentials', create: client, in: `0500 ${OK}`, out: [send('050100'), send(REQUEST), established()] },
  {
    name: 'a password',
    create: clientWith,
    in: `0502 0100 ${OK}`,
    out: [send('05020002'), send(AUTH), send(REQUEST), established()],
  },
  {
    name: 'a password that is not wanted',
    create: clientWith,
    in: `0500 ${OK}`,
    out: [send('05020002'), send(REQUEST), established()],
  },
  {
    name: 'all in one flight',
    create: client,
    optimistic: true,
    in: `0500 ${OK}`,
    out: [send(`050100 ${REQUEST}`), established()],
  },
  {
    name: 'all in one flight, with a password',
    create: clientWith,
    optimistic: true,
    in: `0502 0100 ${OK}`,
    out: [send(`050102 ${AUTH} ${REQUEST}`), established()],
  },
  {
    name: 'the reply names a domain',
    create: client,
    in: '0500 05000003 02 6162 0050',
    out: [send('050100'), send(REQUEST), established()],
  },
  {
    name: 'the reply names an IPv6 address',
    create: client,
    in: '0500 05000004 20010db8000000000000000000000001 0050',
    out: [send('050100'), send(REQUEST), established()],
  },
  {
    name: 'authentication wanted',
    create: client,
    in: '05ff',
    out: [send('050100'), failed('upstream-failed', 'the SOCKS server wants authentication')],
  },
  {
    name: 'passwords not taken',
    create: clientWith,
    optimistic: true,
    in: '05ff',
    out: [send(`050102 ${AUTH} ${REQUEST}`), failed('upstream-failed', 'the SOCKS server takes no password')],
  },
  {
    name: 'a method that was not offered',
    create: client,
    in: '0502',
    out: [send('050100'), failed('upstream-failed', 'the SOCKS server chose method 2, which was not offered')],
  },
  {
    name: 'none chosen where only the password was offered',
    create: clientWith,
    optimistic: true,
    in: '0500',
    out: [
      send(`050102 ${AUTH} ${REQUEST}`),
      failed('upstream-failed', 'the SOCKS server chose method 0, which was not offered'),
    ],
  },
  {
    name: 'the password is wrong',
    create: clientWith,
    in: '0502 0102',
    out: [send('05020002'), send(AUTH), failed('upstream-failed', 'the SOCKS server refused the name or the password')],
  },
  {
    name: 'another protocol',
    create: client,
    in: hex(latin1('HTTP/1.1 400 Bad Request\r\n\r\n')),
    out: [send('050100'), failed('upstream-failed', 'SOCKS5 method selection of version 72')],
  },
  {
    name: 'an unknown type of address',
    create: client,
    in: '0500 05000002',
    out: [send('050100'), send(REQUEST), failed('upstream-failed', 'SOCKS5 reply with address type 2')],
  },
  {
    name: 'a reply of a wrong version',
    create: client,
    in: '0500 0400',
    out: [send('050100'), send(REQUEST), failed('upstream-failed', 'SOCKS5 reply of version 4')],
  },
];

for (const item of PLAYS) {
  test(`${item.name}: at once, byte by byte, and cut anywhere in two`, () => {
    const bytes = unhex(item.in);
    const expected = mergeSends(item.out);
    assert.deepEqual(playClient(item.create(item.optimistic), [bytes]), expected);
    assert.deepEqual(playClient(item.create(item.optimistic), byteByByte(bytes)), expected);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(playClient(item.create(item.optimistic), cutAt(bytes, [at])), expected);
    }
  });
}

test('each step waits for the answer to the last', () => {
  const machine = clientWith();
  assert.deepEqual(see(machine.start()), [send('05020002')]);
  assert.deepEqual(see(machine.onBytes(unhex('0502'))), [send(AUTH)]);
  assert.deepEqual(see(machine.onBytes(unhex('0100'))), [send(REQUEST)]);
  assert.deepEqual(see(machine.onBytes(unhex(`${OK} 68656c6c6f`))), [established('68656c6c6f')]);
  assert.deepEqual(machine.onBytes(unhex('ff')), []);
});

test('each reply code has its failure; the rest of such a reply is not waited for', () => {
  const table: [number, string][] = [
    [1, 'general'],
    [2, 'denied'],
    [3, 'network-unreachable'],
    [4, 'host-unreachable'],
    [5, 'refused'],
    [6, 'timed-out'],
    [7, 'upstream-failed'],
    [8, 'upstream-failed'],
    [9, 'upstream-failed'],
    [255, 'upstream-failed'],
  ];
  for (const [code, failure] of table) {
    const seen = playClient(client(true), [Uint8Array.of(5, 0, 5, code)]);
    assert.deepEqual(seen.slice(1), [failed(failure, `the SOCKS server replied ${code}`)]);
  }
});

test('addresses go as addresses', () => {
  for (const [host, bytes] of [
    ['192.0.2.1', '05010001 c0000201 0050'],
    ['2001:db8::1', '05010004 20010db8000000000000000000000001 0050'],
  ] as const) {
    const machine = createSocksClient({ destination: { host, port: 80 }, optimistic: true });
    assert.deepEqual(see(machine.start()), [send(`050100 ${bytes}`)]);
  }
});

test('credentials that do not fit end it before it begins', () => {
  for (const optimistic of [false, true]) {
    const machine = createSocksClient({
      destination,
      optimistic,
      credentials: { name: 'ä'.repeat(128), password: '' },
    });
    const [effect] = machine.start();
    assert.ok(effect?.kind === 'failed' && effect.failure === 'upstream-failed');
    assert.match(effect.detail, /255 bytes/);
    assert.deepEqual(machine.onBytes(unhex('0500')), []);
  }
});

test('our client and our server understand each other', () => {
  for (const optimistic of [false, true]) {
    for (const authenticate of [false, true]) {
      const near = authenticate ? clientWith(optimistic) : client(optimistic);
      const far = createSocksServer({ authenticate });
      const asked: Seen[] = [];
      const done: Seen[] = [];
      let toServer = near.start();
      for (let round = 0; round < 5 && toServer.length > 0; round++) {
        const toClient = toServer.flatMap((effect) =>
          effect.kind === 'send' ? feed(far, effect.bytes, { authenticated: true, connect: BOUND }) : [],
        );
        asked.push(...see(toClient).filter((seen) => seen.kind === 'authenticate' || seen.kind === 'connect'));
        toServer = toClient.flatMap((effect) => (effect.kind === 'send' ? near.onBytes(effect.bytes) : []));
        done.push(...see(toServer).filter((seen) => seen.kind !== 'send'));
      }
      const connect = { kind: 'connect', destination };
      assert.deepEqual(asked, authenticate ? [{ kind: 'authenticate', ...credentials }, connect] : [connect]);
      assert.deepEqual(done, [established()]);
    }
  }
});

test('any bytes, cut anywhere: no throw, the same effects as at once, one end at most', () => {
  const start = fc.constantFrom('', '05', '0500', '0502', '05020100', '05000500', '0500050000', '050005000003');
  fc.assert(
    fc.property(
      start,
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.nat(), { maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      (head, tail, places, optimistic, named) => {
        const bytes = new Uint8Array([...unhex(head), ...tail]);
        const create = () => (named ? clientWith(optimistic) : client(optimistic));
        const whole = playClient(create(), [bytes]);
        const cut = playClient(create(), cutAt(bytes, places));
        // What comes once the tunnel stands is no longer the machine's.
        const comparable = (seen: Seen[]) => seen.map((one) => (one.kind === 'established' ? { kind: one.kind } : one));
        assert.deepEqual(comparable(cut), comparable(whole));
        assert.ok(whole.filter((seen) => seen.kind !== 'send').length <= 1);
      },
    ),
    { numRuns: 2000 },
  );
});
