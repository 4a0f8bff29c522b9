// /metrics of a proxy that works: what went through it is in the figures, and they can be read by Prometheus.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMetricsSource } from '#anabranch/cli/metrics-source.js';
import { createMetrics } from '#anabranch/dashboard/metrics.js';
import { parseExposition, seriesValue } from '../unit/dashboard/exposition.ts';
import { MIXED, startProxy, type TestProxy } from './support/proxy.ts';
import { openRefused, openServer } from './support/servers.ts';
import { openTunnel } from './support/tunnel.ts';
import { until } from './support/wait.ts';

async function scrape({ service }: TestProxy): Promise<(name: string, ...labels: string[]) => number | undefined> {
  const source = createMetricsSource({ service, log: () => undefined, pathFigures: () => [] });
  const families = parseExposition(await createMetrics(source)());
  return (name, ...labels) => seriesValue(families, `anabranch_${name}`, ...labels);
}

describe('/metrics of a proxy that works', () => {
  test('latencies, stalls, ends and fallbacks, by worker', async (t) => {
    const server = await openServer(t);
    const outbounds = [{ name: 'insist', type: 'direct', transport: 'mptcp' }];
    const settings = { workers: 2, inbounds: [MIXED], outbounds, rules: [{ use: 'insist' }] };
    const proxy = await startProxy(t, settings);
    const before = await scrape(proxy);
    assert.equal(before('connect_duration_seconds_count'), 0);
    const client = await openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: server.port });
    const peer = await server.peer();
    peer.write('a');
    await client.read(1);
    const pause = 400;
    await sleep(pause);
    peer.write('b');
    await client.read(1);
    const refused = openRefused(t);
    await assert.rejects(openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: refused }));
    await until(() => proxy.counter('end:refused') === 1);
    const live = await scrape(proxy);
    assert.equal(live('connections'), 1);
    assert.equal(live('flows_total'), 1);
    assert.equal(live('handshake_duration_seconds_count'), 2);
    assert.equal(live('connect_duration_seconds_count'), 1);
    assert.equal(live('flow_ends_total', 'reason=refused'), 1);
    assert.equal(live('flow_duration_seconds_count'), 0);
    assert.equal(live('stall_duration_seconds_count'), 1);
    const stalled = live('stall_duration_seconds_sum') ?? 0;
    assert.ok(stalled >= (pause - 20) / 1000 && stalled < 60, String(stalled));
    assert.equal(live('fallbacks_total', 'side=client', 'reason=client-without-mptcp'), 2);
    assert.equal(live('fallbacks_total', 'side=server', 'reason=peer-without-mptcp'), 1);
    const connections = ['0', '1'].map((worker) => live('worker_connections', `worker=${worker}`) ?? Number.NaN);
    assert.deepEqual([...connections].sort(), [0, 1]);
    client.end();
    peer.end();
    await proxy.idle();
    const after = await scrape(proxy);
    assert.equal(after('flow_duration_seconds_count'), 1);
    assert.ok((after('flow_duration_seconds_sum') ?? 0) >= (pause - 20) / 1000);
  });

  test('the lag of each worker is observed once a second', async (t) => {
    const proxy = await startProxy(t, { workers: 2 });
    const lag = (worker: number) => {
      const { counts } = proxy.service.histograms()[worker]?.lag ?? assert.fail();
      return counts.reduce((sum, count) => sum + count, 0);
    };
    await until(() => lag(0) >= 2 && lag(1) >= 2);
    const read = await scrape(proxy);
    for (const worker of ['worker=0', 'worker=1']) {
      assert.ok((read('worker_loop_lag_peak_seconds_count', worker) ?? 0) >= 2);
      assert.ok((read('worker_heartbeat_timestamp_seconds', worker) ?? 0) > Date.now() / 1000 - 60);
      assert.ok((read('worker_loop_lag_seconds', worker) ?? -1) >= 0);
    }
  });
});
