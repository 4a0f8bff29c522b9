// A program: the web server of the demo's networks. GET /24000000 answers with that many bytes of the payload. It is an
// ordinary HTTP server of Node, which knows nothing of MPTCP.

import { createServer, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { payload } from './payload.ts';

const BYTES_MAX = 10e9;

const server = createServer((request, response) => {
  const bytes = /^\/(\d{1,11})$/.exec(request.url ?? '')?.[1];
  if (request.method !== 'GET' || bytes === undefined || Number(bytes) > BYTES_MAX) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': Number(bytes) });
  void send(response, Number(bytes));
});

async function send(response: ServerResponse, bytes: number): Promise<void> {
  try {
    await pipeline(Readable.from(payload(bytes), { highWaterMark: 1 }), response);
  } catch {
    // The client went away; it knows.
  }
}

server.listen({ host: '0.0.0.0', port: 80 }, () => process.stdout.write('listening\n'));
