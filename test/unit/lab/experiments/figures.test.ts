import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { parseExperiment } from '#anabranch/lab/experiments/experiment-file.js';
import { type RunData, takeFigure } from '#anabranch/lab/experiments/figures.js';
import { type Measure, measureSchema } from '#anabranch/lab/experiments/measure-schema.js';

const ORIGIN = 1_000_000;
const BIN = 50;

/** Bytes of each bin for a rate in Mbit/s, for so many milliseconds. */
function flow(...parts: readonly (readonly [mbit: number, ms: number])[]): number[] {
  return parts.flatMap(([mbit, ms]) => new Array<number>(ms / BIN).fill((mbit * 1e6 * BIN) / 8_000));
}

const { scene } = parseExperiment(
  `name: x
title: x
topology:
  hosts: { client: , server: }
  links: { wifi: { between: [client, server], rate: 20mbit } }
workloads:
  transfer: { kind: bulk, from: client, to: server, seconds: 10s }
  asking: { kind: ping-pong, from: client, to: server, seconds: 10s }
capacity: { links: [wifi], direction: down, protocol: tcp }
measures: { goodput: { take: goodput, of: transfer } }
`,
  'x.yaml',
  { quick: false, only: [] },
).settings[0]!;

// 2 s at 16 Mbit/s, a silence of 1 s, 7 s at 8.
const series = { startMs: ORIGIN, binMs: BIN, bytes: flow([16, 2_000], [0, 1_000], [8, 7_000]) };
// The link: 16 Mbit/s, then nothing until 4 s, slow for 1 s, and back.
const link = { startMs: ORIGIN, binMs: BIN, bytes: flow([16, 2_000], [0, 2_000], [4, 1_000], [16, 5_000]) };
const nothing = { startMs: ORIGIN, binMs: BIN, bytes: flow([0, 10_000]) };
const common = { startedMs: ORIGIN, endedMs: ORIGIN + 10_000, finished: true, errors: [], errorCount: 0 };
const transfer = {
  ...common,
  bytes: 11e6,
  goodput: series,
  bitsPerSecond: 8.8e6,
  longestGap: { ms: 1_010, atMs: ORIGIN + 2_000 },
  integrity: { ok: true },
};
const run: RunData = {
  scene,
  originMs: ORIGIN,
  endMs: ORIGIN + 10_000,
  workloads: new Map([
    ['transfer', { ...transfer, kind: 'bulk', flows: [] }],
    [
      'asking',
      {
        ...transfer,
        kind: 'ping-pong',
        asked: 4,
        answered: 4,
        latency: undefined,
        samples: { atMs: [0, 1_000, 2_000, 3_000].map((ms) => ORIGIN + ms), ms: [100, 10, 20, 30] },
      },
    ],
    ['broken', { ...transfer, kind: 'bulk', flows: [], integrity: { ok: false, flow: 0, firstBadOffset: 7 } }],
    ['live', { ...transfer, kind: 'stream', startUpMs: 500, stalls: [{ ms: 900, atMs: ORIGIN }], stalledMs: 900 }],
  ]),
  flows: new Map([
    [
      'proxy',
      [
        {
          id: 'a',
          end: 'done',
          bytesUp: 1,
          bytesDown: 2,
          longestStallMs: 0,
          serverSide: {
            mptcp: 'mptcp',
            // The last one never got an answer.
            subflows: [scene.topology.links[0]!.addresses[0][0]!.address, '192.0.2.1', '192.0.2.1', '192.0.2.1'].map(
              (address, i) => ({
                local: { address, port: 1 },
                remote: { address: '192.0.2.9', port: 2 },
                ...{ bytesSent: 1, bytesReceived: 1, rttMs: i < 3 ? 1 : 0, retransmits: 0, closed: false },
              }),
            ),
          },
        },
      ],
    ],
  ]),
  measures: {
    startedMs: ORIGIN,
    endedMs: ORIGIN + 10_000,
    lateReadings: 0,
    interfaces: [
      { host: 'client', link: 'wifi', sent: nothing, received: link },
      { host: 'server', link: 'wifi', sent: link, received: nothing },
    ],
    hosts: [
      {
        host: 'server',
        counters: { TcpRetransSegs: 12 },
        retransmissions: { segmentsSent: 0, segments: 12, timeouts: 0, lossProbes: 0, reinjections: 0 },
      },
    ],
    processes: [
      { name: 'proxy', host: 'server', pid: 1, cpuMs: 500, cpuShare: 0.05, residentBytesMax: 80e6, watchedMs: 10_000 },
    ],
  },
};

function figure(measure: object): number | undefined {
  const taken = takeFigure(measureSchema.parse(measure) as Measure, run);
  return taken === undefined ? undefined : Math.round(taken * 1_000) / 1_000;
}

describe('figures of a run', () => {
  for (const [name, measure, expected] of [
    ['goodput over all of it, silences included', { take: 'goodput', of: 'transfer' }, 8.8],
    ['goodput from a moment on', { take: 'goodput', of: 'transfer', from: '3s' }, 8],
    ['goodput between two', { take: 'goodput', of: 'transfer', from: '1s', to: '3s' }, 8],
    ['goodput of no time at all', { take: 'goodput', of: 'transfer', from: '20s' }, undefined],
    ['share of what 20 Mbit/s carry', { take: 'used', of: 'transfer', from: '3s' }, 41.823],
    ['the longest gap', { take: 'gap', of: 'transfer' }, 1_010],
    ['the pause after a cut at 2 s', { take: 'pause', of: 'transfer', after: '2s' }, 1],
    ['recovery from a cut at 2 s', { take: 'recovery', of: 'transfer', after: '2s' }, 1],
    ['a cut that nothing was felt of', { take: 'recovery', of: 'transfer', after: '5s' }, 0],
    ['return at 3.5 s', { take: 'regain', link: 'wifi', after: '3500ms', before: ['0s', '2s'] }, 1.4],
    [
      'a direction that carried nothing regains nothing',
      { take: 'regain', link: 'wifi', direction: 'up', after: '3s', before: [0, 2_000] },
      undefined,
    ],
    ['the rate of a link', { take: 'rate', link: 'wifi', from: '4s', to: '5s' }, 4],
    ['of its other direction', { take: 'rate', link: 'wifi', direction: 'up' }, 0],
    ['what a link carried', { take: 'bytes', link: 'wifi', direction: 'down', to: '2s' }, 4_000],
    ['both ways, from a moment on', { take: 'bytes', link: 'wifi', from: '4500ms' }, 10_250],
    ['a link begins', { take: 'begins', link: 'wifi', after: '2s' }, 2.05],
    ['or does not in time', { take: 'begins', link: 'wifi', after: '2s', to: '4s' }, undefined],
    ['it ceases', { take: 'ceases', link: 'wifi', after: '1500ms', to: '4s' }, 0.5],
    ['what never carried does not', { take: 'ceases', link: 'wifi', direction: 'up', after: '2s' }, undefined],
    ['subflows over a link', { take: 'subflows', process: 'proxy', link: 'wifi' }, 1],
    ['over all', { take: 'subflows', process: 'proxy' }, 3],
    ['of what keeps no records', { take: 'subflows', process: 'other' }, undefined],
    ['the median of answers', { take: 'latency', of: 'asking' }, 25],
    ['the median of answers from 1 s on', { take: 'latency', of: 'asking', from: '1s' }, 20],
    ['the worst', { take: 'latency', of: 'asking', at: 'max' }, 100],
    ['the mean before 2 s', { take: 'latency', of: 'asking', at: 'mean', to: '2s' }, 55],
    ['no answer', { take: 'latency', of: 'asking', from: '9s' }, undefined],
    ['what has no latency', { take: 'latency', of: 'transfer' }, undefined],
    ['stalled time', { take: 'stalled', of: 'live' }, 900],
    ['stalls', { take: 'stalls', of: 'live' }, 1],
    ['start', { take: 'startup', of: 'live' }, 500],
    ['stalls of what does not play', { take: 'stalls', of: 'transfer' }, undefined],
    ['a counter', { take: 'counter', host: 'server', name: 'TcpRetransSegs' }, 12],
    ['a counter that did not grow', { take: 'counter', host: 'server', name: 'TcpOutRsts' }, 0],
    ['CPU', { take: 'cpu', process: 'proxy' }, 5],
    ['memory', { take: 'memory', process: 'proxy' }, 80],
    ['finished', { take: 'finished', of: 'transfer' }, 100],
    ['with a wrong byte nothing is finished', { take: 'finished', of: 'broken' }, 0],
    ['what is not there', { take: 'finished', of: 'nobody' }, undefined],
  ] as const) {
    test(name, () => assert.equal(figure(measure), expected));
  }
});
