// What happens to paths that nobody asked for, in `mode: userspace`: as in paths-hostile.test.ts, seen by what becomes of
// the connections, for there are no endpoints.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { until } from '../loopback/support/wait.ts';
import { createScene, eventually, type Scene, SKIP } from './paths-scene.ts';
import { MAIN, said } from './two-path-lab.ts';

const skip = SKIP;
const PATHS = { mode: 'userspace' };
let scene: Scene;

before(async () => {
  if (!skip) scene = await createScene('paths-hostile-us');
});
after(() => scene?.close());

const shell = async (script: string): Promise<string> => (await scene.client.exec(['sh', '-c', script])).stdout;

/** Rules that bear our mark, without repeats. */
async function ourRules(): Promise<string[]> {
  const ours = (await shell('ip rule; ip -6 rule')).split('\n').filter((line) => line.includes('proto 173'));
  assert.equal(new Set(ours).size, ours.length, 'a rule is there twice');
  return ours.sort();
}

async function ourRoutes(): Promise<string[]> {
  const shown = await shell('ip route show table all; ip -6 route show table all');
  return shown.split('\n').filter((line) => line.includes('proto 173'));
}

const managerType = async (): Promise<string> => (await shell('cat /proc/sys/net/mptcp/pm_type')).trim();

/** Subflows of the client's connections to the gateway, by path. */
async function subflows(): Promise<string> {
  const of = async (link: string): Promise<number> => {
    const shown = await shell(`ss -tnHO state established src ${scene.client.address(link)} dport 1080`);
    return shown.split('\n').filter((line) => line !== '').length;
  };
  return `wifi ${await of('wifi')}, cellular ${await of('cellular')}`;
}

const BOTH = 'wifi 1, cellular 1';
const settlesOnBoth = (): Promise<void> => until(async () => (await subflows()) === BOTH, subflows);

describe('a network that changes as it likes', { skip, timeout: 400_000 }, () => {
  test('an interface gets another name', async (t) => {
    await scene.startProxy(t, { ...PATHS, known: [{ match: { interface: 'modem*' }, name: 'lte' }] });
    const { got } = scene.startDownload(t);
    await settlesOnBoth();
    t.after(() => shell('ip link set modem0 name cellular 2>/dev/null || true'));
    const rules = await ourRules();
    const named = async (name: string): Promise<void> => {
      const address = scene.client.address('cellular');
      await eventually(
        async () => (await scene.paths()).paths.find((path) => path.address === address)?.name === name,
        `the path is named ${name}`,
      );
      await settlesOnBoth();
      assert.deepEqual(await ourRules(), rules);
    };
    await scene.client.ip('link set cellular name modem0');
    await named('lte');
    await scene.client.ip('link set modem0 name cellular');
    await named('cellular');
    const before = got();
    await eventually(() => got() > before + 500_000, 'the download goes on');
  });

  test('a thousand link events leave what was there, and the download goes on', async (t) => {
    const proxy = await scene.startProxy(t, PATHS);
    const { got } = scene.startDownload(t);
    await settlesOnBoth();
    const rules = await ourRules();
    const before = got();
    await shell(
      'ip link add flood0 type veth peer name flood1; i=0; while [ $i -lt 250 ]; do echo "link set flood0 up"; ' +
        'echo "link set flood1 up"; echo "link set flood1 down"; echo "link set flood0 down"; i=$((i+1)); done | ip -batch -; ' +
        'ip link del flood0',
    );
    await eventually(() => got() > before, 'the download goes on');
    await eventually(async () => JSON.stringify(await ourRules()) === JSON.stringify(rules), 'the rules are as before');
    await settlesOnBoth();
    assert.equal(proxy.child.exitCode, null);
    // Not deaf, either.
    await scene.lab.link('wifi').down({ how: 'admin' });
    t.after(() => scene.lab.link('wifi').up());
    await eventually(async () => (await subflows()) === 'wifi 0, cellular 1', 'Wi-Fi is left');
  });

  test('killed, and started again: nothing is there twice, and nothing stays', async (t) => {
    await (await scene.startProxy(t, PATHS)).stop();
    assert.deepEqual([await ourRules(), await ourRoutes(), await managerType()], [[], [], '0']);
    const first = await scene.startProxy(t, PATHS);
    const rules = await ourRules();
    await first.stop('SIGKILL');
    assert.deepEqual(await ourRules(), rules);
    const second = await scene.startProxy(t, PATHS);
    assert.deepEqual(await ourRules(), rules);
    scene.startDownload(t);
    await settlesOnBoth();
    await second.stop();
    assert.deepEqual([await ourRules(), await ourRoutes(), await managerType()], [[], [], '0']);
  });

  test('killed while a path was there that is gone at the next start', async (t) => {
    const first = await scene.startProxy(t, PATHS);
    await first.stop('SIGKILL');
    const gone = scene.client.address('cellular');
    await scene.client.ip(`address del ${gone}/24 dev cellular`);
    t.after(async () => {
      const gateway = scene.lab.host('router').address('cellular');
      const route = `route replace default via ${gateway} dev cellular metric 200`;
      await scene.client.ip(`address replace ${gone}/24 dev cellular`, route);
    });
    const second = await scene.startProxy(t, PATHS);
    assert.equal((await ourRules()).filter((line) => line.includes(`from ${gone} `)).length, 0);
    await second.stop();
    assert.deepEqual([await ourRules(), await ourRoutes(), await managerType()], [[], [], '0']);
  });

  test('without the right to administer the network it says so, and runs on', async (t) => {
    const config = scene.configure(PATHS);
    const command = `exec '${process.execPath}' '${MAIN}' run '${config}'`;
    const bare = scene.client.spawn(['capsh', '--drop=cap_net_admin', '--', '-c', command]);
    t.after(async () => {
      bare.kill();
      await bare.exited;
    });
    await said(bare, 'the paths are not managed');
    assert.deepEqual([await ourRules(), await managerType()], [[], '0']);
    const { got } = scene.startDownload(t);
    await eventually(() => got() > 100_000, 'it relays');
    bare.kill();
    bare.kill();
    const { stderr } = await bare.exited;
    assert.match(stderr, /CAP_NET_ADMIN/);
  });
});
