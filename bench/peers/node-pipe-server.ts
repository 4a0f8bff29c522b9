// The forwarding proxy that node-pipe.ts starts: PORT SERVER_PORT.

import { connect, createServer } from 'node:net';

const [port, serverPort] = process.argv.slice(2).map(Number) as [number, number];

createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  const server = connect({ host: '127.0.0.1', port: serverPort, allowHalfOpen: true, noDelay: true });
  client.pipe(server);
  server.pipe(client);
  client.on('error', () => server.destroy());
  server.on('error', () => client.destroy());
}).listen({ host: '127.0.0.1', port, backlog: 4096 });
