// The dashboard's web server: the page, a stream of live figures, Prometheus metrics. Reads, never writes.

import { timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isLoopback } from '../routing/access.ts';
import { formatHostPort } from '../wire/destination.ts';
import { canonicalIp } from '../wire/ip.ts';
import { History } from './history.ts';
import { LiveStream } from './live-stream.ts';
import { Past } from './past.ts';
import type { DashboardSource, EventView } from './source.ts';

export interface DashboardOptions {
  readonly address: string;
  readonly port: number;
  /** Needed from every client when set; without one only loopback may be listened on. */
  readonly token: string | undefined;
  readonly source: DashboardSource;
  /** The text of /metrics. */
  readonly metrics: () => Promise<string>;
}

export interface Dashboard {
  readonly url: string;
  note(kind: EventView['kind'], text: string): void;
  close(): void;
}

const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/app.js': { file: 'app.js', type: 'text/javascript; charset=utf-8' },
  '/app.css': { file: 'app.css', type: 'text/css; charset=utf-8' },
};

/** Nothing but our own files runs or loads; no other page may frame this one. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};
const COOKIE = 'anabranch-token';
const CONNECTIONS_MAX = 128;

/** Rejects with Node's error when the address cannot be had. */
export async function openDashboard(options: DashboardOptions): Promise<Dashboard> {
  const history = new History();
  const stream = new LiveStream(options.source, history);
  const past = new Past(options.source.past);
  const server = createServer((request, response) => {
    serve(request, response, { ...options, stream, past }).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(error instanceof Error ? error.message : 'failed');
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = 10_000;
  const port = await listen(server, options);
  await stream.start();
  return {
    url: `http://${formatHostPort(options.address, port)}/`,
    note: (kind, text) => stream.note({ at: Date.now(), kind, text }),
    close() {
      stream.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, { address, port }: DashboardOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: DashboardOptions & { readonly stream: LiveStream; readonly past: Past },
): Promise<void> {
  // A target that begins with two slashes would name a host.
  const url = new URL((request.url ?? '/').replace(/^\/+/, '/'), 'http://dashboard');
  const refuse = (status: number, text: string) =>
    response.writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') return void refuse(405, 'This page only shows.');
  if (!knowsUs(request, options)) return void refuse(421, 'Ask for this page by its address.');
  const given = url.searchParams.get('token');
  if (options.token !== undefined && !hasToken(request, given, options.token)) {
    return void refuse(401, 'A token is needed: open this page as /?token=… once.');
  }
  if (given !== null && options.token !== undefined && url.pathname === '/') {
    // Out of the address bar and the history, into a cookie that no script sees.
    const cookie = `${COOKIE}=${encodeURIComponent(given)}; HttpOnly; SameSite=Strict; Path=/`;
    return void response.writeHead(303, { ...SECURITY_HEADERS, 'set-cookie': cookie, location: '/' }).end();
  }
  const page = FILES[url.pathname];
  if (page !== undefined) {
    const body = await readFile(new URL(`./web/${page.file}`, import.meta.url));
    return void response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': page.type }).end(body);
  }
  if (url.pathname === '/live') return options.stream.attach(response, SECURITY_HEADERS);
  if (url.pathname === '/metrics') {
    const type = 'text/plain; version=0.0.4; charset=utf-8';
    return void response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': type }).end(await options.metrics());
  }
  if (url.pathname === '/health') {
    const body = JSON.stringify(await options.source.health());
    return void response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'application/json' }).end(body);
  }
  const answer = await options.past.answer(url.pathname, url.searchParams);
  if (answer !== undefined) {
    const head = { ...SECURITY_HEADERS, 'content-type': 'application/json' };
    return void response.writeHead(answer.status, head).end(JSON.stringify(answer.body));
  }
  refuse(404, 'There is nothing here.');
}

/**
 * Against DNS rebinding: a page of somebody else's whose name has come to mean this address asks by that name. On
 * loopback only loopback names are ours; with a token the token decides.
 */
function knowsUs(request: IncomingMessage, options: DashboardOptions): boolean {
  if (options.token !== undefined) return true;
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const ip = canonicalIp(host);
  return ip === undefined ? host === 'localhost' || host.endsWith('.localhost') : isLoopback(ip);
}

function hasToken(request: IncomingMessage, given: string | null, token: string): boolean {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]*)`).exec(request.headers.cookie ?? '')?.[1];
  return [given, bearer, cookie === undefined ? undefined : decodeURIComponent(cookie)].some((text) =>
    equals(text, token),
  );
}

function equals(given: string | null | undefined, token: string): boolean {
  const a = Buffer.from(given ?? '');
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}
