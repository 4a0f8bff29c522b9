// The lab with two paths, and anabranch on gateway and client: at the client port 1080 leads to the gateway over IPv4, port
// 1081 over IPv6, port 1082 over IPv4 from either of the client's addresses. Both proxies are the program as shipped, with
// their records in files.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Host } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { FlowRecord, SideRecord } from '#anabranch/proxy/flow-record.js';
import type { FlowStatus } from '#anabranch/proxy/flow-status.js';

import { until, within } from '../loopback/support/wait.ts';
import { MAIN, said, twoPathTopology } from './two-path-lab.ts';

const ORIGIN = fileURLToPath(new URL('./origin.js', import.meta.url));

export const FILE_BYTES = 4_000_000;
/** A transfer that takes longer has failed, whatever it was waiting for. */
const TRANSFER_S = 40;

export type Path = 'wifi' | 'cellular';
export type Family = 4 | 6;

/** How curl goes: through the client's anabranch (whose way to the gateway begins as the kernel likes, or from either address), or straight to the gateway's, over MPTCP or not. */
export type Way = 'through both' | 'from either' | 'mptcpize' | 'plain';

export interface Transfer {
  /** Bytes that have come so far (downloads only). */
  readonly got: number;
  /** SHA-256 of what arrived, by whoever received it. Rejects when curl fails. */
  readonly sha256: Promise<string>;
}

export interface TransferOptions {
  readonly way?: Way;
  readonly family?: Family;
  readonly upload?: boolean;
}

export class TwoPaths {
  readonly lab: Lab;
  readonly sha256: string;
  readonly #folder: string;
  readonly #file: string;
  #transfers = 0;
  /** When the latest transfer was started, in milliseconds since 1970. */
  #startedAt = 0;

  private constructor(lab: Lab, folder: string) {
    const content = randomBytes(FILE_BYTES);
    this.lab = lab;
    this.#folder = folder;
    this.#file = join(folder, 'file');
    this.sha256 = createHash('sha256').update(content).digest('hex');
    writeFileSync(this.#file, content);
  }

  static async start(): Promise<TwoPaths> {
    const lab = await createLab(twoPathTopology('proxy-two-paths', { gateway: { forward: true } }));
    const scene = new TwoPaths(lab, mkdtempSync(join(tmpdir(), 'anabranch-two-paths-')));
    try {
      await scene.#startPrograms();
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  get client(): Host {
    return this.lab.host('client');
  }

  /** The client's address on a path. */
  address(path: Path, family: Family = 4): string {
    return this.client.address(path, family);
  }

  /** Starts a transfer of the file. */
  transfer({ way = 'through both', family = 4, upload = false }: TransferOptions = {}): Transfer {
    const into = join(this.#folder, `received-${this.#transfers++}`);
    const local = `127.0.0.1:${way === 'from either' ? 1082 : family === 4 ? 1080 : 1081}`;
    const proxy =
      way === 'through both' || way === 'from either' ? local : `${this.#host('gateway', 'core', family)}:1080`;
    const url = `http://${this.#host('server', 'backbone', family)}:8080/`;
    const what = upload ? ['-T', this.#file] : ['-o', into];
    const curl = ['curl', '-sSf', '--max-time', String(TRANSFER_S), '-x', `socks5h://${proxy}`, ...what, url];
    this.#startedAt = Date.now();
    const done = this.client.exec(way === 'mptcpize' ? ['mptcpize', 'run', ...curl] : curl);
    const sha256 = done.then(({ stdout }) => {
      if (upload) return stdout;
      const received = readFileSync(into);
      rmSync(into);
      return createHash('sha256').update(received).digest('hex');
    });
    // Whoever waits for something else first must not be ended by this.
    sha256.catch(() => undefined);
    return {
      get got() {
        return existsSync(into) ? statSync(into).size : 0;
      },
      sha256,
    };
  }

  /** Bytes that the kernel of the client has received or sent on an interface. */
  async interfaceBytes(path: Path, direction: 'received' | 'sent'): Promise<number> {
    const { stdout } = await this.client.exec(['cat', '/proc/net/dev']);
    const fields = stdout
      .split('\n')
      .find((line) => line.trim().startsWith(`${path}:`))!
      .split(':')[1]!
      .trim()
      .split(/\s+/);
    return Number(fields[direction === 'received' ? 0 : 8]);
  }

  /** A proxy's record of the transfer that was started last, once it is there. */
  async record(of: 'client' | 'gateway'): Promise<FlowRecord> {
    const path = this.#log(of);
    let found: FlowRecord | undefined;
    const look = (): boolean => {
      const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
      found = lines
        .map((line) => JSON.parse(line) as FlowRecord)
        .find(({ acceptedAt }) => acceptedAt >= this.#startedAt);
      return found !== undefined;
    };
    await until(look, () => `a record of the ${of}`);
    return found as FlowRecord;
  }

  /** Live connections, as `anabranch status` tells. */
  async status(of: 'client' | 'gateway'): Promise<FlowStatus[]> {
    const admin = join(this.#folder, `${of}.sock`);
    const { stdout } = await this.lab.host(of).exec([process.execPath, MAIN, 'status', '--json', '--admin', admin]);
    return (JSON.parse(stdout) as { flows: FlowStatus[] }).flows;
  }

  /** Puts rules of nftables in the way of what the router forwards, or takes them away. */
  async middlebox(rules: string | undefined): Promise<void> {
    const router = this.lab.host('router');
    if (rules === undefined) return void (await router.exec(['nft', 'flush', 'ruleset']));
    const input = `table inet middlebox {\n chain forward {\n type filter hook forward priority 0\n ${rules}\n }\n}\n`;
    await router.exec(['nft', '-f', '-'], { input });
  }

  async close(): Promise<void> {
    await this.lab.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startPrograms(): Promise<void> {
    const gateway = {
      workers: 1,
      log: this.#log('gateway'),
      admin: join(this.#folder, 'gateway.sock'),
      inbounds: [{ type: 'socks', listen: '[::]:1080', open: true }],
    };
    const server = (family: Family) => `${this.#host('gateway', 'core', family)}:1080`;
    const client = {
      workers: 1,
      log: this.#log('client'),
      admin: join(this.#folder, 'client.sock'),
      inbounds: [
        { name: 'to4', type: 'mixed', listen: '127.0.0.1:1080' },
        { name: 'to6', type: 'mixed', listen: '127.0.0.1:1081' },
        { name: 'from-either', type: 'mixed', listen: '127.0.0.1:1082' },
      ],
      outbounds: [
        { name: 'gateway4', type: 'socks', server: server(4), transport: 'mptcp' },
        { name: 'gateway6', type: 'socks', server: server(6), transport: 'mptcp' },
        {
          name: 'from-either',
          type: 'socks',
          server: server(4),
          transport: 'mptcp',
          socket: { sourceAddress: [this.address('wifi'), this.address('cellular')] },
        },
      ],
      rules: [
        { when: { inbound: 'to4' }, use: 'gateway4' },
        { when: { inbound: 'to6' }, use: 'gateway6' },
        { when: { inbound: 'from-either' }, use: 'from-either' },
      ],
    };
    const origin = this.lab.host('server').spawn([process.execPath, ORIGIN, this.#file]);
    await Promise.all([
      within(once(origin.child.stdout, 'data'), 'the server listens'),
      this.#startProxy('gateway', gateway),
      this.#startProxy('client', client),
    ]);
  }

  async #startProxy(host: 'client' | 'gateway', config: object): Promise<void> {
    const path = join(this.#folder, `${host}.yaml`);
    writeFileSync(path, JSON.stringify(config));
    const program = this.lab.host(host).spawn([process.execPath, MAIN, 'run', path]);
    await said(program, '"code":"listening"');
  }

  #log(of: 'client' | 'gateway'): string {
    return join(this.#folder, `${of}.jsonl`);
  }

  /** As part of a URL. */
  #host(host: string, link: string, family: Family): string {
    const address = this.lab.host(host).address(link, family);
    return family === 4 ? address : `[${address}]`;
  }
}

/** The subflow of a side that runs over a path: the one with this address at either end. */
export function subflowOf(side: SideRecord | undefined, address: string): SideRecord['subflows'][number] | undefined {
  return side?.subflows.find(({ local, remote }) => local.address === address || remote.address === address);
}
