// The link model in virtual time, against a naive second model of the same rules.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { LinkModel, Refusal } from '#anabranch/lab/link-model.js';
import { type DirectionSettings, meanLoss, PERFECT } from '#anabranch/lab/link-settings.js';
import { createRandom } from '#anabranch/lab/random.js';

interface Frame {
  /** Microseconds. */
  readonly at: number;
  readonly bytes: number;
}

interface Outcome {
  readonly arrived: readonly { readonly frame: number; readonly at: number }[];
  readonly refused: readonly number[];
  readonly lost: readonly number[];
}

/** Runs frames through a model and takes each out at the very moment the model names. */
function run(settings: DirectionSettings, frames: readonly Frame[], { seed = 1, capacity = 4_096 } = {}): Outcome {
  const arrived: { frame: number; at: number }[] = [];
  const refused: number[] = [];
  const lost: number[] = [];
  const options = { capacity, random: createRandom(seed), onLost: (frame: number) => void lost.push(frame) };
  const model = new LinkModel(settings, options);
  const takeUntil = (until: number): void => {
    for (let at = model.nextAt(); at <= until && at < Number.POSITIVE_INFINITY; at = model.nextAt()) {
      for (let frame = model.take(at); frame >= 0; frame = model.take(at)) arrived.push({ frame, at });
    }
  };
  frames.forEach(({ at, bytes }, frame) => {
    takeUntil(at);
    if (model.offer(frame, bytes, at) !== 0) refused.push(frame);
  });
  takeUntil(Number.MAX_VALUE);
  assert.equal(model.queuedBytes, 0);
  assert.equal(model.queuedFrames, 0);
  return { arrived, refused, lost };
}

const arbitraryFrames = fc
  .array(fc.record({ gap: fc.integer({ min: 0, max: 20_000 }), bytes: fc.integer({ min: 60, max: 1_514 }) }), {
    maxLength: 60,
  })
  .map((list) => {
    let at = 0;
    return list.map(({ gap, bytes }): Frame => {
      at += gap;
      return { at, bytes };
    });
  });

describe('queue, line and delay', () => {
  test('every frame leaves when the naive model says, or is refused with it', () => {
    const rates = fc.constantFrom(64e3, 1e6, 20e6);
    fc.assert(
      fc.property(
        arbitraryFrames,
        rates,
        fc.nat(200),
        fc.integer({ min: 0, max: 20_000 }),
        (frames, rate, delayMs, limit) => {
          const arrived: { frame: number; at: number }[] = [];
          const refused: number[] = [];
          let waiting: { done: number; bytes: number }[] = [];
          let free = 0;
          for (const [frame, { at, bytes }] of frames.entries()) {
            waiting = waiting.filter(({ done }) => done > at);
            const held = waiting.reduce((sum, one) => sum + one.bytes, 0);
            if (waiting.length > 0 && held + bytes > limit) {
              refused.push(frame);
              continue;
            }
            free = Math.max(free, at) + bytes * (8e6 / rate);
            waiting.push({ done: free, bytes });
            arrived.push({ frame, at: free + delayMs * 1e3 });
          }
          const outcome = run({ ...PERFECT, rate, delayMs, queue: { bytes: limit } }, frames);
          assert.deepEqual(outcome.refused, refused);
          assert.deepEqual(
            outcome.arrived.map(({ frame }) => frame),
            arrived.map(({ frame }) => frame),
          );
          for (const [i, { at }] of outcome.arrived.entries()) assert.ok(Math.abs(at - arrived[i]!.at) < 1e-3);
        },
      ),
    );
  });

  test('an unlimited wire delays and does nothing else', () => {
    const { arrived } = run({ ...PERFECT, delayMs: 7 }, [
      { at: 0, bytes: 1_500 },
      { at: 0, bytes: 1_500 },
      { at: 5, bytes: 60 },
    ]);
    assert.deepEqual(
      arrived.map(({ at }) => at),
      [7_000, 7_000, 7_005],
    );
  });

  test('a queue smaller than one frame still passes frames one by one', () => {
    const { arrived, refused } = run({ ...PERFECT, rate: 8e6, queue: { bytes: 0 } }, [
      { at: 0, bytes: 1_000 },
      { at: 999, bytes: 1_000 },
      { at: 1_000, bytes: 1_000 },
    ]);
    assert.deepEqual(
      arrived.map(({ frame, at }) => [frame, at]),
      [
        [0, 1_000],
        [2, 2_000],
      ],
    );
    assert.deepEqual(refused, [1]);
  });

  test('when its memory is full it refuses, and goes on as room comes back', () => {
    const frames = Array.from({ length: 20 }, (): Frame => ({ at: 0, bytes: 100 }));
    const { arrived, refused } = run({ ...PERFECT, delayMs: 10 }, [...frames, { at: 20_000, bytes: 100 }], {
      capacity: 8,
    });
    assert.deepEqual(refused.length, 12);
    assert.equal(arrived.at(-1)!.frame, 20);
  });

  test('a full delay line stops the queue without a busy wait', () => {
    const model = new LinkModel({ ...PERFECT, rate: 8e6, delayMs: 50, queue: { bytes: 1e6 } }, options(4));
    for (let frame = 0; frame < 4; frame++) model.offer(frame, 100, 0);
    assert.equal(model.take(1_000), -1);
    for (let frame = 4; frame < 8; frame++) model.offer(frame, 100, 1_000);
    assert.ok(model.nextAt() > 40_000);
    assert.equal(model.offer(8, 100, 1_000), Refusal.noRoom);
    assert.equal(model.take(50_100), 0);
  });
});

describe('jitter', () => {
  const jittery = { ...PERFECT, delayMs: 50, jitterMs: 20 };
  const frames = Array.from({ length: 500 }, (_, i): Frame => ({ at: i * 1_000, bytes: 100 }));

  test('keeps the order unless asked, and never leaves its bounds by itself', () => {
    const { arrived } = run(jittery, frames);
    assert.deepEqual(
      arrived.map(({ frame }) => frame),
      frames.map((_, i) => i),
    );
    for (const { frame, at } of arrived) {
      const delay = at - frame * 1_000;
      assert.ok(delay >= 30_000 && delay <= 70_000, `${delay}`);
    }
  });

  test('with reordering, frames come by the time each has drawn', () => {
    const { arrived } = run({ ...jittery, reorder: true }, frames);
    assert.equal(arrived.length, 500);
    assert.ok(arrived.every(({ at }, i) => i === 0 || at >= arrived[i - 1]!.at));
    assert.ok(arrived.some(({ frame }, i) => i > 0 && frame < arrived[i - 1]!.frame));
    const mean = arrived.reduce((sum, { frame, at }) => sum + at - frame * 1_000, 0) / 500;
    assert.ok(Math.abs(mean - 50_000) < 2_500, `${mean}`);
  });
});

describe('loss', () => {
  const frames = Array.from({ length: 40_000 }, (_, i): Frame => ({ at: i * 10, bytes: 100 }));

  test('random loss is the share asked for, repeats with its seed, and uses the line', () => {
    const settings = { ...PERFECT, rate: 100e6, loss: { kind: 'random', probability: 0.03 } } as const;
    const first = run(settings, frames, { seed: 7 });
    assert.ok(Math.abs(first.lost.length / frames.length - 0.03) < 0.004, `${first.lost.length}`);
    assert.deepEqual(run(settings, frames, { seed: 7 }).lost, first.lost);
    assert.notDeepEqual(run(settings, frames, { seed: 8 }).lost, first.lost);
    const two = run({ ...PERFECT, rate: 8e6, loss: { kind: 'random', probability: 1 } }, [{ at: 0, bytes: 1_000 }]);
    assert.deepEqual(two.lost, [0]);
  });

  test('Gilbert-Elliott: the mean, and bursts of the mean length', () => {
    const loss = { kind: 'gilbert-elliott', goodToBad: 0.01, badToGood: 0.2, lossGood: 0, lossBad: 1 } as const;
    const { lost } = run({ ...PERFECT, loss }, frames);
    assert.ok(Math.abs(lost.length / frames.length - meanLoss(loss)) < 0.012, `${lost.length}`);
    const bursts = lost.filter((frame, i) => frame !== (lost[i - 1] ?? -2) + 1).length;
    assert.ok(Math.abs(lost.length / bursts - 5) < 1, `${lost.length / bursts}`);
  });
});

describe('capacity traces', () => {
  test('one full frame at each time, several small ones in one, and the trace repeats', () => {
    const trace = [5, 5, 20];
    const full = Array.from({ length: 5 }, (): Frame => ({ at: 0, bytes: 1_514 }));
    assert.deepEqual(
      run({ ...PERFECT, trace }, full).arrived.map(({ at }) => at),
      [5_000, 5_000, 20_000, 25_000, 25_000],
    );
    const small = Array.from({ length: 30 }, (): Frame => ({ at: 0, bytes: 100 }));
    assert.deepEqual(
      run({ ...PERFECT, trace: [10] }, small).arrived.map(({ at }) => at),
      small.map((_, i) => (i < 15 ? 10_000 : i < 30 ? 20_000 : 30_000)),
    );
  });

  test('chances that pass while nothing waits are gone, also after a long pause', () => {
    const { arrived } = run({ ...PERFECT, trace: [1, 2, 3, 100] }, [
      { at: 0, bytes: 1_514 },
      { at: 50_000, bytes: 1_514 },
      { at: 1e12 + 50_000, bytes: 1_514 },
    ]);
    assert.deepEqual(
      arrived.map(({ at }) => at),
      [1_000, 100_000, 1e12 + 100_000],
    );
  });
});

describe('changes while frames are under way', () => {
  test('a new rate holds for what still waits', () => {
    const model = new LinkModel({ ...PERFECT, rate: 8e6, queue: { bytes: 1e6 } }, options(16));
    for (let frame = 0; frame < 3; frame++) model.offer(frame, 1_000, 0);
    assert.equal(model.take(1_000), 0);
    model.configure({ ...PERFECT, rate: 80e6, queue: { bytes: 1e6 } }, 1_000);
    assert.equal(model.nextAt(), 1_100);
    assert.equal(model.take(1_100), 1);
    assert.equal(model.take(1_200), 2);
  });

  test('a change to the rate does not restart the frame on the line, however often it comes', () => {
    const model = new LinkModel({ ...PERFECT, rate: 8e6 }, options(16));
    model.offer(0, 1_000, 0);
    for (let now = 100; now < 1_000; now += 100) {
      model.configure({ ...PERFECT, rate: now % 200 === 0 ? 8e6 : 4e6, delayMs: now }, now);
    }
    // 5 × 100 µs at half the rate before the end: 100 + 8 × 75 bytes have gone at 900 µs, 300 are left at half the rate.
    assert.equal(model.nextAt(), 900 + 300 * 2);
  });

  test('a copy of the trace in use goes on where it was', () => {
    const model = new LinkModel({ ...PERFECT, trace: [10] }, options(16));
    model.offer(0, 1_514, 0);
    model.configure({ ...PERFECT, trace: [10], delayMs: 1 }, 9_000);
    assert.equal(model.nextAt(), 10_000);
  });

  test('a shorter delay does not let frames overtake', () => {
    const model = new LinkModel({ ...PERFECT, delayMs: 100 }, options(16));
    model.offer(0, 100, 0);
    model.configure({ ...PERFECT, delayMs: 10 }, 1_000);
    model.offer(1, 100, 1_000);
    assert.equal(model.take(99_999), -1);
    assert.equal(model.take(100_000), 0);
    assert.equal(model.take(100_000), 1);
  });

  test('silence refuses what comes and delivers what was under way', () => {
    const model = new LinkModel({ ...PERFECT, delayMs: 10 }, options(16));
    model.offer(0, 100, 0);
    model.silence(true);
    assert.equal(model.offer(1, 100, 1), Refusal.silent);
    assert.equal(model.take(10_000), 0);
    model.silence(false);
    assert.equal(model.offer(2, 100, 10_000), 0);
  });

  test('any settings, any frames: each frame comes out once, or is refused or lost', () => {
    const settings = fc.record({
      rate: fc.constantFrom(1e5, 1e7, Number.POSITIVE_INFINITY),
      trace: fc.constantFrom(undefined, [1], [3, 3, 17]),
      delayMs: fc.integer({ min: 0, max: 50 }),
      jitterMs: fc.integer({ min: 0, max: 80 }),
      reorder: fc.boolean(),
      loss: fc.constantFrom(PERFECT.loss, { kind: 'random' as const, probability: 0.3 }),
      queue: fc.oneof(fc.record({ bytes: fc.nat(5_000) }), fc.record({ ms: fc.nat(500) })),
    });
    fc.assert(
      fc.property(settings, arbitraryFrames, fc.nat(), (chosen, frames, seed) => {
        const { arrived, refused, lost } = run(chosen, frames, { seed, capacity: 16 });
        const seen = [...arrived.map(({ frame }) => frame), ...refused, ...lost].sort((a, b) => a - b);
        assert.deepEqual(
          seen,
          frames.map((_, i) => i),
        );
        for (const { frame, at } of arrived) assert.ok(at >= frames[frame]!.at);
        const order = arrived.map(({ frame }) => frame);
        if (!chosen.reorder) assert.ok(order.every((frame, i) => i === 0 || frame > order[i - 1]!));
      }),
    );
  });
});

function options(capacity: number) {
  return { capacity, random: createRandom(1), onLost: () => assert.fail('nothing may be lost here') };
}
