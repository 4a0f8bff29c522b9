// The server that foreign programs are sent to: HTTP and HTTPS, IPv4 and IPv6, with a page, a file, a place to upload
// to, a protocol to change to, and a git repository.

import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface WebServer {
  readonly port: number;
  readonly tlsPort: number;
  /** The certificate, made for this server: localhost, 127.0.0.1 and ::1. */
  readonly certificate: string;
  /** For whatever a client needs; removed after the test. */
  readonly folder: string;
  /** What `/file` returns, in a file. */
  readonly file: string;
  readonly sha256: string;
  /** Each request in short: `GET /page`, with the number of its connection since the last `forget`. */
  readonly seen: { readonly request: string; readonly connection: number }[];
  forget(): void;
}

const FILE_BYTES = 3_000_000;

const PAGE = `<!doctype html><title>unread</title><link rel="stylesheet" href="/style.css">
<body><p id="said">nothing</p><script src="/script.js"></script></body>`;
const SCRIPT = `document.getElementById('said').textContent = 'said by the script';`;

export async function openWebServer(t: TestContext): Promise<WebServer> {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-clients-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const content = randomBytes(FILE_BYTES);
  const file = join(folder, 'file');
  writeFileSync(file, content);
  makeRepository(folder);
  const certificate = join(folder, 'certificate.pem');
  const key = join(folder, 'key.pem');
  run(
    ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat(['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'])
      .concat(['-keyout', key, '-out', certificate]),
  );
  const seen: { request: string; connection: number }[] = [];
  const connections: Socket[] = [];
  const listener: RequestListener = (request, response) => {
    if (!connections.includes(request.socket)) connections.push(request.socket);
    seen.push({ request: `${request.method} ${request.url}`, connection: connections.indexOf(request.socket) + 1 });
    void answer(request, response, content, folder);
  };
  const servers = [
    createServer(listener).on('upgrade', (request, socket) => {
      seen.push({ request: `UPGRADE ${request.url}`, connection: 0 });
      switchToEcho(request, socket as Socket);
    }),
    createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, listener),
  ];
  for (const server of servers) {
    server.listen(0, '::');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  const [port, tlsPort] = servers.map((server) => (server.address() as AddressInfo).port) as [number, number];
  const sha256 = createHash('sha256').update(content).digest('hex');
  const forget = () => {
    seen.length = 0;
    connections.length = 0;
  };
  return { port, tlsPort, certificate, folder, file, sha256, seen, forget };
}

async function answer(request: IncomingMessage, response: ServerResponse, file: Buffer, folder: string): Promise<void> {
  const { pathname, search } = new URL(request.url ?? '/', 'http://any');
  const type = (name: string) => response.setHeader('content-type', name);
  if (pathname.startsWith('/git/')) return serveGit(request, response, folder, pathname.slice(4), search.slice(1));
  if (request.method === 'PUT' || request.method === 'POST') {
    const hash = createHash('sha256');
    for await (const chunk of request) hash.update(chunk as Buffer);
    response.end(hash.digest('hex'));
  } else if (pathname === '/page') {
    type('text/html');
    response.end(PAGE);
  } else if (pathname === '/script.js') {
    type('text/javascript');
    response.end(SCRIPT);
  } else if (pathname === '/style.css') {
    type('text/css');
    response.end('p { color: green }');
  } else if (pathname === '/file') response.end(file);
  else if (pathname.startsWith('/hello')) response.end(`hello ${request.method}\n`);
  else response.writeHead(404).end();
}

/** After the 101: every byte comes back until the client ends. */
function switchToEcho(request: IncomingMessage, socket: Socket): void {
  socket.on('error', () => undefined);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
  );
  socket.pipe(socket);
}

/** CGI (RFC 3875) to git-http-backend(1), which speaks the protocol that real servers do. */
async function serveGit(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  path: string,
  query: string,
): Promise<void> {
  const { headers } = request;
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: path,
      QUERY_STRING: query,
      CONTENT_TYPE: headers['content-type'] ?? '',
      CONTENT_LENGTH: headers['content-length'] ?? '',
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    },
  });
  request.pipe(child.stdin).on('error', () => undefined);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const output = Buffer.concat(chunks);
  const end = output.indexOf('\r\n\r\n');
  for (const line of output.subarray(0, end).toString().split('\r\n')) {
    const [name, value] = line.split(': ') as [string, string];
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(output.subarray(end + 4));
}

/** `repository.git`, with one commit of some size. */
function makeRepository(folder: string): void {
  const work = join(folder, 'work');
  const git = (...args: string[]) => run(['git', '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args]);
  git('init', '-q', '-b', 'main', work);
  writeFileSync(join(work, 'data'), randomBytes(400_000).toString('hex'));
  git('-C', work, 'add', 'data');
  git('-C', work, 'commit', '-q', '-m', 'data');
  const bare = join(folder, 'repository.git');
  git('clone', '-q', '--bare', work, bare);
  git('-C', bare, 'config', 'http.receivepack', 'true');
}

function run(command: readonly string[]): void {
  const [file, ...args] = command as [string, ...string[]];
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8', env: { PATH: process.env.PATH } });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
}
