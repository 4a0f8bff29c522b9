import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createMixed } from '#anabranch/handshake/mixed.js';
import { BOUND, byteByByte, hex, latin1, play, unhex } from './playbook.js';

const open = () => createMixed({ authenticate: false });

test('SOCKS 4, SOCKS 5 and HTTP, at once and byte by byte', () => {
  const connect = { kind: 'connect', destination: { host: '198.51.100.7', port: 80 } };
  const table: [Uint8Array, string[]][] = [
    [unhex('0401 0050 c6336407 00'), ['', '005a9c40c0000207']],
    [unhex('050100 05010001 c6336407 0050'), ['0500', '050000 01c0000207 9c40'.replaceAll(' ', '')]],
    [
      latin1('CONNECT 198.51.100.7:80 HTTP/1.0\r\n\r\n'),
      ['', hex(latin1('HTTP/1.1 200 Connection established\r\n\r\n'))],
    ],
  ];
  for (const [bytes, [before, after]] of table) {
    const expected = [
      ...(before === '' ? [] : [{ kind: 'send', bytes: before }]),
      connect,
      { kind: 'send', bytes: after },
      { kind: 'relay', early: '' },
    ];
    assert.deepEqual(play(open(), [new Uint8Array(0), bytes], { connect: BOUND }), expected);
    assert.deepEqual(play(open(), byteByByte(bytes), { connect: BOUND }), expected);
  }
});

test('every other first byte ends it', () => {
  for (let first = 0; first < 256; first++) {
    const machine = open();
    const effects = machine.onBytes(Uint8Array.of(first));
    const served = first === 4 || first === 5 || (first >= 0x41 && first <= 0x5a);
    assert.deepEqual(effects, served ? [] : [{ kind: 'close', reason: 'bad-request' }]);
    if (!served) assert.deepEqual(machine.onBytes(unhex('050100')), []);
  }
});

test('passwords are asked for in each protocol', () => {
  const machine = createMixed({ authenticate: true });
  assert.deepEqual(
    play(machine, [unhex('050102 0101610162 05010001 c6336407 0050')], { authenticated: true, connect: 'denied' }),
    [
      { kind: 'send', bytes: '0502' },
      { kind: 'authenticate', name: 'a', password: 'b' },
      { kind: 'send', bytes: '0100' },
      { kind: 'connect', destination: { host: '198.51.100.7', port: 80 } },
      { kind: 'send', bytes: '05020001000000000000' },
      { kind: 'close', reason: 'connect-failed' },
    ],
  );
});

test('an answer before the first byte is a fault of the caller', () => {
  assert.throws(() => open().onConnected(BOUND), /has not said anything/);
  assert.throws(() => open().onFailed('general'), /has not said anything/);
  assert.throws(() => open().onAuthenticated(true), /has not said anything/);
});
