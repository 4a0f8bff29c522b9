import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { ConnectFailure } from '#anabranch/handshake/inbound.js';
import { createSocksServer } from '#anabranch/handshake/socks-server.js';
import { type Answers, BOUND, byteByByte, cutAt, hex, latin1, mergeSends, play, type Seen, unhex } from './playbook.js';

const open = () => createSocksServer({ authenticate: false });
const closed = () => createSocksServer({ authenticate: true });

const BOUND_HEX = 'c0000207 9c40'.replace(' ', '');
const OK5 = `05000001${BOUND_HEX}`;
const name = (text: string) => `03${text.length.toString(16).padStart(2, '0')}${hex(latin1(text))}`;
const send = (bytes: string): Seen => ({ kind: 'send', bytes: bytes.replaceAll(' ', '') });
const connect = (host: string, port: number): Seen => ({ kind: 'connect', destination: { host, port } });
const close = (reason: string): Seen => ({ kind: 'close', reason });
const relay = (early = ''): Seen => ({ kind: 'relay', early });
const refused5 = (code: string): Seen => send(`05${code}0001 00000000 0000`);

interface Play {
  readonly name: string;
  readonly authenticate?: boolean;
  readonly in: string;
  readonly answers?: Answers;
  readonly out: Seen[];
}

const GRANTED: Answers = { authenticated: true, connect: BOUND };

const PLAYS: Play[] = [
  {
    name: '5, IPv4',
    in: '050100 05010001 c6336407 01bb',
    out: [send('0500'), connect('198.51.100.7', 443), send(OK5), relay()],
  },
  {
    name: '5, IPv6, no authentication among other methods',
    in: '05030100fe 05010004 20010db8000000000000000000000001 0050',
    out: [send('0500'), connect('2001:db8::1', 80), send(OK5), relay()],
  },
  {
    name: '5, IPv4-mapped IPv6 is IPv4',
    in: '050100 05010004 00000000000000000000ffffc6336407 0050',
    out: [send('0500'), connect('198.51.100.7', 80), send(OK5), relay()],
  },
  {
    name: '5, a name, in lower case from here on',
    in: `050100 050100 ${name('Example.ORG.')} 01bb`,
    out: [send('0500'), connect('example.org', 443), send(OK5), relay()],
  },
  {
    name: '5, an address where a name belongs',
    in: `050100 050100 ${name('2001:DB8:0::1')} 01bb`,
    out: [send('0500'), connect('2001:db8::1', 443), send(OK5), relay()],
  },
  {
    name: '5, data behind the request',
    in: '050100 05010001 c6336407 01bb 474554',
    out: [send('0500'), connect('198.51.100.7', 443), send(OK5), relay('474554')],
  },
  {
    name: '5, password, all in one flight',
    authenticate: true,
    in: '05020002 0103616263 02c3a4 05010001 c6336407 01bb 474554',
    out: [
      send('0502'),
      { kind: 'authenticate', name: 'abc', password: 'ä' },
      send('0100'),
      connect('198.51.100.7', 443),
      send(OK5),
      relay('474554'),
    ],
  },
  {
    name: '5, password wrong',
    authenticate: true,
    in: '050102 0103616263 0178 05010001 c6336407 01bb',
    answers: { authenticated: false },
    out: [send('0502'), { kind: 'authenticate', name: 'abc', password: 'x' }, send('0101'), close('auth-failed')],
  },
  {
    name: '5, empty name and password are for the caller to judge',
    authenticate: true,
    in: '050102 010000',
    answers: { authenticated: false },
    out: [send('0502'), { kind: 'authenticate', name: '', password: '' }, send('0101'), close('auth-failed')],
  },
  { name: '5, no password offered', authenticate: true, in: '05020001', out: [send('05ff'), close('auth-required')] },
  { name: '5, only passwords offered, none wanted', in: '050102', out: [send('05ff'), close('unsupported')] },
  { name: '5, no methods', in: '0500', out: [send('05ff'), close('unsupported')] },
  {
    name: '5, password exchange of a wrong version',
    authenticate: true,
    in: '050102 05',
    out: [send('0502 0101'), close('bad-request')],
  },
  {
    name: '5, BIND',
    in: '050100 05020001 00000000 0000',
    out: [send('0500 05070001000000000000'), close('unsupported')],
  },
  {
    name: '5, UDP ASSOCIATE',
    in: '050100 05030001 00000000 0000',
    out: [send('0500 05070001000000000000'), close('unsupported')],
  },
  {
    name: '5, unknown type of address',
    in: '050100 05010002',
    out: [send('0500 05080001000000000000'), close('bad-request')],
  },
  {
    name: '5, request of a wrong version',
    in: '050100 04',
    out: [send('0500 05010001000000000000'), close('bad-request')],
  },
  {
    name: '5, port 0',
    in: '050100 05010001 c6336407 0000',
    out: [send('0500 05010001000000000000'), close('bad-request')],
  },
  {
    name: '5, empty name',
    in: '050100 05010003 00 0050',
    out: [send('0500 05010001000000000000'), close('bad-request')],
  },
  {
    name: '5, a name that is none',
    in: `050100 050100 ${name('a b')} 0050`,
    out: [send('0500 05010001000000000000'), close('bad-request')],
  },
  {
    name: '4, IPv4',
    in: '0401 01bb c6336407 00 474554',
    out: [connect('198.51.100.7', 443), send('005a 9c40 c0000207'), relay('474554')],
  },
  {
    name: '4, our side is IPv6',
    in: '0401 01bb c6336407 00',
    answers: { connect: { address: '2001:db8::1', port: 1 } },
    out: [connect('198.51.100.7', 443), send('005a 0000 00000000'), relay()],
  },
  {
    name: '4A',
    in: `0401 01bb 00000001 616200 ${hex(latin1('Example.org'))}00 ff`,
    out: [connect('example.org', 443), send('005a 9c40 c0000207'), relay('ff')],
  },
  {
    name: '4A, a name that is none',
    in: '0401 01bb 000000ff 00 2d00',
    out: [send('005b 0000 00000000'), close('bad-request')],
  },
  { name: '4, port 0', in: '0401 0000 c6336407 00', out: [send('005b 0000 00000000'), close('bad-request')] },
  { name: '4, BIND', in: '0402 01bb c6336407 00', out: [send('005b 0000 00000000'), close('unsupported')] },
  {
    name: '4, no connection',
    in: '0401 01bb c6336407 00',
    answers: { connect: 'refused' },
    out: [connect('198.51.100.7', 443), send('005b 0000 00000000'), close('connect-failed')],
  },
  {
    name: '4, passwords wanted',
    authenticate: true,
    in: '0401 01bb c6336407 616200',
    out: [send('005d 0000 00000000'), close('auth-required')],
  },
  {
    name: '4, user name without end',
    in: `0401 01bb c6336407 ${'61'.repeat(256)}`,
    out: [send('005b 0000 00000000'), close('too-large')],
  },
  {
    name: '4A, host name without end',
    in: `0401 01bb 00000001 00 ${'61'.repeat(256)}`,
    out: [send('005b 0000 00000000'), close('too-large')],
  },
  { name: 'another version', in: '06', out: [close('unsupported')] },
  { name: 'HTTP', in: hex(latin1('GET / HTTP/1.1\r\n\r\n')), out: [close('unsupported')] },
];

for (const item of PLAYS) {
  test(`${item.name}: at once, byte by byte, and cut anywhere in two`, () => {
    const create = item.authenticate ? closed : open;
    const bytes = unhex(item.in);
    const answers = item.answers ?? GRANTED;
    const expected = mergeSends(item.out);
    assert.deepEqual(play(create(), [bytes], answers), expected);
    // Once the relay stands, bytes no longer go to the machine.
    const relayed = item.out.find((seen) => seen.kind === 'relay');
    const handshake = bytes.subarray(0, bytes.length - String(relayed?.early ?? '').length / 2);
    const alone = relayed === undefined ? expected : [...expected.slice(0, -1), relay()];
    assert.deepEqual(play(create(), byteByByte(handshake), answers), alone);
    for (let at = 0; at <= handshake.length; at++) {
      assert.deepEqual(play(create(), cutAt(handshake, [at]), answers), alone);
    }
  });
}

test('each failure has its reply code', () => {
  const table: [ConnectFailure, string][] = [
    ['refused', '05'],
    ['host-unreachable', '04'],
    ['network-unreachable', '03'],
    ['timed-out', '06'],
    ['denied', '02'],
    ['name-not-found', '01'],
    ['name-failure', '01'],
    ['upstream-failed', '01'],
    ['resources', '01'],
    ['general', '01'],
  ];
  for (const [failure, code] of table) {
    const machine = open();
    machine.onBytes(unhex('050100 05010001 c6336407 01bb'));
    assert.deepEqual(play({ ...machine, onBytes: () => machine.onFailed(failure) }, [new Uint8Array(0)], {}), [
      refused5(code),
      close('connect-failed'),
    ]);
  }
});

test('the address we connect from is reported, IPv6 too', () => {
  const machine = open();
  machine.onBytes(unhex('050100 05010001 c6336407 01bb'));
  const [reply] = machine.onConnected({ address: '2001:db8::2', port: 258 });
  assert.equal(reply?.kind === 'send' && hex(reply.bytes), '0500000420010db8000000000000000000000002' + '0102');
});

test('data that comes while the connection is made is kept, in order, up to 64 KiB', () => {
  const machine = open();
  machine.onBytes(unhex('050100 05010001 c6336407 01bb 00'));
  assert.deepEqual(machine.onBytes(new Uint8Array(65_534).fill(1)), []);
  assert.deepEqual(machine.onBytes(Uint8Array.of(2)), []);
  const relayed = machine.onConnected(BOUND)[1];
  assert.ok(relayed?.kind === 'relay');
  assert.equal(relayed.early.length, 65_536);
  assert.deepEqual([relayed.early[0], relayed.early[1], relayed.early[65_535]], [0, 1, 2]);
});

test('beyond 64 KiB the handshake ends', () => {
  for (const authenticate of [false, true]) {
    const machine = createSocksServer({ authenticate });
    machine.onBytes(unhex(authenticate ? '050102 01000100' : '050100 05010001 c6336407 01bb'));
    assert.deepEqual(machine.onBytes(new Uint8Array(65_536)), []);
    assert.deepEqual(machine.onBytes(new Uint8Array(1)), [{ kind: 'close', reason: 'too-large' }]);
    assert.deepEqual(machine.onBytes(new Uint8Array(1)), []);
    // The answer to what was asked before comes late; nothing is left to be said.
    assert.deepEqual(authenticate ? machine.onAuthenticated(true) : machine.onConnected(BOUND), []);
  }
});

test('a caller that answers what was not asked is told so', () => {
  assert.throws(() => open().onConnected(BOUND), /is in version/);
  assert.throws(() => open().onFailed('general'), /is in version/);
  assert.throws(() => open().onAuthenticated(true), /is in version/);
});

test('any bytes, cut anywhere: no throw, the same effects as at once, and an end after a close', () => {
  const start = fc.constantFrom(
    '',
    '05',
    '050100',
    '0501000501',
    '0501000501000',
    '05010005010001',
    '04',
    '0401',
    '0401000000000001',
    '050102',
    '05010201',
  );
  fc.assert(
    fc.property(
      start.map((text) => unhex(text.length % 2 === 0 ? text : `${text}3`)),
      fc.uint8Array({ maxLength: 600 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      fc.boolean(),
      fc.boolean(),
      (head, tail, places, authenticate, authenticated) => {
        const bytes = new Uint8Array([...head, ...tail]);
        const answers: Answers = { authenticated };
        const whole = play(createSocksServer({ authenticate }), [bytes], answers);
        assert.deepEqual(play(createSocksServer({ authenticate }), cutAt(bytes, places), answers), whole);
        assert.ok(whole.filter((seen) => seen.kind === 'close' || seen.kind === 'connect').length <= 1);
      },
    ),
    { numRuns: 2000 },
  );
});
