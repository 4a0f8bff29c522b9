// Active probing of two paths: what it tells of blocked MPTCP, captive portals and silence, and what it costs.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Verdict } from '#anabranch/doctor/verdict.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { ProbedHealth } from '#anabranch/paths/probing/prober.js';
import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const skip = requireMptcp() || requireCommands('ip', 'nft', 'curl') || requireNamespaces();

const WEB = `const [port, status] = process.argv.slice(1).map(Number);
require('node:http').createServer((request, response) => {
  response.writeHead(status, status === 302 ? { location: 'http://login.example/' } : {}).end();
}).listen(port, () => console.log('ready'));`;

/** Bytes of one probe on the link, Ethernet headers included, as docs/paths.md has it; on average over ten rounds. */
const BYTES_MAX = 600;

let lab: Lab;
let folder: string;
let gateway: string;

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'anabranch-probing-'));
  lab = await createLab({
    name: 'probing',
    hosts: { client: {}, router: { forward: true }, gateway: {} },
    links: {
      wifi: { between: ['client', 'router'], rate: '20mbit', rtt: '20ms' },
      cellular: { between: ['client', 'router'], rate: '10mbit', rtt: '80ms' },
      core: { between: ['router', 'gateway'], rate: '1gbit' },
    },
  });
  gateway = lab.host('gateway').address('core');
  const socks = `inbounds: [{ type: socks, listen: '0.0.0.0:1080', open: true }]\nadmin: off\n`;
  await start('gateway', 'listening', [MAIN, 'run', write('gateway.yaml', socks)]);
  await start('gateway', 'ready', ['-e', WEB, '8080', '204']);
  await start('router', 'ready', ['-e', WEB, '8090', '302']);
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

/** Starts a program on a host and waits until it has said the word; returns all that it says. */
async function start(host: string, word: string, args: readonly string[]): Promise<() => string> {
  const { child } = lab.host(host).spawn([process.execPath, ...args]);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString();
    });
  }
  await until(
    () => said.includes(word),
    () => said,
  );
  return () => said;
}

async function anabranch(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await lab
    .host('client')
    .exec([process.execPath, MAIN, ...args], { timeoutMs: 60_000, check: false });
  return JSON.parse(stdout);
}

/** By the path's name. */
async function probe(): Promise<Record<string, ProbedHealth>> {
  const portal = `http://${gateway}:8080/generate_204`;
  const answer = await anabranch('paths', 'probe', `${gateway}:1080`, '--portal', portal, '--json');
  const { probes } = answer as { readonly probes: readonly ProbedHealth[] };
  return Object.fromEntries(probes.map((health) => [health.path, health]));
}

async function nft(...commands: readonly string[]): Promise<void> {
  for (const command of commands) await lab.host('router').exec(['nft', command]);
}

async function counter(name: string): Promise<number> {
  const script =
    "const [names, values] = require('node:fs').readFileSync('/proc/net/netstat', 'utf8').split('\\n')" +
    ".filter((line) => line.startsWith('MPTcpExt:')).map((line) => line.split(' '));" +
    `console.log(values[names.indexOf('${name}')] ?? -1);`;
  return Number((await lab.host('client').exec([process.execPath, '-e', script])).stdout);
}

test('what one look tells of each path', { skip, timeout: 240_000 }, async () => {
  const { wifi, cellular } = await probe();
  for (const [path, rttMs] of [
    [wifi, 20],
    [cellular, 80],
  ] as const) {
    assert.equal(path?.answers, true);
    assert.equal(path.mptcp, 'through');
    assert.equal(path.portal, 'open');
    assert.equal(path.loss, 0);
    // The machine may be busy; shorter than the link it cannot be.
    assert.ok((path.rttMinMs ?? 0) >= rttMs - 1, `${path.rttMinMs}`);
    assert.ok((path.rttMinMs ?? 0) < rttMs * 4, `${path.rttMinMs}`);
  }
});

test('MPTCP that is blocked on one path, without the kernel giving it up for all', {
  skip,
  timeout: 60_000,
}, async () => {
  await nft(
    'add table ip block',
    'add chain ip block forward { type filter hook forward priority 0; }',
    'add rule ip block forward iifname "cellular" tcp flags syn tcp option mptcp exists drop',
  );
  const { wifi, cellular } = await probe();
  assert.deepEqual([wifi?.mptcp, cellular?.mptcp], ['through', 'blocked']);
  assert.equal(cellular?.answers, true);
  assert.ok((await counter('Blackhole')) <= 0, 'net.mptcp.blackhole_timeout is in force');
  const doctor = (await anabranch('doctor', `${gateway}:1080`, '--json')) as { readonly verdicts: readonly Verdict[] };
  const levels = doctor.verdicts
    .filter(({ id }) => id.startsWith('reach '))
    .map(({ id, level }) => [id.split(' ')[1], level]);
  assert.deepEqual(Object.fromEntries(levels), { wifi: 'ok', cellular: 'warn' });
  await nft('delete table ip block');
});

test('MPTCP options that are taken out', { skip, timeout: 240_000 }, async () => {
  await nft(
    'add table ip strip',
    'add chain ip strip forward { type filter hook forward priority 0; }',
    'add rule ip strip forward iifname "wifi" tcp flags syn reset tcp option mptcp',
  );
  const { wifi, cellular } = await probe();
  assert.deepEqual([wifi?.mptcp, cellular?.mptcp], ['absent', 'through']);
  await nft('delete table ip strip');
});

test('a captive portal on one path', { skip, timeout: 240_000 }, async () => {
  await nft(
    'add table ip portal',
    'add chain ip portal pre { type nat hook prerouting priority -100; }',
    'add rule ip portal pre iifname "wifi" tcp dport 8080 redirect to :8090',
  );
  const { wifi, cellular } = await probe();
  assert.deepEqual([wifi?.portal, cellular?.portal], ['captive', 'open']);
  assert.equal(wifi?.detail, 'HTTP 302 instead of 204, to login.example');
  await nft('delete table ip portal');
});

test('beside the proxy: news of a path in the log, results for others, at a small price', {
  skip,
  timeout: 120_000,
}, async () => {
  const admin = join(folder, 'admin.sock');
  const text = `inbounds: [{ type: socks, listen: '127.0.0.1:1080' }]
admin: ${admin}
paths: { probe: { to: "${gateway}:1080", every: 1s, portal: "http://${gateway}:8080/", metered: true } }
`;
  const spared = join(folder, 'spared.sock');
  const other = text.replace('1080', '1081').replace(admin, spared).replace('true', 'false');
  await start('client', 'ready', [MAIN, 'run', write('spared.yaml', other)]);
  const said = await start('client', 'ready', [MAIN, 'run', write('client.yaml', text)]);
  const results = async (socket = admin) => {
    const { probes } = (await anabranch('paths', 'probe', '--json', '--admin', socket)) as {
      probes: readonly ProbedHealth[];
    };
    return Object.fromEntries(probes.map((health) => [health.path, health]));
  };
  const bytes = async () => {
    const dev = await lab.host('client').exec(['cat', '/proc/net/dev']);
    const [received, , , , , , , , sent] = (/cellular:\s*(.*)/.exec(dev.stdout)?.[1] ?? '').split(/\s+/).map(Number);
    return (received ?? 0) + (sent ?? 0);
  };
  const rounds = async () => (await results()).cellular?.probes ?? 0;
  await until(async () => (await rounds()) >= 1, said);
  const [roundsBefore, bytesBefore] = [await rounds(), await bytes()];
  await until(async () => (await rounds()) >= roundsBefore + 10, said, 60_000);
  const each = ((await bytes()) - bytesBefore) / ((await rounds()) - roundsBefore);
  assert.ok(each > 100 && each < BYTES_MAX, `${each} bytes a probe`);

  assert.deepEqual(Object.keys(await results(spared)), ['wifi'], 'a metered path is not probed unless asked for');

  await lab.act({ kind: 'down', link: 'cellular', cut: { how: 'silent' } });
  await until(() => said().includes('path-silent'), said);
  assert.match(said(), /cellular does not answer any more/);
  assert.equal((await results()).cellular?.answers, false);
  assert.equal((await results()).wifi?.answers, true);
  await lab.act({ kind: 'up', link: 'cellular' });
  await until(() => said().includes('path-answers'), said);
});

test('a reload starts it, follows what the owner knows of the paths, changes it, and stops it', {
  skip,
  timeout: 120_000,
}, async () => {
  const admin = join(folder, 'reloaded.sock');
  const text = (paths: string) => `inbounds: [{ type: socks, listen: '127.0.0.1:1082' }]
admin: ${admin}
paths: { ${paths} }
`;
  const said = await start('client', 'ready', [MAIN, 'run', write('reloaded.yaml', text(''))]);
  const probed = async (): Promise<string> => {
    const { stdout } = await lab.host('client').exec(['curl', '-s', '--unix-socket', admin, 'http://anabranch/probes']);
    const probes = JSON.parse(stdout).probes as readonly ProbedHealth[];
    return probes.map(({ path, answers }) => `${path} ${answers}`).join();
  };
  const settles = async (paths: string, expected: string): Promise<void> => {
    write('reloaded.yaml', text(paths));
    const answer = await lab.host('client').exec([process.execPath, MAIN, 'reload', '--admin', admin]);
    assert.equal(answer.stdout, 'reloaded\n');
    await until(async () => (await probed()) === expected, said);
  };
  assert.equal(await probed(), '');
  await settles(`probe: { to: "${gateway}:1080", every: 1s }`, 'wifi true');
  const known = 'known: [{ match: { interface: wifi }, name: attic }, { match: { interface: cellular }, cost: free }]';
  await settles(`probe: { to: "${gateway}:1080", every: 1s }, ${known}`, 'attic true,cellular true');
  // Nobody listens there.
  await settles(`probe: { to: "192.0.2.254:1080", every: 1s }, known: []`, 'wifi false');
  await settles('known: []', '');
});
