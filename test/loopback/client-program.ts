// A foreign program as a client: runs it to its end, without the settings of whoever runs the tests.

import { spawn } from 'node:child_process';

export interface ClientResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ClientOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
  /** To run it as; only root can. */
  readonly uid?: number;
}

const TIMEOUT_MS = 60_000;
/** Of the user's environment programs get only what they need to run. */
const KEPT = ['PATH', 'LANG', 'TMPDIR'];

/** Runs `command` with `env` added; SIGKILL after a minute. */
export function runClient(
  command: readonly [string, ...string[]],
  { env = {}, input = '', cwd, uid }: ClientOptions = {},
): Promise<ClientResult> {
  const kept = Object.fromEntries(KEPT.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  const [file, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...kept, ...env },
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
    });
    const chunks: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] };
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (chunk) => chunks[name].push(chunk));
    child.stdin.on('error', () => undefined).end(input);
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({
        status,
        stdout: Buffer.concat(chunks.stdout).toString(),
        stderr: Buffer.concat(chunks.stderr).toString(),
      }),
    );
  });
}
