// Each command of the userspace path manager alone, over netlink, on a connection that nobody else looks after: what the
// peer's kernel makes of it, and what the own kernel refuses. The peer's side is told by ss(8) and its counters.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import type { Host, HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { PathManager } from '#anabranch/netlink/path-manager.js';
import { SubflowList } from '#anabranch/netlink/subflow-list.js';
import type { EndpointFlag, PmAddress } from '#anabranch/wire/mptcp-pm.js';
import type { SubflowProgress } from '#anabranch/wire/subflow-dump.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { BARE, MAIN, READY, said, startEndless, twoPathTopology } from './two-path-lab.ts';

const skip = requireCommands('ip', 'ss', 'curl', 'mptcpize') || requireMptcp() || requireNamespaces();
const options = { skip, timeout: 60_000 };

let lab: Lab;
let client: Host;
let gateway: Host;
let folder: string;
let url: string;
let pm: PathManager;
let list: SubflowList;
let curl: HostProcess;
let first: SubflowProgress;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-commands-'));
  const peer = { mptcp: { endpoints: 'none', subflows: 8, addAddrAccepted: 0 } } as const;
  lab = await createLab(twoPathTopology('commands', { client: BARE, gateway: peer }));
  client = lab.host('client');
  gateway = lab.host('gateway');
  // Nobody routes by source here: what leaves from the cellular address leaves over that path by a rule of the test's.
  const via = lab.host('router').address('cellular');
  await client.ip(
    `rule add from ${client.address('cellular')} lookup 77`,
    `route add default via ${via} dev cellular table 77`,
  );
  url = await startEndless(lab);
  const config = join(folder, 'gateway.yaml');
  const inbounds = [{ type: 'socks', listen: '0.0.0.0:1080', open: true }];
  writeFileSync(config, JSON.stringify({ workers: 1, log: 'off', admin: 'off', dashboard: 'off', inbounds }));
  await said(gateway.spawn([process.execPath, MAIN, 'run', config]), READY);
  const opened = PathManager.open(client.namespacePath);
  assert.ok(opened);
  pm = opened;
  list = new SubflowList(client.namespacePath);
});
after(async () => {
  pm?.close();
  list?.close();
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  if (!skip) await begin('userspace');
});
afterEach(async () => {
  if (!skip) await end();
});

/** A connection of its own for each test, with its one subflow over Wi-Fi. */
async function begin(manager: 'userspace' | 'kernel'): Promise<void> {
  await client.exec(['sh', '-c', `echo ${manager === 'userspace' ? 1 : 0} > /proc/sys/net/mptcp/pm_type`]);
  const way = ['-x', `socks5h://${gateway.address('core')}:1080`];
  curl = client.spawn(['mptcpize', 'run', 'curl', '-s', '--limit-rate', '200k', ...way, '-o', '/dev/null', url]);
  // Further subflows may begin once the peer has acknowledged data by MPTCP.
  await until(() => own().length === 1 && own()[0]!.bytesReceived > 10_000);
  first = own()[0]!;
  assert.equal(first.local.address, client.address('wifi'));
}

async function end(): Promise<void> {
  curl.kill();
  await curl.exited;
  await client.exec(['ss', '-KtnH', 'dst', `${gateway.address('core')}:1080`], { check: false });
  await until(async () => own().length === 0 && (await seen()).length === 0);
}

function own(): SubflowProgress[] {
  return (list.read() ?? []).filter(({ remote }) => remote.port === 1080);
}

/** Subflows as the peer sees them: their far address, with `b` where it is to spare them. */
async function seen(): Promise<string[]> {
  const { stdout } = await gateway.exec(['ss', '-tniHO', 'state', 'established', 'sport', '1080']);
  const lines = stdout.split('\n').filter((line) => line.includes('tcp-ulp-mptcp'));
  return lines.map((line) => {
    const from = /:1080\s+(?:\[::ffff:)?([\d.]+)\]?:\d+/.exec(line)?.[1];
    return `${from}${/tcp-ulp-mptcp flags:\S*B/.test(line) ? ' b' : ''}`;
  });
}

/** Own subflows of which the peer has said that it knows them. */
async function confirmed(): Promise<number> {
  const { stdout } = await client.exec(['ss', '-tniHO', 'state', 'established', 'dport', '1080']);
  return stdout.split('\n').filter((line) => /tcp-ulp-mptcp flags:\S*e/.test(line)).length;
}

/** A counter of the peer's kernel. */
async function counted(name: string): Promise<number> {
  const { stdout } = await gateway.exec(['cat', '/proc/net/netstat']);
  const [names, values] = stdout
    .split('\n')
    .filter((line) => line.startsWith('MPTcpExt:'))
    .map((line) => line.split(' '));
  return Number(values?.[names?.indexOf(name) ?? -1]);
}

async function counts(name: string, action: () => void): Promise<void> {
  const counted0 = await counted(name);
  action();
  await until(
    async () => (await counted(name)) === counted0 + 1,
    async () => `${name}: ${counted0}, ${await counted(name)}`,
  );
}

function from(link: 'wifi' | 'cellular', id: number, more: Partial<PmAddress> = {}): PmAddress {
  return { address: client.address(link), id, port: 0, flags: [], index: 0, ...more };
}

const to = (): PmAddress => ({ ...first.remote, id: 0, flags: [], index: 0 });
const SIGNAL: readonly EndpointFlag[] = ['signal'];

/** A second subflow, over the cellular path. */
async function join2(): Promise<PmAddress> {
  assert.equal(pm.changeSubflow('createSubflow', first.token, from('cellular', 5), to()), undefined);
  await until(async () => own().length === 2 && (await seen()).length === 2 && (await confirmed()) === 2);
  const { local } = own().find(({ localId }) => localId === 5)!;
  return from('cellular', 5, { port: local.port });
}

function refuses(refusal: Error | undefined, code: string, message: RegExp): void {
  assert.ok(refusal, 'the kernel did it');
  assert.equal((refusal as NodeJS.ErrnoException).code, code, refusal.message);
  assert.match(refusal.message, message);
}

test('announce: the peer hears of the address, which is listed', options, async () => {
  const { token } = first;
  await counts('AddAddr', () => assert.equal(pm.announce(token, from('cellular', 7, { flags: SIGNAL })), undefined));
  assert.deepEqual(
    pm.addressesOf(token).map(({ address, id }) => [address, id]),
    [[client.address('cellular'), 7]],
  );
  // Once more is no mistake; under another id it is, and so is another address under this one.
  assert.equal(pm.announce(token, from('cellular', 7, { flags: SIGNAL })), undefined);
  refuses(pm.announce(token, from('cellular', 8, { flags: SIGNAL })), 'EINVAL', /announcing .* "did not match/);
  refuses(pm.announce(token, from('wifi', 7, { flags: SIGNAL })), 'EINVAL', /"did not match/);
  refuses(pm.announce(token, from('cellular', 9)), 'EINVAL', /"invalid addr/);
});

test('announce with a port', options, async () => {
  await counts('PortAdd', () =>
    assert.equal(pm.announce(first.token, from('cellular', 7, { flags: SIGNAL, port: 8443 })), undefined),
  );
});

test('remove: the peer hears that it is gone, and so it is from the list', options, async () => {
  const { token } = first;
  assert.equal(pm.announce(token, from('cellular', 7, { flags: SIGNAL })), undefined);
  await until(async () => (await counted('AddAddr')) > 0);
  await counts('RmAddr', () => assert.equal(pm.remove(token, 7), undefined));
  assert.deepEqual(pm.addressesOf(token), []);
  refuses(pm.remove(token, 7), 'EINVAL', /withdrawing address 7 .* "address with id/);
});

test('subflow create: the peer accepts a join from there', options, async () => {
  await counts('MPJoinAckRx', () =>
    assert.equal(pm.changeSubflow('createSubflow', first.token, from('cellular', 5), to()), undefined),
  );
  await until(async () => (await seen()).includes(client.address('cellular')));
  const refuse = (local: PmAddress) => pm.changeSubflow('createSubflow', first.token, local, to());
  refuses(refuse(from('wifi', 5)), 'EINVAL', /opening a subflow .* "did not match/);
  const { local } = own().find(({ localId }) => localId === 5)!;
  refuses(refuse(from('cellular', 6, { port: local.port })), 'EADDRINUSE', /opening a subflow/);
  refuses(refuse({ ...from('cellular', 8), address: '198.51.100.99' }), 'EADDRNOTAVAIL', /from 198\.51\.100\.99:0/);
  assert.equal(own().length, 2);
});

test('subflow create as a backup: the peer spares it from the start', options, async () => {
  const local = from('cellular', 5, { flags: ['backup'] });
  assert.equal(pm.changeSubflow('createSubflow', first.token, local, to()), undefined);
  await until(async () => (await seen()).includes(`${client.address('cellular')} b`));
});

test('set flags: the peer is asked to spare a subflow, and no longer', options, async () => {
  const local = await join2();
  await counts('MPPrioRx', () =>
    assert.equal(pm.changeSubflow('setSubflowFlags', first.token, { ...local, flags: ['backup'] }, to()), undefined),
  );
  await until(async () => (await seen()).includes(`${client.address('cellular')} b`));
  await counts('MPPrioRx', () =>
    assert.equal(pm.changeSubflow('setSubflowFlags', first.token, local, to()), undefined),
  );
  await until(async () => (await seen()).includes(client.address('cellular')));
  const none = { ...local, port: 1, flags: ['backup'] } as const;
  refuses(pm.changeSubflow('setSubflowFlags', first.token, none, to()), 'EINVAL', /changing the subflow/);
});

test('subflow destroy: it is gone at both ends, and the connection goes on', options, async () => {
  const local = await join2();
  assert.equal(pm.changeSubflow('destroySubflow', first.token, local, to()), undefined);
  await until(async () => own().length === 1 && (await seen()).join() === client.address('wifi'));
  refuses(pm.changeSubflow('destroySubflow', first.token, local, to()), 'ESRCH', /ending the subflow/);
  const { bytesReceived } = own()[0]!;
  await until(() => own()[0]!.bytesReceived > bytesReceived + 10_000);
});

test('a connection that is not there, and one that is the kernel’s to manage', options, async () => {
  const commands = (token: number) => [
    pm.announce(token, from('cellular', 7, { flags: SIGNAL })),
    pm.remove(token, 7),
    pm.changeSubflow('createSubflow', token, from('cellular', 7), to()),
    pm.changeSubflow('destroySubflow', token, from('cellular', 7, { port: 5 }), to()),
    pm.changeSubflow('setSubflowFlags', token, from('cellular', 7, { port: 5, flags: ['backup'] }), to()),
  ];
  const unknown = first.token === 1 ? 2 : 1;
  for (const refusal of commands(unknown))
    refuses(refusal, 'EINVAL', new RegExp(`connection ${unknown}\\b.*"invalid token"`));
  assert.throws(() => pm.addressesOf(unknown), { code: 'EINVAL', message: /listing .* "invalid token"/ });
  await end();
  await begin('kernel');
  for (const refusal of commands(first.token)) refuses(refusal, 'EINVAL', /"userspace PM not selected"/);
  assert.throws(() => pm.addressesOf(first.token), { code: 'EINVAL', message: /"userspace PM not selected"/ });
});
