import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { fieldValues, parseRequestHead, parseResponseHead } from '#anabranch/wire/http-head.js';
import { HttpHeadScanner } from '#anabranch/wire/http-head-scanner.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';
import { latin1, protocolError } from './parsing.js';

function request(text: string) {
  const bytes = latin1(text);
  assert.equal(new HttpHeadScanner().scan(bytes), bytes.length);
  return parseRequestHead(bytes);
}

/** A head that the scanner or the parser refuses, with the same words for every way to cut it in two. */
function refused(text: string, code: string, message?: RegExp): void {
  const bytes = latin1(text);
  for (let at = 0; at <= bytes.length; at++) {
    assert.throws(
      () => {
        const scanner = new HttpHeadScanner();
        const length = scanner.scan(bytes.subarray(0, at)) ?? scanner.scan(bytes);
        assert.ok(length !== undefined, 'need more');
        parseRequestHead(bytes.subarray(0, length));
      },
      protocolError(code, message),
      JSON.stringify(text),
    );
  }
}

test('requests', () => {
  assert.deepEqual(request('GET http://a/x?y HTTP/1.1\r\nHost: a\r\nX-Y:\t z \t\r\nEmpty:\r\n\r\n'), {
    method: 'GET',
    target: 'http://a/x?y',
    form: 'absolute',
    minorVersion: 1,
    fields: [
      { name: 'host', value: 'a' },
      { name: 'x-y', value: 'z' },
      { name: 'empty', value: '' },
    ],
  });
  assert.deepEqual(request("M!#$%&'*+-.^_`|~9 / HTTP/1.0\r\n\r\n"), {
    method: "M!#$%&'*+-.^_`|~9",
    target: '/',
    form: 'origin',
    minorVersion: 0,
    fields: [],
  });
  for (const [line, form] of [
    ['CONNECT a:1 HTTP/1.0', 'authority'],
    ['OPTIONS * HTTP/1.0', 'asterisk'],
    ['OPTIONS /* HTTP/1.0', 'origin'],
    ['GET coap+tcp://a HTTP/1.0', 'absolute'],
  ] as const) {
    assert.equal(request(`${line}\r\n\r\n`).form, form);
    assert.equal(request(`\r\n${line}\r\n\r\n`).form, form);
  }
  // RFC 9110 §2.5: a later minor version is read as the latest known.
  assert.equal(request('GET / HTTP/1.7\r\nHost:\r\n\r\n').minorVersion, 1);
  assert.equal(fieldValues(request('GET / HTTP/1.0\r\nA: caf\xe9\r\n\r\n').fields, 'a')[0], 'caf\xe9');
  assert.deepEqual(fieldValues(request('GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n').fields, 'a'), ['1', '3']);
});

test('request lines that are refused', () => {
  for (const line of [
    '',
    'GET',
    'GET /',
    'GET  / HTTP/1.1',
    'GET /  HTTP/1.1',
    'GET / HTTP/1.1 ',
    'GET / x HTTP/1.1',
    'GET\t/ HTTP/1.1',
    'G(T / HTTP/1.1',
    'G\xc9T / HTTP/1.1',
    'GET /\xe9 HTTP/1.1',
    'GET / http/1.1',
    'GET / HTTP/1',
    'GET / HTTP/1.10',
    'GET / HTTP/11',
    'GET / HTTP/1.x',
    'GET a HTTP/1.1',
    'GET * HTTP/1.1',
    'GET a:80 HTTP/1.1',
    'GET http:/a HTTP/1.1',
    'GET //\tx HTTP/1.1',
    'connect a:1 HTTP/1.1',
  ]) {
    if (line === '') refused('\r\n\r\nHost: a\r\n\r\n', 'malformed');
    else refused(`${line}\r\nHost: a\r\n\r\n`, 'malformed');
  }
  for (const version of ['0.9', '2.0', '3.0', '9.9'])
    refused(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`, 'unsupported');
});

test('fields that are refused', () => {
  for (const [field, message] of [
    ['X : y', /name/],
    ['X\t: y', /name/],
    [': y', /name/],
    ['X', /name/],
    ['X Y: z', /name/],
    ['X(: z', /name/],
    ['\xe9: z', /name/],
    [' X: y', /whitespace/],
    ['\tX: y', /whitespace/],
    ['X: y\r\n z', /whitespace/],
    ['X: y\r\n\tz', /whitespace/],
    ['X: y\r\n \r\n', /whitespace/],
    ['X: \0', /NUL/],
    ['X: \x01', /control/],
    ['X: \x1f', /control/],
    ['X: \x7f', /control/],
    ['X: a\rb', /CR/],
    ['X: a\r\r\n', /CR/],
    ['X: a\nb: c', /LF/],
  ] as const) {
    refused(`GET / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`, 'malformed', message);
  }
  refused(' GET / HTTP/1.1\r\n', 'malformed', /whitespace/);
  refused('GET / HTTP/1.1\n', 'malformed', /LF/);
});

test('Host: one in HTTP/1.1, at most one before, a host and a port', () => {
  for (const value of ['a', 'a:', 'a:80', '', '[::1]', '[::1]:80', '1.2.3.4', 'a_b', 'a%20b', "!$&'()*+,;=~"]) {
    request(`GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`);
    request(`GET / HTTP/1.0\r\nhOST:${value}\r\n\r\n`);
  }
  for (const value of [
    'a b',
    'a/b',
    'a@b',
    'a,b:c',
    'a:b',
    'a:80:80',
    '::1',
    '[::1',
    'http://a',
    'a#',
    'a?',
    '[v1.x]',
    '\xe9',
  ]) {
    refused(`GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`, 'malformed', /no valid Host/);
  }
  refused('GET / HTTP/1.1\r\n\r\n', 'malformed', /no Host/);
  for (const minor of [0, 1])
    refused(`GET / HTTP/1.${minor}\r\nHost: a\r\nHost: a\r\n\r\n`, 'malformed', /more than one Host/);
});

test('one length, and only one', () => {
  const head = (fields: string, minor = 1, method = 'POST') =>
    `${method} a://b HTTP/1.${minor}\r\nHost: b\r\n${fields}\r\n`;
  for (const fields of [
    'Content-Length: 0\r\n',
    'Content-Length: 007\r\n',
    'Content-Length: 999999999999999\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip, Chunked\r\n',
    'Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n',
  ]) {
    request(head(fields));
  }
  for (const fields of [
    'Content-Length: 5\r\nContent-Length: 5\r\n',
    'Content-Length: 5\r\nContent-Length: 6\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length:\r\n',
    'Content-Length: +5\r\n',
    'Content-Length: -5\r\n',
    'Content-Length: 0x5\r\n',
    'Content-Length: 5 5\r\n',
    'Content-Length: 1000000000000000\r\n',
    'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
    'Transfer-Encoding: chunked\r\nContent-Length: 0\r\n',
    'Transfer-Encoding: identity\r\n',
    'Transfer-Encoding: chunked, gzip\r\n',
    'Transfer-Encoding: chunked, chunked\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer-Encoding:\r\n',
    'Transfer-Encoding: ,chunked\r\n',
    'Transfer-Encoding: chunked;x\r\n',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
  ]) {
    refused(head(fields), 'malformed', /Content-Length|Transfer-Encoding|transfer coding/);
  }
  refused(head('Transfer-Encoding: chunked\r\n', 0), 'malformed', /HTTP\/1\.0/);
  const connect = (fields: string) => `CONNECT a:1 HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  request(connect('Content-Length: 0\r\n'));
  refused(connect('Content-Length: 1\r\n'), 'malformed', /CONNECT/);
  refused(connect('Transfer-Encoding: chunked\r\n'), 'malformed', /CONNECT/);
});

test('responses', () => {
  for (const [line, status, minorVersion] of [
    ['HTTP/1.1 200 OK', 200, 1],
    ['HTTP/1.0 404 ', 404, 0],
    ['HTTP/1.1 999', 999, 1],
    ['HTTP/1.1 100 caf\xe9 \t x', 100, 1],
  ] as const) {
    assert.deepEqual(parseResponseHead(latin1(`${line}\r\nA: b\r\n\r\n`)), {
      status,
      minorVersion,
      fields: [{ name: 'a', value: 'b' }],
    });
  }
  for (const line of [
    '',
    'HTTP/1.1',
    'HTTP/1.1 20',
    'HTTP/1.1 2000',
    'HTTP/1.1 099',
    'HTTP/1.1  200',
    'HTTP/1.1 200OK',
    'http/1.1 200',
    'ICY 200',
  ]) {
    assert.throws(() => parseResponseHead(latin1(`${line}\r\n\r\n`)), protocolError('malformed'));
  }
  assert.throws(() => parseResponseHead(latin1('HTTP/2.0 200\r\n\r\n')), protocolError('unsupported'));
});

test('the scanner finds the end, whatever lies behind it', () => {
  const head = 'GET / HTTP/1.1\r\nA: b\r\n\r\n';
  for (const tail of ['', '\r\n\r\n', '\0\n', head])
    assert.equal(new HttpHeadScanner().scan(latin1(head + tail)), head.length);
  for (let length = 0; length < head.length; length++) {
    assert.equal(new HttpHeadScanner().scan(latin1(head.slice(0, length))), undefined);
  }
});

test('the bound is exact, however the bytes come', () => {
  const max = 64;
  const headOf = (length: number) => latin1(`${'GET / HTTP/1.1\r\nA: '.padEnd(length - 4, 'x')}\r\n\r\n`);
  for (const [length, fits] of [
    [max - 1, true],
    [max, true],
    [max + 1, false],
    [max + 2, false],
    [max + 3, false],
    [max + 9, false],
  ] as const) {
    const bytes = headOf(length);
    assert.equal(bytes.length, length);
    for (const step of [1, 2, 3, 7, length]) {
      const scanner = new HttpHeadScanner(max);
      const scan = () => {
        let end: number | undefined;
        for (let at = step; end === undefined && at < length + step; at += step)
          end = scanner.scan(bytes.subarray(0, at));
        return end;
      };
      if (fits) assert.equal(scan(), length);
      else assert.throws(scan, protocolError('too-large'));
    }
  }
  assert.throws(() => new HttpHeadScanner(max).scan(new Uint8Array(max).fill(0x61)), protocolError('too-large'));
});

/** RFC 9112's grammar as it stands, one regular expression for the whole head; no more than the shape is checked. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const HEAD = new RegExp(`^(?:\r\n)?${TOKEN} [!-~]+ HTTP/\\d\\.\\d\r\n(?:${TOKEN}:[\t -~\x80-\xff]*\r\n)*\r\n`);

test('any bytes: what is taken has the shape of the grammar, the rest throws nothing but ProtocolError', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'GET a://b HTTP/1.0\r\n',
      'Host: a\r\n',
      '\r\n',
      'A:',
      ': ',
      ' ',
      '\t',
      '\r',
      '\n',
      '\0',
      '\xe9',
      '\x7f',
    ),
    fc.constantFrom('Content-Length: 1\r\n', 'Transfer-Encoding: chunked\r\n', '(', 'X: y\r\n', '\r\n\r\n'),
    fc.string({ maxLength: 3 }),
  );
  const start = fc.constantFrom('', '\r\n', 'GET / HTTP/1.0\r\n', 'GET a://b HTTP/1.1\r\nHost: b\r\n');
  let taken = 0;
  fc.assert(
    fc.property(start, fc.array(piece, { maxLength: 8 }), fc.constantFrom('', '\r\n'), (line, pieces, end) => {
      const text = line + pieces.join('') + end;
      const bytes = latin1(text);
      const match = HEAD.exec(Buffer.from(bytes).toString('latin1'));
      try {
        const length = new HttpHeadScanner().scan(bytes);
        if (length === undefined) return assert.equal(match, null);
        const head = parseRequestHead(bytes.subarray(0, length));
        taken++;
        assert.equal(match?.[0].length, length);
        assert.equal(head.fields.length, (match?.[0].trim().split('\r\n').length ?? 0) - 1);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
  assert.ok(taken > 50, `${taken} heads were taken`);
});

test('heads made by the grammar are taken, and their fields read as they were written', () => {
  const name = fc.stringMatching(/^X-[!#$%&'*+.^_`|~0-9A-Za-z-]{0,10}$/);
  const value = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
  const blank = fc.constantFrom('', ' ', '\t', ' \t ');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, blank, value, blank), { maxLength: 10 }), (fields) => {
      const lines = fields.map(([key, before, text, after]) => `${key}:${before}${text}${after}\r\n`);
      const head = request(`GET / HTTP/1.0\r\n${lines.join('')}\r\n`);
      assert.deepEqual(
        head.fields,
        fields.map(([key, , text]) => ({ name: key.toLowerCase(), value: text })),
      );
    }),
  );
});

test('whitespace without end, and heads of nothing but fields, cost no more than their length', () => {
  const blanks = latin1(`GET / HTTP/1.0\r\nA: ${' '.repeat(32_000)}x\r\n\r\n`);
  const many = latin1(`GET / HTTP/1.0\r\n${'a:\r\n'.repeat(8_000)}\r\n`);
  const commas = latin1(`GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${','.repeat(32_000)}\r\n\r\n`);
  const started = performance.now();
  for (const bytes of [blanks, many, commas]) {
    const scanner = new HttpHeadScanner();
    let length: number | undefined;
    for (let at = 1; at <= bytes.length; at++) length = scanner.scan(bytes.subarray(0, at));
    assert.equal(length, bytes.length);
    try {
      parseRequestHead(bytes);
    } catch (error) {
      assert.ok(error instanceof ProtocolError);
    }
  }
  // Some 30 ms; anything quadratic takes seconds.
  assert.ok(performance.now() - started < 2_000);
});
