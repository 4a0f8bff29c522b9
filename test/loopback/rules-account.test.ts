// Rules by the account of the client's program, with programs of two accounts.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';

import { requireCommands, requireMptcp, requireRoot } from '../requirements.ts';
import { type ClientResult, runClient } from './client-program.ts';
import { Peer } from './support/peer.ts';
import { startProxy, type TestProxy } from './support/proxy.ts';
import { openEcho, openHttpServer } from './support/servers.ts';
import { openTunnel, socks5 } from './support/tunnel.ts';
import { until } from './support/wait.ts';

const OURS = process.getuid?.() ?? 0;
const NOBODY = 65_534;
const OTHERS = 65_533;

const INBOUNDS = [
  { name: 'four', type: 'mixed', listen: '127.0.0.1:0' },
  { name: 'six', type: 'mixed', listen: '[::1]:0' },
  { name: 'both', type: 'mixed', listen: '[::]:0', open: true },
];
const OUTBOUNDS = [
  { name: 'ours', type: 'direct' },
  { name: 'nobodys', type: 'direct' },
];
const RULES = [
  { when: { account: [OTHERS, NOBODY] }, use: 'nobodys' },
  { when: { account: OURS }, use: 'ours' },
];

type Curl = (uid: number, ...args: readonly string[]) => Promise<ClientResult>;

function curlTo(url: string, prefix: readonly string[] = []): Curl {
  return (uid, ...args) => {
    const [first = 'curl', ...rest] = [...prefix, 'curl', '-sS', '--max-time', '20', ...args, url];
    return runClient([first, ...rest], uid === OURS ? {} : { uid });
  };
}

/** The outbound of the one flow more that reaches a server. */
async function nextOutbound(proxy: TestProxy, use: () => Promise<unknown>): Promise<string | undefined> {
  const routed = () => proxy.records.filter(({ outbound, end }) => outbound !== undefined && end !== 'handed-over');
  const before = routed().length;
  await use();
  await until(
    () => routed().length > before,
    () => `record ${before}; there are ${JSON.stringify(proxy.records.map(({ end }) => end))}`,
  );
  return routed()[before]?.outbound;
}

/** curl's options for the same request by each protocol. */
const WAYS = {
  'SOCKS 5': (at: string) => ['--proxy', `socks5h://${at}`],
  CONNECT: (at: string) => ['--proxytunnel', '--proxy', `http://${at}`],
  // The client's connection is handed to the forwarder, and its upstream one is asked for from there.
  forward: (at: string) => ['--proxy', `http://${at}`],
};

/** `mptcp`: how the proxy is to see its clients. */
async function tryAll(t: TestContext, prefix: readonly string[], mptcp: readonly string[]): Promise<void> {
  const web = await openHttpServer(t, (_, response) => void response.end('hello'));
  const proxy = await startProxy(t, { workers: 2, inbounds: INBOUNDS, outbounds: OUTBOUNDS, rules: RULES });
  const curl = curlTo(`http://127.0.0.1:${web.port}/`, prefix);
  const places = [`127.0.0.1:${proxy.port('four')}`, `[::1]:${proxy.port('six')}`];
  // IPv4 and IPv6 at a socket of IPv6: the client's own is of IPv4.
  places.push(`127.0.0.1:${proxy.port('both')}`, `[::1]:${proxy.port('both')}`);
  for (const at of places) {
    for (const [way, argsFor] of Object.entries(WAYS)) {
      for (const [uid, outbound] of [
        [NOBODY, 'nobodys'],
        [OURS, 'ours'],
      ] as const) {
        const used = await nextOutbound(proxy, async () => {
          const { status, stdout, stderr } = await curl(uid, ...argsFor(at));
          assert.deepEqual([status, stdout], [0, 'hello'], stderr);
        });
        assert.equal(used, outbound, `${way} by ${uid} to ${at}`);
      }
    }
  }
  const seen = new Set(proxy.records.map(({ clientSide }) => clientSide?.mptcp));
  assert.deepEqual([...seen], mptcp);
  assert.deepEqual(
    proxy.logged.filter(({ level }) => level !== 'info'),
    [],
  );
}

const needsCurl = requireRoot() || requireCommands('curl');

test('programs of two accounts, IPv4 and IPv6, by each protocol', { skip: needsCurl }, async (t) => {
  await tryAll(t, [], [requireMptcp() ? 'no-kernel-support' : 'client-without-mptcp']);
});

test('the same over MPTCP', { skip: needsCurl || requireMptcp() || requireCommands('mptcpize') }, async (t) => {
  await tryAll(t, ['mptcpize', 'run'], ['mptcp']);
});

test('an account is refused, and no longer after a reload', { skip: needsCurl }, async (t) => {
  const web = await openHttpServer(t, (_, response) => void response.end('hello'));
  const settings = { rules: [{ when: { account: NOBODY }, use: 'deny' }] };
  const proxy = await startProxy(t, settings);
  const curl = curlTo(`http://127.0.0.1:${web.port}/`);
  const at = `127.0.0.1:${proxy.port()}`;
  const statuses = async (uid: number) => {
    const results = await Promise.all(Object.values(WAYS).map((argsFor) => curl(uid, '--fail', ...argsFor(at))));
    return results.map(({ status }) => status);
  };
  // 97: SOCKS refused; 56 or 7: CONNECT refused, as curl of that age says it; 22: 403.
  const refused = await statuses(NOBODY);
  assert.ok(
    refused.every((status) => status !== 0),
    JSON.stringify(refused),
  );
  assert.deepEqual(await statuses(OURS), [0, 0, 0]);
  await proxy.reload({});
  assert.deepEqual(await statuses(NOBODY), [0, 0, 0]);
  await proxy.reload(settings);
  assert.ok((await statuses(NOBODY)).every((status) => status !== 0));
  await proxy.reload({ rules: [{ when: { account: OURS }, use: 'deny' }] });
  assert.deepEqual(await statuses(NOBODY), [0, 0, 0]);
  assert.ok((await statuses(OURS)).every((status) => status !== 0));
});

test('accounts without root: our own, and a reload between accept and request', async (t) => {
  const echo = await openEcho(t);
  const proxy = await startProxy(t, { outbounds: OUTBOUNDS });
  const target = { host: '127.0.0.1', port: echo.port };
  const waiting = await Peer.connect(t, { port: proxy.port() });
  const running = await openTunnel(t, 'socks5', { port: proxy.port() }, target);
  await proxy.reload({ outbounds: OUTBOUNDS, rules: [{ when: { account: OURS }, use: 'ours' }] });
  assert.equal(await socks5(waiting, target), 0);
  // One that stood already goes on.
  for (const peer of [waiting, running]) {
    peer.write('still there');
    assert.equal(String(await peer.read(11)), 'still there');
    peer.socket.end();
  }
  await proxy.idle();
  await proxy.record(1);
  assert.deepEqual(proxy.records.map(({ outbound }) => outbound).sort(), ['direct', 'ours']);
});
