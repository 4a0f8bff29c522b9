import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { createHttpClient } from '#anabranch/handshake/http-client.js';
import { HTTP_FAILURES } from '#anabranch/handshake/http-failure.js';
import { createHttpServer } from '#anabranch/handshake/http-server.js';
import type { ConnectFailure } from '#anabranch/handshake/inbound.js';
import { BOUND, byteByByte, cutAt, hex, latin1, play, playClient, type Seen, see } from './playbook.js';

const destination = { host: 'example.org', port: 443 };
const client = () => createHttpClient({ destination, optimistic: false });
const REQUEST: Seen = {
  kind: 'send',
  bytes: hex(latin1('CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n')),
};

/** What the machine makes of this answer, the same however it is cut. */
function answer(text: string): Seen | undefined {
  const bytes = latin1(text);
  const [request, end, ...rest] = playClient(client(), [bytes]);
  assert.deepEqual(request, REQUEST);
  assert.deepEqual(rest, []);
  assert.deepEqual(playClient(client(), byteByByte(bytes))[1], end);
  for (let at = 0; at <= bytes.length; at++) assert.deepEqual(playClient(client(), cutAt(bytes, [at]))[1], end);
  return end;
}

test('the request, with and without credentials, for names and addresses', () => {
  assert.deepEqual(see(client().start()), [REQUEST]);
  const machine = createHttpClient({
    destination: { host: '2001:db8::1', port: 80 },
    credentials: { name: 'gäst', password: 'a:b' },
    optimistic: true,
  });
  const basic = Buffer.from('gäst:a:b').toString('base64');
  const head = `CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\nProxy-Authorization: Basic ${basic}\r\n\r\n`;
  assert.deepEqual(see(machine.start()), [{ kind: 'send', bytes: hex(latin1(head)) }]);
});

test('any 2xx is a tunnel, whatever lengths it speaks of', () => {
  for (const head of [
    'HTTP/1.1 200 Connection established\r\n\r\n',
    'HTTP/1.0 200\r\n\r\n',
    'HTTP/1.1 299 \r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 204 x\r\n\r\n',
  ]) {
    assert.deepEqual(answer(head), { kind: 'established', early: '' });
    const [, end] = playClient(client(), [latin1(`${head}hello`)]);
    assert.deepEqual(end, { kind: 'established', early: hex(latin1('hello')) });
  }
});

test('statuses and what they mean', () => {
  const table: [number, string, ConnectFailure][] = [
    [403, '', 'denied'],
    [407, '', 'upstream-failed'],
    [502, '', 'upstream-failed'],
    [503, '', 'upstream-failed'],
    [504, '', 'timed-out'],
    [404, '', 'upstream-failed'],
    [302, '', 'upstream-failed'],
    [101, '', 'upstream-failed'],
    [999, '', 'upstream-failed'],
    [502, 'Proxy-Status: a; error=connection_refused\r\n', 'refused'],
    [502, 'Proxy-Status: origin\r\nProxy-Status: a;error=dns_error;rcode=NXDOMAIN\r\n', 'name-not-found'],
    [503, 'Proxy-Status: a; error=destination_unavailable\r\n', 'host-unreachable'],
    [502, 'Proxy-Status: a; error=destination_ip_unroutable; details="network-unreachable"\r\n', 'network-unreachable'],
    // Words that are not ours, or only look like it, choose nothing.
    [502, 'Proxy-Status: a; error=unheard_of; details="toString"\r\n', 'upstream-failed'],
    [504, 'Proxy-Status: a; details="constructor"\r\n', 'timed-out'],
    // A wrong password is our trouble with the proxy, not the destination's.
    [407, 'Proxy-Status: a; error=connection_refused\r\n', 'upstream-failed'],
    [302, 'Proxy-Status: a; error=connection_refused\r\n', 'upstream-failed'],
  ];
  for (const [status, fields, failure] of table) {
    assert.deepEqual(answer(`HTTP/1.1 ${status} x\r\n${fields}\r\n`), {
      kind: 'failed',
      failure,
      detail: `the HTTP proxy answered ${status}`,
    });
  }
});

test('what is no response is the proxy failing, and nothing of it is repeated', () => {
  for (const text of [
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/1.1 20 x\r\n\r\n',
    'HTTP/1.1 099 x\r\n\r\n',
    'HTTP/2.0 200 x\r\n\r\n',
    'HTTP/1.1 200x\r\n\r\n',
    'HTTP/1.1 200 x\nA: b\n\n',
    'HTTP/1.1 200 x\r\nA : b\r\n\r\n',
    'HTTP/1.1 200 x\r\nA: b\r\n c\r\n\r\n',
    '\r\nHTTP/1.1 200 x\r\n\r\n',
    'HTTP/1.1 200 \x1b[31m\r\n\r\n',
  ]) {
    const end = answer(text);
    assert.equal(end?.kind, 'failed', text);
    assert.equal(end?.failure, 'upstream-failed');
    assert.match(String(end?.detail), /^[ -~]*HTTP head[ -~]*$/);
  }
});

test('a response without end, and interim ones without end, are cut short', () => {
  const long = latin1('HTTP/1.1 200 '.padEnd(32_768, 'x'));
  assert.deepEqual(playClient(client(), [long.subarray(0, 32_767)]).length, 1);
  assert.match(String(playClient(client(), [long])[1]?.detail), /more than 32768 bytes/);
  const interim = 'HTTP/1.1 100 x\r\n\r\n';
  assert.equal(answer(`${interim.repeat(8)}HTTP/1.1 200 x\r\n\r\n`)?.kind, 'established');
  assert.equal(answer(interim.repeat(9))?.kind, 'failed');
});

test('credentials that cannot be sent end it before it begins', () => {
  for (const name of ['a:b', 'a\n']) {
    const machine = createHttpClient({ destination, optimistic: false, credentials: { name, password: '' } });
    const [effect] = machine.start();
    assert.ok(effect?.kind === 'failed' && effect.failure === 'upstream-failed');
    assert.match(effect.detail, /RFC 7617/);
    assert.deepEqual(machine.onBytes(latin1('HTTP/1.1 200 x\r\n\r\n')), []);
  }
});

test('our client and our server understand each other, every failure included', () => {
  for (const failure of Object.keys(HTTP_FAILURES) as ConnectFailure[]) {
    const machine = createHttpClient({ destination, optimistic: false, credentials: { name: 'n', password: 'p' } });
    const [request] = machine.start();
    assert.ok(request?.kind === 'send');
    const server = createHttpServer({ authenticate: true });
    const seen = play(server, [request.bytes], { authenticated: true, connect: failure });
    assert.deepEqual(seen.slice(0, 2), [
      { kind: 'authenticate', name: 'n', password: 'p' },
      { kind: 'connect', destination },
    ]);
    const [end] = machine.onBytes(new Uint8Array(Buffer.from(String(seen[2]?.bytes), 'hex')));
    assert.ok(end?.kind === 'failed');
    assert.equal(end.failure, failure);
  }
  const server = createHttpServer({ authenticate: false });
  const seen = play(server, [latin1('CONNECT a:1 HTTP/1.0\r\n\r\n')], { connect: BOUND });
  assert.equal(answer(Buffer.from(String(seen[1]?.bytes), 'hex').toString('latin1'))?.kind, 'established');
});

test('any bytes, cut anywhere: no throw, the same effects as at once, one end at most', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 ',
      '200',
      '502',
      '100',
      ' OK',
      '\r\n',
      '\r\n\r\n',
      'HTTP/1.1 100 x\r\n\r\n',
      'A: b',
      '\n',
      '\r',
      ' ',
    ),
    fc.constantFrom('Proxy-Status: a; error=', 'dns_error', '; details="', 'refused"', '\0', 'é'),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 15 }), fc.array(fc.nat(), { maxLength: 5 }), (pieces, places) => {
      const bytes = latin1(pieces.join(''));
      const whole = playClient(client(), [bytes]);
      const cut = playClient(client(), cutAt(bytes, places));
      const comparable = (seen: Seen[]) => seen.map((one) => (one.kind === 'established' ? { kind: one.kind } : one));
      assert.deepEqual(comparable(cut), comparable(whole));
      assert.ok(whole.length <= 2);
    }),
    { numRuns: 3000 },
  );
});
