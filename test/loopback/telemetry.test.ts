// The program with an SDK of OpenTelemetry that its user brings, and without.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { startProgram } from './support/program.ts';
import { MIXED, startProxy } from './support/proxy.ts';
import { openEcho, openRefused } from './support/servers.ts';
import { openTunnel } from './support/tunnel.ts';

const SDK = import.meta.resolve('./telemetry-sdk.js');

interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: unknown;
}

interface Line {
  readonly name?: string;
  readonly kind?: number;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly status?: { readonly code: number };
  readonly events?: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  readonly startTime?: readonly [number, number];
  readonly endTime?: readonly [number, number];
  readonly metric?: string;
  readonly unit?: string;
  readonly dataPoints?: readonly Point[];
}

/** The child inherits our environment; it is put back at once. */
async function startWithSdk(t: TestContext, output: string) {
  const { NODE_OPTIONS } = process.env;
  process.env.NODE_OPTIONS = `--import ${SDK}`;
  process.env.SDK_OUTPUT = output;
  try {
    return await startProgram(t, { inbounds: [MIXED], log: 'off' });
  } finally {
    if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
    else process.env.NODE_OPTIONS = NODE_OPTIONS;
    delete process.env.SDK_OUTPUT;
  }
}

describe('OpenTelemetry', () => {
  test('with an SDK, each flow is a span, and the figures are metrics; even with log: off', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'anabranch-sdk-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const output = join(folder, 'output.jsonl');
    const echo = await openEcho(t);
    const program = await startWithSdk(t, output);
    const port = program.ports[0] as number;
    const client = await openTunnel(t, 'socks5', { port }, { host: '127.0.0.1', port: echo.port });
    client.end('hello');
    assert.equal((await client.readAll()).toString(), 'hello');
    const refused = { host: '127.0.0.1', port: openRefused(t) };
    await assert.rejects(openTunnel(t, 'socks5', { port }, refused));
    program.child.kill('SIGTERM');
    assert.equal(await program.ended, 0);
    const lines = readFileSync(output, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
    const [good, bad, ...others] = lines
      .filter(({ name }) => name !== undefined)
      .sort(
        (a, b) =>
          Number(a.attributes?.['server.port'] !== echo.port) - Number(b.attributes?.['server.port'] !== echo.port),
      );
    assert.equal(others.length, 0);
    checkGood(good as Line, echo.port);
    assert.equal(bad?.attributes?.['error.type'], 'refused');
    assert.equal(bad?.status?.code, 2);
    checkMetrics(lines);
  });

  test('without one, nothing is loaded, and with log: off no record is made', async (t) => {
    const { openTelemetry } = await import('#anabranch/cli/telemetry.js');
    assert.equal(await openTelemetry(), undefined);
    assert.equal((globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')], undefined);
    const echo = await openEcho(t);
    const proxy = await startProxy(t, { log: 'off' });
    const client = await openTunnel(t, 'socks5', { port: proxy.port() }, { host: '127.0.0.1', port: echo.port });
    client.end('hello');
    await client.readAll();
    await proxy.idle();
    // Whatever the thread has to send goes at its end at the latest.
    await proxy.stop();
    assert.deepEqual(proxy.records, []);
  });
});

function checkGood({ name, kind, attributes = {}, status, events = [], startTime, endTime }: Line, port: number): void {
  assert.match(name ?? '', /^flow /);
  assert.equal(kind, 1); // SERVER
  assert.equal(status?.code, 0);
  const { 'client.address': from, 'server.address': to, 'server.port': at, 'anabranch.bytes_up': up } = attributes;
  assert.deepEqual([from, to, at, up], ['127.0.0.1', '127.0.0.1', port, 5]);
  assert.equal(attributes['network.transport'], 'tcp');
  assert.equal(attributes['anabranch.client.mptcp'], 'client-without-mptcp');
  assert.equal(attributes['error.type'], undefined);
  const names = events.map((event) => event.name);
  assert.deepEqual(names.slice(0, 2), ['requested', 'connected']);
  assert.deepEqual(names.slice(-2), ['subflow', 'subflow']);
  assert.equal(events.at(-1)?.attributes['network.peer.port'], port);
  const ms = ([seconds, nanoseconds]: readonly [number, number]) => seconds * 1000 + nanoseconds / 1e6;
  assert.ok(ms(startTime ?? [0, 0]) <= ms(endTime ?? [0, 0]));
  assert.ok(Math.abs(ms(endTime ?? [0, 0]) - Date.now()) < 60_000);
}

function checkMetrics(lines: readonly Line[]): void {
  const pointsOf = (name: string, unit: string) => {
    const line = lines.findLast(({ metric }) => metric === name);
    assert.equal(line?.unit, unit, name);
    return line?.dataPoints ?? [];
  };
  const [connect] = pointsOf('anabranch.connect.duration', 's');
  assert.equal((connect?.value as { count: number } | undefined)?.count, 1);
  const io = pointsOf('anabranch.io', 'By').map(({ attributes, value }) => [attributes['network.io.direction'], value]);
  assert.deepEqual(io, [
    ['transmit', 5],
    ['receive', 5],
  ]);
  const ends = pointsOf('anabranch.flow.ends', '{flow}').filter(({ value }) => value !== 0);
  assert.deepEqual(ends.map(({ attributes }) => attributes['anabranch.end']).sort(), ['done', 'refused']);
  assert.ok(pointsOf('anabranch.worker.loop_lag', 's').length > 0);
  assert.equal(pointsOf('anabranch.connections', '{connection}')[0]?.value, 0);
}
