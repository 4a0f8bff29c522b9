// The HTTP forwarder among clients and servers that break the rules, or just break.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { converse, delay, openClient, openRawServer, openScene } from './http-forward-scene.ts';

const host = 'Host: a\r\n';

test('a request that two readers could understand differently reaches nobody', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  const post = `POST http://a.example:${server.port}/ HTTP/1.1\r\n${host}`;
  const get = `GET http://a.example:${server.port}/ HTTP/1.1\r\n`;
  const smuggled = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const table: [string, RegExp][] = [
    [`${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400 /],
    [`${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400 /],
    [`${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, /^HTTP\/1\.1 400 /],
    [`${post}Content-Length: 5, 5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    [`${post}Content-Length: +5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    [`${post}Content-Length: 0x5\r\n\r\nhello`, /^HTTP\/1\.1 400 /],
    [`${post}Content-Length: -1\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${post}Transfer-Encoding: chunked, identity\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400 |^$/],
    [`${post}Transfer-Encoding: xchunked\r\n\r\n${smuggled}`, /^HTTP\/1\.1 (?:400|501) |^$/],
    [`${post}Transfer-Encoding: gzip, chunked\r\n\r\n${smuggled}`, /^HTTP\/1\.1 (?:400|501) /],
    [`${post}Transfer-Encoding : chunked\r\n\r\n${smuggled}`, /^HTTP\/1\.1 400 /],
    [`${post}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 |^$/],
    [`${get}${host}X: a\nb\r\n c\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${get}${host}X: a\u0000b\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${get}${host} folded: x\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${get}\r\n`, /^HTTP\/1\.1 400 /],
    [`${get}${host}Host: b\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['GET http://a.example/a b HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET http://a.example/ HTTP/9.9\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 (?:400|505) /],
    ['\u0016\u0003\u0001\u0002\u0000\u0001\u0000', /^HTTP\/1\.1 400 /],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^HTTP\/1\.1 (?:400|505) /],
    [`${get}${host}X: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ];
  for (const [request, expected] of table) {
    const { text } = await converse(t, scene.port, request);
    assert.match(text, expected, JSON.stringify(request.slice(0, 120)));
    assert.equal(text.match(/HTTP\/1\.1/g)?.length ?? 0, text === '' ? 0 : 1, JSON.stringify(request));
  }
  for (const socket of server.connections) assert.doesNotMatch(String(socket.read() ?? ''), /smuggled/);
  await delay(20);
  assert.equal(scene.forward.connections, 0);
});

test('noise, cut anywhere, ends in a close', async (t) => {
  const scene = await openScene(t);
  for (let seed = 1; seed < 30; seed++) {
    const noise = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * seed * 31 + (seed << (i % 5))) & 0xff));
    const client = await openClient(t, scene.port, noise.toString('latin1'));
    client.socket.end('\r\n\r\n');
    await client.ended;
  }
  await delay(20);
  assert.equal(scene.forward.connections, 0);
});

test('a response that breaks off resets the client, whatever its framing', async (t) => {
  const scene = await openScene(t);
  const table: [string, string][] = [
    ['Content-Length: 1000\r\n', 'some'],
    ['Transfer-Encoding: chunked\r\n', '4\r\nsome\r\n'],
    ['', 'some'],
  ];
  for (const [fields, body] of table) {
    const server = await openRawServer(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n${body}`);
      setTimeout(() => socket.resetAndDestroy(), 30);
    });
    for (const version of ['1.1', '1.0']) {
      const request = `GET http://a.example:${server.port}/ HTTP/${version}\r\n${host}\r\n`;
      const { text, end } = await converse(t, scene.port, request);
      assert.match(text, /^HTTP\/1\.1 200 OK[\s\S]*some/);
      assert.equal(end, 'ECONNRESET', JSON.stringify(fields));
    }
  }
});

test('a response that ends with its connection ends the response', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall'));
  const line = `GET http://a.example:${server.port}/ HTTP/1`;
  const old = await converse(t, scene.port, `${line}.0\r\n\r\n`);
  assert.match(old.text, /\r\nVia: 1\.0 us\r\n[\s\S]*\r\n\r\nall$/);
  assert.equal(old.end, 'end');
  const client = await openClient(t, scene.port, `${line}.1\r\n${host}\r\n`);
  await client.until(/\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n$/);
});

test('servers that send nonsense, nothing, or leave', async (t) => {
  const scene = await openScene(t, { idleMs: 300 });
  const table: [string | undefined, RegExp][] = [
    ['SSH-2.0-OpenSSH\r\n', /^HTTP\/1\.1 502 [\s\S]*error=http_protocol_error/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /^HTTP\/1\.1 502 /],
    ['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /^HTTP\/1\.1 502 /],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 502 /],
    ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nxx', /^HTTP\/1\.1 502 /],
    ['', /^HTTP\/1\.1 502 [\s\S]*error=connection_terminated/],
    [undefined, /^HTTP\/1\.1 504 [\s\S]*error=http_response_timeout/],
  ];
  for (const [answer, expected] of table) {
    const server = await openRawServer(t, (socket) => {
      if (answer !== undefined) socket.end(answer, 'latin1');
    });
    const request = `GET http://a.example:${server.port}/ HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
    const { text } = await converse(t, scene.port, request);
    assert.match(text, expected, JSON.stringify(answer?.slice(0, 60)));
  }
  assert.ok(scene.refused.every((reason) => reason === 'upstream-failed'));
});

test('a kept connection that the server has closed: what can be repeated is, what cannot goes out fresh', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    const path = first.split(' ')[1] ?? '';
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`);
    // The next request on this connection meets a reset.
    socket.once('data', () => socket.resetAndDestroy());
  });
  const at = `http://a.example:${server.port}`;
  const client = await openClient(t, scene.port, `GET ${at}/1 HTTP/1.1\r\n${host}\r\n`);
  await client.until(/\/1$/);
  client.socket.write(`GET ${at}/2 HTTP/1.1\r\n${host}\r\n`);
  await client.until(/\/2$/);
  client.socket.write(`POST ${at}/3 HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nhi`);
  await client.until(/\/3$/);
  assert.equal(server.connections.length, 3);
  client.socket.destroy();
});

test('a server that answers before it has read all, and closes', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) => {
    socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  const head = `POST http://a.example:${server.port}/ HTTP/1.1\r\n${host}Content-Length: 50000000\r\n\r\n`;
  const client = await openClient(t, scene.port, head);
  client.socket.write(Buffer.alloc(1_000_000));
  await client.until(/^HTTP\/1\.1 413 [\s\S]*\r\nConnection: close\r\n[\s\S]*no$/);
  await client.ended;
});

test('an upload to nobody is answered', async (t) => {
  const scene = await openScene(t);
  const head = `POST http://a.example:1/ HTTP/1.1\r\n${host}Content-Length: 5000\r\n\r\n`;
  const client = await openClient(t, scene.port, `${head}${'x'.repeat(100)}`);
  await client.until(/^HTTP\/1\.1 502 [\s\S]*\r\nConnection: close\r\n/);
  await client.ended;
});

test('half a request, and one that never ends, are cut off', async (t) => {
  const scene = await openScene(t, { headersMs: 500, requestMs: 1500, idleMs: 10_000, keepAliveMs: 300 });
  const start = performance.now();
  const half = await converse(t, scene.port, 'GET http://a.example/ HTTP/1.1\r\nHo');
  assert.match(half.text, /^HTTP\/1\.1 408 /);
  assert.ok(performance.now() - start < 20_000);
  const idle = await openScene(t, { idleMs: 200 });
  const silent = await converse(t, idle.port, '');
  assert.equal(silent.text, '');
});

test('more pipelined requests than anybody has use for', async (t) => {
  const scene = await openScene(t, { dial: () => new Promise(() => {}) });
  const client = await openClient(t, scene.port, `GET http://a.example/ HTTP/1.1\r\n${host}\r\n`.repeat(200));
  assert.equal(await client.ended, 'ECONNRESET');
  assert.deepEqual(scene.refused, ['too-large']);
});

test('more clients than allowed', async (t) => {
  const scene = await openScene(t, { connectionsMax: 2, dial: () => new Promise(() => {}) });
  const line = `GET http://a.example/ HTTP/1.1\r\n${host}\r\n`;
  await openClient(t, scene.port, line);
  await openClient(t, scene.port, line);
  await delay(30);
  const third = await openClient(t, scene.port, line);
  assert.match(await third.ended, /end|ECONNRESET/);
  assert.equal(scene.forward.connections, 2);
  scene.forward.close();
  assert.equal(scene.forward.connections, 2);
  await delay(20);
  assert.equal(scene.forward.connections, 0);
});

test('both sides of an upgraded connection share the other side’s fate', async (t) => {
  const scene = await openScene(t, { idleMs: 200 });
  const head = 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
  const resetting = await openRawServer(t, (socket) => {
    socket.write(head);
    setTimeout(() => socket.resetAndDestroy(), 30);
  });
  const silent = await openRawServer(t, (socket) => void socket.write(head));
  for (const { port } of [resetting, silent]) {
    const request = `GET http://a.example:${port}/ HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: x\r\n\r\n`;
    const { text, end } = await converse(t, scene.port, request);
    assert.match(text, /^HTTP\/1\.1 101 /);
    assert.equal(end, 'ECONNRESET');
  }
  assert.ok(silent.connections.every((socket) => socket.destroyed || socket.readableEnded));
});
