// The program itself as a child process: for its exit codes, its limits and its CPU time.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Settings } from './proxy.ts';
import { until, within } from './wait.ts';

const MAIN = fileURLToPath(import.meta.resolve('#anabranch/cli/main.js'));

export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  /** The listening ports, in the order of the configuration. */
  readonly ports: readonly number[];
  /** What it has said on standard error. */
  log(): string;
  /** The flow records so far, as written. */
  records(): Record<string, unknown>[];
  /** Writes another configuration file. */
  configure(text: string): void;
  /** Resolves to the exit code, or the signal. */
  readonly ended: Promise<number | string>;
}

export async function startProgram(t: TestContext, settings: Settings): Promise<Program> {
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-'));
  const file = join(folder, 'config.yaml');
  const records = join(folder, 'flows.jsonl');
  const configure = (text: string) => writeFileSync(file, text);
  configure(JSON.stringify({ admin: 'off', dashboard: 'off', log: records, ...settings }));
  const child = spawn(process.execPath, [MAIN, 'run', file], { stdio: ['ignore', 'inherit', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data) => {
    log += data;
  });
  let over = false;
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true;
    return (code ?? signal) as number | string;
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await within(ended, 'the end of the program');
    rmSync(folder, { recursive: true });
  });
  const inbounds = (settings.inbounds as unknown[]).length;
  const ports = () => [...log.matchAll(/ on \S+?:(\d+), (?:MPTCP and )?TCP"/g)].map(([, port]) => Number(port));
  // Signals have their handlers by then, and the admin API and the dashboard are open.
  await until(
    () => over || log.includes('"code":"ready"'),
    () => `the program says: ${log}`,
  );
  if (over) throw new Error(`the program ended: ${log}`);
  assert.equal(ports().length, inbounds, log);
  return {
    child,
    pid: child.pid ?? 0,
    ports: ports(),
    log: () => log,
    records() {
      const lines = readFileSync(records, 'utf8').split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line));
    },
    configure,
    ended,
  };
}
