// The server behind the gateway: GET returns one file, PUT returns the SHA-256 of what was sent. Run inside a
// namespace:  node origin.js FILE

import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { pipeline } from 'node:stream/promises';

const file = process.argv[2] as string;
const bytes = statSync(file).size;

createServer(async (request, response) => {
  try {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-length': bytes });
      await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), response);
    } else {
      const hash = createHash('sha256');
      for await (const chunk of request) hash.update(chunk as Buffer);
      response.end(hash.digest('hex'));
    }
  } catch {
    // The client left; the next request is served all the same.
  }
}).listen(8080, '::', () => console.log('ready'));
