import assert from 'node:assert/strict';
import { test } from 'node:test';

import { BARRED_MS, type Choice, CongestionChoice, cubicRate } from '#anabranch/proxy/tuning/congestion-choice.js';
import type { SendReading } from '#anabranch/socket/send-reading.js';

const TURN_MS = 250;
const SEGMENT = 1_420;

/** A subflow that is fed by the second: what it sends, what of that is lost, how long its round trip is. */
class Link {
  readonly id: number;
  readonly minRttUs: number;
  #sent = 0;
  #lost = 0;
  #acked = 0;
  #busyUs = 0;

  constructor(id: number, minRttMs: number) {
    this.id = id;
    this.minRttUs = minRttMs * 1000;
  }

  /** One turn at a rate in Mbit/s; `lost` segments of it were sent again. */
  turn(rate: number, lost: number, rttMs = this.minRttUs / 1000, busy = 1): SendReading {
    const acked = (rate * 1e6 * TURN_MS) / 8000;
    this.#acked += acked;
    this.#sent += acked + lost * SEGMENT;
    this.#lost += lost * SEGMENT;
    this.#busyUs += TURN_MS * 1000 * busy;
    const { id, minRttUs } = this;
    return {
      id,
      minRttUs,
      rttUs: rttMs * 1000,
      bytesSent: this.#sent,
      bytesRetransmitted: this.#lost,
      bytesAcked: this.#acked,
      busyUs: this.#busyUs,
      segmentBytes: SEGMENT,
      windowBytes: 0,
      thresholdBytes: 0,
      pacingRate: 0,
      isRecovering: false,
      unsentBytes: 0,
    };
  }
}

/** Plays turns until there is a choice; `[seconds, choice]`. */
function play(
  choice: CongestionChoice,
  seconds: number,
  turn: (i: number) => SendReading[],
  from = 0,
): [number, Choice] | undefined {
  for (let i = 0; i < (seconds * 1000) / TURN_MS; i++) {
    const now = from + i * TURN_MS;
    const made = choice.observe(now, turn(i));
    if (made !== undefined) return [now / 1000, made];
  }
  return undefined;
}

const every = (turns: number) => (i: number) => (i % turns === 0 ? 1 : 0);

test('what cubic reaches with random losses: RFC 9438, tables 1 and 2', () => {
  // Mean windows in segments, RTT 0.1 s (table 1) and 0.01 s (table 2), of AIMD(TCP) 1.2 / √p and of C = 0.4.
  const windows: [number, number, number][] = [
    [1e-2, 0.1, 12],
    [1e-3, 0.1, 38.7],
    [1e-4, 0.1, 187],
    [1e-5, 0.1, 1054],
    [1e-6, 0.1, 5926],
    [1e-4, 0.01, 122],
    [1e-6, 0.01, 1225],
  ];
  for (const [loss, rtt, window] of windows) {
    const got = (cubicRate(loss, rtt, 1_000) * rtt) / 8_000;
    assert.ok(Math.abs(got / window - 1) < 0.05, `${loss} at ${rtt}: ${got}`);
  }
  assert.equal(cubicRate(0, 0.1, 1_420), Infinity);
  assert.equal(cubicRate(0.01, 0, 1_420), Infinity);
});

test('bbr where a long path loses without a queue', () => {
  const lossy = new Link(2, 100);
  const clean = new Link(1, 20);
  // 1.4 Mbit/s, of 123 segments a second one or two lost; beside it a full link.
  const made = play(new CongestionChoice(0), 10, (i) => [clean.turn(19, 0, 90), lossy.turn(1.4, every(3)(i))]);
  assert.ok(made !== undefined && made[0] <= 5, `${made?.[0]} s`);
  assert.equal(made[1].congestion, 'bbr');
  assert.match(made[1].why, /^[\d.]+ % lost at 100 ms without a queue: cubic would reach 1\.\d Mbit\/s$/);
});

const staysWithCubic: [string, (i: number, link: Link) => SendReading][] = [
  ['nothing is lost', (_, link) => link.turn(10, 0)],
  ['losses of a full queue', (i, link) => link.turn(10, every(8)(i) * 3, 170 + (i % 8) * 4)],
  ['the queue of the start, and recovery after it', (i, link) => link.turn(10, i < 6 ? 80 : 0, i < 4 ? 250 : 105)],
  ['a queue now and then, losses in its wake', (i, link) => link.turn(10, i % 4, i % 4 === 0 ? 200 : 101)],
  ['a path that has died', (i, link) => link.turn(i < 8 ? 10 : 0, i < 8 ? 0 : 2)],
  ['one accident', (i, link) => link.turn(5, i === 20 ? 40 : 0)],
];
for (const [name, turn] of staysWithCubic) {
  test(`cubic: ${name}`, () => {
    const link = new Link(1, 100);
    assert.equal(
      play(new CongestionChoice(0), 60, (i) => [turn(i, link)]),
      undefined,
    );
  });
}

test('cubic: a short path, where it makes up for losses', () => {
  const link = new Link(1, 0.5);
  assert.equal(
    play(new CongestionChoice(0), 60, () => [link.turn(900, 4)]),
    undefined,
  );
});

test('back to cubic where bbr is slower, and not again for a while; longer each time', () => {
  const choice = new CongestionChoice(0);
  const link = new Link(1, 60);
  const under = { cubic: 8, bbr: 2 };
  let congestion: 'cubic' | 'bbr' = 'cubic';
  const changes: [number, string][] = [];
  for (let i = 0; i < (3 * 2 * BARRED_MS) / TURN_MS; i++) {
    const made = choice.observe(i * TURN_MS, [link.turn(under[congestion], every(2)(i))]);
    if (made === undefined) continue;
    congestion = made.congestion;
    changes.push([i * TURN_MS, made.why]);
  }
  assert.ok(changes.length >= 4);
  const [, away = [0, ''], again = [0, ''], awayAgain = [0, '']] = changes;
  assert.match(away[1], /^bbr reached 2 Mbit\/s where cubic had 8 Mbit\/s$/);
  assert.ok(Math.abs(again[0] - away[0] - BARRED_MS) <= TURN_MS, 'barred once');
  const third = changes[4];
  assert.ok(third === undefined || third[0] - awayAgain[0] >= 2 * BARRED_MS - TURN_MS, 'barred for longer');
});

test('bbr stays where it is faster, and where the sender was what limited cubic', () => {
  for (const busy of [1, 0.2]) {
    const choice = new CongestionChoice(0);
    const link = new Link(1, 100);
    const made = play(choice, 20, (i) => [link.turn(1.4, every(3)(i), 100, busy)]);
    assert.equal(made?.[1].congestion, 'bbr');
    const from = (made?.[0] ?? 0) * 1000 + TURN_MS;
    assert.equal(
      play(choice, 120, (i) => [link.turn(busy === 1 ? 9.2 : 0.1, every(2)(i), 104, busy)], from),
      undefined,
    );
  }
});

test('back to cubic once nothing has been lost for a minute', () => {
  const choice = new CongestionChoice(0);
  const link = new Link(1, 100);
  const made = play(choice, 20, (i) => [link.turn(1.4, every(3)(i))]);
  assert.equal(made?.[1].congestion, 'bbr');
  const from = (made?.[0] ?? 0) * 1000 + TURN_MS;
  const back = play(choice, 300, () => [link.turn(9, 0)], from);
  assert.equal(back?.[1].congestion, 'cubic');
  const passed = (back?.[0] ?? 0) - from / 1000;
  assert.ok(passed >= 59 && passed < 200, `${passed} s`);
});

test('what an earlier connection has taught is begun with', () => {
  const link = new Link(1, 100);
  const turn = (i: number) => [link.turn(1.4, every(3)(i))];
  assert.equal(play(new CongestionChoice(0, 'bbr'), 60, turn), undefined, 'bbr, and it stays');
  assert.equal(play(new CongestionChoice(0, 'cubic', 60_000), 59, turn), undefined, 'barred');
});

test('subflows that come and go', () => {
  const choice = new CongestionChoice(0);
  const made = play(choice, 60, (i) => {
    // Each lives for two turns only, with losses: nothing to judge by.
    return [new Link(1000 + (i >> 1), 100).turn(2, i % 2)];
  });
  assert.equal(made, undefined);
  assert.equal(choice.observe(60_000, []), undefined);
});
