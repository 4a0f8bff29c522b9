// The two anabranches of the demo, each in its host: started, found to be listening, stopped, and their flow records.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from '../host.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { parseFlowRecords, type RecordedFlow } from '../measures/flow-records.ts';
import { printable } from './printable.ts';

const START_MS_MAX = 20_000;
const STOP_MS_MAX = 5_000;

/**
 * Resolves once a program has written `word` to one of its outputs, to what it wrote up to then. Rejects when it ends
 * before, or after 20 s.
 */
export function untilSaid(
  program: HostProcess,
  output: 'stdout' | 'stderr',
  word: string,
  what: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const stream = program.child[output];
    const fail = (why: string): void => settle(() => reject(new LabError(LabErrorCode.command, `${what} ${why}`)));
    const timer = setTimeout(() => fail(`did not start within ${START_MS_MAX / 1000} s`), START_MS_MAX);
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      stream.off('data', onData);
      end();
    };
    const onData = (chunk: Buffer): void => {
      said = (said + chunk.toString()).slice(-4_000);
      if (said.includes(word)) settle(() => resolve(said));
    };
    stream.on('data', onData);
    program.exited.then(
      ({ status, signal, stderr }) => fail(`ended (${status ?? signal}): ${printable(stderr.trim())}`),
      (error: Error) => fail(`could not be started: ${error.message}`),
    );
  });
}

/**
 * `command` starts anabranch; `config` is its configuration, which goes to a file in `folder`. One data-plane thread,
 * records on standard output.
 */
export async function startProxy(
  host: Host,
  command: readonly string[],
  config: Readonly<Record<string, unknown>>,
  folder: string,
): Promise<HostProcess> {
  const file = join(folder, `${host.name}.yaml`);
  const common = { workers: 1, log: 'stdout', admin: 'off', dashboard: 'off' };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ ...common, ...config }));
  const proxy = host.spawn([...command, 'run', file]);
  proxy.child.stdin.end();
  const name = `the anabranch on ${host.name}`;
  const said = await untilSaid(proxy, 'stderr', '"code":"ready"', name);
  // It would run on, over one path.
  const trouble = said.split('\n').find((line) => line.includes('"code":"paths"'));
  if (trouble !== undefined) {
    throw new LabError(LabErrorCode.command, `${name} could not set up its paths: ${printable(trouble)}`);
  }
  return proxy;
}

export interface ProxyEnd {
  /** What it logged: JSON lines. */
  readonly records: string;
  /** The flow that carried the most. */
  readonly flow: RecordedFlow | undefined;
}

/** Stops a proxy in order. */
export async function stopProxy(proxy: HostProcess): Promise<ProxyEnd> {
  proxy.kill('SIGTERM');
  const timer = setTimeout(() => proxy.kill('SIGKILL'), STOP_MS_MAX);
  const { stdout } = await proxy.exited;
  clearTimeout(timer);
  const { flows } = parseFlowRecords(stdout);
  return { records: stdout, flow: flows.toSorted((a, b) => b.bytesDown - a.bytesDown)[0] };
}
