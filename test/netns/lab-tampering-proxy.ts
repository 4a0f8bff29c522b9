// A SOCKS 5 proxy that does as its job says to what flows from the server to the client (or back): nothing, swap two
// bytes, lose one, double one. Run inside a host of a lab.
//
//   lab-tampering-proxy.js HOW OFFSET DIRECTION

import { connect, createServer, type Socket } from 'node:net';

const [how = 'nothing', offsetText = '0', direction = 'down'] = process.argv.slice(2);
const offset = Number(offsetText);

const server = createServer({ allowHalfOpen: true }, (client) => {
  client.on('error', () => client.destroy());
  // The client of the lab sends greeting and request in two messages that it never cuts.
  client.once('data', () => {
    client.write(Buffer.from([5, 0]));
    client.once('data', (request) => {
      const address = [...request.subarray(4, 8)].join('.');
      const upstream = connect({ host: address, port: request.readUInt16BE(8), allowHalfOpen: true }, () => {
        client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        forward(client, upstream, direction === 'up');
        forward(upstream, client, direction === 'down');
      });
      upstream.on('error', () => client.destroy());
    });
  });
});

function forward(from: Socket, to: Socket, tampered: boolean): void {
  let passed = 0;
  from.on('data', (chunk) => {
    const at = offset - passed;
    passed += chunk.length;
    const inside = tampered && at >= 0 && at + 1 < chunk.length;
    to.write(inside ? tamper(chunk, at) : chunk);
  });
  from.on('end', () => to.end());
  from.on('close', () => to.destroySoon());
}

function tamper(chunk: Buffer, at: number): Buffer {
  if (how === 'lose') return Buffer.concat([chunk.subarray(0, at), chunk.subarray(at + 1)]);
  if (how === 'double') return Buffer.concat([chunk.subarray(0, at + 1), chunk.subarray(at)]);
  if (how !== 'swap') return chunk;
  const swapped = Buffer.from(chunk);
  swapped[at] = chunk[at + 1]!;
  swapped[at + 1] = chunk[at]!;
  return swapped;
}

server.listen(1080, '0.0.0.0', () => process.stdout.write('ready\n'));
process.stdin.resume().on('end', () => process.exit());
