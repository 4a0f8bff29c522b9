// The text of /metrics: read by a strict parser and, where it is installed, judged by Prometheus' own promtool.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createMetrics } from '#anabranch/dashboard/metrics.js';
import type { MetricsSource } from '#anabranch/dashboard/metrics-source.js';
import { parseExposition, seriesValue } from './exposition.ts';

const latency = { bounds: [0.1, 1], counts: [3, 2, 1], sum: 7.5 };
const worker = { lagMs: 2.5, heartbeat: 1_700_000_000_000, connections: 3, lag: latency };

/** Every figure is there, and a path has the worst name there may be. */
const FULL: MetricsSource = {
  version: '1.2.3',
  counters: () => ({
    active: 7,
    pipes: 2,
    accepted: 12,
    refused: 1,
    shortages: 0,
    flows: 11,
    bytesUp: 1000,
    bytesDown: 2e15,
    mptcpClients: 3,
    mptcpServers: 5,
    'end:done': 5,
    'end:server-reset': 1,
    'client:client-without-mptcp': 9,
    'server:peer-without-mptcp': 6,
    'server:fell-back': 2,
  }),
  paths: async () => [
    { name: 'wlan0', addresses: ['192.0.2.1'], state: 'up', kind: 'wifi', bytesIn: 10, bytesOut: 20 },
    { name: 'a"b\\c\nd', addresses: [], state: 'down', kind: 'other', bytesIn: 0, bytesOut: 0 },
  ],
  latencies: () => ({ handshake: latency, connect: latency, stall: latency, duration: latency }),
  workers: () => [worker, { ...worker, lagMs: 0 }],
  log: () => ({
    isWell: false,
    taken: 100,
    stored: 60,
    dropped: 5,
    rejected: 1,
    expired: 2,
    queue: { entries: 3, bytes: 300 },
    spool: { entries: 29, bytes: 2_900, fileBytes: 8_000, limitBytes: 1e9 },
  }),
  pathFigures: () => [
    { path: 'wlan0', subflows: 2, bytesSent: 5, bytesReceived: 6, retransmits: 1, rttMs: 20 },
    { path: 'wwan0', subflows: 0, bytesSent: 5, bytesReceived: 6, retransmits: 1, rttMs: undefined },
  ],
};

const BARE: MetricsSource = { version: '1', counters: () => ({}), paths: async () => [] };

describe('/metrics', () => {
  test('says what the source says, in base units', async () => {
    const families = parseExposition(await createMetrics(FULL)());
    const expect = (value: number, name: string, ...labels: string[]) =>
      assert.equal(seriesValue(families, `anabranch_${name}`, ...labels), value, `${name} ${labels.join(' ')}`);
    expect(1, 'build_info', 'version=1.2.3');
    expect(7, 'connections');
    expect(11, 'flows_total');
    expect(2e15, 'flow_bytes_total', 'direction=down');
    expect(1, 'flow_ends_total', 'reason=server-reset');
    expect(2, 'fallbacks_total', 'side=server', 'reason=fell-back');
    expect(9, 'fallbacks_total', 'side=client', 'reason=client-without-mptcp');
    expect(10, 'path_bytes_total', 'path=wlan0', 'direction=in');
    expect(0, 'path_up', 'path=a"b\\c\nd');
    expect(0.02, 'path_rtt_seconds', 'path=wlan0');
    assert.equal(seriesValue(families, 'anabranch_path_rtt_seconds', 'path=wwan0'), undefined);
    expect(3, 'connect_duration_seconds_bucket', 'le=0.1');
    expect(5, 'connect_duration_seconds_bucket', 'le=1');
    expect(6, 'connect_duration_seconds_bucket', 'le=+Inf');
    expect(7.5, 'handshake_duration_seconds_sum');
    expect(6, 'stall_duration_seconds_count');
    expect(0.0025, 'worker_loop_lag_seconds', 'worker=0');
    expect(6, 'worker_loop_lag_peak_seconds_count', 'worker=1');
    expect(1_700_000_000, 'worker_heartbeat_timestamp_seconds', 'worker=1');
    expect(0, 'log_up');
    expect(29, 'log_spool_entries');
    expect(300, 'log_queue_bytes');
    expect(5, 'log_entries_total', 'result=dropped');
    assert.ok((seriesValue(families, 'process_resident_memory_bytes') ?? 0) > 1e6);
    assert.ok((seriesValue(families, 'process_open_fds') ?? 0) > 2);
    assert.ok((seriesValue(families, 'process_max_fds') ?? 0) > 2);
  });

  test('leaves out what there is not', async () => {
    const families = parseExposition(await createMetrics(BARE)());
    assert.equal(seriesValue(families, 'anabranch_flows_total'), 0);
    for (const name of [
      'log_up',
      'log_spool_entries',
      'log_entries_taken_total',
      'path_up',
      'worker_loop_lag_seconds',
    ]) {
      assert.equal(families.get(`anabranch_${name}`)?.samples.length, 0, name);
    }
  });

  test('asked twice, gives no series of before', async () => {
    let paths = ['a', 'b'];
    const source: MetricsSource = {
      ...BARE,
      paths: async () =>
        paths.map((name) => ({ name, addresses: [], state: 'up', kind: 'other', bytesIn: 1, bytesOut: 1 })),
    };
    const read = createMetrics(source);
    await read();
    paths = ['b'];
    const families = parseExposition(await read());
    assert.equal(seriesValue(families, 'anabranch_path_bytes_total', 'path=a', 'direction=in'), undefined);
    assert.equal(seriesValue(families, 'anabranch_path_bytes_total', 'path=b', 'direction=in'), 1);
  });

  const promtool = spawnSync('promtool', ['--version']).error === undefined;
  test('promtool finds nothing to mend', {
    skip: promtool ? false : 'needs promtool, of Debian’s prometheus',
  }, async () => {
    for (const source of [FULL, BARE]) {
      const text = await createMetrics(source)();
      const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      assert.equal(`${stdout}${stderr}`, '');
      assert.equal(status, 0);
    }
  });
});

const PARTS = /_(?:bucket|sum|count)$/;

describe('the Grafana dashboard', () => {
  const dashboard = JSON.parse(readFileSync('packaging/grafana-dashboard.json', 'utf8')) as {
    panels: {
      id: number;
      title: string;
      gridPos: { x: number; y: number; w: number; h: number };
      targets?: { expr: string }[];
    }[];
  };
  const expressions = dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ title, expr })),
  );

  test('asks only for metrics and labels that there are', async () => {
    const families = parseExposition(await createMetrics(FULL)());
    assert.ok(expressions.length > 10);
    for (const { title, expr } of expressions) {
      const selectors = [...expr.matchAll(/\b((?:anabranch|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)];
      assert.ok(selectors.length > 0, expr);
      for (const [, name = '', matchers = ''] of selectors) {
        const family = families.get(name) ?? families.get(name.replace(PARTS, ''));
        assert.ok(family !== undefined, `${title}: ${name}`);
        if (PARTS.test(name) && !families.has(name)) assert.equal(family.type, 'histogram', `${title}: ${name}`);
        const known = new Set(['instance', 'job', ...family.samples.flatMap(({ labels }) => [...labels.keys()])]);
        for (const [, label = ''] of matchers.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)) {
          assert.ok(known.has(label), `${title}: ${name} has no label ${label}`);
        }
        assert.match(matchers, /instance=~"\$instance"/, title);
      }
    }
  });

  test('rates are of counters, quantiles of buckets', async () => {
    const families = parseExposition(await createMetrics(FULL)());
    for (const { expr } of expressions) {
      for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\(([a-z0-9_]+)/g)) {
        assert.ok(families.get(name)?.type === 'counter' || PARTS.test(name), expr);
      }
      if (expr.includes('histogram_quantile')) assert.match(expr, /_bucket/);
    }
  });

  test('has no two panels in one place, and no id twice', () => {
    const { panels } = dashboard;
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const [i, { gridPos: a, title }] of panels.entries()) {
      assert.ok(a.x + a.w <= 24, title);
      for (const { gridPos: b, title: other } of panels.slice(i + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
        assert.ok(apart, `${title} and ${other}`);
      }
    }
  });

  const promtool = spawnSync('promtool', ['--version']).error === undefined;
  test('Prometheus can read its queries', {
    skip: promtool ? false : 'needs promtool, of Debian’s prometheus',
  }, (t) => {
    // Checked as rules, which needs no server.
    const rules = expressions.map(({ expr }, i) => {
      const query = expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m');
      return `  - {record: 'a:b${i}', expr: ${JSON.stringify(query)}}\n`;
    });
    const directory = mkdtempSync(join(tmpdir(), 'anabranch-rules-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'rules.yml');
    writeFileSync(file, `groups:\n- name: g\n  rules:\n${rules.join('')}`);
    const checked = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stderr);
  });
});
