// The admin API: HTTP with JSON over a unix socket that only its owner may open. `status`, `paths` and `reload` speak it, and so
// can curl:  curl --unix-socket PATH http://anabranch/flows

import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { ProxyService } from './service.ts';

export interface AdminOptions {
  readonly service: ProxyService;
  /** Reads the configuration again; resolves to what happened, in words, or rejects with why nothing changed. */
  readonly reload: () => Promise<readonly string[]>;
  readonly version: string;
  readonly paths: AdminPaths;
  /** What probes tell of the paths; `undefined`: nobody probes. */
  readonly probes?: () => unknown;
}

/** The paths of this machine. Both reject with an error that says in words why not. */
export interface AdminPaths {
  list(): Promise<unknown>;
  /** `settings`: keys and values as they came. */
  set(name: string, settings: readonly (readonly [string, string])[]): Promise<unknown>;
}

/** The path is taken by a process that answers. */
export class AdminSocketError extends Error {
  readonly code = 'admin-socket-in-use';
}

const FLOWS_MOST = 10_000;
const FLOWS_USUAL = 1_000;
const PROBE_MS = 1_000;
const REQUESTS =
  'GET /status, GET /flows?most=N, GET /paths, GET /probes, POST /paths?name=NAME&KEY=VALUE and POST /reload';

export interface Admin {
  readonly path: string;
  close(): void;
}

/** Opens the API. A socket that a dead process left is replaced. Rejects with an AdminSocketError or a system error. */
export async function openAdmin(path: string, options: AdminOptions): Promise<Admin> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (await answers(path)) throw new AdminSocketError(`${path} belongs to another running anabranch`);
  rmSync(path, { force: true });
  const server = createServer((request, response) => void serve(request, response, options));
  server.maxConnections = 64;
  server.requestTimeout = 10_000;
  await listen(server, path);
  chmodSync(path, 0o600);
  return {
    path,
    close() {
      server.close();
      server.closeAllConnections();
      rmSync(path, { force: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (alive: boolean) => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(PROBE_MS, () => end(true));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function serve(request: IncomingMessage, response: ServerResponse, options: AdminOptions): Promise<void> {
  const url = new URL((request.url ?? '/').replace(/^\/+/, '/'), 'http://anabranch');
  const answer = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  };
  try {
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /status': {
        const { service, version } = options;
        return answer(200, { version, pid: process.pid, inbounds: service.inbounds, counters: service.counters() });
      }
      case 'GET /flows': {
        const most = Number(url.searchParams.get('most') ?? FLOWS_USUAL);
        if (!Number.isInteger(most) || most < 1) return answer(400, { error: '`most` is a whole number from 1 on' });
        return answer(200, { flows: await options.service.flows(Math.min(most, FLOWS_MOST)) });
      }
      case 'GET /probes':
        return answer(200, { probes: options.probes?.() ?? [] });
      case 'POST /reload':
        return answer(200, { notes: await options.reload() });
      case 'GET /paths':
        return answer(200, await options.paths.list());
      case 'POST /paths': {
        const name = url.searchParams.get('name');
        if (name === null) return answer(400, { error: '`name` says which path is meant' });
        return answer(
          200,
          await options.paths.set(
            name,
            [...url.searchParams].filter(([key]) => key !== 'name'),
          ),
        );
      }
      default:
        return answer(404, { error: `there are ${REQUESTS}` });
    }
  } catch (error) {
    answer(409, { error: error instanceof Error ? error.message : String(error) });
  }
}
