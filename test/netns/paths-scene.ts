// A client with two paths to a gateway, and a server behind that streams for as long as anybody takes it. The lab sets
// up neither routing nor endpoints, so that all there is is what is tested.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

import type { PathsAnswer } from '#anabranch/cli/proxy-paths.js';
import type { Host, HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import {
  BARE,
  type Download,
  MAIN,
  READY,
  said,
  startDownload,
  startEndless,
  twoPathTopology,
} from './two-path-lab.ts';

export const SKIP = requireCommands('ip', 'nsenter', 'curl', 'capsh') || requireMptcp() || requireNamespaces();

/** On a machine with much else to do everything takes its time. */
const WAIT_MS_MAX = 60_000;

export interface Scene {
  readonly lab: Lab;
  readonly client: Host;
  readonly folder: string;
  readonly adminSocket: string;
  /** A proxy at the client; ends with the test. Resolves once the paths are set up. */
  startProxy(t: TestContext, paths: object, more?: object): Promise<Proxy>;
  /** Writes the client's configuration; returns its path. */
  configure(paths: object, more?: object): string;
  /** Has the proxy read another configuration. */
  reload(paths: object, more?: object): Promise<void>;
  /** A download by the client's proxy; ends with the test. */
  startDownload(t: TestContext): Download;
  /** `anabranch …` at the client. */
  anabranch(...words: readonly string[]): ReturnType<Host['exec']>;
  /** The paths as the proxy knows them. */
  paths(): Promise<PathsAnswer>;
  /** What each link brings to the client, from now on; ends with the test. */
  watchTraffic(t: TestContext): Promise<Traffic>;
  /** Asks the proxy without the time that a program takes to start. */
  post(path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  close(): Promise<void>;
}

export interface Traffic {
  /** Bytes a second that a link brought within the last `ms`. */
  rate(link: string, ms: number): number;
  /** All that a link has brought since the watch began. */
  bytes(link: string): number;
}

export interface Proxy extends HostProcess {
  /** What it said so far. */
  heard(): string;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export async function createScene(name: string): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), `anabranch-${name}-`));
  const lab = await createLab(twoPathTopology(name, { client: BARE }));
  try {
    return await fillScene(lab, folder);
  } catch (error) {
    await lab.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

async function fillScene(lab: Lab, folder: string): Promise<Scene> {
  const client = lab.host('client');
  const url = await startEndless(lab);
  const gatewayFile = join(folder, 'gateway.yaml');
  const inbounds = [{ type: 'socks', listen: '[::]:1080', open: true }];
  writeFileSync(gatewayFile, JSON.stringify({ workers: 1, admin: 'off', dashboard: 'off', inbounds }));
  await said(lab.host('gateway').spawn([process.execPath, MAIN, 'run', gatewayFile]), READY, WAIT_MS_MAX);
  const adminSocket = join(folder, 'client.sock');
  const configure = (paths: object, more: object = {}): string => {
    const file = join(folder, 'client.yaml');
    const server = `${lab.host('gateway').address('core')}:1080`;
    const config = {
      workers: 1,
      admin: adminSocket,
      dashboard: 'off',
      // Downloads here have no end to wait for.
      timeouts: { drain: '200ms' },
      paths: { manage: true, state: join(folder, 'state'), ...paths },
      inbounds: [{ type: 'socks', listen: '127.0.0.1:1080' }],
      outbounds: [{ name: 'gateway', type: 'socks', server, transport: 'mptcp' }],
      rules: [{ use: 'gateway' }],
      ...more,
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  };
  const anabranch = (...words: readonly string[]) => client.exec([process.execPath, MAIN, ...words], { check: false });
  return {
    lab,
    client,
    folder,
    adminSocket,
    configure,
    anabranch,
    async reload(paths, more = {}) {
      configure(paths, more);
      const { status, body } = await post(adminSocket, '/reload');
      assert.equal(status, 200, JSON.stringify(body));
    },
    async startProxy(t, paths, more = {}) {
      const proxy = client.spawn([process.execPath, MAIN, 'run', configure(paths, more)]);
      let heard = '';
      proxy.child.stderr.on('data', (chunk) => {
        heard += String(chunk);
      });
      const stop = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
        proxy.kill(signal);
        if (signal === 'SIGTERM') proxy.kill(signal);
        await proxy.exited;
      };
      t.after(() => stop('SIGKILL'));
      await said(proxy, READY, WAIT_MS_MAX);
      return { ...proxy, heard: () => heard, stop };
    },
    startDownload: (t) => startDownload(t, client, folder, ['curl', '-x', 'socks5h://127.0.0.1:1080', url]),
    async paths() {
      const { stdout, stderr } = await anabranch('paths', '--json', '--admin', adminSocket);
      assert.notEqual(stdout, '', stderr);
      return JSON.parse(stdout) as PathsAnswer;
    },
    watchTraffic: (t) => watchTraffic(client, t),
    post: (path) => post(adminSocket, path),
    async close() {
      await lab.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Sample {
  readonly at: number;
  readonly bytes: Readonly<Record<string, number>>;
}

/** Looks at the counters every 20 ms, in one program: to start one each time takes too long. */
const SAMPLER = `
  const { readFileSync } = require('node:fs');
  setInterval(() => {
    const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\\n').slice(2);
    const bytes = Object.fromEntries(lines.filter(Boolean).map((line) => {
      const [name, figures] = line.trim().split(/: */);
      return [name, Number(figures.split(/ +/)[0])];
    }));
    console.log(JSON.stringify(bytes));
  }, 20);
`;
const SAMPLES_MAX = 1_000;

async function watchTraffic(client: Host, t: TestContext): Promise<Traffic> {
  const sampler = client.spawn([process.execPath, '-e', SAMPLER]);
  t.after(async () => {
    sampler.kill();
    await sampler.exited;
  });
  const samples: Sample[] = [];
  let first: Sample | undefined;
  createInterface(sampler.child.stdout).on('line', (line) => {
    const sample = { at: performance.now(), bytes: JSON.parse(line) as Sample['bytes'] };
    first ??= sample;
    samples.push(sample);
    if (samples.length > SAMPLES_MAX) samples.shift();
  });
  await eventually(() => samples.length > 1, 'the traffic is watched');
  const last = (): Sample => samples.at(-1) as Sample;
  return {
    rate(link, ms) {
      const from = samples.findLast(({ at }) => at <= last().at - ms);
      if (from === undefined) return Number.NaN;
      return (((last().bytes[link] ?? 0) - (from.bytes[link] ?? 0)) * 1_000) / (last().at - from.at);
    },
    bytes: (link) => (last().bytes[link] ?? 0) - (first?.bytes[link] ?? 0),
  };
}

function post(socketPath: string, path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method: 'POST', host: 'anabranch' }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body: JSON.parse(body) }), reject);
    });
    asked.once('error', reject);
    asked.end();
  });
}

export function eventually(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  return until(condition, () => what, WAIT_MS_MAX);
}
