import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { LabError } from '#anabranch/lab/lab-error.js';
import { chooseLab, type RunningLab } from '#anabranch/lab/running.js';

const ME = 1_000;
const lab = (id: string, uid: number | undefined): RunningLab => ({
  record: { id, topology: 'two-paths', pid: 1, startTime: '1', hosts: [], namespaces: [] },
  controlPath: '',
  inside: undefined,
  uid,
});

describe('of the labs that run', () => {
  for (const [what, labs, id, expected] of [
    ['the only one', [lab('a', ME)], undefined, 'a'],
    ["the only one, another user's", [lab('a', 0)], undefined, 'a'],
    ['my own', [lab('a', 0), lab('b', ME), lab('c', 0)], undefined, 'b'],
    ['the one that is named', [lab('a', 0), lab('b', ME)], 'a', 'a'],
  ] as const) {
    test(`${what} is meant`, () => assert.equal(chooseLab(labs, id, ME).record.id, expected));
  }
  for (const [what, labs, id, expected] of [
    ['none', [], undefined, /^no lab is running/],
    ['none of this name', [lab('a', ME), lab('b', 0)], 'c', /^no lab c is running; running are: a, b$/],
    ['one of several of mine', [lab('a', ME), lab('b', 0), lab('c', ME)], undefined, /--lab, of: a, c$/],
    ["one of several of others'", [lab('a', 0), lab('b', undefined)], undefined, /--lab, of: a, b$/],
  ] as const) {
    test(`${what} is told`, () => {
      assert.throws(
        () => chooseLab(labs, id, ME),
        (error) => error instanceof LabError && expected.test(error.message),
      );
    });
  }
});
