// An embedded database takes one process only, and a running proxy is that process. Readers (reports, the dashboard)
// ask it through a unix socket in the log's directory: a line of JSON for each query, a line for each answer. The
// socket is its owner's alone, and what comes through it can only read.

import { rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Database, QueryResult } from './database.ts';

/** sun_path holds 108 bytes with the final zero (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
/** A query with its parameters. */
const REQUEST_BYTES_MAX = 1 << 20;
/** An answer; queries that give more are to be asked in pages. */
const ANSWER_BYTES_MAX = 64 << 20;
const CONNECTIONS_MAX = 16;

interface Request {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

type Answer =
  | { readonly result: QueryResult }
  | { readonly error: { readonly message: string; readonly code: string | undefined } };

export interface QuerySocket {
  close(): void;
}

function socketPath(directory: string): string {
  return join(directory, 'query.sock');
}

/** Call it only with the directory's lock held: a socket file that is there is taken for a dead one's. */
export async function openQuerySocket(directory: string, database: () => Promise<Database>): Promise<QuerySocket> {
  const path = socketPath(directory);
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) throw new Error(`${path} is too long for a socket's path`);
  await rm(path, { force: true });
  /** Bounded by CONNECTIONS_MAX. */
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    onLines(socket, REQUEST_BYTES_MAX, async (line) => {
      const answer = JSON.stringify(await answerTo(line, database));
      const tooLong = { error: { message: 'the answer is too long: ask for less at once', code: undefined } };
      socket.write(`${answer.length > ANSWER_BYTES_MAX ? JSON.stringify(tooLong) : answer}\n`);
    });
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The directory is its owner's alone (mode 0700), and so is the socket in it.
    server.listen(path, () => resolve(void server.off('error', reject)));
  });
  return {
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

export interface QueryClient {
  query(sql: string, parameters: readonly unknown[]): Promise<QueryResult>;
  close(): void;
}

/** Rejects with Node's error when nobody listens there. */
export async function connectQuerySocket(directory: string): Promise<QueryClient> {
  const socket = connect(socketPath(directory));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => resolve(void socket.off('error', reject)));
    socket.once('error', reject);
  });
  /** In the order asked. Bounded by its callers, who wait. */
  const waiting: { resolve: (result: QueryResult) => void; reject: (error: Error) => void }[] = [];
  const fail = () => {
    for (const { reject } of waiting.splice(0)) reject(new Error('the proxy that holds the database has ended'));
  };
  socket.on('error', fail).on('close', fail);
  onLines(socket, ANSWER_BYTES_MAX, (line) => {
    const answer = JSON.parse(line) as Answer;
    const asked = waiting.shift();
    if ('result' in answer) asked?.resolve(answer.result);
    else asked?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
    return Promise.resolve();
  });
  return {
    query: (sql, parameters) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the proxy that holds the database has ended'));
        waiting.push({ resolve, reject });
        socket.write(`${JSON.stringify({ sql, parameters } satisfies Request)}\n`);
      }),
    close: () => socket.destroy(),
  };
}

async function answerTo(line: string, database: () => Promise<Database>): Promise<Answer> {
  try {
    const { sql, parameters } = JSON.parse(line) as Request;
    const open = await database();
    const result = await open.transaction(async (inside) => {
      await inside.query('SET TRANSACTION READ ONLY');
      return inside.query(sql, parameters);
    });
    return { result };
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    return { error: { message, code } };
  }
}

/** One line after the other: the next is taken up when the last is done. A line too long ends the connection. */
function onLines(socket: Socket, bytesMax: number, take: (line: string) => Promise<void>): void {
  /** Bounded by bytesMax. */
  let parts: Buffer[] = [];
  let bytes = 0;
  let last = Promise.resolve();
  const takeNext = (line: string) => {
    last = last.then(() => take(line)).catch(() => void socket.destroy());
  };
  socket.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      takeNext(Buffer.concat([...parts, chunk.subarray(from, end)]).toString('utf8'));
      parts = [];
      bytes = 0;
      from = end + 1;
    }
    parts.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > bytesMax) socket.destroy();
  });
}
