// The demo: one file downloaded twice at the same time, in two networks of the same make. In the one through anabranch
// over MPTCP, in the other straight over TCP. Half-way the first path of both is cut, later it returns.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programPath } from '../commands.ts';
import type { HostProcess } from '../host.ts';
import { createLab, type Lab } from '../lab.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import type { RecordedFlow } from '../measures/flow-records.ts';
import { type HostWindow, openWindow } from '../measures/host-window.ts';
import { parseNetDev } from '../measures/network-counters.ts';
import type { DemoEvent, DemoResult, DemoSample, TransferResult } from './demo-result.ts';
import { type DemoSettings, demoTopology, hostOf, linkOf, TRANSFERS, type TransferName } from './demo-settings.ts';
import { Download } from './download.ts';
import { payloadSha256 } from './payload.ts';
import { startProxy, stopProxy, untilSaid } from './proxies.ts';
import { Visits } from './visits.ts';

const SAMPLE_MS = 250;
const RETURN_MS = 50;
const SOCKS_PORT = 1080;
/** A path that was cut carries data again when it reaches this share of its rate. */
const REGAINED_SHARE = 0.1;
const SERVER = fileURLToPath(new URL('./payload-server.js', import.meta.url));

export interface DemoOptions {
  readonly settings: DemoSettings;
  /** Node, and the command that starts anabranch. */
  readonly node: string;
  readonly anabranch: readonly string[];
  readonly anabranchVersion: string;
  /** Ends the demo; it then rejects, with nothing left behind. */
  readonly signal: AbortSignal;
  readonly onStart?: () => void;
  /** Four times a second. */
  readonly onSample?: (sample: DemoSample) => void;
  readonly onEvent?: (event: DemoEvent) => void;
  /** At the end: the flow records of the client's anabranch, JSON lines. */
  readonly onRecords?: (lines: string) => void;
}

/** Rejects with a LabError when it cannot be played, and with the signal's reason when that fires. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { signal, settings } = options;
  requireMachine();
  signal.throwIfAborted();
  const folder = mkdtempSync(join(tmpdir(), 'anabranch-demo-'));
  const lab = await createLab(demoTopology(settings), { folders: [folder] }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  try {
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return await Promise.race([new Play(lab, folder, options).run(), aborted]);
  } finally {
    await lab.close();
  }
}

function requireMachine(): void {
  if (!programPath('curl').startsWith('/')) {
    throw new LabError(LabErrorCode.missing, 'the program curl is not there; install the package curl');
  }
  if (!existsSync('/proc/sys/net/mptcp')) {
    throw new LabError(
      LabErrorCode.missing,
      'this kernel has no MPTCP: Linux 5.6 or later with CONFIG_MPTCP is needed; anabranch doctor tells more',
    );
  }
}

class Play {
  readonly #lab: Lab;
  /** Takes configurations; goes with the lab. */
  readonly #folder: string;
  readonly #options: DemoOptions;
  #start = 0;
  /** One for each thing that can happen, so bounded. */
  readonly #events: DemoEvent[] = [];
  #downloads!: Record<TransferName, Download>;
  /** Through which the interfaces of the client hosts are read. */
  readonly #windows = new Map<TransferName, HostWindow>();
  /** What the interfaces had counted before. */
  readonly #before = new Map<TransferName, readonly [number, number]>();

  constructor(lab: Lab, folder: string, options: DemoOptions) {
    this.#lab = lab;
    this.#folder = folder;
    this.#options = options;
  }

  async run(): Promise<DemoResult> {
    const { settings, onStart, onRecords } = this.#options;
    const [proxies, version] = await Promise.all([
      this.#startProxies(),
      this.#curlVersion(),
      ...TRANSFERS.map((transfer) => this.#startServer(transfer)),
      ...TRANSFERS.map((transfer) => this.#watch(transfer)),
    ]);
    const sha256 = payloadSha256(settings.fileBytes);
    for (const transfer of TRANSFERS) this.#before.set(transfer, this.#counted(transfer));
    onStart?.();
    this.#start = performance.now();
    this.#downloads = { mptcp: this.#download('mptcp'), tcp: this.#download('tcp') };
    const visits = this.#visits();
    const [mptcp, tcp] = await Promise.all([
      this.#finish('mptcp', sha256).finally(() => visits.stop()),
      this.#finish('tcp', sha256),
      this.#script(),
    ]).finally(() => visits.stop());
    const [{ flow }, { records }] = await Promise.all([stopProxy(proxies[0]), stopProxy(proxies[1])]);
    onRecords?.(records);
    return {
      mptcp,
      tcp,
      events: this.#events,
      flow: flow === undefined ? undefined : this.#flowOf(flow),
      settings,
      versions: {
        anabranch: this.#options.anabranchVersion,
        kernel: release(),
        node: process.versions.node,
        curl: version,
      },
    };
  }

  /** The gateway first: its records are those that see both paths. */
  async #startProxies(): Promise<[HostProcess, HostProcess]> {
    const { anabranch, settings } = this.#options;
    const gateway = this.#lab.host(hostOf('mptcp', 'gateway'));
    const client = this.#lab.host(hostOf('mptcp', 'client'));
    const server = `${gateway.address()}:${SOCKS_PORT}`;
    const socket = { congestion: settings.congestion };
    return Promise.all([
      startProxy(
        gateway,
        anabranch,
        { inbounds: [{ type: 'socks', listen: server, open: true, socket }] },
        this.#folder,
      ),
      startProxy(
        client,
        anabranch,
        {
          paths: { manage: true, state: this.#folder },
          inbounds: [{ type: 'socks', listen: `127.0.0.1:${SOCKS_PORT}` }],
          outbounds: [{ name: 'gateway', type: 'socks', server, transport: 'mptcp', socket }],
          rules: [{ use: 'gateway' }],
        },
        this.#folder,
      ),
    ]);
  }

  async #startServer(transfer: TransferName): Promise<void> {
    const host = this.#lab.host(hostOf(transfer, 'server'));
    const server = host.spawn([this.#options.node, SERVER]);
    await untilSaid(server, 'stdout', 'listening', `the web server on ${host.name}`);
  }

  async #watch(transfer: TransferName): Promise<void> {
    this.#windows.set(transfer, await openWindow(this.#lab.host(hostOf(transfer, 'client'))));
  }

  async #curlVersion(): Promise<string> {
    const { stdout } = await this.#lab.host(hostOf('tcp', 'client')).exec([programPath('curl'), '--version']);
    return /^curl (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  }

  #visits(): Visits {
    const server = `http://${this.#lab.host(hostOf('mptcp', 'server')).address()}`;
    const options = { curl: programPath('curl'), server, socks: `127.0.0.1:${SOCKS_PORT}` };
    return new Visits(this.#lab.host(hostOf('mptcp', 'client')), options);
  }

  #download(transfer: TransferName): Download {
    const { secondsMax, fileBytes } = this.#options.settings;
    const server = this.#lab.host(hostOf(transfer, 'server')).address();
    return new Download(this.#lab.host(hostOf(transfer, 'client')), {
      curl: programPath('curl'),
      url: `http://${server}/${fileBytes}`,
      socks: transfer === 'mptcp' ? `127.0.0.1:${SOCKS_PORT}` : undefined,
      secondsMax,
    });
  }

  async #finish(transfer: TransferName, sha256: string): Promise<TransferResult> {
    const result = await this.#downloads[transfer].done;
    const sha256Ok = result.sha256 === sha256;
    this.#tell({ kind: result.finished && sha256Ok ? 'finished' : 'failed', transfer });
    const [path1, path2] = this.#pathBytes(transfer);
    const { finished, bytes, seconds, longestStallMs, failure } = result;
    return { finished, sha256Ok, seconds, longestStallMs, bytes, bytesPerPath: { path1, path2 }, failure };
  }

  /** Takes samples until both downloads are over, and cuts and mends the path at the right moments. */
  async #script(): Promise<void> {
    const { settings, signal, onSample } = this.#options;
    const { mptcp, tcp } = this.#downloads;
    let cutAt = Number.POSITIVE_INFINITY;
    let isBack = false;
    let watching: Promise<void>[] = [];
    while (!(mptcp.over && tcp.over)) {
      await pause(SAMPLE_MS);
      if (signal.aborted) return;
      const sample = this.#sample();
      onSample?.(sample);
      if (cutAt === Number.POSITIVE_INFINITY && mptcp.bytes >= settings.fileBytes / 2) {
        await Promise.all(TRANSFERS.map((transfer) => this.#lab.link(linkOf(transfer, 0)).down({ how: 'silent' })));
        cutAt = this.#tell({ kind: 'cut', path: 1 });
      } else if (!isBack && sample.atMs >= cutAt + settings.cutMs) {
        await Promise.all(TRANSFERS.map((transfer) => this.#lab.link(linkOf(transfer, 0)).up()));
        this.#tell({ kind: 'back', path: 1 });
        isBack = true;
        watching = TRANSFERS.map((transfer) => this.#watchReturn(transfer));
      }
    }
    await Promise.all(watching);
  }

  /** Tells when the path that is back carries data of this transfer. Looks more often than there are samples. */
  async #watchReturn(transfer: TransferName): Promise<void> {
    const { settings, signal } = this.#options;
    const rate = settings.paths[0].mbitPerSecond * 1e3;
    let last = { atMs: this.#now(), bytes: this.#pathBytes(transfer)[0] };
    while (!signal.aborted && !this.#downloads[transfer].over) {
      await pause(RETURN_MS);
      if (signal.aborted) return;
      const now = { atMs: this.#now(), bytes: this.#pathBytes(transfer)[0] };
      if (((now.bytes - last.bytes) * 8) / (now.atMs - last.atMs) >= rate * REGAINED_SHARE) {
        this.#tell({ kind: 'regained', transfer, path: 1 });
        return;
      }
      last = now;
    }
  }

  #sample(): DemoSample {
    const of = (transfer: TransferName) => {
      const { bytes, over } = this.#downloads[transfer];
      return { bytes, over, pathBytes: this.#pathBytes(transfer) };
    };
    return { atMs: this.#now(), mptcp: of('mptcp'), tcp: of('tcp') };
  }

  #pathBytes(transfer: TransferName): readonly [number, number] {
    const now = this.#counted(transfer);
    const before = this.#before.get(transfer)!;
    return [now[0] - before[0], now[1] - before[1]];
  }

  #counted(transfer: TransferName): readonly [number, number] {
    const counters = parseNetDev(this.#windows.get(transfer)!.read('dev'));
    const received = (path: 0 | 1): number => counters.get(linkOf(transfer, path))?.receivedBytes ?? 0;
    return [received(0), received(1)];
  }

  /** The flow as the gateway's record has it, with the path of each subflow: told by the client's address. */
  #flowOf({ end, longestStallMs, clientSide, serverSide }: RecordedFlow): DemoResult['flow'] {
    const client = this.#lab.host(hostOf('mptcp', 'client'));
    const pathOf = new Map(([0, 1] as const).map((path) => [client.address(linkOf('mptcp', path)), path + 1]));
    return {
      end,
      longestStallMs,
      clientSide: clientSide?.mptcp,
      serverSide: serverSide?.mptcp,
      subflows: (clientSide?.subflows ?? []).map(({ remote, bytesSent, rttMs, retransmits, closed }) => {
        return { path: pathOf.get(remote.address), bytesSent, rttMs, retransmits, closed };
      }),
    };
  }

  #now(): number {
    return performance.now() - this.#start;
  }

  /** Returns when it was. */
  #tell(event: Omit<DemoEvent, 'atMs'>): number {
    const told = { atMs: this.#now(), ...event };
    this.#events.push(told);
    // ^C at a terminal ends curl too; that download has not failed.
    if (!this.#options.signal.aborted) this.#options.onEvent?.(told);
    return told.atMs;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
