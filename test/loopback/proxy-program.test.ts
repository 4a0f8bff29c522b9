// The program as a whole: signals, exit codes, reload from a file, and life without descriptors.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireCommands } from '../requirements.ts';
import { cpuSeconds, isListening, openDescriptors } from './support/kernel.ts';
import { Peer } from './support/peer.ts';
import { startProgram } from './support/program.ts';
import { MIXED } from './support/proxy.ts';
import { openEcho, openServer } from './support/servers.ts';
import { openTunnel } from './support/tunnel.ts';
import { until, within } from './support/wait.ts';

const inbounds = [MIXED];

describe('the end of the program', () => {
  test('SIGTERM without connections: 0, at once', async (t) => {
    const { child, ended } = await startProgram(t, { inbounds });
    child.kill('SIGTERM');
    assert.equal(await within(ended, 'the end'), 0);
  });

  test('SIGTERM: a live transfer ends first, then 0', async (t) => {
    const server = await openServer(t);
    const { child, ended, ports, records } = await startProgram(t, { inbounds });
    const [port = 0] = ports;
    const client = await openTunnel(t, 'socks5', { port }, { host: '127.0.0.1', port: server.port });
    child.kill('SIGTERM');
    await until(() => !isListening(port));
    (await server.peer()).end('the rest');
    client.end();
    assert.equal(String(await client.readAll()), 'the rest');
    assert.equal(await within(ended, 'the end'), 0);
    assert.deepEqual(
      records().map(({ end, bytesDown }) => ({ end, bytesDown })),
      [{ end: 'done', bytesDown: 8 }],
    );
  });

  test('the limit of the drain: 4', async (t) => {
    const server = await openServer(t);
    const { child, ended, ports, records } = await startProgram(t, { inbounds, timeouts: { drain: '300ms' } });
    const client = await openTunnel(t, 'connect', { port: ports[0] ?? 0 }, { host: '127.0.0.1', port: server.port });
    child.kill('SIGTERM');
    assert.equal(await within(ended, 'the end'), 4);
    assert.equal(await client.closed, 'ECONNRESET');
    assert.equal(records()[0]?.end, 'shutdown');
  });

  test('a second signal: 4, without waiting', async (t) => {
    const server = await openServer(t);
    const { child, ended, ports, log } = await startProgram(t, { inbounds });
    await openTunnel(t, 'connect', { port: ports[0] ?? 0 }, { host: '127.0.0.1', port: server.port });
    child.kill('SIGTERM');
    await until(() => log().includes('"stopping"'));
    // What comes at once is the same one, passed on twice.
    child.kill('SIGTERM');
    await sleep(600);
    assert.equal(child.exitCode, null);
    child.kill('SIGINT');
    assert.equal(await within(ended, 'the end'), 4);
  });

  test('a port that is taken: 3', async (t) => {
    const server = await openServer(t);
    const listen = `127.0.0.1:${server.port}`;
    await assert.rejects(startProgram(t, { inbounds: [{ ...MIXED, listen }] }), /another program listens there/);
  });
});

test('SIGHUP takes the new file, and leaves everything as it is when that is faulty', async (t) => {
  const echo = await openEcho(t);
  const { child, ports, configure, log } = await startProgram(t, { inbounds });
  const [port = 0] = ports;
  const to = { host: '127.0.0.1', port: echo.port };
  const old = await openTunnel(t, 'socks5', { port }, to);
  configure('inbounds: [ { type: soks, listen: "127.0.0.1:1" } ]');
  child.kill('SIGHUP');
  await until(() => log().includes('"reload-failed"'), log);
  assert.match(log(), /the old configuration stays: .*config\.yaml:1:21 inbounds\[0\]\.type: /);
  const between = await openTunnel(t, 'socks5', { port }, to);
  configure(JSON.stringify({ inbounds: [{ ...MIXED, listen: `127.0.0.1:${port}` }], rules: [{ use: 'deny' }] }));
  child.kill('SIGHUP');
  await until(() => log().includes('"reloaded"'), log);
  await assert.rejects(openTunnel(t, 'socks5', { port }, to), /SOCKS 5 reply 2/);
  for (const peer of [old, between]) {
    peer.end('live');
    assert.equal(String(await peer.readAll()), 'live');
  }
});

test('out of descriptors: accepting pauses without spinning, and goes on later', {
  skip: requireCommands('prlimit'),
}, async (t) => {
  const echo = await openEcho(t);
  const settings = { workers: 1, inbounds, timeouts: { handshake: '2s' } };
  const program = await startProgram(t, settings);
  // Afterwards: Node opens more files than that at once while it loads the program.
  execFileSync('prlimit', [`--pid=${program.pid}`, '--nofile=64:64']);
  const [port = 0] = program.ports;
  const to = { host: '127.0.0.1', port: echo.port };
  const atRest = openDescriptors(program.pid);
  const first = await openTunnel(t, 'socks5', { port }, to);
  const flood: Peer[] = [];
  for (let i = 0; i < 200; i++) flood.push(await Peer.connect(t, { port }));
  await until(() => openDescriptors(program.pid) >= 64);
  await until(() => program.log().includes('"accept-paused"'), program.log);
  // Longer than the main thread takes to look at anything that it looks at now and then.
  const cpu = cpuSeconds(program.pid);
  const start = performance.now();
  const beat = setInterval(() => first.write('x'), 100);
  while (performance.now() - start < 6_000) {
    assert.equal(program.child.exitCode, null, program.log());
    await first.read(1);
  }
  clearInterval(beat);
  const used = cpuSeconds(program.pid) - cpu;
  assert.ok(used < 1, `${used} s of CPU in 6 s`);
  for (const { socket } of flood) socket.destroy();
  await until(
    () => openDescriptors(program.pid) <= atRest + 4,
    () => openDescriptors(program.pid),
    20_000,
  );
  const after = await openTunnel(t, 'connect', { port }, to);
  after.end('well again');
  assert.equal(String(await after.readAll()), 'well again');
  assert.ok((program.log().match(/"accept-paused"/g)?.length ?? 0) < 20, 'it says so, but not all the time');
  program.child.kill('SIGTERM');
  first.end();
  assert.equal(await within(program.ended, 'the end'), 0);
});
