// Beside other path managers, the real ones: neither takes from the other what it has set up, and `anabranch paths` and
// `doctor` name them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';

import type { Host, HostProcess } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { WholeSurvey } from '#anabranch/paths/survey.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { startNetworkManager } from './network-manager.ts';
import { BARE, MAIN, said, twoPathTopology } from './two-path-lab.ts';

const MPTCPD = '/usr/libexec/mptcpd';
const skip = requireCommands('ip', 'nsenter', 'unshare') || requireMptcp() || requireNamespaces();
const skipMptcpd = skip || requireCommands(MPTCPD);
const skipNetworkManager = skip || requireCommands('NetworkManager', 'dbus-daemon');

let lab: Lab;
let client: Host;
let folder: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-others-'));
  lab = await createLab(twoPathTopology('other-managers', { client: BARE }));
  client = lab.host('client');
});
after(async () => {
  await lab?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

/** Ends with the test, or sooner. */
async function manage(t: TestContext): Promise<HostProcess> {
  const manager = client.spawn([process.execPath, MAIN, 'paths', 'manage']);
  t.after(() => end(manager));
  await said(manager, '"code":"managing"');
  return manager;
}

async function end(program: HostProcess): Promise<void> {
  program.kill();
  await program.exited;
}

async function survey(): Promise<WholeSurvey> {
  const { stdout } = await client.exec([process.execPath, MAIN, 'paths', '--json']);
  return JSON.parse(stdout) as WholeSurvey;
}

/** Whose endpoints the paths have, by address. */
async function owners(): Promise<Record<string, string>> {
  return Object.fromEntries((await survey()).paths.map(({ address, endpoint }) => [address, endpoint]));
}

async function endpoints(): Promise<string[]> {
  const { stdout } = await client.exec(['ip', 'mptcp', 'endpoint']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.trim())
    .sort();
}

async function ourRules(): Promise<number> {
  const { stdout } = await client.exec(['sh', '-c', 'ip rule; ip -6 rule']);
  return stdout.split('\n').filter((line) => line.includes('proto 173')).length;
}

async function isNamed(name: string): Promise<void> {
  const told = await client.exec([process.execPath, MAIN, 'paths']);
  assert.match(told.stdout, new RegExp(`${name} runs, too \\(process \\d+\\): what it sets up is left alone`));
  const doctor = await client.exec([process.execPath, MAIN, 'doctor', '--json'], { check: false });
  const { verdicts } = JSON.parse(doctor.stdout) as { verdicts: { id: string; found?: string }[] };
  assert.match(JSON.stringify(verdicts.find(({ id }) => id === 'managers')), new RegExp(`${name} \\(process \\d+\\)`));
}

describe('mptcpd', { skip: skipMptcpd, timeout: 120_000 }, () => {
  const all = (): string[] =>
    (['wifi', 'cellular'] as const).flatMap((link) => [client.address(link), client.address(link, 6)]);

  async function startMptcpd(t: TestContext): Promise<HostProcess> {
    const flags = ['--addr-flags=subflow', '--notify-flags=existing,skip_link_local,skip_loopback'];
    const daemon = client.spawn([MPTCPD, '--log=stderr', ...flags]);
    t.after(async () => {
      await end(daemon);
      await client.ip('mptcp endpoint flush', 'mptcp limits set subflows 2 add_addr_accepted 0');
    });
    await said(daemon, 'path manager initialized');
    return daemon;
  }

  test('what it has set up before stays its own, while addresses come and go, and after our end', async (t) => {
    await startMptcpd(t);
    await until(async () => (await endpoints()).length === 4, endpoints);
    const theirs = await endpoints();
    const manager = await manage(t);
    await isNamed('mptcpd');
    const isOthers = async (): Promise<boolean> => Object.values(await owners()).every((owner) => owner === 'others');
    assert.ok(await isOthers());
    assert.deepEqual(await endpoints(), theirs);
    await lab.link('wifi').down({ how: 'carrier' });
    await until(async () => (await survey()).paths.some(({ trouble }) => trouble === 'no carrier'));
    await lab.link('wifi').up();
    await until(async () => (await survey()).paths.every(({ trouble }) => trouble === undefined));
    assert.deepEqual(await endpoints(), theirs);
    await end(manager);
    assert.deepEqual(await endpoints(), theirs);
    assert.equal(await ourRules(), 0);
  });

  test('what we have set up before stays ours', async (t) => {
    const manager = await manage(t);
    const ours = await endpoints();
    assert.equal(ours.length, 4);
    const daemon = await startMptcpd(t);
    await isNamed('mptcpd');
    // An address of its own, for it to be seen at work.
    await client.ip('address add 10.77.0.1/32 dev cellular');
    t.after(() => client.ip('address del 10.77.0.1/32 dev cellular'));
    const isTheirs = (line: string): boolean => line.startsWith('10.77.0.1 ');
    await until(async () => (await endpoints()).some(isTheirs), endpoints);
    const withoutTheirs = async (): Promise<string[]> => (await endpoints()).filter((line) => !isTheirs(line));
    assert.deepEqual(await withoutTheirs(), ours);
    // Whose the endpoint of a new address is, is a matter of who is first; it is there once, and nobody takes it away.
    const [wifi, gateway] = [client.address('wifi'), lab.host('router').address('wifi')];
    await client.ip(`address del ${wifi}/24 dev wifi`);
    await until(async () => !(await endpoints()).some((line) => line.startsWith(`${wifi} `)));
    await client.ip(`address add ${wifi}/24 dev wifi`, `route replace default via ${gateway} dev wifi metric 100`);
    await until(async () => (await endpoints()).some((line) => line.startsWith(`${wifi} `)));
    await until(async () => ((await owners())[wifi] ?? 'none') !== 'none');
    const rest = (await endpoints()).filter((line) => !isTheirs(line));
    assert.deepEqual(rest.map((line) => line.split(' ')[0]).sort(), all().sort());
    await end(daemon);
    assert.deepEqual(
      (await endpoints()).filter((line) => !isTheirs(line)),
      rest,
    );
    const theirs = Object.entries(await owners()).filter(([, owner]) => owner === 'others');
    await end(manager);
    assert.deepEqual(
      (await withoutTheirs()).map((line) => line.split(' ')[0]),
      theirs.map(([address]) => address),
    );
    assert.equal(await ourRules(), 0);
  });
});

describe('NetworkManager', { skip: skipNetworkManager, timeout: 120_000 }, () => {
  const SUBFLOW = 0x22;
  const DISABLED = 0x1;

  /** Resolves once Wi-Fi is set up; what others have set up it would leave as it is. */
  async function start(t: TestContext, mptcpFlags: number): Promise<void> {
    await client.ip('address flush dev wifi', 'link set wifi down');
    const gateway = lab.host('router').address('wifi');
    const wifi = { name: 'wifi', address: `${client.address('wifi')}/24`, gateway };
    const program = startNetworkManager(t, client, folder, wifi, mptcpFlags);
    const routes = () => client.exec(['ip', 'route', 'show', 'default', 'dev', 'wifi']);
    await until(
      async () => (await routes()).stdout.includes('proto static'),
      () => program.child.exitCode,
    );
  }

  test('its endpoint stays its own, and ours go at our end', async (t) => {
    const address = client.address('wifi');
    await start(t, SUBFLOW);
    t.after(() => client.ip('mptcp endpoint flush'));
    await until(async () => (await endpoints()).length === 1, endpoints);
    const theirs = await endpoints();
    assert.match(theirs[0] ?? '', new RegExp(`^${address} id \\d+ subflow dev wifi`));
    const manager = await manage(t);
    await isNamed('NetworkManager');
    const found = await owners();
    assert.equal(found[address], 'others');
    assert.equal(found[client.address('cellular')], 'ours');
    // With the link goes its endpoint; whose the next one is, is a matter of who is first.
    const ofWifi = async (): Promise<string[]> => (await endpoints()).filter((line) => line.startsWith(`${address} `));
    await client.ip('link set wifi down');
    await until(async () => (await ofWifi()).length === 0, endpoints);
    await client.ip('link set wifi up');
    await until(async () => ['ours', 'others'].includes((await owners())[address] ?? ''), owners);
    assert.equal((await ofWifi()).length, 1);
    const isTheirs = (await owners())[address] === 'others';
    await end(manager);
    assert.deepEqual(
      (await endpoints()).map((line) => line.split(' ')[0]),
      isTheirs ? [address] : [],
    );
    assert.equal(await ourRules(), 0);
  });

  test('where it is told to make none, we do', async (t) => {
    await start(t, DISABLED);
    await manage(t);
    assert.equal((await owners())[client.address('wifi')], 'ours');
  });
});
