// One host of a running lab: programs run inside it, its addresses.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { overlaps, parseInterfaceAddress } from './addressing.ts';
import { programPath, runIp } from './commands.ts';
import {
  addressCommand,
  endpointCommand,
  type HostPlan,
  type InterfacePlan,
  routeCommands,
  ruleCommands,
} from './host-plan.ts';
import { LabError, LabErrorCode } from './lab-error.ts';
import { namespacePath } from './registry.ts';
import type { InterfaceAddress } from './topology.ts';

export interface SpawnOptions {
  readonly cwd?: string;
  /** Added to this program's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** SIGTERM after this long, SIGKILL two seconds later; without limit unless given. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Kept of each of stdout and stderr, 16 MiB unless given; the streams themselves carry everything. */
  readonly outputBytesMax?: number;
}

export interface ExecOptions extends SpawnOptions {
  readonly input?: string | Uint8Array;
  /** Whether a status other than 0 rejects; true unless given. */
  readonly check?: boolean;
}

export interface ExecResult {
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface HostProcess {
  readonly pid: number;
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves however the program ends; rejects only when it could not be started. */
  readonly exited: Promise<ExecResult>;
  kill(signal?: NodeJS.Signals): void;
}

const OUTPUT_BYTES_MAX = 16 << 20;
const KILL_AFTER_MS = 2_000;

export class Host {
  readonly name: string;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  #plan: HostPlan;
  /** Bounded by the programs that run; each leaves when it ends. */
  readonly #processes = new Set<HostProcess>();
  #closed = false;

  constructor(namespace: string, plan: HostPlan) {
    this.name = plan.host.name;
    this.namespace = namespace;
    this.#plan = plan;
  }

  get plan(): HostPlan {
    return this.#plan;
  }

  /** Path of the network namespace, for setns(2). */
  get namespacePath(): string {
    return namespacePath(this.namespace);
  }

  /** Address on a link, IPv4 unless `family` says otherwise; without a link, that of the host's first. */
  address(link?: string, family: 4 | 6 = 4): string {
    const found = this.#interface(link).addresses.find((address) => address.family === family);
    if (found !== undefined) return found.address;
    throw new LabError(
      LabErrorCode.unknownName,
      `${this.name} has no IPv${family} address on ${link ?? 'its first link'}`,
    );
  }

  /** Every address of the host, in the order of its links. */
  get addresses(): readonly string[] {
    return this.#plan.interfaces.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  }

  /** Starts a program inside the host. */
  spawn(command: readonly string[], options: SpawnOptions = {}): HostProcess {
    if (this.#closed) throw new LabError(LabErrorCode.closed, `the lab of ${this.name} is closed`);
    if (command.length === 0) throw new RangeError('no command');
    // Unlike `ip netns exec`, nsenter leaves the mounts alone, and the program keeps cgroup2 and bpffs.
    const env = Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`);
    const inside = env.length > 0 ? ['env', '--', ...env, ...command] : command;
    const child = spawn(programPath('nsenter'), [`--net=${this.namespacePath}`, '--', ...inside], {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    // A program that does not read its input is free to end.
    child.stdin.on('error', () => undefined);
    const spawned: HostProcess = {
      pid: child.pid ?? 0,
      child,
      exited: collect(child, command, options),
      kill: (signal = 'SIGTERM') => void child.kill(signal),
    };
    this.#processes.add(spawned);
    const forget = (): void => void this.#processes.delete(spawned);
    spawned.exited.then(forget, forget);
    return spawned;
  }

  /** Runs a program inside the host to its end. Rejects with a LabError when it fails, unless `check` is false. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { child, exited } = this.spawn(command, options);
    child.stdin.end(options.input ?? '');
    const result = await exited;
    if (result.status === 0 || options.check === false) return result;
    const how = result.status === undefined ? `was ended by ${result.signal}` : `ended with status ${result.status}`;
    const said = result.stderr.trim().split('\n').slice(-3).join('\n');
    throw new LabError(LabErrorCode.command, `on ${this.name}, ${command.join(' ')} ${how}${said && `: ${said}`}`);
  }

  /** Runs lines of `ip -batch`. */
  ip(...lines: readonly string[]): Promise<void> {
    return runIp(this.namespace, lines);
  }

  /**
   * Gives the interface of a link another address (`192.0.2.7/24`) instead of the one of that family, as DHCP does after
   * a handover: routes, rules and the MPTCP endpoint follow. Connections from the old address are cut off.
   */
  async changeAddress(link: string, text: string): Promise<void> {
    const plan = this.#interface(link);
    const next = parseInterfaceAddress(text);
    if (next === undefined)
      throw new LabError(LabErrorCode.topology, `must be an address such as 192.0.2.7/24; it is ${text}`);
    const before = plan.addresses.find(({ family }) => family === next.family);
    const peer = plan.peers.find(({ family }) => family === next.family);
    if (before === undefined || peer === undefined || !overlaps(next, peer)) {
      throw new LabError(LabErrorCode.topology, `${text} is not in the network of link ${link}`);
    }
    const { device, endpoint } = plan;
    const changed = { ...plan, addresses: plan.addresses.map((address) => (address === before ? next : address)) };
    const only = (of: InterfacePlan, address: InterfaceAddress): InterfacePlan => ({
      ...of,
      addresses: [address],
      peers: [peer],
    });
    const oldEndpoint = endpoint === undefined ? undefined : await this.#endpointId(before.address);
    await this.ip(
      ...(oldEndpoint === undefined ? [] : [`mptcp endpoint delete id ${oldEndpoint}`]),
      ...ruleCommands('del', only(plan, before)),
      addressCommand('del', device, before),
      addressCommand('add', device, next),
      ...routeCommands(only(changed, next)),
      ...ruleCommands('add', only(changed, next)),
      ...(endpoint === undefined ? [] : [endpointCommand(device, next, endpoint)]),
    );
    const interfaces = this.#plan.interfaces.map((one) => (one === plan ? changed : one));
    this.#plan = { ...this.#plan, interfaces };
  }

  /** Ends every program of the host at once. */
  close(): void {
    this.#closed = true;
    for (const { child } of this.#processes) child.kill('SIGKILL');
  }

  #interface(link: string | undefined): InterfacePlan {
    const { interfaces } = this.#plan;
    const found = link === undefined ? interfaces[0] : interfaces.find(({ device }) => device === link);
    if (found !== undefined) return found;
    const names = interfaces.map(({ device }) => device).join(', ') || 'none';
    throw new LabError(LabErrorCode.unknownName, `${this.name} is not on a link ${link ?? ''}; it is on: ${names}`);
  }

  async #endpointId(address: string): Promise<number | undefined> {
    const { stdout } = await this.exec([programPath('ip'), '-json', 'mptcp', 'endpoint', 'show']);
    const endpoints = JSON.parse(stdout || '[]') as { address: string; id: number }[];
    return endpoints.find((endpoint) => endpoint.address === address)?.id;
  }
}

function collect(
  child: ChildProcessWithoutNullStreams,
  command: readonly string[],
  { timeoutMs, signal, outputBytesMax = OUTPUT_BYTES_MAX }: SpawnOptions,
): Promise<ExecResult> {
  const start = performance.now();
  const output = [child.stdout, child.stderr].map((stream) => {
    const kept = { chunks: [] as Buffer[], bytes: 0 };
    stream.on('data', (chunk: Buffer) => {
      if (kept.bytes >= outputBytesMax) return;
      kept.chunks.push(chunk.subarray(0, outputBytesMax - kept.bytes));
      kept.bytes += chunk.length;
    });
    return kept;
  });
  const timers: NodeJS.Timeout[] = [];
  const end = (): void => {
    child.kill('SIGTERM');
    timers.push(setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS));
  };
  if (timeoutMs !== undefined) timers.push(setTimeout(end, timeoutMs));
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end, { once: true });
  return new Promise((resolve, reject) => {
    const done = (): void => {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    };
    child.once('error', (error) => {
      done();
      reject(new LabError(LabErrorCode.command, `cannot start ${command.join(' ')}: ${error.message}`));
    });
    child.once('close', (status, ended) => {
      done();
      const [stdout, stderr] = output.map(({ chunks }) => Buffer.concat(chunks).toString());
      const ms = performance.now() - start;
      resolve({ status: status ?? undefined, signal: ended ?? undefined, stdout: stdout!, stderr: stderr!, ms });
    });
  });
}
