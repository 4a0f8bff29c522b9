import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { HTTP_FAILURES } from '#anabranch/handshake/http-failure.js';
import { createHttpServer } from '#anabranch/handshake/http-server.js';
import type { ConnectFailure } from '#anabranch/handshake/inbound.js';
import { type Answers, BOUND, byteByByte, cutAt, hex, latin1, play, type Seen } from './playbook.js';

const ESTABLISHED: Seen = { kind: 'send', bytes: hex(latin1('HTTP/1.1 200 Connection established\r\n\r\n')) };
const GRANTED: Answers = { authenticated: true, connect: BOUND };
const HOST = 'Host: example.org:443\r\n';
const BASIC = `Proxy-Authorization: Basic ${Buffer.from('gäst:a:b').toString('base64')}\r\n`;
const ASK: Seen = { kind: 'authenticate', name: 'gäst', password: 'a:b' };
const CONNECT: Seen = { kind: 'connect', destination: { host: 'example.org', port: 443 } };

interface Answer {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
}

function parseAnswer(seen: Seen | undefined): Answer {
  const text = Buffer.from(String(seen?.bytes), 'hex').toString('latin1');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [line = '', ...lines] = head.split('\r\n');
  assert.match(line, /^HTTP\/1\.1 \d{3} [A-Z]/);
  const fields = new Map(lines.map((field) => field.toLowerCase().split(': ') as [string, string]));
  assert.equal(fields.get('content-length'), String(body.length));
  assert.equal(fields.get('connection'), 'close');
  return { status: Number(line.slice(9, 12)), fields, body };
}

/** Everything the machine says, the same however the bytes are cut. */
function playAll(text: string, answers: Answers, authenticate = false): Seen[] {
  const bytes = latin1(text);
  const whole = play(createHttpServer({ authenticate }), [bytes], answers);
  assert.deepEqual(play(createHttpServer({ authenticate }), byteByByte(bytes), answers), whole);
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(play(createHttpServer({ authenticate }), cutAt(bytes, [at]), answers), whole);
  }
  return whole;
}

test('CONNECT to names and addresses', () => {
  const table: [string, string, number][] = [
    ['example.org:443', 'example.org', 443],
    ['EXAMPLE.org.:80', 'example.org', 80],
    ['192.0.2.1:65535', '192.0.2.1', 65535],
    ['[2001:DB8:0::1]:443', '2001:db8::1', 443],
    ['[::ffff:192.0.2.1]:1', '192.0.2.1', 1],
  ];
  for (const [target, host, port] of table) {
    assert.deepEqual(playAll(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`, GRANTED), [
      { kind: 'connect', destination: { host, port } },
      ESTABLISHED,
      { kind: 'relay', early: '' },
    ]);
  }
});

test('CONNECT in HTTP/1.0, without Host, behind an empty line, with a length of 0', () => {
  for (const text of [
    'CONNECT example.org:443 HTTP/1.0\r\n\r\n',
    `\r\nCONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`,
    `CONNECT example.org:443 HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`,
  ]) {
    assert.deepEqual(playAll(text, GRANTED), [CONNECT, ESTABLISHED, { kind: 'relay', early: '' }]);
  }
});

test('bytes behind the head belong to the stream', () => {
  const bytes = latin1(`CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n\r\nhello`);
  assert.deepEqual(play(createHttpServer({ authenticate: false }), [bytes], GRANTED), [
    CONNECT,
    ESTABLISHED,
    { kind: 'relay', early: hex(latin1('\r\nhello')) },
  ]);
});

test('credentials right, with early data, in any pieces', () => {
  const head = `CONNECT example.org:443 HTTP/1.1\r\n${HOST}${BASIC}\r\n`;
  assert.deepEqual(playAll(head, GRANTED, true), [ASK, CONNECT, ESTABLISHED, { kind: 'relay', early: '' }]);
  const bytes = latin1(`${head}early`);
  for (let at = 0; at <= bytes.length; at++) {
    const machine = createHttpServer({ authenticate: true });
    assert.deepEqual(play(machine, cutAt(bytes, [at]), {}), [ASK]);
    assert.deepEqual(machine.onAuthenticated(true), [CONNECT]);
    const [, relay] = machine.onConnected(BOUND);
    assert.ok(relay?.kind === 'relay');
    assert.equal(Buffer.from(relay.early).toString(), 'early');
  }
});

test('credentials missing, wrong, unreadable, doubled', () => {
  const table: [string, Answers, number, string, boolean][] = [
    ['', {}, 407, 'auth-required', false],
    [BASIC, { authenticated: false }, 407, 'auth-failed', true],
    ['Proxy-Authorization: Basic !!!\r\n', {}, 407, 'auth-failed', false],
    ['Proxy-Authorization: Bearer abcd\r\n', {}, 407, 'auth-failed', false],
    [BASIC + BASIC, {}, 400, 'bad-request', false],
    // Meant for the server at the other end.
    [BASIC.slice('Proxy-'.length), {}, 407, 'auth-required', false],
  ];
  for (const [field, answers, status, reason, asks] of table) {
    const seen = playAll(`CONNECT example.org:443 HTTP/1.1\r\n${HOST}${field}\r\n`, answers, true);
    if (asks) assert.deepEqual(seen.shift(), ASK);
    const [answer, close] = seen;
    const { status: got, fields, body } = parseAnswer(answer);
    assert.equal(got, status);
    assert.equal(
      fields.get('proxy-authenticate'),
      status === 407 ? 'basic realm="anabranch", charset="utf-8"' : undefined,
    );
    assert.ok(body.startsWith(`${reason}: `));
    assert.deepEqual(close, { kind: 'close', reason });
  }
});

test('each failure has its status, its error type and its word', () => {
  const table: [ConnectFailure, number, string][] = [
    ['refused', 502, 'connection_refused'],
    ['host-unreachable', 502, 'destination_ip_unroutable'],
    ['network-unreachable', 502, 'destination_ip_unroutable'],
    ['timed-out', 504, 'connection_timeout'],
    ['denied', 403, 'destination_ip_prohibited'],
    ['name-not-found', 502, 'dns_error'],
    ['name-failure', 504, 'dns_timeout'],
    ['upstream-failed', 502, 'destination_unavailable'],
    ['resources', 503, 'connection_limit_reached'],
    ['general', 502, 'proxy_internal_error'],
  ];
  assert.equal(table.length, Object.keys(HTTP_FAILURES).length);
  for (const [failure, status, error] of table) {
    const [, answer, close] = playAll('CONNECT example.org:443 HTTP/1.0\r\n\r\n', { connect: failure });
    const { status: got, fields, body } = parseAnswer(answer);
    assert.equal(got, status);
    assert.equal(fields.get('proxy-status'), `anabranch; error=${error}; details="${failure}"`);
    assert.ok(body.startsWith(`${failure}: `));
    assert.deepEqual(close, { kind: 'close', reason: 'connect-failed' });
  }
});

test('a request for a whole address is handed over, as soon as its head is there, with all that was read', () => {
  for (const head of [
    'GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n',
    'POST HTTP://example.org/x HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\n\r\n',
    'GET ftp://example.org/ HTTP/1.0\r\n\r\n',
  ]) {
    const [last] = [...head].slice(-1);
    for (const authenticate of [false, true]) {
      const machine = createHttpServer({ authenticate });
      const segments = [...byteByByte(latin1(head.slice(0, -1))), latin1(`${last}hello`)];
      assert.deepEqual(play(machine, segments, {}), [{ kind: 'hand-over', read: hex(latin1(`${head}hello`)) }]);
      assert.deepEqual(machine.onBytes(latin1('more')), []);
    }
  }
});

test('what is not served is answered, and counted, as what it is', () => {
  const host = 'Host: a\r\n';
  const table: [string, number, string][] = [
    [`GET / HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`OPTIONS * HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`CONNECT example.org HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`CONNECT example.org:0 HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`CONNECT http://example.org:80/ HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`CONNECT 127.1:80 HTTP/1.1\r\n${host}\r\n`, 400, 'bad-request'],
    [`GET http://a/ HTTP/1.1\r\n\r\n`, 400, 'bad-request'],
    [`GET http://a/ HTTP/2.0\r\n${host}\r\n`, 505, 'unsupported'],
    ['GET\n', 400, 'bad-request'],
  ];
  for (const [text, status, reason] of table) {
    const [answer, close] = playAll(text, {});
    assert.equal(parseAnswer(answer).status, status, text);
    assert.deepEqual(close, { kind: 'close', reason });
  }
});

test('a head without end is refused at 32 KiB, even one byte at a time', () => {
  const machine = createHttpServer({ authenticate: false });
  const seen: Seen[] = [];
  const endless = latin1('GET http://a/ HTTP/1.1\r\nX: '.padEnd(32_767, 'x'));
  for (const byte of byteByByte(endless)) seen.push(...play(machine, [byte], {}));
  assert.deepEqual(seen, []);
  const [answer, close] = play(machine, [latin1('x')], {});
  assert.equal(parseAnswer(answer).status, 431);
  assert.deepEqual(close, { kind: 'close', reason: 'too-large' });
});

test('early data is kept up to 64 KiB, wherever it comes', () => {
  const head = latin1('CONNECT example.org:443 HTTP/1.0\r\n\r\n');
  const fits = createHttpServer({ authenticate: false });
  assert.deepEqual(play(fits, [new Uint8Array([...head, ...new Uint8Array(65_536)])], {}), [CONNECT]);
  assert.deepEqual(play(fits, [new Uint8Array(1)], {}), [{ kind: 'close', reason: 'too-large' }]);
  assert.deepEqual(fits.onConnected(BOUND), []);
  const burst = createHttpServer({ authenticate: false });
  assert.deepEqual(play(burst, [new Uint8Array([...head, ...new Uint8Array(65_537)])], {}), [
    { kind: 'close', reason: 'too-large' },
  ]);
});

test('a caller that answers what was not asked is told so', () => {
  const machine = createHttpServer({ authenticate: true });
  assert.throws(() => machine.onConnected(BOUND), /is in head/);
  assert.throws(() => machine.onFailed('general'), /is in head/);
  assert.throws(() => machine.onAuthenticated(true), /is in head/);
});

test('any bytes, cut anywhere: no throw, and the same effects as at once', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'CONNECT ',
      'GET ',
      'http://a/',
      'a:1',
      ' HTTP/1.1',
      '\r\n',
      '\r\n\r\n',
      'Host: a',
      ': ',
      ' ',
      '\n',
      '\r',
    ),
    fc.constantFrom(
      'Content-Length: 1',
      'Transfer-Encoding: chunked',
      'Proxy-Authorization: Basic YTpi',
      '\0',
      '\x7f',
      'é',
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 5 }),
      fc.boolean(),
      (pieces, places, auth) => {
        const bytes = latin1(pieces.join(''));
        const answers: Answers = { authenticated: true };
        const whole = play(createHttpServer({ authenticate: auth }), [bytes], answers);
        const cut = play(createHttpServer({ authenticate: auth }), cutAt(bytes, places), answers);
        // A hand-over takes what was read by then.
        const comparable = (seen: Seen[]) => seen.map((one) => (one.kind === 'hand-over' ? { kind: one.kind } : one));
        assert.deepEqual(comparable(cut), comparable(whole));
      },
    ),
    { numRuns: 3000 },
  );
});
