// Workloads in real namespaces: every kind runs to its end, the figures agree with the links, and a byte that is tampered
// with on the way is found.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { bytesBetween } from '#anabranch/analysis/byte-series.js';
import { failoverMs } from '#anabranch/analysis/recovery.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { LabError } from '#anabranch/lab/lab-error.js';
import { monotonicMs } from '#anabranch/lab/measures/clock.js';
import { startSampler } from '#anabranch/lab/measures/sampler.js';
import { startWorkload } from '#anabranch/lab/workloads/start.js';
import type { Workload } from '#anabranch/lab/workloads/workload.js';

import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const TAMPERING_PROXY = fileURLToPath(new URL('./lab-tampering-proxy.js', import.meta.url));
const skip = requireCommands('ip', 'nsenter') || requireNamespaces();

/** Payload in a frame of 1,514 bytes, at the least: MPTCP with timestamps and a DSS option. */
const PAYLOAD_SHARE = 1_400 / 1_514;

const route = { from: 'client', to: { host: 'server' }, congestion: 'cubic', timeoutSeconds: 20 } as const;

describe('workloads in a lab', { skip, timeout: 400_000 }, () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({
      hosts: { client: {}, router: { forward: true }, server: {} },
      links: {
        wifi: { between: ['client', 'router'], rate: '20mbit', rtt: '10ms' },
        cellular: { between: ['client', 'router'], rate: '10mbit', rtt: '30ms' },
        backbone: { between: ['router', 'server'] },
      },
    });
  });
  after(() => lab?.close());

  const run = async <W extends Workload>(workload: W) => (await startWorkload(lab, workload)).result;

  for (const direction of ['down', 'up'] as const) {
    test(`bulk ${direction} over TCP: every byte once, no faster than the link, counted in bins`, async () => {
      const result = await run({ kind: 'bulk', direction, bytes: 3_000_000, flows: 2, transport: 'tcp', ...route });
      assert.deepEqual(result.errors, []);
      assert.ok(result.finished && result.integrity.ok);
      assert.equal(result.bytes, 6_000_000);
      assert.equal(
        result.goodput.bytes.reduce((sum, bytes) => sum + bytes, 0),
        6_000_000,
      );
      assert.ok(result.bitsPerSecond < 20e6 && result.bitsPerSecond > 12e6, `${result.bitsPerSecond / 1e6} Mbit/s`);
      assert.deepEqual(
        result.flows.map(({ flow, bytes, mptcp, finished }) => ({ flow, bytes, mptcp, finished })),
        [0, 1].map((flow) => ({ flow, bytes: 3_000_000, mptcp: false, finished: true })),
      );
      for (const { connectedAfterMs } of result.flows) assert.ok(connectedAfterMs! >= 10 && connectedAfterMs! < 2_000);
    });

    test(`bulk ${direction} over MPTCP: both paths carry, as the interfaces' counters say`, {
      skip: requireMptcp(),
    }, async () => {
      const sampler = await startSampler(lab);
      const started = await startWorkload(lab, {
        kind: 'bulk',
        direction,
        bytes: 8_000_000,
        transport: 'mptcp',
        ...route,
      });
      for (const process of started.processes) sampler.watch(process);
      const result = await started.result;
      const { interfaces, hosts, processes } = await sampler.stop();
      assert.deepEqual(result.errors, []);
      assert.ok(result.integrity.ok && result.flows[0]!.mptcp);
      assert.ok(result.bitsPerSecond > 20e6, `${result.bitsPerSecond / 1e6} Mbit/s over 20 and 10`);
      const over = (link: string): number => {
        const found = interfaces.find((one) => one.host === 'client' && one.link === link)!;
        const series = direction === 'down' ? found.received : found.sent;
        return bytesBetween(series, result.startedMs, result.endedMs);
      };
      assert.ok(over('cellular') > 1_500_000 && over('wifi') > 4_000_000, `${over('wifi')} and ${over('cellular')}`);
      const total = over('wifi') + over('cellular');
      assert.ok(total > 8_000_000 && total < (8_000_000 / PAYLOAD_SHARE) * 1.1, `${total} on the interfaces`);
      const client = hosts.find(({ host }) => host === 'client')!;
      assert.ok(client.counters.MPTcpExtMPCapableSYNTX! >= 1 && client.counters.MPTcpExtMPJoinSynAckRx! >= 1);
      assert.ok(client.retransmissions.segmentsSent > 100);
      assert.equal(processes.length, 2);
      for (const { cpuMs, residentBytesMax, name } of processes) {
        assert.ok(cpuMs >= 0 && cpuMs < 5_000 && residentBytesMax > 10e6, `${name}: ${cpuMs} ms`);
      }
    });
  }

  test('a transfer by time ends in time, each way', async () => {
    for (const direction of ['down', 'up'] as const) {
      const result = await run({ kind: 'bulk', direction, seconds: 1, transport: 'tcp', ...route });
      assert.ok(result.finished && result.bytes > 1_000_000, JSON.stringify(result.errors));
      assert.ok(result.endedMs - result.startedMs < 6_000);
    }
  });

  test('fixed buffers bound what is under way', async () => {
    const bulk = { kind: 'bulk', direction: 'down', seconds: 1, transport: 'tcp', ...route } as const;
    const small = await run({ ...bulk, receiveBuffer: 4_096 });
    // The kernel doubles it; no more than that is on its way in a round trip of 10 ms.
    assert.ok(small.finished && small.bitsPerSecond < (8_192 * 8) / 0.01, `${small.bitsPerSecond / 1e6} Mbit/s`);
  });

  test('over IPv6, by the address asked for', async () => {
    const address = lab.host('server').address(undefined, 6);
    const to = { host: 'server', port: 4_000, address };
    const result = await run({ kind: 'bulk', direction: 'up', bytes: 500_000, transport: 'mptcp', ...route, to });
    assert.deepEqual([result.finished, result.bytes, result.integrity.ok], [true, 500_000, true]);
  });

  test('ping-pong takes a round trip each, and asks on through a silence', async () => {
    const calm = await run({
      kind: 'ping-pong',
      requestBytes: 100,
      responseBytes: 1_000,
      intervalMs: 10,
      count: 50,
      transport: 'tcp',
      ...route,
    });
    assert.equal(calm.answered, 50);
    assert.ok(calm.finished && calm.latency!.p50 >= 10 && calm.latency!.p50 < 100, `${calm.latency?.p50}`);

    const started = await startWorkload(lab, {
      kind: 'ping-pong',
      requestBytes: 100,
      responseBytes: 100,
      intervalMs: 20,
      seconds: 2,
      transport: 'tcp',
      ...route,
    });
    await sleepUntil(started.startedMs + 500);
    await lab.link('wifi').down();
    await sleepUntil(started.startedMs + 1_000);
    await lab.link('wifi').up();
    const cut = await started.result;
    assert.deepEqual(cut.errors, []);
    assert.equal(cut.asked, cut.answered);
    assert.ok(cut.asked >= 90 && cut.asked <= 101, `${cut.asked} asked`);
    // A quarter of the requests fell into the silence, and each felt its part of it.
    assert.ok(cut.latency!.p90 > 150 && cut.latency!.max > 400, JSON.stringify(cut.latency));
    assert.ok(cut.longestGap.ms > 450);
  });

  test('connections that come and go, at a rate and as fast as may be', async () => {
    const exchange = { kind: 'connect-close', requestBytes: 100, responseBytes: 2_000, ...route } as const;
    const paced = await run({ ...exchange, perSecond: 50, seconds: 1, transport: 'tcp' });
    assert.ok(paced.finished && paced.begun >= 35 && paced.begun <= 52, `${paced.begun} begun`);
    assert.ok(paced.latency!.p50 >= 20 && paced.connectLatency!.p50 < paced.latency!.p50);
    const fast = await run({ ...exchange, parallel: 4, count: 60, transport: 'mptcp' });
    assert.equal(fast.completed, 60);
    // Within one host, thousands, unless the machine is busy; their samples make a long report.
    const near = await run({ ...exchange, to: { host: 'client' }, seconds: 3, transport: 'tcp' });
    assert.ok(near.finished && near.completed > 500, `${near.completed} in 3 s`);
    assert.equal(near.samples.ms.length, Math.min(20_000, near.completed));
    assert.ok(fast.finished && fast.integrity.ok, JSON.stringify(fast.errors));
  });

  test('a stream plays from its buffer, and stalls when the link is cut', async () => {
    const stream = { kind: 'stream', bitsPerSecond: 4e6, transport: 'tcp', ...route } as const;
    // On a busy machine the player itself may have to wait for some tenths of a second.
    const calm = await run({ ...stream, bufferMs: 1_000, seconds: 2 });
    assert.ok(calm.finished && calm.startUpMs! >= 1_000 && calm.startUpMs! < 3_000, `${calm.startUpMs}`);
    assert.deepEqual(calm.stalls, []);

    const started = await startWorkload(lab, { ...stream, bufferMs: 200, seconds: 3 });
    await sleepUntil(started.startedMs + 1_000);
    await lab.link('wifi').down();
    await sleepUntil(started.startedMs + 1_800);
    await lab.link('wifi').up();
    const cut = await started.result;
    assert.ok(cut.finished, JSON.stringify(cut.errors));
    const byTheCut = cut.stalls.filter(({ atMs }) => atMs > started.startedMs + 1_000);
    assert.ok(
      byTheCut.some(({ ms }) => ms > 300),
      JSON.stringify(cut.stalls),
    );
    assert.ok(cut.stalledMs > 300);
  });

  test('a page is loaded as often as asked', async () => {
    const objects = [30_000, ...Array.from({ length: 12 }, () => 8_000)];
    const page = await run({ kind: 'page', objects, count: 2, transport: 'tcp', ...route });
    assert.ok(page.finished, JSON.stringify(page.errors));
    assert.equal(page.loadMs.length, 2);
    assert.equal(page.latency!.count, 26);
    // Three generations of connections, each two round trips.
    for (const ms of page.loadMs) assert.ok(ms > 60 && ms < 5_000, `${ms} ms`);
  });

  test('a tool runs inside its host; its status and its end by the clock are told', async () => {
    const hello = await run({ kind: 'tool', from: 'client', command: ['cat', '/proc/net/dev'] });
    assert.ok(hello.finished && hello.stdout.includes('cellular:'));
    const failed = await run({ kind: 'tool', from: 'client', command: ['sh', '-c', 'echo no >&2; exit 3'] });
    assert.deepEqual([failed.finished, failed.status, failed.stderr], [false, 3, 'no\n']);
    const slow = await run({ kind: 'tool', from: 'client', command: ['sleep', '60'], timeoutSeconds: 0.3 });
    assert.deepEqual([slow.signal, slow.errors[0]!.code], ['SIGTERM', 'WORKLOAD_TIMEOUT']);
    await assert.rejects(run({ kind: 'tool', from: 'nobody', command: ['true'] }), LabError);
  });

  test('a cut path is survived by MPTCP, and the time it takes is measured', { skip: requireMptcp() }, async () => {
    const started = await startWorkload(lab, {
      kind: 'bulk',
      direction: 'down',
      bytes: 6_000_000,
      transport: 'mptcp',
      ...route,
    });
    await sleepUntil(started.startedMs + 800);
    const cutMs = monotonicMs();
    await lab.link('wifi').down({ how: 'admin', side: 'client' });
    const result = await started.result;
    await lab.link('wifi').up();
    assert.ok(result.finished, JSON.stringify(result.errors));
    const ms = failoverMs(result.goodput, cutMs);
    assert.ok(ms !== undefined && ms < 5_000, `${ms} ms; longest gap ${result.longestGap.ms} ms`);
  });

  for (const [how, direction, offset] of [
    ['swap', 'down', 300_000],
    ['lose', 'down', 262_144],
    ['double', 'down', 499_990],
    ['swap', 'up', 300_040],
  ] as const) {
    test(`a proxy that does this to a byte on its way ${direction} is found out: ${how}`, async () => {
      const proxy = lab.host('router').spawn([process.execPath, TAMPERING_PROXY, how, String(offset), direction]);
      try {
        await once(proxy.child.stdout, 'data');
        const via = { socks: 'router:1080' };
        const through = { kind: 'bulk', bytes: 500_000, transport: 'tcp', via, ...route } as const;
        const result = await run({ ...through, direction });
        assert.ok(!result.finished && !result.integrity.ok);
        // What goes up has the client's request before it. Equal neighbours may hide the very first byte or two.
        const first = result.integrity.firstBadOffset! - (offset - (direction === 'up' ? 40 : 0));
        assert.ok(first >= 0 && first < 4, `${result.integrity.firstBadOffset}`);
        assert.ok(result.errors.some(({ code }) => code === 'WORKLOAD_CORRUPT'));
        const clean = await run({ ...through, direction: direction === 'up' ? 'down' : 'up' });
        assert.deepEqual(clean.errors, []);
        assert.ok(clean.finished && clean.integrity.ok);
      } finally {
        proxy.child.stdin.end();
        await proxy.exited;
      }
    });
  }

  test('failures are results: refused, unreachable proxy, given up, stopped', async () => {
    const bulk = { kind: 'bulk', direction: 'down', transport: 'tcp', ...route } as const;
    const refused = await run({ ...bulk, bytes: 1_000, via: { socks: 'router:9' } });
    assert.deepEqual(
      refused.errors.map(({ code, flow }) => [code, flow]),
      [['ECONNREFUSED', 0]],
    );
    const late = await run({ ...bulk, bytes: 50_000_000, timeoutSeconds: 0.7 });
    assert.ok(!late.finished && late.bytes > 100_000 && late.integrity.ok);
    assert.equal(late.errors[0]!.code, 'WORKLOAD_TIMEOUT');

    const controller = new AbortController();
    const stopped = await startWorkload(lab, { ...bulk, bytes: 50_000_000 }, { signal: controller.signal });
    await sleepUntil(stopped.startedMs + 400);
    controller.abort();
    const result = await stopped.result;
    assert.equal(result.errors[0]!.code, 'WORKLOAD_ABORTED');
    assert.ok(result.bytes > 100_000);

    await assert.rejects(run({ ...bulk, bytes: 1, to: { host: 'nobody' } }), LabError);
    await assert.rejects(run({ ...bulk, bytes: 1, via: { socks: 'no port' } }), /host:port/);
  });

  test('a killed client makes the result an error, a killed server an error in it, and neither leaves a process', async () => {
    const bulk = { kind: 'bulk', direction: 'down', bytes: 50_000_000, transport: 'tcp', ...route } as const;
    const clientKilled = await startWorkload(lab, bulk);
    process.kill(clientKilled.processes[0]!.pid, 'SIGKILL');
    await assert.rejects(clientKilled.result, (error) => error instanceof LabError && /SIGKILL/.test(error.message));
    const serverKilled = await startWorkload(lab, bulk);
    process.kill(serverKilled.processes[1]!.pid, 'SIGKILL');
    const result = await serverKilled.result;
    const codes = result.errors.map(({ code }) => code);
    assert.ok(codes.includes('WORKLOAD_CRASHED'), codes.join());
    const pids = [...clientKilled.processes, ...serverKilled.processes].map(({ pid }) => pid);
    assert.deepEqual(pids.filter(isWorkload), []);
  });

  test('a lab that is closed takes its workloads and samplers with it', async () => {
    const other = await createLab({
      hosts: { client: {}, server: {} },
      links: { wire: { between: ['client', 'server'] } },
    });
    const sampler = await startSampler(other);
    const started = await startWorkload(other, {
      kind: 'bulk',
      direction: 'up',
      seconds: 30,
      transport: 'tcp',
      ...route,
    });
    await other.close();
    await assert.rejects(started.result, LabError);
    assert.equal((await sampler.stop()).hosts.length, 2);
    assert.deepEqual(started.processes.map(({ pid }) => pid).filter(isWorkload), []);
  });
});

test('payload is sent and checked at modest cost', { skip, timeout: 240_000 }, async (context) => {
  // Without a limit of rate the emulator would be in the way: both ends in one host, over its loopback.
  const lab = await createLab({ hosts: { one: {}, two: {} }, links: { wire: { between: ['one', 'two'] } } });
  try {
    const workload = { kind: 'bulk', direction: 'down', seconds: 1.5, transport: 'tcp', ...route } as const;
    const sampler = await startSampler(lab);
    const started = await startWorkload(lab, { ...workload, from: 'one', to: { host: 'one' } });
    for (const process of started.processes) sampler.watch(process);
    const result = await started.result;
    const { processes } = await sampler.stop();
    const seconds = processes.reduce((sum, { cpuMs }) => sum + cpuMs / 1_000, 0);
    const cost = (seconds * 1e9) / result.bytes;
    const text = `${(result.bitsPerSecond / 1e9).toFixed(1)} Gbit/s, ${cost.toFixed(2)} CPU s/GB`;
    context.diagnostic(text);
    assert.ok(result.finished && result.integrity.ok, JSON.stringify(result.errors));
    assert.ok(cost < 2, text);
  } finally {
    await lab.close();
  }
});

async function sleepUntil(ms: number): Promise<void> {
  const left = ms - monotonicMs();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}

function isWorkload(pid: number): boolean {
  if (!readdirSync('/proc').includes(String(pid))) return false;
  return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('lab/workloads');
}
