import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';

import { playTimeline, type TimelineAction, type TimelineEntry, type TimelineStep } from '#anabranch/lab/timeline.js';

const up = (link: string, atMs: number): TimelineEntry => ({ atMs, action: { kind: 'up', link } });

/** Writes down what is done, and takes `tookMs` for each. */
function recorder(tookMs = 0): { done: string[]; act: (action: TimelineAction) => Promise<void> } {
  const done: string[] = [];
  return {
    done,
    async act(action) {
      await new Promise((resolve) => setTimeout(resolve, tookMs));
      done.push(action.kind === 'address' ? action.host : action.link);
    },
  };
}

describe('a timeline', () => {
  test('is played in order of time, whatever the order of the list', async () => {
    const target = recorder();
    const steps: TimelineStep[] = [];
    await playTimeline([up('c', 60), up('a', 0), up('b', 30), up('b2', 30)], target, {
      onStep: (step) => steps.push(step),
    });
    assert.deepEqual(target.done, ['a', 'b', 'b2', 'c']);
    for (const { entry, startedMs, doneMs } of steps) {
      assert.ok(startedMs >= entry.atMs - 2 && startedMs < entry.atMs + 500, `${startedMs} for ${entry.atMs}`);
      assert.ok(doneMs >= startedMs);
    }
  });

  test('waits for each action, and does not skip those that are late', async () => {
    const target = recorder(30);
    await playTimeline([up('a', 0), up('b', 5), up('c', 10)], target);
    assert.deepEqual(target.done, ['a', 'b', 'c']);
  });

  test('ends at once when it is told to, also before it begins', async () => {
    const target = recorder();
    const stop = new AbortController();
    const played = playTimeline([up('a', 0), up('b', 60_000)], target, { signal: stop.signal });
    setTimeout(() => stop.abort(), 30);
    await played;
    assert.deepEqual(target.done, ['a']);
    const before = recorder();
    await playTimeline([up('a', 0)], before, { signal: AbortSignal.abort() });
    assert.deepEqual(before.done, []);
  });

  test('stops at the first failure', async () => {
    const act = mock.fn(async () => {
      throw new Error('no such link');
    });
    await assert.rejects(playTimeline([up('a', 0), up('b', 1)], { act }), /no such link/);
    assert.equal(act.mock.callCount(), 1);
  });

  test('an empty one is over', () => playTimeline([], recorder()));
});
