// A gateway behind a load balancer that sends what comes over Wi-Fi to it, and what comes over cellular to another one:
//
//            ┌─ wifi ─────┐            ┌─ first ──── gateway
//   client ──┤            ├── router ──┤
//            └─ cellular ─┘  (203.0.113.1)  └─ second ── other

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { TopologyInput } from '#anabranch/lab/topology-input.js';
import type { FlowStatus } from '#anabranch/proxy/flow-status.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const SHARED = '203.0.113.1';
const skip = requireMptcp() || requireCommands('ip', 'nft', 'curl') || requireNamespaces();
const WAIT_MS_MAX = 40_000;

const ORIGIN = `require('node:http').createServer((request, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write(Buffer.alloc(65536)), 20);
  request.on('close', () => clearInterval(timer));
  response.on('close', () => clearInterval(timer));
}).listen(8080, () => console.log('ready'));`;

// With `subflow` alone the kernel joins an announced address from the connection's first local address only.
const CLIENT: NonNullable<TopologyInput['hosts']>[string] = {
  mptcp: { endpoints: { wifi: ['subflow', 'fullmesh'], cellular: ['subflow', 'fullmesh'] } },
};

let lab: Lab;
let folder: string;
let own: string;
let second: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-balancer-'));
  lab = await createLab({
    name: 'balancer',
    hosts: { client: CLIENT, router: { forward: true }, gateway: {}, other: {}, server: { mptcp: false } },
    links: {
      wifi: { between: ['client', 'router'], rate: '20mbit', rtt: '20ms' },
      cellular: { between: ['client', 'router'], rate: '10mbit', rtt: '60ms' },
      first: { between: ['router', 'gateway'], rate: '1gbit' },
      second: { between: ['router', 'other'], rate: '1gbit' },
      net: { between: ['router', 'server'], rate: '1gbit' },
    },
  });
  own = lab.host('gateway').address('first');
  // The kernel does not announce the address that the connection came to.
  second = own.replace(/\.\d+$/, '.99');
  await lab.host('gateway').exec(['ip', 'address', 'add', `${second}/24`, 'dev', 'first']);
  const to = { wifi: own, cellular: lab.host('other').address('second') };
  const router = lab.host('router');
  await router.exec(['nft', 'add table ip balancer']);
  await router.exec(['nft', 'add chain ip balancer pre { type nat hook prerouting priority -100; }']);
  for (const [link, gateway] of Object.entries(to)) {
    const rule = `add rule ip balancer pre iifname "${link}" ip daddr ${SHARED} dnat to ${gateway}`;
    await router.exec(['nft', rule]);
  }
  await start('server', 'ready', ['-e', ORIGIN]);
  await start('other', 'ready', [MAIN, 'run', write('other.yaml', gatewayConfig(''))]);
  const client = `inbounds: [{ type: socks, listen: '127.0.0.1:1080' }]
outbounds: [{ name: gateway, type: socks, server: '${SHARED}:1080', transport: mptcp }]
rules: [{ use: gateway }]
admin: off
`;
  await start('client', 'ready', [MAIN, 'run', write('client.yaml', client)]);
});

after(async () => {
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function gatewayConfig(rest: string): string {
  return `inbounds: [{ type: socks, listen: '0.0.0.0:1080', open: true }]\n${rest}\n`;
}

async function start(host: string, word: string, args: readonly string[]): Promise<HostProcess & { said(): string }> {
  const running = lab.host(host).spawn([process.execPath, ...args]);
  let said = '';
  for (const stream of [running.child.stdout, running.child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
  }
  await until(
    () => said.includes(word),
    () => `"${word}" of ${host}: ${said}`,
    WAIT_MS_MAX,
  );
  return { ...running, said: () => said };
}

async function joinsSetting(): Promise<string> {
  const path = '/proc/sys/net/mptcp/allow_join_initial_addr_port';
  return (await lab.host('gateway').exec(['cat', path])).stdout.trim();
}

async function endpoints(): Promise<string> {
  return (await lab.host('gateway').exec(['ip', 'mptcp', 'endpoint', 'show'])).stdout;
}

/** How many joins the other gateway was sent that it knew nothing of. */
async function strayJoins(): Promise<number> {
  const { stdout } = await lab.host('other').exec(['cat', '/proc/net/netstat']);
  const [names = [], values = []] = stdout
    .split('\n')
    .filter((line) => line.startsWith('MPTcpExt:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('MPJoinNoTokenFound')]);
}

/** Waits for a subflow of a download that carries something, at the gateway: `LOCAL PORT REMOTE`. */
async function carriesOver(admin: string, wanted: string): Promise<void> {
  const curl = ['curl', '-s', '-o', '/dev/null', '--max-time', '60', '-x', 'socks5h://127.0.0.1:1080'];
  const download = lab.host('client').spawn([...curl, `http://${lab.host('server').address('net')}:8080/`]);
  try {
    const isThere = async (): Promise<boolean> => {
      const asked = ['curl', '-s', '--unix-socket', admin, 'http://anabranch/flows'];
      const { stdout } = await lab.host('gateway').exec(asked, { check: false });
      const { flows = [] } = JSON.parse(stdout || '{}') as { flows?: readonly FlowStatus[] };
      const carrying = (flows[0]?.clientSide?.subflows ?? []).filter((one) => !one.closed && one.bytesSent > 0);
      const found = carrying.map(({ local, remote }) => `${local.address} ${local.port} ${remote.address}`);
      return found.includes(wanted);
    };
    await until(isThere, () => `a subflow ${wanted}`, WAIT_MS_MAX);
  } finally {
    download.kill();
    await download.exited;
  }
}

test('without the switch joins land at the other gateway', { skip, timeout: 120_000 }, async () => {
  const admin = join(folder, 'plain.sock');
  const proxy = await start('gateway', 'ready', [MAIN, 'run', write('plain.yaml', gatewayConfig(`admin: ${admin}`))]);
  const before = await strayJoins();
  await carriesOver(admin, `${own} 1080 ${lab.host('client').address('wifi')}`);
  await until(
    async () => (await strayJoins()) > before,
    () => 'a stray join',
    WAIT_MS_MAX,
  );
  proxy.kill();
  await proxy.exited;
});

for (const [name, port] of [
  ['by another address of it', 0],
  ['by a port of its own', 10_443],
] as const) {
  test(`with it clients join the gateway ${name}`, { skip, timeout: 150_000 }, async () => {
    const admin = join(folder, `announced-${port}.sock`);
    const announced = port === 0 ? second : own;
    const announce = port === 0 ? second : `${own}:${port}`;
    const text = gatewayConfig(`admin: ${admin}\npaths: { balancer: { announce: "${announce}" } }`);
    assert.equal(await joinsSetting(), '1');
    const stray = await strayJoins();
    const proxy = await start('gateway', 'ready', [MAIN, 'run', write(`announced-${port}.yaml`, text)]);
    assert.match(proxy.said(), new RegExp(`clients are told to join ${announce.replaceAll('.', '\\.')} and not`));
    assert.equal(await joinsSetting(), '0');

    await carriesOver(admin, `${announced} ${port === 0 ? 1080 : port} ${lab.host('client').address('cellular')}`);
    assert.equal(await strayJoins(), stray);

    proxy.kill();
    await proxy.exited;
    assert.equal(await joinsSetting(), '1', 'taken back');
    assert.ok(!(await endpoints()).includes('signal'), await endpoints());
  });
}

test('after kill -9 the next start takes back what was left', { skip, timeout: 120_000 }, async () => {
  const text = (port: number) => gatewayConfig(`admin: off\npaths: { balancer: { announce: "${own}:${port}" } }`);
  const first = await start('gateway', 'ready', [MAIN, 'run', write('killed.yaml', text(10_444))]);
  first.kill('SIGKILL');
  await first.exited;
  assert.match(await endpoints(), /10444/);
  const second = await start('gateway', 'ready', [MAIN, 'run', write('next.yaml', text(10_445))]);
  const now = await endpoints();
  assert.ok(!now.includes('10444') && now.includes('10445'), now);
  second.kill();
  await second.exited;
  assert.equal(await joinsSetting(), '1');
  assert.ok(!(await endpoints()).includes('signal'), await endpoints());
});

test('a reload announces, announces something else, and takes it back', { skip, timeout: 120_000 }, async () => {
  const admin = join(folder, 'reloaded.sock');
  const text = (announce: string) =>
    gatewayConfig(`admin: ${admin}${announce === '' ? '' : `\npaths: { balancer: { announce: "${announce}" } }`}`);
  const proxy = await start('gateway', 'ready', [MAIN, 'run', write('reloaded.yaml', text(''))]);
  const reload = async (announce: string) => {
    write('reloaded.yaml', text(announce));
    const { stdout } = await lab.host('gateway').exec([process.execPath, MAIN, 'reload', '--admin', admin]);
    assert.equal(stdout, 'reloaded\n');
    return `${await joinsSetting()} ${(await endpoints()).match(/ port \d+/g)?.join() ?? ''}`;
  };
  assert.equal(await reload(`${own}:10447`), '0  port 10447');
  assert.equal(await reload(`${own}:10448`), '0  port 10448');
  assert.equal(await reload('198.51.100.77:10449'), '1 ');
  assert.match(proxy.said(), /198\.51\.100\.77:10449 cannot be announced/);
  assert.equal(await reload(`${own}:10447`), '0  port 10447');
  assert.equal(await reload(''), '1 ');
  proxy.kill();
  await proxy.exited;
  assert.equal(await joinsSetting(), '1');
});

test('an address that it cannot announce is told, and the proxy runs', { skip, timeout: 120_000 }, async () => {
  const text = gatewayConfig('admin: off\npaths: { balancer: { announce: "198.51.100.77:10446" } }');
  const proxy = await start('gateway', 'ready', [MAIN, 'run', write('foreign.yaml', text)]);
  assert.match(
    proxy.said(),
    /198\.51\.100\.77:10446 cannot be announced: with a port it must be an address of this machine/,
  );
  assert.equal(await joinsSetting(), '1');
  proxy.kill();
  await proxy.exited;
});
