// The programs of an experiment: started in their hosts, waited for until they listen, watched until the end.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { HostProcess } from '../host.ts';
import type { Lab } from '../lab.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { askForReload } from './reload.ts';

export interface ProcessSpec {
  readonly name: string;
  readonly host: string;
  /** What to run; for anabranch, its configuration. */
  readonly command?: readonly string[] | undefined;
  readonly anabranch?: Readonly<Record<string, unknown>> | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** TCP ports on which it listens once it is ready. */
  readonly ready: readonly number[];
}

export interface RunningProcess {
  readonly spec: ProcessSpec;
  readonly process: HostProcess;
  /** Where its flow records go; only of anabranch. */
  readonly flowLog: string | undefined;
  /** It has said so, where it says such things: an anabranch listens before its paths are set up. */
  isReady(): boolean;
}

export interface Processes {
  readonly running: readonly RunningProcess[];
  /** Rejects with a LabError as soon as one of them ends by itself; never resolves. */
  readonly died: Promise<never>;
  /** Has an anabranch read another configuration; only those named in `reloading`. Rejects with a LabError. */
  reload(name: string, anabranch: Readonly<Record<string, unknown>>): Promise<void>;
  /** Ends them all; in order for those that know SIGTERM. Resolves when they are gone. */
  stop(): Promise<void>;
}

export interface ProcessOptions {
  /** Takes configurations and flow logs. */
  readonly directory: string;
  /** How to run anabranch: the command before `run FILE`. */
  readonly anabranch: readonly string[];
  readonly signal: AbortSignal;
  /** Those whose configuration will change in mid-run: they get an admin socket. */
  readonly reloading: ReadonlySet<string>;
}

const READY_MS_MAX = 60_000;
const READY_POLL_MS = 20;
const STOP_MS_MAX = 3_000;
/** What a workload leaves behind when it is over nobody waits for. */
const DRAIN = '200ms';
/** Of what a program prints, the end is kept for messages. */
const LAST_WORDS_MAX = 2_000;
const LAST_LINES = 5;
/** What anabranch writes once all of it is there. */
const READY = '"code":"ready"';

/** Starts all, then waits until each one listens. Rejects when one ends or does not get there; then none is left. */
export async function startProcesses(
  lab: Lab,
  specs: readonly ProcessSpec[],
  options: ProcessOptions,
): Promise<Processes> {
  let stopping = false;
  let onDeath: (error: LabError) => void = () => undefined;
  const died = new Promise<never>((_, reject) => {
    onDeath = reject;
  });
  // Whoever races against it handles it; nobody may, when the experiment is over.
  died.catch(() => undefined);
  const running: RunningProcess[] = [];
  const stop = async (): Promise<void> => {
    stopping = true;
    await Promise.all(running.map(({ process }) => stopProcess(process)));
  };
  try {
    for (const spec of specs) {
      const { started, lastWords } = start(lab, spec, options);
      running.push(started);
      started.process.exited.then(
        ({ status, signal }) => {
          if (stopping) return;
          const how = status === undefined ? `was ended by ${signal}` : `ended with status ${status}`;
          onDeath(new LabError(LabErrorCode.command, `process ${spec.name} on ${spec.host} ${how}${lastWords()}`));
        },
        (error: LabError) => onDeath(error),
      );
    }
    await Promise.race([died, Promise.all(running.map((one) => waitUntilReady(one, options.signal)))]);
    const reload = (name: string, anabranch: Readonly<Record<string, unknown>>): Promise<void> => {
      writeConfiguration(name, anabranch, options);
      return askForReload(adminSocket(name, options), name);
    };
    return { running, died, reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns the file, and where flow records go. */
function writeConfiguration(
  name: string,
  anabranch: Readonly<Record<string, unknown>>,
  options: ProcessOptions,
): { readonly file: string; readonly flowLog: string } {
  const file = join(options.directory, `${name}.yaml`);
  const flowLog = join(options.directory, `${name}.jsonl`);
  const admin = options.reloading.has(name) ? adminSocket(name, options) : 'off';
  const timeouts = { drain: DRAIN, ...(anabranch.timeouts as object | undefined) };
  writeFileSync(file, stringify({ log: flowLog, ...anabranch, admin, timeouts }));
  return { file, flowLog };
}

function adminSocket(name: string, { directory }: ProcessOptions): string {
  return join(directory, `${name}.sock`);
}

function start(
  lab: Lab,
  spec: ProcessSpec,
  options: ProcessOptions,
): { started: RunningProcess; lastWords: () => string } {
  let command = spec.command ?? [];
  let flowLog: string | undefined;
  if (spec.anabranch !== undefined) {
    const written = writeConfiguration(spec.name, spec.anabranch, options);
    flowLog = written.flowLog;
    command = [...options.anabranch, 'run', written.file];
  }
  const process = lab.host(spec.host).spawn(command, { env: spec.env, outputBytesMax: 0 });
  process.child.stdin.end();
  let said = '';
  let isReady = spec.anabranch === undefined;
  for (const stream of [process.child.stdout, process.child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      isReady ||= (said + text).includes(READY);
      said = (said + text).slice(-LAST_WORDS_MAX);
    });
  }
  const lastWords = (): string => {
    const lines = said.trim().split('\n').slice(-LAST_LINES).join('\n  ');
    return lines === '' ? ', without a word' : `; its last words:\n  ${lines}`;
  };
  return { started: { spec, process, flowLog, isReady: () => isReady }, lastWords };
}

async function waitUntilReady({ spec, process, isReady }: RunningProcess, signal: AbortSignal): Promise<void> {
  const until = performance.now() + READY_MS_MAX;
  for (;;) {
    const listening = listeningPorts(process.pid);
    const missing = spec.ready.filter((port) => !listening.has(port));
    if (missing.length === 0 && isReady()) return;
    signal.throwIfAborted();
    if (performance.now() > until) {
      const what = missing.length > 0 ? `does not listen on port ${missing.join(', ')}` : 'is not ready';
      throw new LabError(
        LabErrorCode.timeout,
        `process ${spec.name} on ${spec.host} ${what} after ${READY_MS_MAX / 1_000} s`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
}

/** Ports that anything in the network namespace of a process listens on. */
export function listeningPorts(pid: number): Set<number> {
  const ports = new Set<number>();
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readTable(`/proc/${pid}/net/${table}`).split('\n').slice(1)) {
      const [, local, , state] = line.trim().split(/\s+/);
      // TCP_LISTEN is 10 (include/net/tcp_states.h); address and port are hexadecimal.
      if (state === '0A' && local !== undefined) ports.add(Number.parseInt(local.split(':')[1] ?? '', 16));
    }
  }
  return ports;
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended; whoever waits for it is told elsewhere.
    return '';
  }
}

async function stopProcess({ exited, kill }: HostProcess): Promise<void> {
  kill('SIGTERM');
  // A second SIGTERM makes anabranch cut what still runs.
  const again = setTimeout(() => kill('SIGTERM'), STOP_MS_MAX / 3);
  const last = setTimeout(() => kill('SIGKILL'), STOP_MS_MAX);
  await exited.catch(() => undefined);
  clearTimeout(again);
  clearTimeout(last);
}
