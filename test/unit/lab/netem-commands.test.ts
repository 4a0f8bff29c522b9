import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { type DirectionSettings, type Loss, PERFECT } from '#anabranch/lab/link-settings.js';
import { bridgeCommands, changeCommands, parseCounts, setupCommands } from '#anabranch/lab/netem/netem-commands.js';

const FRAME = 1_518;
const settings = (change: Partial<DirectionSettings>): DirectionSettings => ({ ...PERFECT, rate: 20e6, ...change });
const setup = (change: Partial<DirectionSettings>): string[] => setupCommands('l0b', settings(change), FRAME);

test('a link is a bridge of two ports that learns nothing', () => {
  assert.deepEqual(bridgeCommands(3, ['l3a', 'l3b']), [
    'link add name b3 type bridge stp_state 0 mcast_snooping 0 ageing_time 0',
    'link set dev l3a master b3',
    'link set dev l3b master b3',
    'link set dev b3 up',
  ]);
});

describe('one direction is loss and delay, then queue and rate', () => {
  // Half of the 607 µs that a full frame takes at 20 Mbit/s belongs to the delay.
  const netem = 'qdisc replace dev l0b root handle 1: netem limit 1000000';
  const tbf = 'qdisc replace dev l0b parent 1:1 handle 10: tbf';
  const table: readonly (readonly [string, Partial<DirectionSettings>, string, string])[] = [
    ['a plain rate', {}, 'delay 304us loss random 0% rate 1000gbit', 'rate 20000000bit burst 1518b limit 250000b'],
    [
      'a delay',
      { delayMs: 25 },
      'delay 25304us loss random 0% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 250000b',
    ],
    [
      'jitter in order, and out of it',
      { delayMs: 30, jitterMs: 2.5 },
      'delay 30304us 2500us loss random 0% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 250000b',
    ],
    [
      'reordering',
      { delayMs: 30, jitterMs: 20, reorder: true },
      'delay 30304us 20000us loss random 0%',
      'rate 20000000bit burst 1518b limit 250000b',
    ],
    [
      'random loss',
      { loss: { kind: 'random', probability: 0.015 } },
      'delay 304us loss random 1.5% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 250000b',
    ],
    [
      'bursts',
      { loss: { kind: 'gilbert-elliott', goodToBad: 0.01, badToGood: 0.2, lossGood: 0.001, lossBad: 1 } },
      'delay 304us loss gemodel 1% 20% 100% 0.1% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 250000b',
    ],
    [
      'a queue in bytes',
      { queue: { bytes: 64_000 } },
      'delay 304us loss random 0% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 64000b',
    ],
    [
      'a queue of nothing',
      { queue: { bytes: 0 } },
      'delay 304us loss random 0% rate 1000gbit',
      'rate 20000000bit burst 1518b limit 1518b',
    ],
    [
      'a fast link',
      { rate: 1e9 },
      'delay 6us loss random 0% rate 1000gbit',
      'rate 1000000000bit burst 31250b limit 12500000b',
    ],
    [
      'no limit',
      { rate: Number.POSITIVE_INFINITY },
      'delay 1us loss random 0% rate 1000gbit',
      'rate 100000000000bit burst 3125000b limit 1000000000b',
    ],
  ];
  for (const [title, change, first, second] of table) {
    test(title, () => assert.deepEqual(setup(change), [`${netem} ${first}`, `${tbf} ${second}`]));
  }
});

test('a change keeps the qdiscs, and names all there is to them', () => {
  fc.assert(
    fc.property(
      fc.record({
        rate: fc.oneof(fc.double({ min: 1e3, max: 1e10, noNaN: true }), fc.constant(Number.POSITIVE_INFINITY)),
        delayMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
        jitterMs: fc.double({ min: 0, max: 500, noNaN: true }),
        reorder: fc.boolean(),
        loss: fc.oneof(
          fc.constant<Loss>({ kind: 'none' }),
          fc.double({ min: 0, max: 1, noNaN: true }).map((probability): Loss => ({ kind: 'random', probability })),
        ),
        queue: fc.oneof(
          fc.nat(1e9).map((bytes) => ({ bytes })),
          fc.nat(10_000).map((ms) => ({ ms })),
        ),
      }),
      (random) => {
        const lines = changeCommands('l0b', settings(random), false, FRAME);
        assert.deepEqual(
          lines,
          setup(random).map((line) => line.replace('replace', 'change')),
        );
        // tc takes neither exponents nor fractions of bytes and microseconds.
        for (const line of lines) assert.doesNotMatch(line, /\d[eE][+-]?\d|NaN|Infinity|undefined|\d\.\d+(us|b|bit)\b/);
      },
    ),
  );
});

test('a silent cut loses all, and its end restores the loss there was', () => {
  const lossy = settings({ loss: { kind: 'random', probability: 0.01 } });
  assert.match(changeCommands('l0b', lossy, true, FRAME)[0] ?? '', / loss random 100% /);
  assert.match(changeCommands('l0b', lossy, false, FRAME)[0] ?? '', / loss random 1% /);
});

describe('counters', () => {
  const listing = [
    { kind: 'noqueue', handle: '0:', dev: 'lo', root: true, bytes: 0, packets: 0, drops: 0, backlog: 0, qlen: 0 },
    { kind: 'netem', handle: '1:', dev: 'l0b', root: true, bytes: 9_000, packets: 9, drops: 7, backlog: 500, qlen: 3 },
    {
      kind: 'tbf',
      handle: '10:',
      dev: 'l0b',
      parent: '1:1',
      bytes: 8_000,
      packets: 8,
      drops: 2,
      backlog: 400,
      qlen: 1,
    },
    { kind: 'netem', handle: '1:', dev: 'l0a', root: true, bytes: 0, packets: 0, drops: 0, backlog: 0, qlen: 0 },
  ];

  test('losses are told from a full queue, device by device', () => {
    const counts = parseCounts(JSON.stringify(listing));
    assert.deepEqual(counts.get('l0b'), {
      framesOut: 8,
      bytesOut: 8_000,
      dropped: 5,
      queueFull: 2,
      framesWaiting: 3,
      bytesWaiting: 400,
    });
    assert.deepEqual(counts.get('l0a')?.framesOut, 0);
    assert.equal(counts.size, 2);
  });

  test('no listing, no counts', () => assert.equal(parseCounts('').size, 0));
});
