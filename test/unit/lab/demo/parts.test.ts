import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';

import { chooseCongestion } from '#anabranch/lab/demo/congestion.js';
import { demoSettings, demoTopology } from '#anabranch/lab/demo/demo-settings.js';
import { payload, payloadSha256 } from '#anabranch/lab/demo/payload.js';
import { StallMeter } from '#anabranch/lab/demo/stall-meter.js';
import { LabError } from '#anabranch/lab/lab-error.js';
import { createTopology } from '#anabranch/lab/topology-input.js';

describe('the payload', () => {
  test('is as long as asked, the same each time, and a shorter one is its beginning', () => {
    const whole = Buffer.concat([...payload(700_001)]);
    assert.equal(whole.length, 700_001);
    assert.deepEqual(Buffer.concat([...payload(300_000)]), whole.subarray(0, 300_000));
    assert.equal([...payload(0)].length, 0);
    assert.equal(payloadSha256(700_001), createHash('sha256').update(whole).digest('hex'));
  });

  test('repeats nowhere that a doubled or swapped block could hide', () => {
    const blocks = new Set<string>();
    for (const chunk of payload(1 << 20)) {
      for (let i = 0; i < chunk.length; i += 16) blocks.add(chunk.toString('latin1', i, i + 16));
    }
    assert.equal(blocks.size, (1 << 20) / 16);
  });
});

describe('the stall meter', () => {
  for (const [name, arrivals, end, expected] of [
    ['nothing ever came', [], 5_000, 0],
    ['waiting for the first byte does not count', [3_000, 3_100], 3_100, 100],
    ['the longest gap', [0, 10, 500, 520], 530, 490],
    ['silence at the end', [0, 10], 9_010, 9_000],
  ] as const) {
    test(name, () => {
      const meter = new StallMeter();
      for (const now of arrivals) meter.onBytes(now);
      meter.onEnd(end);
      assert.equal(meter.longestMs, expected);
    });
  }
});

describe('the congestion control', () => {
  test('bbr where there is one, else cubic, or the one asked for', () => {
    assert.equal(chooseCongestion(undefined, ['reno', 'bbr', 'cubic']), 'bbr');
    assert.equal(chooseCongestion(undefined, ['reno', 'cubic']), 'cubic');
    assert.equal(chooseCongestion('reno', ['reno', 'cubic']), 'reno');
  });

  test('one that the kernel does not allow is named, with those it does', () => {
    assert.throws(
      () => chooseCongestion('bbr', ['reno', 'cubic']),
      (error: unknown) =>
        error instanceof LabError && error.code === 'LAB_MISSING' && /reno, cubic/.test(error.message),
    );
  });
});

describe('the topology', () => {
  const settings = demoSettings({ quick: true, congestion: 'bbr' });
  const { hosts, links } = createTopology(demoTopology(settings));

  test('is the same network twice, with nothing between the two', () => {
    const of = (transfer: string) => {
      const strip = (name: string): string => name.replace(`${transfer}-`, '');
      return {
        hosts: hosts
          .filter(({ name }) => name.startsWith(`${transfer}-`))
          .map((host) => ({ ...host, name: strip(host.name) })),
        links: links
          .filter(({ name }) => name.startsWith(`${transfer}-`))
          .map(({ name, hosts: ends, addresses: _, ...rest }) => ({
            name: strip(name),
            ends: ends.map(strip),
            ...rest,
          })),
      };
    };
    assert.deepEqual(of('mptcp'), of('tcp'));
    for (const { name, hosts: ends } of links) {
      const [transfer] = name.split('-');
      for (const end of ends) assert.ok(end.startsWith(`${transfer}-`));
    }
  });

  test('has the two paths, and a server without MPTCP', () => {
    const [first, second] = links;
    assert.deepEqual([first!.down.rate, first!.down.delayMs, first!.down.loss.kind], [20e6, 10, 'none']);
    assert.deepEqual([second!.down.rate, second!.down.delayMs], [10e6, 50]);
    assert.deepEqual(second!.down.loss, { kind: 'random', probability: 0.01 });
    assert.equal(hosts.find(({ name }) => name === 'mptcp-server')!.mptcp.enabled, false);
  });

  test('the quick one is smaller in every way', () => {
    const whole = demoSettings({ quick: false, congestion: 'bbr' });
    assert.equal(whole.fileBytes, 100e6);
    assert.ok(settings.fileBytes < whole.fileBytes && settings.cutMs < whole.cutMs);
    assert.ok(settings.secondsMax < 60);
  });
});
