import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { type DemoEvent, type DemoResult, isWhole, type TransferResult } from '#anabranch/lab/demo/demo-result.js';
import { demoSettings } from '#anabranch/lab/demo/demo-settings.js';
import { verdictLines } from '#anabranch/lab/demo/verdict.js';
import { describePath, eventLine, megabytes, wrap } from '#anabranch/lab/demo/wording.js';

const WHOLE: TransferResult = {
  finished: true,
  sha256Ok: true,
  seconds: 44.5,
  longestStallMs: 1_408,
  bytes: 100e6,
  bytesPerPath: { path1: 58.04e6, path2: 50.97e6 },
  failure: undefined,
};
const CUT: DemoEvent[] = [
  { atMs: 15_500, kind: 'cut', path: 1 },
  { atMs: 27_600, kind: 'back', path: 1 },
  { atMs: 36_600, kind: 'regained', transfer: 'mptcp', path: 1 },
];
const RESULT: DemoResult = {
  mptcp: WHOLE,
  tcp: { ...WHOLE, seconds: 62.2, longestStallMs: 19_380, bytesPerPath: { path1: 104.6e6, path2: 130 } },
  events: [...CUT, { atMs: 35_300, kind: 'regained', transfer: 'tcp', path: 1 }],
  flow: {
    end: 'done',
    longestStallMs: 2_000,
    clientSide: 'mptcp',
    serverSide: 'peer-without-mptcp',
    subflows: [
      { path: 1, bytesSent: 55.9e6, rttMs: 41, retransmits: 89, closed: false },
      { path: undefined, bytesSent: 46.3e6, rttMs: 117, retransmits: 629, closed: true },
    ],
  },
  settings: demoSettings({ quick: false, congestion: 'bbr' }),
  versions: { anabranch: '1', kernel: '6', node: '20', curl: '7' },
};
const FAILED = { ...WHOLE, finished: false, sha256Ok: false, bytes: 35e6, failure: 'curl: (28) Operation timed out' };

function verdict(change: Partial<DemoResult>): string {
  return verdictLines({ ...RESULT, ...change }).join('\n');
}

describe('the verdict', () => {
  test('in plain words', () => {
    assert.equal(
      verdict({}),
      `Both downloads came through whole; the one over MPTCP 17.7 s sooner than the one over plain TCP.

Through anabranch, over MPTCP: finished in 44.5 s, SHA-256 right, longest stall 1.4 s.
  58.0 MB came over path 1, 51.0 MB over path 2, headers included.
Straight, over plain TCP: finished in 62.2 s, SHA-256 right, longest stall 19.4 s.
  104.6 MB came over path 1, nothing over path 2, headers included.
Path 1 was away from 15.5 s to 27.6 s; used again by MPTCP after 9.0 s, by plain TCP after 7.7 s.
Plain TCP stood still all that time, and went on only because the path came back.
The gateway's flow record (end: done): plain TCP (no MPTCP there) to the server,
  MPTCP to the client, with 2 subflows:
  over path 1: 55.9 MB sent, 89 segments retransmitted
  over neither path: 46.3 MB sent, 629 segments retransmitted, closed

anabranch 1, Linux 6, Node 20, curl 7`,
    );
  });

  for (const [name, change, expected] of [
    [
      'TCP failed',
      { tcp: FAILED },
      /^The download over MPTCP came through the cut whole; the one over plain TCP did not\./,
    ],
    [
      'MPTCP failed',
      { mptcp: FAILED },
      /^The download over MPTCP did not come through whole, and the one over plain TCP/,
    ],
    ['both failed', { mptcp: FAILED, tcp: FAILED }, /^The download over MPTCP did not come through whole\.$/m],
    ['a failure says why', { tcp: FAILED }, /not finished, 35\.0 MB in 44\.5 s.*\n {2}It said: curl: \(28\)/],
    ['MPTCP was slower', { mptcp: { ...WHOLE, seconds: 70 } }, /MPTCP but 7\.8 s later than/],
    ['wrong bytes', { mptcp: { ...WHOLE, sha256Ok: false } }, /did not come through whole.*\n\n.*SHA-256 WRONG/],
    ['never cut', { events: [] }, /Path 1 was never cut/],
    ['over before the return', { events: CUT.slice(0, 1) }, /both downloads were over before it returned/],
    ['not used again', { events: CUT }, /used again by MPTCP after 9\.0 s, by plain TCP not at all\./],
    ['no record', { flow: undefined }, /flow log has no record/],
    ['another state', { flow: { ...RESULT.flow!, clientSide: 'fell-back' } }, /TCP \(fell-back\) to the client/],
    ['hostile words', { tcp: { ...FAILED, failure: '\u001b[2Jx' } }, /It said: \?\[2Jx/],
  ] as const) {
    test(name, () => assert.match(verdict(change as Partial<DemoResult>), expected));
  }

  test('only what is finished and right is whole', () => {
    assert.deepEqual([WHOLE, FAILED, { ...WHOLE, sha256Ok: false }, { ...WHOLE, finished: false }].map(isWhole), [
      true,
      false,
      false,
      false,
    ]);
  });
});

describe('wording', () => {
  for (const [line, columns, expected] of [
    ['one two three', 20, ['one two three']],
    ['one two three', 13, ['one two three']],
    ['one two three', 12, ['one two', '    three']],
    ['one two three', 7, ['one two', '    three']],
    ['  indented words', 11, ['  indented', '    words']],
    ['unbreakable', 4, ['unbreakable']],
    ['', 4, ['']],
    ['one two', 0, ['one two']],
    ['one two', Number.POSITIVE_INFINITY, ['one two']],
  ] as const) {
    test(`"${line}" in ${columns} columns`, () => assert.deepEqual(wrap(line, columns), expected));
  }

  test('paths, sizes, events', () => {
    const [first, second] = RESULT.settings.paths;
    assert.equal(describePath(first), '20 Mbit/s, 20 ms, no loss');
    assert.equal(describePath(second), '10 Mbit/s, 100 ms, 1 % loss');
    assert.deepEqual([0, 9_999, 10_000, 1_234_567].map(megabytes), ['nothing', 'nothing', '0.0 MB', '1.2 MB']);
    assert.equal(
      eventLine({ atMs: 123_456, kind: 'failed', transfer: 'tcp' }),
      ' 123.5 s  the download over plain TCP has failed',
    );
  });
});
