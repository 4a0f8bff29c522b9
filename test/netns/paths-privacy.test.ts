// IPv6 privacy extensions (RFC 8981) as the kernel does them: it makes temporary addresses, deprecates and removes them in
// its own time. The manager uses the one that is preferred, and leaves nothing of the others.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { networkOf } from '#anabranch/paths/network-of.js';
import { createScene, eventually, type Scene, SKIP } from './paths-scene.ts';

const skip = SKIP;
let scene: Scene;
let stable: string;

/** The kernel makes the next address 5 s before this one is deprecated (ipv6_get_regen_advance()). */
const PREFERRED_S = 8;
const VALID_S = 11;
/** Each with the address that it replaces. */
const REPLACEMENTS = 2;

before(async () => {
  if (skip) return;
  scene = await createScene('paths-privacy');
  stable = scene.client.address('wifi', 6);
  const sysctls = {
    use_tempaddr: 2,
    temp_prefered_lft: PREFERRED_S,
    temp_valid_lft: VALID_S,
    // At random earlier by up to so much.
    max_desync_factor: 0,
  };
  const set = Object.entries(sysctls).map(([name, value]) => `echo ${value} > /proc/sys/net/ipv6/conf/wifi/${name}`);
  await scene.client.exec(['sh', '-ec', set.join('\n')]);
});
after(() => scene?.close());

interface TemporaryAddress {
  readonly local: string;
  readonly temporary?: boolean;
  readonly deprecated?: boolean;
  readonly tentative?: boolean;
}

async function temporaries(): Promise<TemporaryAddress[]> {
  const { stdout } = await scene.client.exec(['ip', '-6', '-j', 'address', 'show', 'dev', 'wifi', 'scope', 'global']);
  const [{ addr_info: all = [] } = {}] = JSON.parse(stdout) as { addr_info?: TemporaryAddress[] }[];
  return all.filter(({ temporary }) => temporary === true);
}

/** The one that new connections would leave from. */
async function preferred(): Promise<string | undefined> {
  const { stdout } = await scene.client.exec(['ip', '-6', '-o', 'route', 'get', lastOf('core')]);
  return / src (\S+)/.exec(stdout)?.[1];
}

const lastOf = (link: string): string => scene.lab.host('gateway').address(link, 6);

async function lines(command: string): Promise<string[]> {
  return (await scene.client.exec(['sh', '-c', command])).stdout.split('\n').filter((line) => line !== '');
}

/** Addresses on Wi-Fi's network that something is set up for: rules, and endpoints. */
async function setUp(): Promise<{ readonly rules: string[]; readonly endpoints: string[] }> {
  const isOurs = (address: string | undefined): address is string =>
    address?.includes(':') === true && networkOf(address, 64) === networkOf(stable, 64);
  const own = (found: readonly string[], from: RegExp): string[] =>
    found.map((line) => from.exec(line)?.[1]).filter(isOurs);
  return {
    rules: own(await lines('ip -6 rule'), /from (\S+) lookup 173\d\d /),
    endpoints: own(await lines('ip mptcp endpoint'), /^(\S+)/),
  };
}

async function subflowsFrom(address: string): Promise<number> {
  const found = await lines(`ss -tnHO state established src '[${address}]' dport 1080`);
  return found.length;
}

for (const mode of ['kernel', 'userspace'] as const) {
  describe(`temporary addresses in mode ${mode}`, { skip, timeout: 180_000 }, () => {
    test('each takes the place of the last one, and a download goes on', async (t) => {
      // The privacy extensions apply to addresses that say so, as those of router advertisements do.
      await scene.client.ip(`-6 addr change ${stable}/64 dev wifi mngtmpaddr`);
      t.after(async () => {
        await scene.client.ip(`-6 addr change ${stable}/64 dev wifi`);
        for (const { local } of await temporaries()) await scene.client.ip(`-6 addr del ${local}/64 dev wifi`);
      });
      const server = `[${lastOf('core')}]:1080`;
      const outbounds = [{ name: 'gateway', type: 'socks', server, transport: 'mptcp' }];
      const proxy = await scene.startProxy(t, { mode }, { outbounds });
      const { got } = scene.startDownload(t);
      const used = new Set<string>();
      for (let last = stable; used.size <= REPLACEMENTS; ) {
        let current = last;
        await eventually(async () => {
          current = (await preferred()) ?? last;
          return current !== last;
        }, `an address after ${last}`);
        await eventually(async () => {
          const { rules, endpoints } = await setUp();
          const wanted = mode === 'kernel' ? current : '';
          return rules.join() === current && endpoints.join() === wanted && (await subflowsFrom(current)) === 1;
        }, `${current} takes the place of ${last}`);
        t.diagnostic(`${last} → ${current}`);
        assert.ok((await temporaries()).some(({ local }) => local === current));
        assert.equal(await subflowsFrom(last), 0);
        used.add(current);
        last = current;
        const before = got();
        await eventually(() => got() > before + 200_000, 'the download goes on');
      }
      assert.equal(proxy.child.exitCode, null);
      await proxy.stop();
      assert.deepEqual(await setUp(), { rules: [], endpoints: [] });
    });
  });
}
