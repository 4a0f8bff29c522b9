// `mode: userspace` on a gateway with two ways in: what it tells its clients, which open the subflows.
//
//   client ── wifi ── router ──┬─ dsl ────┬── gateway ── backbone ── server
//                              └─ fibre ──┘

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';

import type { Host } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { BARE, type Download, MAIN, READY, said, startDownload, startEndless } from './two-path-lab.ts';

const skip = requireCommands('ip', 'ss', 'curl', 'mptcpize') || requireMptcp() || requireNamespaces();

/** Where an inbound listens as well. */
const JOINS_PORT = 1081;

let lab: Lab;
let client: Host;
let gateway: Host;
let folder: string;
let url: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-userspace-server-'));
  // The client's own kernel joins what it is told of.
  const joining = { mptcp: { endpoints: 'none', subflows: 8, addAddrAccepted: 8 } } as const;
  lab = await createLab({
    name: 'userspace-server',
    hosts: { client: joining, router: { forward: true }, gateway: BARE, server: { mptcp: false } },
    links: {
      wifi: { between: ['client', 'router'], rate: '20mbit', rtt: '20ms' },
      dsl: { between: ['gateway', 'router'], rate: '100mbit', rtt: '2ms' },
      fibre: { between: ['gateway', 'router'], rate: '100mbit', rtt: '2ms' },
      backbone: { between: ['gateway', 'server'], rate: '1gbit' },
    },
  });
  client = lab.host('client');
  gateway = lab.host('gateway');
  url = await startEndless(lab);
});
after(async () => {
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

interface Running {
  /** Has the gateway read another wish. */
  wish(wish: string): Promise<void>;
}

async function start(t: TestContext, paths: object): Promise<Running> {
  const admin = join(folder, 'gateway.sock');
  const config = (wish: string): string => {
    const path = join(folder, 'gateway.yaml');
    const all = { manage: true, mode: 'userspace', state: folder, wish, ...paths };
    // The kernel takes joins to an announced port where somebody listens at the announced address, and nowhere else.
    const listens = ['[::]:1080', `${gateway.address('fibre')}:${JOINS_PORT}`];
    const inbounds = listens.map((listen) => ({ type: 'socks', listen, open: true }));
    const timeouts = { drain: '200ms' };
    writeFileSync(
      path,
      JSON.stringify({ workers: 1, log: 'off', dashboard: 'off', admin, timeouts, paths: all, inbounds }),
    );
    return path;
  };
  const program = gateway.spawn([process.execPath, MAIN, 'run', config('max-throughput')]);
  t.after(async () => {
    program.kill();
    await program.exited;
  });
  await said(program, READY);
  return {
    wish: async (wish) => {
      config(wish);
      await gateway.exec([process.execPath, MAIN, 'reload', '--admin', admin]);
    },
  };
}

/** Straight to the gateway, over MPTCP, which it is reached at by its first way in. */
function download(t: TestContext, family: 4 | 6 = 4): Download {
  const address = gateway.address('dsl', family);
  const proxy = `socks5h://${family === 4 ? address : `[${address}]`}:1080`;
  const started = startDownload(t, client, folder, ['mptcpize', 'run', 'curl', '-x', proxy, url]);
  t.after(() => endSubflows());
  return started;
}

/** The kernel keeps those of a program that had read all there was when it was killed, for up to a minute. */
function endSubflows(): Promise<unknown> {
  return client.exec(['ss', '-KtnH', `dport = :1080 or dport = :${JOINS_PORT}`], { check: false });
}

/** The client's subflows by the gateway's address, in parentheses those that the client was asked to spare. */
async function subflows(family: 4 | 6 = 4): Promise<string> {
  const { stdout } = await client.exec(['ss', '-tniHO', 'state', 'established']);
  const lines = stdout.split('\n').filter((line) => line.includes('tcp-ulp-mptcp'));
  const of = (link: string): string[] => {
    const address = gateway.address(link, family);
    const far = ` ${family === 4 ? address : `[${address}]`}:`;
    return lines
      .filter((line) => line.includes(far))
      .map((line) => {
        const name = line.includes(`${far}1080 `) ? link : `${link}:${JOINS_PORT}`;
        return /tcp-ulp-mptcp flags:\S*B/.test(line) ? `(${name})` : name;
      });
  };
  return [...of('dsl'), ...of('fibre')].join(' ');
}

function becomes(expected: string, family: 4 | 6 = 4): Promise<void> {
  return until(
    async () => (await subflows(family)) === expected,
    () => subflows(family),
  );
}

/** A counter of the client's kernel. */
async function counted(name: string): Promise<number> {
  const { stdout } = await client.exec(['cat', '/proc/net/netstat']);
  const [names, values] = stdout
    .split('\n')
    .filter((line) => line.startsWith('MPTcpExt:'))
    .map((line) => line.split(' '));
  return Number(values?.[names?.indexOf(name) ?? -1]);
}

describe('a gateway with two ways in', { skip, timeout: 240_000 }, () => {
  const SIGNALLED = { known: [{ match: { interface: 'fibre' }, endpoint: { signal: true } }] };

  test('says nothing of a path without `signal`', async (t) => {
    await start(t, {});
    const told = await counted('AddAddr');
    const { got } = download(t);
    await until(() => got() > 2_000_000);
    assert.equal(await subflows(), 'dsl');
    assert.equal(await counted('AddAddr'), told);
  });

  test('announces a path that is signalled, withdraws it when it goes, and announces it when it returns', async (t) => {
    await start(t, SIGNALLED);
    const { got } = download(t);
    await becomes('dsl fibre');
    for (const how of ['admin', 'carrier'] as const) {
      const [told, withdrawn] = [await counted('AddAddr'), await counted('RmAddr')];
      await lab.link('fibre').down({ how });
      await becomes('dsl');
      await until(async () => (await counted('RmAddr')) === withdrawn + 1);
      const before = got();
      await until(() => got() > before + 500_000);
      await lab.link('fibre').up();
      const from = performance.now();
      await becomes('dsl fibre');
      t.diagnostic(`${how}: joined again after ${Math.round(performance.now() - from)} ms`);
      assert.equal(await counted('AddAddr'), told + 1);
    }
  });

  test('over IPv6 as well', async (t) => {
    await start(t, SIGNALLED);
    const { got } = download(t, 6);
    await becomes('dsl fibre', 6);
    await lab.link('fibre').down({ how: 'carrier' });
    await becomes('dsl', 6);
    const before = got();
    await until(() => got() > before + 500_000);
    await lab.link('fibre').up();
    await becomes('dsl fibre', 6);
  });

  test('announces a port where an inbound listens', async (t) => {
    const endpoint = { signal: true, port: JOINS_PORT };
    await start(t, { known: [{ match: { interface: 'fibre' }, endpoint }] });
    download(t);
    await becomes(`dsl fibre:${JOINS_PORT}`);
  });

  test('has clients spare what the wish spares, while they are connected and when they join', async (t) => {
    const { wish } = await start(t, SIGNALLED);
    const first = download(t);
    await becomes('dsl fibre');
    for (const [next, expected] of [
      ['prefer fibre', '(dsl) fibre'],
      ['prefer dsl', 'dsl (fibre)'],
      ['max-throughput', 'dsl fibre'],
      ['prefer dsl', 'dsl (fibre)'],
    ] as const) {
      await wish(next);
      await becomes(expected);
    }
    first.program.kill();
    await first.program.exited;
    await endSubflows();
    await becomes('');
    for (let i = 0; i < 3; i++) {
      const { got } = download(t);
      await becomes(
        Array(i + 1)
          .fill('dsl')
          .concat(Array(i + 1).fill('(fibre)'))
          .join(' '),
      );
      await until(() => got() > 200_000);
    }
  });
});
