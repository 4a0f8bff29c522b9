import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { SendBufferChoice, type Sender } from '#anabranch/proxy/tuning/send-buffer-choice.js';

const TURN_MS = 100;
const MOST = 16 << 20;

/** A path in its steady state: `rate` in Mbit/s, `waiting` bytes handed to it and not sent. */
interface State {
  readonly id: number;
  readonly rate: number;
  readonly rttMs: number;
  readonly waiting: number;
  readonly isRecovering?: boolean;
  /** Sent again in each turn, at an rtt that tells of no queue. */
  readonly lost?: number;
  readonly isSlowStart?: boolean;
  /** bbr: the window is twice what is under way. */
  readonly windows?: number;
}

const WIFI: State = { id: 1, rate: 20, rttMs: 40, waiting: 250_000 };
const CELLULAR: State = { id: 2, rate: 10, rttMs: 160, waiting: 370_000 };
/** Σ of the rates for the longest round trip. */
const UNDER_WAY = ((20e6 + 10e6) / 8) * 0.16;

class Scene {
  readonly choice = new SendBufferChoice();
  current: number;
  #now = 0;
  readonly #acked = new Map<number, number>();
  readonly #lost = new Map<number, number>();

  constructor(current: number) {
    this.current = current;
  }

  /** One turn in which each path carries what it can; returns the buffer after it. */
  turn(...states: readonly State[]): number {
    this.#now += TURN_MS;
    const readings = states.map((state): Sender => {
      const { id, rate, rttMs, waiting, isRecovering = false, lost = 0, isSlowStart = false, windows = 1 } = state;
      const perSecond = (rate * 1e6) / 8;
      this.#acked.set(id, (this.#acked.get(id) ?? 0) + (perSecond * TURN_MS) / 1000);
      this.#lost.set(id, (this.#lost.get(id) ?? 0) + lost);
      const windowBytes = (windows * perSecond * rttMs) / 1000;
      return {
        id,
        rttUs: rttMs * 1000,
        bytesAcked: Math.floor(this.#acked.get(id) as number),
        windowBytes,
        thresholdBytes: isSlowStart ? 2 ** 40 : windowBytes,
        pacingRate: perSecond * 1.2,
        minRttUs: lost > 0 ? rttMs * 1000 : 20_000,
        bytesRetransmitted: this.#lost.get(id) as number,
        isRecovering,
        unsentBytes: waiting,
      };
    });
    this.current = this.choice.observe(this.#now, readings, this.current) ?? this.current;
    return this.current;
  }

  settle(...states: readonly State[]): number {
    for (let i = 0; i < 30; i++) this.turn(...states);
    return this.current;
  }
}

test('settles a little above what all paths together have under way', () => {
  const buffer = new Scene(1_900_000).settle(WIFI, CELLULAR);
  assert.ok(buffer > UNDER_WAY * 1.1 && buffer < UNDER_WAY * 1.6, `${buffer}`);
  // Next to nothing to change: the same again.
  assert.equal(new Scene(buffer).settle(WIFI, CELLULAR), buffer);
});

test('shrinks by less than what gets through, so that something is taken all the time', () => {
  const scene = new Scene(4_000_000);
  const perTurn = (30e6 / 8) * (TURN_MS / 1000);
  for (let i = 0; i < 30; i++) {
    const before = scene.current;
    assert.ok(before - scene.turn(WIFI, CELLULAR) < perTurn);
  }
  assert.ok(scene.current < 1_200_000);
});

const left: [string, readonly State[]][] = [
  ['one path', [CELLULAR]],
  ['paths that hold nothing', [WIFI, CELLULAR].map((state) => ({ ...state, waiting: 10_000 }))],
  ['slow start', [WIFI, { ...CELLULAR, isSlowStart: true }]],
  // 2.5 MB wait 2 ms.
  ['fast paths', [1, 2].map((id) => ({ id, rate: 10_000, rttMs: 1, waiting: 2_500_000 }))],
];
for (const [name, states] of left) {
  test(`${name}: left to the kernel`, () => {
    const scene = new Scene(1_900_000);
    assert.equal(scene.settle(...states), 1_900_000);
  });
}

test('once set it follows: a path that is lost, one that returns', () => {
  const scene = new Scene(1_900_000);
  const both = scene.settle(WIFI, CELLULAR);
  const alone = scene.settle(CELLULAR);
  assert.ok(alone < both / 2 && alone > UNDER_WAY / 3, `${alone}`);
  // In slow start it tells of a third of its rate, and is given more than twice that at once.
  const joining = { ...WIFI, id: 3, rate: 7, isSlowStart: true, waiting: 0 };
  assert.ok(scene.turn(CELLULAR, joining) > alone * 1.5);
  assert.ok(scene.turn(CELLULAR, joining) <= alone * 4);
  const again = scene.settle({ ...WIFI, id: 3 }, CELLULAR);
  assert.ok(Math.abs(again - both) < both / 4, `${again} ${both}`);
});

test('who joins may go ahead by what the others hold, for as long as they do', () => {
  // What was lost is handed to cellular: half a second.
  const burdened = { ...CELLULAR, waiting: 625_000 };
  const joining = { ...WIFI, id: 3 };
  const scene = new Scene(1_900_000);
  const before = scene.settle(WIFI, CELLULAR);
  scene.turn(burdened, joining);
  const most = scene.turn(burdened, joining);
  assert.ok(most - before > ((20e6 / 8) * 500) / 1000 / 2, `${before} ${most}`);
  assert.ok(scene.settle(burdened, joining) < before * 1.2, 'and what it holds later gives nobody more');
});

test('the others go on while one makes up for losses', () => {
  const scene = new Scene(1_900_000);
  const before = scene.settle(WIFI, CELLULAR);
  const after = scene.turn(WIFI, { ...CELLULAR, isRecovering: true });
  assert.ok(after - before > (20e6 / 8) * 0.16 * 0.8, `${before} ${after}`);
});

test('over a path that loses without being full there is room for what is sent again', () => {
  const scene = new Scene(1_900_000);
  const before = scene.settle(WIFI, CELLULAR);
  const lossy = scene.settle(WIFI, { ...CELLULAR, lost: 1_400 });
  assert.ok(lossy > UNDER_WAY * 3.5 && lossy < UNDER_WAY * 5, `${lossy}`);
  assert.ok(Math.abs(scene.settle(WIFI, CELLULAR) - lossy) < lossy / 4, 'for some seconds more');
  scene.settle(WIFI, CELLULAR);
  // A change of less than an eighth is not worth a call.
  assert.ok(Math.abs(scene.settle(WIFI, CELLULAR) - before) <= before / 8);
});

test('bbr has a window of two round trips; its pacing tells what it makes of it', () => {
  const both = [WIFI, CELLULAR];
  const cubic = new Scene(1_900_000).settle(...both);
  const bbr = new Scene(1_900_000).settle(...both.map((state) => ({ ...state, windows: 2 })));
  assert.ok(bbr < cubic * 1.4, `${bbr} ${cubic}`);
});

test('what has died, stands by or is closing does not count', () => {
  const scene = new Scene(1_900_000);
  const before = scene.settle(WIFI, CELLULAR);
  // It says what it said last, acknowledges nothing.
  const dead = { ...WIFI, id: 7, rttMs: 900, rate: 0, windows: 1 };
  assert.equal(scene.settle(WIFI, CELLULAR, dead), before);
});

test('whatever is read, the buffer stays within bounds', () => {
  const state = fc.record({
    id: fc.integer({ min: 1, max: 4 }),
    rate: fc.double({ min: 0, max: 100_000, noNaN: true }),
    rttMs: fc.integer({ min: 0, max: 5_000 }),
    waiting: fc.nat({ max: 16 << 20 }),
    isRecovering: fc.boolean(),
    lost: fc.nat({ max: 100_000 }),
    isSlowStart: fc.boolean(),
    windows: fc.double({ min: 0, max: 3, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(fc.array(state, { maxLength: 4 }), { maxLength: 20 }), (turns) => {
      const scene = new Scene(2_000_000);
      for (const states of turns) {
        const before = scene.current;
        const after = scene.turn(...states);
        assert.ok(Number.isSafeInteger(after) && after > 0, `${after}`);
        assert.ok(after <= Math.max(before, MOST) && after <= before * 2, `${before} ${after}`);
      }
    }),
  );
});
