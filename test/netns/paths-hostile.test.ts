// What happens to paths that nobody asked for: interfaces with other names, addresses that expire, floods of events,
// somebody else at work on the same endpoints, budgets that run out, a kill.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { createScene, eventually, type Scene, SKIP } from './paths-scene.ts';

const skip = SKIP;
let scene: Scene;

before(async () => {
  if (!skip) scene = await createScene('paths-hostile');
});
after(() => scene?.close());

async function endpoints(): Promise<string[]> {
  const { stdout } = await scene.client.exec(['ip', 'mptcp', 'endpoint']);
  return stdout.split('\n').filter((line) => line !== '');
}

async function endpointOf(address: string): Promise<string | undefined> {
  return (await endpoints()).find((line) => line.startsWith(`${address} `));
}

/** Rules that bear our mark, without repeats. */
async function ourRules(): Promise<string[]> {
  const { stdout } = await scene.client.exec(['sh', '-c', 'ip rule; ip -6 rule']);
  const ours = stdout.split('\n').filter((line) => line.includes('proto 173'));
  assert.equal(new Set(ours).size, ours.length, 'a rule is there twice');
  return ours;
}

const shell = (script: string) => scene.client.exec(['sh', '-c', script]);

describe('a network that changes as it likes', { skip, timeout: 400_000 }, () => {
  test('an interface gets another name', async (t) => {
    await scene.startProxy(t, { known: [{ match: { interface: 'modem*' }, name: 'lte' }] });
    const address = scene.client.address('cellular');
    assert.equal((await scene.paths()).paths.find((path) => path.address === address)?.name, 'cellular');
    t.after(() => shell('ip link set modem0 name cellular 2>/dev/null || true'));
    // The kernel lets go of the name while the interface is up, from Linux 6.2 on.
    await scene.client.ip('link set cellular name modem0');
    await eventually(async () => {
      const path = (await scene.paths()).paths.find((one) => one.address === address);
      return path?.name === 'lte' && path.interface === 'modem0' && path.endpoint === 'ours';
    }, 'the path has its new name');
    assert.match((await endpointOf(address)) ?? '', /dev modem0/);
    await scene.client.ip('link set modem0 name cellular');
    await eventually(
      async () => (await scene.paths()).paths.some(({ name }) => name === 'cellular'),
      'the path has its old name',
    );
  });

  test('temporary addresses of IPv6 come and expire', async (t) => {
    const proxy = await scene.startProxy(t, {});
    const stable = scene.client.address('wifi', 6);
    assert.ok(await endpointOf(stable));
    const prefix = stable.replace(/[0-9a-f]*$/, '');
    t.after(() => shell(`ip -6 addr del ${prefix}aaaa/64 dev wifi; ip -6 addr del ${prefix}bbbb/64 dev wifi; true`));
    // As the kernel makes them by use_tempaddr: only it may set the flag itself, so their address goes before by its
    // being preferred, and the old one's being deprecated.
    const use = async (next: string, last: string): Promise<void> => {
      await scene.client.ip(
        `-6 addr add ${next}/64 dev wifi nodad`,
        `-6 addr change ${last}/64 dev wifi preferred_lft 0 valid_lft 600`,
      );
      await eventually(
        async () => (await endpointOf(next)) !== undefined && (await endpointOf(last)) === undefined,
        `${next} takes the place of ${last}`,
      );
      assert.equal((await ourRules()).filter((line) => line.includes(`from ${last} `)).length, 0);
    };
    t.after(() => shell(`ip -6 addr change ${stable}/64 dev wifi preferred_lft forever valid_lft forever`));
    await use(`${prefix}aaaa`, stable);
    await use(`${prefix}bbbb`, `${prefix}aaaa`);
    // The last one expires by itself, and the one before is all there is.
    await scene.client.ip(`-6 addr del ${prefix}aaaa/64 dev wifi`);
    await scene.client.ip(`-6 addr change ${prefix}bbbb/64 dev wifi preferred_lft 1 valid_lft 2`);
    await eventually(async () => (await endpointOf(stable)) !== undefined, 'the stable address is used again');
    assert.equal(proxy.child.exitCode, null);
  });

  test('a thousand link events leave what was there, and the proxy answers meanwhile', async (t) => {
    const proxy = await scene.startProxy(t, {});
    const before = [await endpoints(), await ourRules()];
    const flood = shell(
      'ip link add flood0 type veth peer name flood1; i=0; while [ $i -lt 250 ]; do echo "link set flood0 up"; ' +
        'echo "link set flood1 up"; echo "link set flood1 down"; echo "link set flood0 down"; i=$((i+1)); done | ip -batch -; ' +
        'ip link del flood0',
    );
    let worst = 0;
    let flooded = false;
    void flood.then(() => {
      flooded = true;
    });
    do {
      const begun = performance.now();
      await scene.paths();
      worst = Math.max(worst, performance.now() - begun);
    } while (!flooded);
    t.diagnostic(`answered within ${Math.round(worst)} ms, a program started for each question`);
    await eventually(async () => {
      const now = [await endpoints(), await ourRules()];
      return JSON.stringify(now) === JSON.stringify(before);
    }, 'everything is as before');
    assert.equal(proxy.child.exitCode, null);
  });

  test('somebody else makes and removes endpoints all the time', async (t) => {
    await scene.startProxy(t, {});
    const wifi = scene.client.address('wifi');
    // Theirs on an address of their own, and one that takes ours away.
    await scene.client.ip('address add 10.77.0.1/32 dev lo');
    t.after(() => shell('ip mptcp endpoint flush; ip address del 10.77.0.1/32 dev lo; true'));
    const id = / id (\d+)/.exec((await endpointOf(wifi)) ?? '')?.[1];
    await shell(
      `ip mptcp endpoint delete id ${id}; ip mptcp endpoint add ${wifi} dev wifi signal id 7; i=0; while [ $i -lt 100 ]; do ` +
        'ip mptcp endpoint add 10.77.0.1 id 9 subflow; ip mptcp endpoint delete id 9; i=$((i+1)); done; ' +
        'ip mptcp endpoint add 10.77.0.1 id 9 subflow',
    );
    const rest = async () => (await endpoints()).filter((line) => /^(10\.77\.0\.1 id 9|\S+ id 7)/.test(line)).length;
    // A change of the network makes it look.
    await scene.client.ip('link set wifi mtu 1400');
    await scene.client.ip('link set wifi mtu 1500');
    const { paths } = await scene.paths();
    assert.equal(paths.find(({ address }) => address === wifi)?.endpoint, 'others');
    assert.equal(await rest(), 2);
    const set = await scene.anabranch('paths', 'set', 'wifi', 'backup=on', '--admin', scene.adminSocket);
    assert.equal(set.status, 0, set.stderr);
    assert.match((await endpointOf(wifi)) ?? '', /id 7 signal dev wifi/);
  });

  test('killed, and started again: nothing is there twice, and nothing stays', async (t) => {
    // Takes back what killed ones have left.
    await (await scene.startProxy(t, {})).stop();
    assert.deepEqual([await endpoints(), await ourRules()], [[], []]);
    const first = await scene.startProxy(t, { known: [{ match: { interface: 'wifi' }, endpoint: { backup: true } }] });
    assert.match((await endpointOf(scene.client.address('wifi'))) ?? '', /backup/);
    const count = (await endpoints()).length;
    await first.stop('SIGKILL');
    const second = await scene.startProxy(t, {});
    await eventually(
      async () => !/backup/.test((await endpointOf(scene.client.address('wifi'))) ?? 'backup'),
      'no flag',
    );
    assert.equal((await endpoints()).length, count);
    await ourRules();
    await second.stop();
    assert.deepEqual([await endpoints(), await ourRules()], [[], []]);
  });
});

describe('budgets', { skip, timeout: 400_000 }, () => {
  const KEEPING = (monthly: string, then: string) => ({
    known: [{ match: { interface: 'wifi' }, name: 'home', budget: { monthly, then } }],
  });
  const file = (): string => join(scene.folder, 'state', 'budgets.json');
  const used = async (): Promise<number> =>
    (await scene.paths()).paths.find(({ name }) => name === 'home')?.budget?.used ?? Number.NaN;

  test('what is used up stands by, or is not used, over restarts and kills', async (t) => {
    const first = await scene.startProxy(t, KEEPING('20MB', 'off'));
    const traffic = await scene.watchTraffic(t);
    scene.startDownload(t);
    const address = scene.client.address('wifi');
    await eventually(async () => /backup/.test((await endpointOf(address)) ?? ''), 'Wi-Fi stands by at 95 %');
    await first.stop('SIGKILL');
    const kept = JSON.parse(readFileSync(file(), 'utf8')) as { paths: { home: { bytes: number } } };
    assert.ok(kept.paths.home.bytes >= 19_000_000, JSON.stringify(kept));
    // The first look of the next one finds what the counters know.
    const second = await scene.startProxy(t, KEEPING('20MB', 'off'));
    assert.ok((await used()) >= 19_000_000);
    await second.stop();
    // Not reached while it stands by; so another budget, and the same use.
    const third = await scene.startProxy(t, KEEPING('19MB', 'off'));
    assert.equal(await endpointOf(address), undefined);
    const shown = await scene.anabranch('paths', '--admin', scene.adminSocket);
    assert.match(shown.stdout, /of 19\.0 MB used \(1\d\d %\) until \d{4}-\d\d-\d\d: it is not used/);
    assert.match(shown.stdout, /→ budget used up/);
    assert.match(third.heard(), /19000000 bytes are used up, it is not used any more/);
    scene.startDownload(t);
    await eventually(() => traffic.rate('cellular', 500) > 625_000, 'the cellular path carries it');
    assert.ok(traffic.rate('wifi', 500) < 50_000);
    await third.stop();
  });

  test('a damaged file is told of, and counting goes on', async (t) => {
    writeFileSync(file(), '{"version":1,"paths":{"home":');
    const proxy = await scene.startProxy(t, KEEPING('50MB', 'backup'));
    assert.match(proxy.heard(), /budgets\.json is damaged: budgets are counted from nothing/);
    assert.ok((await used()) < 1_000_000);
    scene.startDownload(t);
    await eventually(async () => (await used()) > 1_000_000, 'what is carried is counted');
  });
});
