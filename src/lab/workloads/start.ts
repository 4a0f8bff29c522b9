// Runs a workload in a lab: starts its programs inside the hosts, waits, and puts together what they report.

import { parseHostPort } from '../../wire/destination.ts';
import { canonicalIp } from '../../wire/ip.ts';
import type { Lab } from '../lab.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { monotonicMs } from '../measures/clock.ts';
import { checkWorkload } from './check.ts';
import { HostProgram } from './host-program.ts';
import type { ClientJob, ClientLine, ClientResult, ClientTask, EndOptions, ServerJob, ServerLine } from './job.ts';
import { mergeReports } from './merge.ts';
import {
  type ResultOf,
  type Route,
  type ToolResult,
  type ToolWorkload,
  timeoutOf,
  type Workload,
  type WorkloadError,
  WorkloadErrorCode,
  type WorkloadRun,
} from './workload.ts';

export interface StartOptions {
  /** Ends the workload early, as `stop` does. */
  readonly signal?: AbortSignal | undefined;
  /** Payload bytes moved so far, of all flows, about five times a second. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

type TransferWorkload = Exclude<Workload, ToolWorkload>;

const START_MS_MAX = 60_000;
/** For a program to say its last, beyond the time that the workload has. */
const REPORT_MS_MAX = 15_000;

/**
 * Resolves once the workload is under way: the server listens and the client begins. Rejects with a LabError for a
 * workload that makes no sense, a host that is not there, a program that does not start.
 */
export async function startWorkload<W extends Workload>(
  lab: Lab,
  workload: W,
  options: StartOptions = {},
): Promise<WorkloadRun<ResultOf<W>>> {
  checkWorkload(workload);
  options.signal?.throwIfAborted();
  const run =
    workload.kind === 'tool' ? startTool(lab, workload, options) : await startTransfer(lab, workload, options);
  // Who waits for the result late must not be punished for it.
  run.result.catch(() => undefined);
  return run as unknown as WorkloadRun<ResultOf<W>>;
}

async function startTransfer(
  lab: Lab,
  workload: TransferWorkload,
  { signal, onProgress }: StartOptions,
): Promise<WorkloadRun<ClientResult>> {
  const client = lab.host(workload.from);
  const host = lab.host(workload.to.host);
  const address = workload.to.address ?? host.address();
  const proxy = workload.via === undefined ? undefined : proxyOf(lab, workload.via);
  const { congestion, receiveBuffer, sendBuffer } = workload;
  const socket: EndOptions = { congestion, receiveBuffer, sendBuffer };
  const key = workload.key ?? Math.floor(Math.random() * 0x1_0000_0000);
  const timeoutMs = timeoutOf(workload) * 1000;
  const lifeMs = timeoutMs + START_MS_MAX + REPORT_MS_MAX;
  // Behind a proxy, what comes is the proxy's choice.
  const transport = workload.transport === 'tcp' && proxy === undefined ? 'tcp' : 'auto';
  const serverJob: ServerJob = { key, port: workload.to.port ?? 0, transport, socket };
  const onLine = (line: ClientLine): boolean => {
    if (line.kind === 'progress') onProgress?.(line.bytes);
    return line.kind === 'progress';
  };
  // Both at once, for Node takes some tenths of a second to start.
  const server = new HostProgram<ServerLine>(host, 'server', lifeMs);
  const program = new HostProgram<ClientLine>(client, 'client', lifeMs, onLine);
  try {
    server.begin(serverJob);
    const first = await server.next(START_MS_MAX);
    if (first.kind !== 'listening') {
      const why = first.kind === 'failed' ? first.message : first.kind;
      throw new LabError(LabErrorCode.setup, `the workload's server on ${host.name} cannot listen: ${why}`);
    }
    const clientJob: ClientJob = {
      key,
      server: { address, port: first.port },
      proxy,
      mptcp: workload.transport === 'mptcp',
      socket,
      timeoutMs,
      task: taskOf(workload),
    };
    program.begin(clientJob);
    const begun = await program.next(START_MS_MAX);
    if (begun.kind !== 'started') throw new LabError(LabErrorCode.command, `the client said ${begun.kind} first`);
    const stop = (): void => program.stop();
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const result = finish(workload, program, server, timeoutMs + REPORT_MS_MAX).finally(() => {
      signal?.removeEventListener('abort', stop);
    });
    const processes = [
      { name: 'client', host: client.name, pid: program.process.pid },
      { name: 'server', host: host.name, pid: server.process.pid },
    ];
    return { startedMs: begun.atMs, processes, result, stop };
  } catch (error) {
    await Promise.all([program.close(), server.close()]);
    throw error;
  }
}

async function finish(
  workload: TransferWorkload,
  client: HostProgram<ClientLine>,
  server: HostProgram<ServerLine>,
  timeoutMs: number,
): Promise<ClientResult> {
  try {
    const line = await client.next(timeoutMs);
    if (line.kind !== 'result') throw new LabError(LabErrorCode.command, `the client said ${line.kind}`);
    server.stop();
    const last = await server.next(REPORT_MS_MAX).catch((error: unknown) => {
      if (!(error instanceof LabError)) throw error;
      return error;
    });
    return mergeReports(line.result, workload, last);
  } finally {
    await Promise.all([client.close(), server.close()]);
  }
}

function proxyOf(lab: Lab, { socks, name, password }: NonNullable<Route['via']>): ClientJob['proxy'] {
  const parsed = parseHostPort(socks);
  if (parsed === undefined) {
    throw new LabError(LabErrorCode.setup, `via.socks must be host:port; it is ${socks}`);
  }
  const { host, port } = parsed;
  const address = canonicalIp(host) ?? lab.host(host).address();
  if (name === undefined || password === undefined) return { address, port };
  return { address, port, credentials: { name, password } };
}

function taskOf(workload: TransferWorkload): ClientTask {
  const {
    from: _from,
    to: _to,
    via: _via,
    transport: _transport,
    congestion: _congestion,
    receiveBuffer: _receiveBuffer,
    sendBuffer: _sendBuffer,
    timeoutSeconds: _timeoutSeconds,
    key: _key,
    ...task
  } = workload;
  return task;
}

function startTool(lab: Lab, workload: ToolWorkload, { signal }: StartOptions): WorkloadRun<ToolResult> {
  const { from, command, env, input } = workload;
  const timeoutMs = timeoutOf(workload) * 1000;
  const stopper = new AbortController();
  const stop = (): void => stopper.abort();
  const startedMs = monotonicMs();
  const spawned = lab.host(from).spawn(command, { timeoutMs, signal: stopper.signal, ...(env && { env }) });
  spawned.child.stdin.end(input ?? '');
  signal?.addEventListener('abort', stop, { once: true });
  const finished = async (): Promise<ToolResult> => {
    try {
      const { status, signal: ended, stdout, stderr } = await spawned.exited;
      const endedMs = monotonicMs();
      const errors: WorkloadError[] = [];
      const note = (code: string, message: string): void => void errors.push({ code, message, atMs: endedMs });
      if (stopper.signal.aborted) note(WorkloadErrorCode.aborted, 'it was stopped');
      else if (endedMs - startedMs >= timeoutMs)
        note(WorkloadErrorCode.timeout, `not over after ${timeoutMs / 1000} s`);
      else if (status !== 0) note(WorkloadErrorCode.status, `${command[0]} ended with ${ended ?? `status ${status}`}`);
      const common = { startedMs, endedMs, errors, errorCount: errors.length, finished: errors.length === 0 };
      return { kind: 'tool', ...common, status, signal: ended, stdout, stderr };
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };
  const processes = [{ name: command[0]!, host: from, pid: spawned.pid }];
  return { startedMs, processes, result: finished(), stop };
}
