import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  countVia,
  interimHeaders,
  listed,
  requestHeaders,
  responseHeaders,
  trailerFields,
} from '#anabranch/proxy/http-hop-headers.js';

const request = {
  method: 'GET',
  httpVersion: '1.1',
  rawHeaders: [] as string[],
  authority: 'a.example',
  chunked: false,
  hasLength: false,
  upgrade: undefined,
  maxForwards: undefined,
};

const response = { status: 200, httpVersion: '1.1', rawHeaders: [] as string[], trailers: false };

test('fields of one hop end here, those that Connection names too', () => {
  const rawHeaders = [
    ...['Host', 'other.example', 'Connection', 'x-private, close', 'X-Private', '1', 'connection', 'X-Also'],
    ...[
      'x-also',
      '2',
      'Keep-Alive',
      'timeout=5',
      'Proxy-Connection',
      'keep-alive',
      'Proxy-Authorization',
      'Basic eA==',
    ],
    ...['Transfer-Encoding', 'chunked', 'Upgrade', 'h2c', 'HTTP2-Settings', 'AA', 'TE', 'gzip'],
    ...['Cookie', 'a=1', 'X-Kept', 'one', 'x-kept', 'two', 'Expect', '100-continue'],
  ];
  assert.deepEqual(requestHeaders({ ...request, rawHeaders }, 'us'), [
    ...['Host', 'a.example', 'Cookie', 'a=1', 'X-Kept', 'one', 'x-kept', 'two', 'Expect', '100-continue'],
    ...['Via', '1.1 us'],
  ]);
});

test('where a request ends is said anew, whatever Connection names', () => {
  const rawHeaders = ['Connection', 'Content-Length, Via', 'Content-Length', '5', 'Trailer', 'x-sum'];
  const posted = { ...request, method: 'POST' };
  const table: [Partial<typeof request>, string[]][] = [
    [{ rawHeaders, hasLength: true }, ['Content-Length', '5']],
    [{ chunked: true, rawHeaders: ['Trailer', 'x-sum'] }, ['Trailer', 'x-sum', 'Transfer-Encoding', 'chunked']],
    [{}, ['Content-Length', '0']],
    [{ method: 'GET' }, []],
    [{ method: 'DELETE' }, []],
  ];
  for (const [given, expected] of table) {
    assert.deepEqual(requestHeaders({ ...posted, ...given }, 'us'), [
      ...['Host', 'a.example'],
      ...expected,
      ...['Via', '1.1 us'],
    ]);
  }
});

test('trailers are asked for when the client takes them; an upgrade goes with its Connection', () => {
  const trailers = requestHeaders({ ...request, rawHeaders: ['TE', 'gzip, trailers;q=0.5'] }, 'us');
  assert.deepEqual(trailers.slice(4), ['Connection', 'TE', 'TE', 'trailers']);
  const upgrade = requestHeaders({ ...request, rawHeaders: ['TE', 'trailers'], upgrade: 'websocket' }, 'us');
  assert.deepEqual(upgrade.slice(4), ['Connection', 'Upgrade', 'Upgrade', 'websocket']);
});

test('Max-Forwards is replaced, or left as it is', () => {
  const rawHeaders = ['Max-Forwards', '3'];
  assert.deepEqual(requestHeaders({ ...request, rawHeaders, maxForwards: 2 }, 'us').slice(2, 4), ['Max-Forwards', '2']);
  assert.deepEqual(requestHeaders({ ...request, rawHeaders }, 'us').slice(2, 4), ['Max-Forwards', '3']);
});

test('responses', () => {
  const rawHeaders = [
    ...['Content-Length', '5', 'Connection', 'Keep-Alive, X-Hop', 'X-Hop', '1', 'Proxy-Authenticate', 'Basic'],
    ...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Trailer', 'X-Sum'],
  ];
  const kept = ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'];
  const via = ['Via', '1.1 us'];
  assert.deepEqual(responseHeaders({ ...response, rawHeaders }, 'us'), ['Content-Length', '5', ...kept, ...via]);
  assert.deepEqual(responseHeaders({ ...response, rawHeaders, status: 204 }, 'us'), [...kept, ...via]);
  const chunked = responseHeaders({ ...response, rawHeaders: ['Trailer', 'X-Sum'], trailers: true }, 'us');
  assert.deepEqual(chunked, ['Trailer', 'X-Sum', ...via]);
  assert.deepEqual(interimHeaders(['Link', '</a>', 'Connection', 'x', 'X', '1', 'Content-Length', '3']), [
    'Link',
    '</a>',
  ]);
});

test('a trailer carries nothing that has to be known before the body', () => {
  const rawTrailers = [
    'X-Sum',
    '1',
    'Content-Length',
    '9',
    'transfer-encoding',
    'chunked',
    'Host',
    'x',
    'Set-Cookie',
    'a',
  ];
  assert.deepEqual(trailerFields(rawTrailers), [['X-Sum', '1']]);
});

test('our own marks in Via are counted over all its lines, whatever the case', () => {
  const rawHeaders = ['Via', '1.1 us, 1.0 fred (comment)', 'VIA', 'HTTP/1.1  US, 1.1 usher', 'X', '1.1 us'];
  assert.equal(countVia(rawHeaders, 'us'), 2);
  assert.equal(countVia(rawHeaders, 'nobody'), 0);
  assert.deepEqual(listed(['TE', ' a ,, B', 'te', 'c'], 'te'), ['a', 'b', 'c']);
});
