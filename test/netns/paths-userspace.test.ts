// `mode: userspace`: strategies and wishes on a client with two paths to a gateway, behind which is a server that knows
// no MPTCP. The lab sets up neither routing nor endpoints for the client.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';

import type { Host, HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { until, within } from '../loopback/support/wait.ts';
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

const skip = requireCommands('ip', 'ss', 'nsenter', 'curl', 'mptcpize') || requireMptcp() || requireNamespaces();

/** What ARP, neighbour discovery and the like come to while a test runs. */
const NOISE_BYTES = 6_000;
/** A second is the aim; a machine with other things to do takes its time. */
const MOVE_MS_MAX = 2_000;

let lab: Lab;
let client: Host;
let folder: string;
let url: string;
let gateway: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-userspace-'));
  // The gateway's own path manager lets so many join.
  const joined = { mptcp: { subflows: 8, addAddrAccepted: 0 } } as const;
  const cellular = { rate: '20mbit', rtt: '40ms' } as const;
  lab = await createLab(twoPathTopology('paths-userspace', { client: BARE, gateway: joined, cellular }));
  client = lab.host('client');
  url = await startEndless(lab);
  gateway = `${lab.host('gateway').address('core')}:1080`;
  const config = write('gateway', { inbounds: [{ type: 'socks', listen: '[::]:1080', open: true }], admin: 'off' });
  await said(lab.host('gateway').spawn([process.execPath, MAIN, 'run', config]), READY);
});
after(async () => {
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function write(name: string, config: object): string {
  const path = join(folder, `${name}.yaml`);
  writeFileSync(path, JSON.stringify({ workers: 1, log: 'off', dashboard: 'off', ...config }));
  return path;
}

interface Running {
  /** Writes the rules anew and has them read. */
  reload(rules: readonly object[]): Promise<void>;
  readonly program: HostProcess;
}

/** Anabranch on the client, with its paths managed in `mode: userspace`. `node`: further arguments of Node. */
async function start(
  t: TestContext,
  paths: object,
  rules: readonly object[] = [],
  node: readonly string[] = [],
): Promise<Running> {
  const running = launch(t, paths, rules, node);
  await said(running.program, READY);
  return running;
}

/** As `start`, and waits for nothing. */
function launch(t: TestContext, paths: object, rules: readonly object[], node: readonly string[] = []): Running {
  const admin = join(folder, 'client.sock');
  const config = (of: readonly object[]): string =>
    write('client', {
      admin,
      // Downloads here have no end to wait for.
      timeouts: { drain: '200ms' },
      paths: { manage: true, mode: 'userspace', state: folder, ...paths },
      inbounds: [{ type: 'socks', listen: '127.0.0.1:1080' }],
      outbounds: [{ name: 'gateway', type: 'socks', server: gateway, transport: 'mptcp' }],
      rules: [...of, { use: 'gateway' }],
    });
  const program = client.spawn([process.execPath, ...node, MAIN, 'run', config(rules)]);
  t.after(async () => {
    program.kill();
    await program.exited;
  });
  return {
    program,
    reload: async (next) => {
      config(next);
      await client.exec([process.execPath, MAIN, 'reload', '--admin', admin]);
    },
  };
}

/** `foreign`: a program that speaks MPTCP itself and knows nothing of the anabranch on its machine. */
function download(t: TestContext, { foreign = false, bytes = 0 } = {}): Download {
  const proxy = foreign ? gateway : '127.0.0.1:1080';
  const curl = ['curl', '-x', `socks5h://${proxy}`, `${url}${bytes === 0 ? '' : bytes}`];
  const started = startDownload(t, client, folder, foreign ? ['mptcpize', 'run', ...curl] : curl);
  // The kernel keeps the subflows of a program that had read all there was when it was killed, for up to a minute.
  t.after(() => client.exec(['ss', '-KtnH', 'dst', gateway]));
  return started;
}

/** Subflows to the gateway by path, with those that the gateway is asked to spare in parentheses. */
async function subflows(): Promise<string> {
  const { stdout } = await client.exec(['ss', '-tniHO', 'state', 'established', 'dst', gateway]);
  const of = (path: string): string => {
    const lines = stdout.split('\n').filter((line) => new RegExp(` ${client.address(path)}(%\\S+)?:`).test(line));
    const spared = lines.filter((line) => /tcp-ulp-mptcp flags:\S*b/.test(line));
    return `${path} ${lines.length - spared.length}${spared.length > 0 ? ` (${spared.length})` : ''}`;
  };
  return `${of('wifi')}, ${of('cellular')}`;
}

async function settlesOn(expected: string): Promise<void> {
  await until(async () => (await subflows()) === expected, subflows);
}

/** What a path has carried, in both directions. */
async function carried(path: string): Promise<number> {
  const { stdout } = await client.exec(['ip', '-j', '-s', 'link', 'show', path]);
  const [{ stats64 }] = JSON.parse(stdout);
  return stats64.rx.bytes + stats64.tx.bytes;
}

async function carriedBy(paths: readonly string[], of: () => Promise<void>): Promise<number[]> {
  const before = await Promise.all(paths.map(carried));
  await of();
  return Promise.all(paths.map(async (path, i) => (await carried(path)) - before[i]!));
}

/** What was on its way when the subflow ended has arrived. */
async function restsOn(path: string): Promise<void> {
  for (let before = await carried(path); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const now = await carried(path);
    if (now - before < 1_000) return;
    before = now;
  }
}

describe('strategies serve programs that know nothing of us', { skip, timeout: 240_000 }, () => {
  const table: readonly (readonly [object, string, (wifi: number, cellular: number) => boolean])[] = [
    [{ strategy: 'fullmesh' }, 'wifi 1, cellular 1', (wifi, cellular) => wifi > 500_000 && cellular > 500_000],
    [
      { strategy: 'ndiffports', subflows: 2 },
      'wifi 2, cellular 2',
      (wifi, cellular) => wifi > 500_000 && cellular > 500_000,
    ],
    [
      {
        strategy: 'backup',
        known: [
          { match: { interface: 'cellular' }, priority: 1 },
          { match: { interface: 'wifi' }, priority: 2 },
        ],
      },
      'wifi 0 (1), cellular 1',
      (wifi, cellular) => wifi < cellular / 10 && cellular > 1_000_000,
    ],
    [{ strategy: 'single' }, 'wifi 1, cellular 0', (wifi, cellular) => wifi > 1_000_000 && cellular < NOISE_BYTES],
  ];
  for (const [paths, expected, fits] of table) {
    test(JSON.stringify(paths), async (t) => {
      await start(t, paths);
      const { got } = download(t, { foreign: true });
      await settlesOn(expected);
      const bytes = await carriedBy(['wifi', 'cellular'], async () => {
        const from = got();
        await until(() => got() > from + 2_000_000);
      });
      t.diagnostic(`${expected}; bytes over wifi ${bytes[0]}, cellular ${bytes[1]}`);
      assert.ok(fits(bytes[0]!, bytes[1]!), bytes.join(' '));
      assert.equal(await subflows(), expected);
    });
  }

  test('gateways: over two gateways of one interface, told apart by source port', async (t) => {
    const router = lab.host('router');
    const other = router.address('wifi').replace(/\d+$/, '77');
    await router.ip(
      'link add second link wifi type macvlan mode bridge',
      `address add ${other}/24 dev second`,
      'link set second up',
    );
    // Only the interface that has an address answers for it.
    await router.exec(['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore']);
    await client.ip(`route add default via ${other} dev wifi metric 300`);
    t.after(async () => {
      await client.ip(`route del default via ${other} dev wifi metric 300`);
      await router.ip('link del second');
    });
    await start(t, { strategy: 'gateways' });
    const seen = async (device: string): Promise<number> => {
      const { stdout } = await router.exec(['ip', '-j', '-s', 'link', 'show', device]);
      return JSON.parse(stdout)[0].stats64.rx.bytes;
    };
    const file = write('upload', { filling: 'x'.repeat(12_000_000) });
    const before = [await seen('second'), await seen('cellular')];
    // Slowly enough to be looked at.
    const proxy = ['--limit-rate', '3M', '-x', `socks5h://${gateway}`];
    const upload = client.spawn(['mptcpize', 'run', 'curl', '-s', ...proxy, '-T', file, url]);
    t.after(() => upload.kill());
    await settlesOn('wifi 2, cellular 1');
    const { stdout } = await client.exec(['ss', '-tnHO', 'state', 'established', 'src', client.address('wifi')]);
    assert.match(stdout, /:61\d\d\d /);
    assert.equal((await within(upload.exited, 'the upload')).status, 0);
    const bySecond = (await seen('second')) - before[0]!;
    t.diagnostic(`of 12,000,000 bytes up, ${bySecond} by the second gateway`);
    assert.ok(bySecond > 500_000, `${bySecond}`);
  });
});

describe('what is switched is switched back', { skip, timeout: 120_000 }, () => {
  const type = async (): Promise<string> => (await client.exec(['cat', '/proc/sys/net/mptcp/pm_type'])).stdout.trim();
  const traces = async (): Promise<string> => {
    const { stdout } = await client.exec(['sh', '-c', 'ip rule; ip route show table all; ip mptcp endpoint']);
    return stdout
      .split('\n')
      .filter((line) => /\b17[234]\d\d|proto 173/.test(line))
      .join('\n');
  };

  test('at the end, and after a kill', async (t) => {
    assert.equal(await type(), '0');
    const { program } = await start(t, {});
    assert.equal(await type(), '1');
    program.kill('SIGKILL');
    await program.exited;
    assert.equal(await type(), '1');
    const next = await start(t, {});
    assert.equal(await type(), '1');
    next.program.kill();
    await next.program.exited;
    assert.equal(await type(), '0');
    assert.equal(await traces(), '');
  });

  test('in mode kernel, after a kill in the other mode', async (t) => {
    const { program } = await start(t, {});
    program.kill('SIGKILL');
    await program.exited;
    await start(t, { mode: 'kernel' });
    assert.equal(await type(), '0');
  });
});

describe('wishes', { skip, timeout: 240_000 }, () => {
  const spare = [{ when: { port: 8080 }, use: 'gateway', wish: 'avoid metered' }];

  test('a metered path carries nothing while a free one works, and all when none does', async (t) => {
    await start(t, {}, spare);
    const [wifi, cellular] = await carriedBy(['wifi', 'cellular'], async () => {
      const { program, got } = download(t, { bytes: 4_000_000 });
      assert.equal((await within(program.exited, 'the download')).status, 0);
      assert.equal(got(), 4_000_000);
    });
    t.diagnostic(`of 4,000,000 bytes: wifi ${wifi}, cellular ${cellular}`);
    assert.ok(wifi! > 4_000_000 && cellular! < NOISE_BYTES, `${wifi} ${cellular}`);
    const link = lab.link('wifi');
    const { got } = download(t);
    await until(() => got() > 1_000_000);
    await link.down({ how: 'admin' });
    await settlesOn('wifi 0, cellular 1');
    const before = got();
    await until(() => got() > before + 500_000);
    // And back.
    await link.up();
    await settlesOn('wifi 1, cellular 0');
    const [, after] = await carriedBy(['wifi', 'cellular'], async () => {
      const from = got();
      await until(() => got() > from + 1_000_000);
    });
    assert.ok(after! < NOISE_BYTES, `${after}`);
  });

  test('a connection that was dialed while the metered path leads out by default', async (t) => {
    const router = lab.host('router').address('cellular');
    await client.ip(`route add default via ${router} dev cellular metric 1`);
    t.after(() => client.ip(`route del default via ${router} dev cellular metric 1`));
    await start(t, {}, spare);
    const [wifi, cellular] = await carriedBy(['wifi', 'cellular'], async () => {
      const { program } = download(t, { bytes: 2_000_000 });
      assert.equal((await within(program.exited, 'the download')).status, 0);
    });
    assert.ok(wifi! > 2_000_000 && cellular! < NOISE_BYTES, `${wifi} ${cellular}`);
  });

  test('the first connection that the proxy takes has its paths already', async (t) => {
    const router = lab.host('router').address('cellular');
    await client.ip(`route add default via ${router} dev cellular metric 1`);
    t.after(() => client.ip(`route del default via ${router} dev cellular metric 1`));
    const into = join(folder, 'first');
    for (const [wish, expected] of [
      ['only wifi', 'wifi 1, cellular 0'],
      ['max-throughput', 'wifi 1, cellular 1'],
    ] as const) {
      const { program } = launch(t, {}, [{ when: { port: 8080 }, use: 'gateway', wish }]);
      const [, cellular] = await carriedBy(['wifi', 'cellular'], async () => {
        // Every try that comes before the port is open ends at once.
        const tries = `until curl -s -x socks5h://127.0.0.1:1080 -o ${into} ${url}; do [ $? = 7 ] || exit; done`;
        const first = client.spawn(['sh', '-c', tries]);
        t.after(async () => {
          first.kill('SIGKILL');
          await first.exited;
          await client.exec(['sh', '-c', `ss -KtnH dst ${gateway}; rm -f ${into}`]);
        });
        await settlesOn(expected);
        await until(() => (statSync(into, { throwIfNoEntry: false })?.size ?? 0) > 1_000_000);
      });
      if (wish === 'only wifi') assert.ok(cellular! < NOISE_BYTES, `${cellular}`);
      program.kill();
      await program.exited;
    }
  });

  test('a path that stands by is known by its own round trip, and not by the search for its gateway', async (t) => {
    await start(t, { wish: 'low-latency' });
    const handshakeMs = async (): Promise<number> => {
      await client.ip('neighbour flush dev cellular');
      const curl = ['curl', '--limit-rate', '50k', '-x', 'socks5h://127.0.0.1:1080', url];
      const { program } = startDownload(t, client, folder, curl);
      await settlesOn('wifi 1, cellular 0 (1)');
      const { stdout } = await client.exec(['ss', '-tiHO', 'src', client.address('cellular'), 'dst', gateway]);
      program.kill();
      await program.exited;
      await client.exec(['ss', '-KtnH', 'dst', gateway]);
      return Number(/ rtt:([\d.]+)/.exec(stdout)?.[1]);
    };
    // A busy machine may take its time, and what the last subflow still sent may have asked for the gateway: the median.
    const took: number[] = [];
    for (let i = 0; i < 3; i++) took.push(await handshakeMs());
    t.diagnostic(`round trips of 40 ms, as the kernel has them: ${took.join(', ')}`);
    assert.ok(took.sort((a, b) => a - b)[1]! < 70, took.join(' '));
  });

  test('the metered path joins once enough was carried', async (t) => {
    await start(t, { meteredAfter: '2MB' });
    const [, little] = await carriedBy(['wifi', 'cellular'], async () => {
      const { program } = download(t, { bytes: 1_000_000 });
      assert.equal((await within(program.exited, 'the download')).status, 0);
    });
    assert.ok(little! < NOISE_BYTES, `${little}`);
    const { got } = download(t);
    await settlesOn('wifi 1, cellular 1');
    assert.ok(got() > 1_000_000, `${got()}`);
  });

  test('a new wish moves a running download', async (t) => {
    const { reload } = await start(t, {}, spare);
    const { got } = download(t);
    await until(() => got() > 1_000_000);
    assert.equal(await subflows(), 'wifi 1, cellular 0');
    for (const [wish, expected, quiet, busy] of [
      ['only cellular', 'wifi 0, cellular 1', 'wifi', 'cellular'],
      ['avoid metered', 'wifi 1, cellular 0', 'cellular', 'wifi'],
      ['prefer cellular', 'wifi 0 (1), cellular 1', undefined, 'cellular'],
    ] as const) {
      const from = performance.now();
      await reload([{ when: { port: 8080 }, use: 'gateway', wish }]);
      const reloaded = performance.now();
      await settlesOn(expected);
      if (quiet !== undefined) await restsOn(quiet);
      const took = performance.now() - reloaded;
      t.diagnostic(`${wish}: ${Math.round(took)} ms after the reload, which took ${Math.round(reloaded - from)} ms`);
      assert.ok(took < MOVE_MS_MAX, `${wish}: ${took} ms`);
      const [still = 0, moved = 0] = await carriedBy([quiet ?? 'wifi', busy], async () => {
        const before = got();
        await until(() => got() > before + 3_000_000);
      });
      if (quiet !== undefined) assert.ok(still < NOISE_BYTES, `${wish}: ${still} over ${quiet}`);
      assert.ok(moved > 1_000_000, `${wish}: ${moved} over ${busy}`);
    }
  });

  test('the time of a rule comes, and moves a running download', async (t) => {
    // In all of its threads, a Monday at 07:59:45; the rule's time begins in a quarter of a minute, and not a second before.
    const shift = new Date(2026, 10, 23, 7, 59, 45).getTime() - Date.now();
    const clock = join(folder, 'clock.mjs');
    writeFileSync(clock, `const { now } = Date; Date.now = () => now() + ${shift};`);
    const rule = { when: { port: 8080, time: 'mon 08:00-18:00' }, use: 'gateway', wish: 'only cellular' };
    await start(t, { wish: 'avoid metered' }, [rule], ['--import', clock]);
    const { got } = download(t);
    await settlesOn('wifi 1, cellular 0');
    await until(() => got() > 1_000_000);
    await settlesOn('wifi 0, cellular 1');
    await restsOn('wifi');
    const at = new Date(Date.now() + shift).toTimeString().slice(0, 8);
    t.diagnostic(`moved, and the old path at rest, at ${at}`);
    assert.ok(at >= '08:00:00', at);
    const [still] = await carriedBy(['wifi'], async () => {
      const before = got();
      await until(() => got() > before + 1_000_000);
    });
    assert.ok(still! < NOISE_BYTES, `${still}`);
  });

  test('where the path of `only` is away, no connection is made elsewhere', async (t) => {
    await start(t, {}, [{ when: { port: 8080 }, use: 'gateway', wish: 'only cellular' }]);
    const link = lab.link('cellular');
    await link.down({ how: 'admin' });
    await until(
      async () => (await client.exec(['ip', '-br', 'link', 'show', 'cellular'])).stdout.includes('DOWN'),
      () => 'the link is down',
    );
    const { program } = download(t, { bytes: 1_000 });
    assert.notEqual((await within(program.exited, 'the refusal')).status, 0);
    await link.up();
    await until(
      async () => (await download(t, { bytes: 1_000 }).program.exited).status === 0,
      () => 'a download',
    );
  });
});

describe('recovery', { skip, timeout: 240_000 }, () => {
  for (const how of ['admin', 'carrier', 'silent'] as const) {
    test(`a path that dies (${how}) and returns is used again`, async (t) => {
      await start(t, {});
      const { got } = download(t);
      await settlesOn('wifi 1, cellular 1');
      await until(() => got() > 2_000_000);
      const link = lab.link('wifi');
      await link.down({ how });
      await settlesOn('wifi 0, cellular 1');
      const before = got();
      await until(() => got() > before + 500_000);
      await link.up();
      const from = performance.now();
      await settlesOn('wifi 1, cellular 1');
      const took = performance.now() - from;
      t.diagnostic(`${how}: ${Math.round(took)} ms`);
      assert.ok(took < MOVE_MS_MAX, `${took} ms`);
    });
  }
});
