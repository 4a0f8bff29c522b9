// The HTTP forwarder over real sockets: requests, bodies, interim responses, upgrades.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { probeMptcp } from '#anabranch/socket/mptcp.js';

import { converse, delay, openClient, openRawServer, openScene } from './http-forward-scene.ts';

async function openHttpServer(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const at = server.address();
  return typeof at === 'object' && at ? at.port : 0;
}

const transports = probeMptcp().available ? (['tcp', 'mptcp'] as const) : (['tcp'] as const);

for (const transport of transports) {
  test(`requests on one ${transport} connection, in order, over one kept connection to the server`, async (t) => {
    const scene = await openScene(t, { transport });
    const server = await openRawServer(t, (socket, first) => {
      const answer = (text: string): void => {
        for (const path of text.match(/(?<=GET )\S+/g) ?? []) {
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\nX-A: 1\r\nx-a: 2\r\n\r\n${path}`);
        }
      };
      assert.equal(
        first,
        `GET /1?a=b HTTP/1.1\r\nHost: a.example:${server.port}\r\nX-b: 1\r\nx-B: 2\r\nVia: 1.1 us\r\n` +
          'Connection: keep-alive\r\n\r\n',
      );
      answer(first);
      socket.on('data', (data) => answer(String(data)));
    });
    const at = `a.example:${server.port}`;
    const client = await openClient(
      t,
      scene.port,
      `GET http://${at}/1?a=b HTTP/1.1\r\nHost: wrong.example\r\nX-b: 1\r\nProxy-Connection: keep-alive\r\nx-B: 2\r\n\r\n` +
        `GET http://${at}/22 HTTP/1.1\r\nHost: x\r\n\r\nGET http://${at}/333 HTTP/1.1\r\nHo`,
    );
    await client.until(/\/22$/);
    client.socket.write('st: x\r\n\r\n');
    const text = await client.until(/\/333$/);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 6\r\nX-A: 1\r\nx-a: 2\r\nVia: 1\.1 us\r\n/);
    assert.equal(server.connections.length, 1);
    assert.equal(scene.dials.length, 1);
    assert.deepEqual(scene.dials[0]?.destination, { host: 'a.example', port: server.port });
    assert.equal(scene.dials[0]?.user, undefined);
    assert.equal(scene.forward.connections, 1);
    client.socket.destroy();
    await delay(50);
    assert.equal(scene.forward.connections, 0);
    assert.ok(server.connections[0]?.readableEnded, 'the connection to the server has gone with its client');
  });
}

test('the dial may give a unix socket, such as one end of a pair', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-forward-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'server');
  let connections = 0;
  const server = createNetServer({ allowHalfOpen: true }, (socket) => {
    connections++;
    socket.on('data', (data) => {
      if (String(data).includes('Upgrade: x')) {
        socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
        socket.once('end', () => socket.end('bye'));
      } else if (String(data).startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  server.listen(path);
  await once(server, 'listening');
  t.after(() => server.close());
  const scene = await openScene(t, {
    dial: async () => {
      const socket = connect({ path, allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    },
  });
  const line = `GET http://a.example/ HTTP/1.1\r\nHost: a\r\n`;
  const client = await openClient(t, scene.port, `${line}\r\n`);
  await client.until(/ok$/);
  client.socket.write(`${line}\r\n`);
  await client.until(/ok[\s\S]*ok$/);
  assert.equal(connections, 1);
  client.socket.end(`${line}Connection: upgrade\r\nUpgrade: x\r\n\r\n`);
  await client.until(/101 Yes[\s\S]*bye$/);
  assert.equal(await client.ended, 'end');
});

test('bodies of both framings go through whole, with their trailers', async (t) => {
  const scene = await openScene(t);
  const body = randomBytes(3_000_000);
  const expected = createHash('sha256').update(body).digest('hex');
  const port = await openHttpServer(t, (request, response) => {
    const hash = createHash('sha256');
    request.on('data', (data) => hash.update(data));
    request.on('end', () => {
      const sum = hash.digest('hex');
      const { 'transfer-encoding': coding = '-', 'content-length': length = '-' } = request.headers;
      response.setHeader('Trailer', 'X-Back');
      response.write(`${coding} ${length} ${sum} ${request.trailers['x-sum'] ?? '-'}`);
      response.addTrailers([['X-Back', 'yes']]);
      response.end();
    });
  });
  const head = `POST http://a.example:${port}/ HTTP/1.1\r\nHost: a\r\n`;
  const client = await openClient(t, scene.port, `${head}Content-Length: ${body.length}\r\n\r\n`);
  client.socket.write(body);
  await client.until(new RegExp(`- ${body.length} ${expected} -\r\n0\r\nX-Back: yes\r\n\r\n$`));
  client.socket.write(`${head}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n`);
  for (let i = 0; i < body.length; i += 50_000) {
    const chunk = body.subarray(i, i + 50_000);
    client.socket.write(`${chunk.length.toString(16)};ext=1\r\n`);
    client.socket.write(chunk);
    client.socket.write('\r\n');
  }
  client.socket.write('0\r\nX-Sum: abc\r\n\r\n');
  await client.until(new RegExp(`chunked - ${expected} abc\r\n0\r\nX-Back: yes\r\n\r\n$`));
  client.socket.write(`${head}Connection: close\r\n\r\n`);
  await client.until(/- 0 e3b0c442/);
  assert.equal(await client.ended, 'end');
});

test('a large download keeps to the pace of the client, whole', async (t) => {
  const scene = await openScene(t);
  const body = randomBytes(8_000_000);
  const port = await openHttpServer(t, (_request, response) => void response.end(body));
  const client = await openClient(t, scene.port, `GET http://a.example:${port}/ HTTP/1.0\r\n\r\n`);
  client.socket.pause();
  await delay(100);
  const hash = createHash('sha256');
  client.socket.removeAllListeners('data');
  let head = '';
  client.socket.on('data', (data) => {
    if (head.endsWith('\r\n\r\n')) return void hash.update(data);
    const end = data.indexOf('\r\n\r\n') + 4;
    head = data.toString('latin1', 0, end);
    hash.update(data.subarray(end));
  });
  client.socket.resume();
  assert.equal(await client.ended, 'end');
  assert.equal(hash.digest('hex'), createHash('sha256').update(body).digest('hex'));
});

test('responses without a body, of every kind', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    const answer = (text: string): void => {
      if (text.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
      else if (text.includes('/204')) socket.write('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n');
      else if (text.includes('/304')) socket.write('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n');
      else socket.write('HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nok');
    };
    answer(first);
    socket.on('data', (data) => answer(String(data)));
  });
  const line = (method: string, path: string): string =>
    `${method} http://a.example:${server.port}${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  const client = await openClient(t, scene.port);
  client.socket.write(line('HEAD', '/') + line('GET', '/204') + line('GET', '/304') + line('GET', '/'));
  const text = await client.until(/ok$/);
  const heads = text.split('\r\n\r\n');
  assert.equal(heads.length, 5);
  assert.match(heads[0] ?? '', /^HTTP\/1\.1 200 OK\r\nContent-Length: 1000\r\n/);
  assert.match(heads[1] ?? '', /^HTTP\/1\.1 204 No Content\r\nVia/);
  assert.match(heads[2] ?? '', /^HTTP\/1\.1 304 Not Modified\r\nETag: "a"\r\n/);
  assert.match(heads[3] ?? '', /^HTTP\/1\.1 200 Fine\r\n/);
  for (const head of heads) assert.doesNotMatch(head, /transfer-encoding/i);
});

test('interim responses are passed on as they come, but not to HTTP/1.0', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n');
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    if (!first.includes('xpect: 100-continue')) return void setTimeout(() => socket.end(ok), 20);
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    socket.once('data', (data) => socket.end(String(data) === 'body!' ? ok : 'nonsense'));
  });
  const target = `http://a.example:${server.port}/`;
  const client = await openClient(
    t,
    scene.port,
    `POST ${target} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
  );
  await client.until(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>\r\n\r\nHTTP\/1\.1 100 Continue\r\n\r\n$/);
  client.socket.write('body!');
  await client.until(/ok$/);
  const old = await converse(t, scene.port, `GET ${target} HTTP/1.0\r\n\r\n`);
  assert.match(old.text, /^HTTP\/1\.1 200 OK\r\n/);
});

test('a final answer instead of 100 ends the connection, so that no body is taken for a request', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) =>
    socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'),
  );
  const head = `POST http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n`;
  const { text } = await converse(t, scene.port, head);
  assert.match(text, /^HTTP\/1\.1 413 Too Large\r\n/);
  assert.match(text, /\r\nConnection: close\r\n/);
  assert.match(text, /no$/);
});

test('a stream of events arrives while it goes on; a client that leaves ends it at the server', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    setTimeout(() => socket.write('3\r\none\r\n'), 30);
  });
  const client = await openClient(t, scene.port, `GET http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`);
  await client.until(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
  await client.until(/one\r\n$/);
  client.socket.end();
  const [upstream] = server.connections;
  assert.ok(upstream);
  upstream.resume();
  await Promise.race([once(upstream, 'close'), once(upstream, 'end'), delay(2000)]);
  assert.ok(upstream.readableEnded || upstream.destroyed);
});

test('a client that leaves while we still connect cancels that', async (t) => {
  let cancelled: Promise<unknown> | undefined;
  const scene = await openScene(t, {
    dial: ({ signal }) => {
      cancelled = once(signal, 'abort');
      return new Promise(() => {});
    },
  });
  const client = await openClient(t, scene.port, 'GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n');
  while (cancelled === undefined) await delay(2);
  client.socket.destroy();
  await cancelled;
});

test('an upgrade joins both ends, each end of it half-closing on its own', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    assert.match(first, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
    assert.match(first, /\r\nSec-WebSocket-Key: abc\r\n/);
    socket.write('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\nhello');
    let got = '';
    socket.on('data', (data) => {
      got += String(data);
    });
    socket.on('end', () => setTimeout(() => socket.end(`you said ${got}`), 30));
  });
  const client = await openClient(
    t,
    scene.port,
    `GET http://a.example:${server.port}/ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n` +
      'Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\nearly ',
  );
  const text = await client.until(/hello$/);
  assert.match(text, /^HTTP\/1\.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\nVia/);
  client.socket.end('late');
  await client.until(/you said early late$/);
  assert.equal(await client.ended, 'end');
});

test('an upgrade the server does not make is answered as any request; h2c is not passed on', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    const upgrade = /upgrade: .*/i.exec(first)?.[0] ?? 'none';
    socket.end(`HTTP/1.1 426 No\r\nContent-Length: ${upgrade.length}\r\n\r\n${upgrade}`);
  });
  const head = `GET http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n`;
  const websocket = await converse(t, scene.port, `${head}Upgrade: websocket\r\n\r\n`);
  assert.match(websocket.text, /^HTTP\/1\.1 426 No\r\n[\s\S]*\r\nConnection: close\r\n[\s\S]*Upgrade: websocket$/);
  const h2c = await converse(t, scene.port, `${head}Upgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n`);
  assert.match(h2c.text, /none$/);
});

test('CONNECT on a kept connection', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    socket.write(first.startsWith('GET') ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' : `got ${first}`);
    socket.on('end', () => socket.end('bye'));
  });
  const client = await openClient(t, scene.port, `GET http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`);
  await client.until(/ok$/);
  client.socket.write(`CONNECT a.example:${server.port} HTTP/1.1\r\nHost: a\r\n\r\nping`);
  await client.until(/HTTP\/1\.1 200 Connection established\r\n\r\ngot ping$/);
  client.socket.end();
  await client.until(/bye$/);
  const failing = await converse(t, scene.port, 'CONNECT denied.example:80 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(failing.text, /^HTTP\/1\.1 403 /);
  const faulty = await converse(t, scene.port, 'CONNECT nowhere HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.match(faulty.text, /^HTTP\/1\.1 400 /);
});

test('a name and a password with every request', async (t) => {
  const scene = await openScene(t, { withUsers: true });
  const server = await openRawServer(t, (socket, first) => {
    const leaked = /proxy-auth/i.test(first) ? 'leaked' : 'clean';
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${leaked.length}\r\n\r\n${leaked}`);
  });
  const basic = (text: string): string => `Proxy-Authorization: basic ${Buffer.from(text).toString('base64')}\r\n`;
  const line = `GET http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\n`;
  const client = await openClient(t, scene.port, `${line}\r\n`);
  await client.until(/^HTTP\/1\.1 407 [\s\S]*Proxy-Authenticate: Basic realm="anabranch", charset="UTF-8"[\s\S]*\n$/);
  for (const wrong of [basic('guest:wrong'), basic('nobody:p'), basic('guest'), 'Proxy-Authorization: Bearer a\r\n']) {
    client.socket.write(`${line}${wrong}\r\n`);
  }
  client.socket.write(`${line}${basic('guest:p:ss wörd')}\r\n`);
  const text = await client.until(/clean$/);
  assert.equal(text.match(/ 407 /g)?.length, 5);
  assert.equal(scene.dials[0]?.user, 'guest');
  assert.deepEqual(scene.refused, ['auth-required', ...Array(4).fill('auth-failed')]);
  const connect = await converse(t, scene.port, `CONNECT a.example:${server.port} HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.match(connect.text, /^HTTP\/1\.1 407 /);
});

test('Max-Forwards, loops, and what cannot be reached', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket, first) => {
    const hops = /max-forwards: \d+/i.exec(first)?.[0] ?? '';
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${hops.length}\r\n\r\n${hops}`);
  });
  const at = `http://a.example:${server.port}`;
  const table: [string, RegExp][] = [
    [`OPTIONS ${at} HTTP/1.1\r\nHost: a\r\nMax-Forwards: 2\r\n`, /200 OK[\s\S]*Max-Forwards: 1$/],
    [`OPTIONS ${at} HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n`, /200 OK[\s\S]*Allow: GET/],
    [`TRACE ${at}/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nCookie: secret\r\nX: 1\r\n`, /message\/http[\s\S]*X: 1/],
    [`GET ${at}/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n`, /200 OK[\s\S]*Max-Forwards: 0$/],
    [`GET ${at}/ HTTP/1.1\r\nHost: a\r\nVia: 1.1 us, 1.1 us\r\nVia: 1.0 us, 1.1 us, 1.1 us\r\n`, /^HTTP\/1\.1 508 /],
    [
      'GET http://denied.example/ HTTP/1.1\r\nHost: a\r\n',
      /^HTTP\/1\.1 403 [\s\S]*Proxy-Status: us; error=destination_ip_pr/,
    ],
    ['GET http://absent.example/ HTTP/1.1\r\nHost: a\r\n', /^HTTP\/1\.1 502 [\s\S]*Proxy-Status: us; error=dns_error/],
    [
      'GET http://a.example:1/ HTTP/1.1\r\nHost: a\r\n',
      /^HTTP\/1\.1 502 [\s\S]*Proxy-Status: us; error=connection_refused/,
    ],
    ['GET https://a.example/ HTTP/1.1\r\nHost: a\r\n', /^HTTP\/1\.1 400 [\s\S]*CONNECT/],
    ['GET / HTTP/1.1\r\nHost: a\r\n', /^HTTP\/1\.1 400 [\s\S]*whole address/],
    [`GET ${at}/ HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n`, /^HTTP\/1\.1 417 /],
  ];
  for (const [request, expected] of table) {
    const { text } = await converse(t, scene.port, `${request}Connection: close\r\n\r\n`);
    assert.match(text, expected, request);
    assert.doesNotMatch(text, /secret/);
  }
});

test('draining lets the current response end, and nothing follow', async (t) => {
  const scene = await openScene(t);
  const server = await openRawServer(t, (socket) => {
    const answer = (): void => {
      setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 50);
    };
    answer();
    socket.on('data', answer);
  });
  const line = `GET http://a.example:${server.port}/ HTTP/1.1\r\nHost: a\r\n\r\n`;
  const busy = await openClient(t, scene.port, line);
  const idle = await openClient(t, scene.port, line);
  await idle.until(/ok$/);
  busy.socket.write(line);
  await busy.until(/ok$/);
  await delay(20);
  scene.forward.drain();
  assert.equal(await idle.ended, 'end');
  assert.equal(await busy.ended, 'end');
  assert.match(busy.text(), /ok[\s\S]*Connection: close[\s\S]*ok$/);
  assert.equal(scene.forward.connections, 0);
});
