// Asks a running anabranch over its admin socket.

import { request } from 'node:http';
import { join } from 'node:path';
import { CliError } from './cli-error.ts';

const ANSWER_MS = 15_000;
const ANSWER_BYTES_MAX = 64 << 20;

/**
 * Where the admin socket is unless the configuration says otherwise: for root /run/anabranch, else the user's runtime
 * folder. A service that systemd runs without root has /run/anabranch too, as its RuntimeDirectory=.
 */
export function defaultAdminPath(): string {
  const [directory] = (process.env.RUNTIME_DIRECTORY ?? '').split(':');
  if (directory) return join(directory, 'admin.sock');
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return '/run/anabranch/admin.sock';
  return join(process.env.XDG_RUNTIME_DIR ?? `/tmp/anabranch-${uid}`, 'anabranch-admin.sock');
}

/** The answer's JSON. Rejects with a CliError that says what to do when nobody answers. */
export function askAdmin(socketPath: string, method: 'GET' | 'POST', path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (message: string, exitCode: number) => reject(new CliError(message, exitCode));
    const asked = request({ socketPath, method, path, timeout: ANSWER_MS, host: 'anabranch' }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_BYTES_MAX) asked.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => {
        const body = parseAnswer(text);
        if (response.statusCode === 200) resolve(body);
        else fail(errorOf(body) ?? `anabranch answered ${response.statusCode}`, 1);
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
    asked.on('error', (error: NodeJS.ErrnoException) => fail(explain(error, socketPath), 3));
    asked.end();
  });
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | undefined)?.error;
  return typeof error === 'string' ? error : undefined;
}

function explain(error: NodeJS.ErrnoException, socketPath: string): string {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return `no anabranch is running behind ${socketPath}; start one, or name its socket with --admin PATH`;
  }
  if (error.code === 'EACCES') return `${socketPath} belongs to another user; ask as that user, or as root`;
  return `${socketPath}: ${error.message}`;
}
