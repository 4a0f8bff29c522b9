// The programs that the lab calls (ip, nsenter, tc), run with a time limit and turned into errors that say what failed.

import { type ChildProcess, type StdioOptions, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError, LabErrorCode } from './lab-error.ts';

/** Where administration programs live when PATH of an ordinary user does not name it. */
const SBIN = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin', '/bin'];

const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  sh: 'dash',
};

/** Setup commands take milliseconds; this only ends one that hangs. */
const COMMAND_MS_MAX = 20_000;
const OUTPUT_BYTES_MAX = 1 << 20;
/** A killed process is gone within milliseconds, unless the kernel is at something for it. */
const KILLED_MS_MAX = 2_000;

/** A session of its own: ^C at the terminal reaches this program, and not what it needs to clean up. */
const OUT_OF_REACH = true;

/** Commands under way; bounded by the hosts of the labs being built. */
const underWay = new Set<ChildProcess>();

/** Absolute path of a program, or its bare name to be looked up on PATH. */
export function programPath(name: string): string {
  const directory = SBIN.find((candidate) => existsSync(join(candidate, name)));
  return directory === undefined ? name : join(directory, name);
}

export function missingProgram(name: string): LabError {
  const from = PACKAGES[name];
  const hint = from === undefined ? '' : `; install the package ${from}`;
  return new LabError(LabErrorCode.missing, `the program ${name} is not there${hint}`);
}

/** Runs a program to its end and returns what it printed. Rejects with a LabError when it fails. */
export function runCommand(command: readonly [string, ...string[]], input = ''): Promise<string> {
  const [name, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(programPath(name), args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: COMMAND_MS_MAX,
      detached: OUT_OF_REACH,
    });
    underWay.add(child);
    child.once('close', () => underWay.delete(child));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < OUTPUT_BYTES_MAX) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < OUTPUT_BYTES_MAX) stderr += text;
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'ENOENT' ? missingProgram(name) : error),
    );
    child.once('close', (status, signal) => {
      if (status === 0) resolve(stdout);
      else reject(failure(command, stderr, status ?? signal ?? 'unknown', input));
    });
    // A program that ends early does not read the rest; its status says why.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/**
 * Kills the commands under way and waits until they are gone, without returning to the event loop: what is taken down
 * afterwards must not be built up again by one of them.
 */
export function killCommands(): void {
  for (const child of underWay) child.kill('SIGKILL');
  const until = performance.now() + KILLED_MS_MAX;
  while (performance.now() < until && [...underWay].some(({ pid }) => pid !== undefined && isRunning(pid))) pause(1);
}

/** Whether a process does anything still: one that has ended is a zombie (Z) until it is asked for. */
function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

/** Without returning to the event loop. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** For `exit` handlers, where nothing can be waited for. Returns whether it went well; throws nothing. */
export function runCommandSync(command: readonly [string, ...string[]], input = ''): boolean {
  const [name, ...args] = command;
  const stdio: StdioOptions = ['pipe', 'ignore', 'ignore'];
  // `detached` works here as for spawn, and is only missing from the types.
  const options = { input, timeout: COMMAND_MS_MAX, detached: OUT_OF_REACH, stdio };
  const { status } = spawnSync(programPath(name), args, options);
  return status === 0;
}

/**
 * Runs lines of `ip -batch` in order in one namespace, or, without one, in that of this process. A line may begin with
 * `-6 `, which `ip` takes only for a whole batch and needs for rules.
 */
export async function runIp(namespace: string | undefined, lines: readonly string[]): Promise<void> {
  const where = namespace === undefined ? [] : ['-netns', namespace];
  for (let from = 0, to = 0; from < lines.length; from = to) {
    const six = lines[from]!.startsWith('-6 ');
    while (to < lines.length && lines[to]!.startsWith('-6 ') === six) to++;
    const batch = lines.slice(from, to).map((line) => `${six ? line.slice(3) : line}\n`);
    await runCommand(['ip', ...(six ? ['-6'] : []), ...where, '-batch', '-'], batch.join(''));
  }
}

function failure(command: readonly string[], stderr: string, status: number | string, input: string): LabError {
  const said = stderr.trim();
  // `ip -batch` names the line it stopped at: show it.
  const line = /Command failed -:(\d+)/.exec(said)?.[1];
  const failed = line === undefined ? undefined : input.split('\n')[Number(line) - 1];
  const first = said.split('\n').filter((text) => !text.startsWith('Command failed'))[0] ?? '';
  const what = failed === undefined ? command.join(' ') : `${command.slice(0, -2).join(' ')} ${failed}`;
  return new LabError(LabErrorCode.command, `${what} failed: ${first || `status ${status}`}`);
}
