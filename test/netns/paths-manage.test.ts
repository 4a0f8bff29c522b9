// The path manager at work: a client with two paths, a gateway, a server that knows no MPTCP. The lab sets
// up neither routing nor endpoints, so that all there is is the manager's.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';

import type { Host, HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { Survey } from '#anabranch/paths/survey.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { BARE, type Download, MAIN, said, startDownload, startEndless, twoPathTopology } from './two-path-lab.ts';

const skip = requireCommands('ip', 'nsenter', 'curl', 'capsh') || requireMptcp() || requireNamespaces();

/** Half a second is the aim; a machine with other things to do takes its time. */
const REGAIN_MS_MAX = 5_000;

let lab: Lab;
let client: Host;
let folder: string;
let url: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-paths-'));
  lab = await createLab(twoPathTopology('paths-manage', { client: BARE }));
  client = lab.host('client');
});
after(async () => {
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function survey(): Promise<Survey> {
  const { stdout } = await client.exec([process.execPath, MAIN, 'paths', '--json']);
  return JSON.parse(stdout) as Survey;
}

/** What ip(8) says of routing and MPTCP. */
async function state(): Promise<string> {
  const commands = ['ip rule', 'ip -6 rule', 'ip route show table all', 'ip -6 route show table all type unicast'];
  const { stdout } = await client.exec(['sh', '-c', `${commands.join(';')}; ip mptcp endpoint; ip mptcp limits`]);
  // The order of routes says who was last.
  return stdout.split('\n').sort().join('\n');
}

async function startManager(t: TestContext): Promise<HostProcess> {
  const manager = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
  t.after(async () => {
    manager.kill();
    await manager.exited;
  });
  await said(manager, '"code":"managing"');
  return manager;
}

describe('set-up', { skip, timeout: 240_000 }, () => {
  test('what is missing is shown, and then set up, for both families', async (t) => {
    const before = await survey();
    assert.deepEqual(
      before.paths.map(({ name, kind, routing, endpoint }) => [name, kind, routing, endpoint]),
      [
        ['wifi', 'wifi', 'none', 'none'],
        ['wifi', 'wifi', 'none', 'none'],
        ['cellular', 'cellular', 'none', 'none'],
        ['cellular', 'cellular', 'none', 'none'],
      ],
    );
    assert.ok(before.paths.every(({ missing }) => missing.length === 2));
    await startManager(t);
    const { paths, limits } = await survey();
    assert.ok(
      paths.every(({ routing, endpoint, missing }) => `${routing} ${endpoint} ${missing.length}` === 'ours ours 0'),
    );
    assert.deepEqual(limits, { subflows: 8, acceptedAddresses: 0 });
    for (const path of ['wifi', 'cellular']) {
      for (const family of [4, 6] as const) {
        const far = lab.host('gateway').address('core', family);
        const from = client.address(path, family);
        const { stdout } = await client.exec(['ip', 'route', 'get', far, 'from', from]);
        assert.match(stdout, new RegExp(`dev ${path} `));
        // A neighbour on the other link is reached directly.
        const other = path === 'wifi' ? 'cellular' : 'wifi';
        const near = lab.host('router').address(other, family);
        assert.match(
          (await client.exec(['ip', 'route', 'get', near, 'from', from])).stdout,
          new RegExp(`dev ${other} `),
        );
      }
    }
  });

  test('at its end everything is as before, and what others made meanwhile stays', async () => {
    const before = await state();
    const manager = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
    await said(manager, '"code":"managing"');
    assert.notEqual(await state(), before);
    await client.ip(
      'address add 10.9.9.9/32 dev lo',
      'mptcp endpoint add 10.9.9.9 subflow',
      'rule add from 10.9.9.9 lookup 77',
    );
    manager.kill();
    assert.equal((await manager.exited).status, 0);
    assert.match(await state(), /10\.9\.9\.9 id \d+ subflow[\s\S]*from 10\.9\.9\.9 lookup 77/);
    await client.ip('rule del from 10.9.9.9 lookup 77', 'mptcp endpoint flush', 'address del 10.9.9.9/32 dev lo');
    assert.equal(await state(), before);
  });

  test('killed and started again, nothing is there twice, and nothing stays', async () => {
    const before = await state();
    const first = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
    await said(first, '"code":"managing"');
    const set = await state();
    first.kill('SIGKILL');
    await first.exited;
    assert.equal(await state(), set);
    // One path goes while nobody looks.
    await lab.link('cellular').down({ how: 'admin' });
    const second = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
    await said(second, '"code":"managing"');
    const between = await state();
    assert.doesNotMatch(between, new RegExp(`${client.address('cellular')} id`));
    assert.equal(between.match(new RegExp(`from ${client.address('wifi')} lookup 173\\d\\d `, 'g'))?.length, 1);
    await lab.link('cellular').up();
    await until(
      async () => new RegExp(`${client.address('cellular')} id`).test(await state()),
      () => 'the endpoint',
    );
    second.kill();
    await second.exited;
    // The limits of the first are all that it could not take back.
    await client.ip('mptcp limits set subflows 2 add_addr_accepted 0');
    assert.equal(await state(), before);
  });

  test('where others have set a path up, it is left to them', async (t) => {
    const wifi = client.address('wifi');
    await client.ip(
      `mptcp endpoint add ${wifi} dev wifi subflow`,
      `route add default via ${lab.host('router').address('wifi')} dev wifi table 55`,
      `rule add from ${wifi} lookup 55 priority 5555`,
    );
    t.after(() =>
      client.ip('mptcp endpoint flush', `rule del from ${wifi} lookup 55 priority 5555`, 'route flush table 55'),
    );
    await startManager(t);
    const found = (await survey()).paths.find(({ address }) => address === wifi);
    assert.deepEqual([found?.routing, found?.table, found?.endpoint], ['others', 55, 'others']);
    await lab.link('wifi').down({ how: 'carrier' });
    await lab.link('wifi').up();
    assert.match(await state(), new RegExp(`${wifi} id \\d+ subflow dev wifi`));
  });

  test('beside the proxy, when its configuration says so', async () => {
    const before = await state();
    const config = join(folder, 'managing.yaml');
    writeFileSync(config, JSON.stringify({ workers: 1, admin: 'off', dashboard: 'off', paths: { manage: true } }));
    const proxy = client.spawn([process.execPath, MAIN, 'run', config]);
    await said(proxy, '"code":"listening"');
    await until(
      async () => (await survey()).paths.every(({ endpoint }) => endpoint === 'ours'),
      () => 'endpoints',
    );
    proxy.kill();
    assert.equal((await proxy.exited).status, 0);
    assert.equal(await state(), before);
    // Without the right it says so, and runs on.
    const command = `exec '${process.execPath}' '${MAIN}' run '${config}'`;
    const bare = client.spawn(['capsh', '--drop=cap_net_admin', '--', '-c', command]);
    await said(bare, 'the paths are not managed');
    bare.kill();
    const { status, stderr } = await bare.exited;
    assert.equal(status, 0);
    assert.match(stderr, /CAP_NET_ADMIN/);
    assert.equal(await state(), before);
  });

  test('without the right to administer the network it says so', async () => {
    const command = `'${process.execPath}' '${MAIN}' paths manage`;
    const { status, stderr } = await client.exec(['capsh', '--drop=cap_net_admin', '--', '-c', command], {
      check: false,
    });
    assert.equal(status, 3, stderr);
    assert.match(stderr, /CAP_NET_ADMIN/);
    const shown = await client.exec([
      'capsh',
      '--drop=cap_net_admin',
      '--',
      '-c',
      `'${process.execPath}' '${MAIN}' paths`,
    ]);
    assert.match(shown.stdout, /wifi {2,}wifi/);
  });
});

describe('recovery of a running download', { skip, timeout: 400_000 }, () => {
  before(async () => {
    if (!skip) await startProxies();
  });

  for (const how of ['admin', 'carrier', 'silent'] as const) {
    test(`the path goes (${how}) and returns`, async (t) => {
      await startManager(t);
      const { got } = download(t);
      const link = lab.link('wifi');
      const address = client.address('wifi');
      await until(
        async () => (await subflowsFrom(address)) === 1,
        () => 'a subflow over Wi-Fi',
      );
      await until(() => got() > 2_000_000);
      await link.down({ how });
      await until(
        async () => (await endpointOf(address)) === undefined,
        () => 'the end of the endpoint',
      );
      const before = got();
      await until(() => got() > before + 500_000);
      await link.up();
      const from = performance.now();
      await until(
        async () => (await subflowsFrom(address)) === 1,
        () => 'a new subflow',
      );
      assert.ok(performance.now() - from < REGAIN_MS_MAX, `${Math.round(performance.now() - from)} ms`);
    });
  }

  test('another address takes the place of the old one', async (t) => {
    await startManager(t);
    const { got } = download(t);
    await until(() => got() > 1_000_000);
    const old = client.address('wifi');
    const next = old.replace(/\d+$/, '77');
    const gateway = lab.host('router').address('wifi');
    const route = `route replace 0.0.0.0/0 via ${gateway} dev wifi metric 100`;
    await client.ip(`address del ${old}/24 dev wifi`, `address add ${next}/24 dev wifi`, route);
    t.after(() => client.ip(`address del ${next}/24 dev wifi`, `address add ${old}/24 dev wifi`, route));
    const from = performance.now();
    await until(
      async () => (await subflowsFrom(next)) === 1,
      () => 'a subflow from the new address',
    );
    assert.ok(performance.now() - from < REGAIN_MS_MAX);
    assert.equal(await endpointOf(old), undefined);
  });

  test('a join that is lost is tried again', async (t) => {
    const manager = await startManager(t);
    const { got } = download(t);
    await until(() => got() > 1_000_000);
    const address = client.address('wifi');
    const link = lab.link('wifi');
    await link.down({ how: 'carrier' });
    await until(
      async () => (await endpointOf(address)) === undefined,
      () => 'the end of the endpoint',
    );
    // The carrier returns, and the way behind it does not.
    await link.down({ how: 'silent' });
    await carrierUp();
    await until(
      async () => (await endpointOf(address)) !== undefined,
      () => 'the endpoint',
    );
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.equal(await subflowsFrom(address), 0);
    await link.up();
    const from = performance.now();
    await until(
      async () => (await subflowsFrom(address)) === 1,
      () => 'a subflow',
    );
    assert.ok(performance.now() - from < REGAIN_MS_MAX, `${Math.round(performance.now() - from)} ms`);
    assert.equal(manager.child.exitCode, null);
  });

  test('its end leaves a running download what it stands on', async (t) => {
    const manager = await startManager(t);
    const { got } = download(t);
    const [wifi, cellular] = [client.address('wifi'), client.address('cellular')];
    await until(
      async () => (await subflowsFrom(wifi)) === 1 && (await subflowsFrom(cellular)) === 1,
      () => 'subflows over both',
    );
    manager.kill();
    const { status, stderr } = await manager.exited;
    assert.equal(status, 0);
    assert.match(stderr, /paths-left/);
    assert.equal([await endpointOf(wifi), await endpointOf(cellular)].filter((one) => one !== undefined).length, 1);
    const before = got();
    await until(() => got() > before + 1_000_000);
  });

  test('and the next one takes it over, and back', async () => {
    await until(
      async () => (await subflowsFrom(client.address('wifi'))) === 0,
      () => 'the end of the download',
    );
    const manager = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
    await said(manager, '"code":"managing"');
    manager.kill();
    assert.equal((await manager.exited).status, 0);
    assert.doesNotMatch(await state(), /lookup 173|proto 173|endpoint/);
    assert.equal(await endpointOf(client.address('wifi')), undefined);
  });
});

/** Gives the link its carrier again and leaves it silent. */
async function carrierUp(): Promise<void> {
  const index = [...lab.links.keys()].indexOf('wifi');
  const hidden = client.namespace.replace(/-client$/, '.links');
  for (const side of ['a', 'b'])
    await lab.host('router').exec(['ip', '-netns', hidden, 'link', 'set', `l${index}${side}`, 'up']);
}

async function endpointOf(address: string): Promise<string | undefined> {
  const { stdout } = await client.exec(['ip', 'mptcp', 'endpoint']);
  return stdout.split('\n').find((line) => line.startsWith(`${address} `));
}

async function subflowsFrom(address: string): Promise<number> {
  const { stdout } = await client.exec(['ss', '-tnHO', 'state', 'established', 'src', address]);
  return stdout.split('\n').filter((line) => line.includes(':1080')).length;
}

async function startProxies(): Promise<void> {
  const gateway = lab.host('gateway');
  const configs = {
    gateway: { inbounds: [{ type: 'socks', listen: '[::]:1080', open: true }] },
    client: {
      inbounds: [{ type: 'socks', listen: '127.0.0.1:1080' }],
      outbounds: [{ name: 'gateway', type: 'socks', server: `${gateway.address('core')}:1080`, transport: 'mptcp' }],
      rules: [{ use: 'gateway' }],
    },
  };
  url = await startEndless(lab);
  for (const [host, config] of Object.entries(configs)) {
    const path = join(folder, `${host}.yaml`);
    writeFileSync(path, JSON.stringify({ workers: 1, log: 'off', admin: 'off', ...config }));
    await said(lab.host(host).spawn([process.execPath, MAIN, 'run', path]), '"code":"listening"');
  }
}

function download(t: TestContext): Download {
  return startDownload(t, client, folder, ['curl', '-x', 'socks5h://127.0.0.1:1080', url]);
}
