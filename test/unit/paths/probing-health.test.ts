import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import type { Attempt } from '#anabranch/paths/probing/attempt.js';
import { describeHealth, PathHealth, type ProbeResult } from '#anabranch/paths/probing/path-health.js';
import { judgeAnswer } from '#anabranch/paths/probing/portal.js';

const answered = (rttMs: number, lost = 0, isMptcp = false): Attempt => ({ kind: 'answered', rttMs, lost, isMptcp });
const silent: Attempt = { kind: 'silent', lost: 2 };
const failed: Attempt = { kind: 'failed', detail: 'ENETUNREACH' };

function play(...results: readonly ProbeResult[]) {
  const health = new PathHealth();
  const changes = results.map((result) => health.add(result));
  return { changes, health: health.health };
}

test('round trip and losses of the latest probes', () => {
  const rtts = [900, 800, 30, 20, 25, 21, 22, 23, 24, 26, 27, 28];
  const { health, changes } = play(...rtts.map((rtt) => ({ tcp: answered(rtt) })));
  assert.deepEqual(changes.flat(), []);
  assert.equal(health.rttMs, 25, 'the upper median of the latest ten');
  assert.equal(health.rttMinMs, 20);
  assert.equal(health.loss, 0);
  const lossy = play({ tcp: answered(20, 1) }, { tcp: answered(20) }, { tcp: answered(20) });
  assert.equal(lossy.health.loss, 0.25);
});

test('one SYN lost makes no silent path, two probes without an answer do; what could not be sent was not lost', () => {
  const { changes, health } = play({ tcp: answered(20) }, { tcp: silent }, { tcp: silent }, { tcp: silent });
  assert.deepEqual(changes, [[], [], ['path-silent'], []]);
  assert.equal(health.answers, false);
  assert.equal(health.loss, 6 / 7);
  assert.deepEqual(play({ tcp: silent }, { tcp: answered(20) }).changes, [[], []], 'it answers from the start on');
  assert.deepEqual(play({ tcp: failed }, { tcp: failed }, { tcp: answered(20) }).changes, [
    [],
    ['path-silent'],
    ['path-answers'],
  ]);
  assert.equal(play({ tcp: failed }, { tcp: failed }).health.loss, undefined);
});

test('MPTCP: what gets through, what does not, and what was never there', () => {
  const tcp = answered(20);
  const through = { tcp, mptcp: answered(20, 0, true) };
  const absent = { tcp, mptcp: answered(20) };
  const blocked = { tcp, mptcp: silent };
  assert.deepEqual(play(through, blocked, through).changes, [[], ['path-mptcp-blocked'], ['path-mptcp-through']]);
  assert.deepEqual(play(through, absent).changes, [[], ['path-mptcp-blocked']]);
  assert.deepEqual(play(absent, absent).changes, [[], []]);
  assert.deepEqual(play(blocked).changes, [['path-mptcp-blocked']]);
  assert.equal(play(through, { tcp, mptcp: failed }).health.mptcp, 'through');
  assert.equal(
    play(through, { tcp: silent, mptcp: silent }).health.mptcp,
    'through',
    'a silent path tells nothing of it',
  );
});

test('captive portals come and go', () => {
  const tcp = answered(20);
  const captive = { tcp, portal: { kind: 'captive', detail: 'HTTP 302 instead of 204, to login.example' } } as const;
  const open = { tcp, portal: { kind: 'open' } } as const;
  const { changes, health } = play(captive, { tcp });
  assert.deepEqual(changes, [['path-captive'], []]);
  assert.match(describeHealth(health), /^captive portal \(HTTP 302 .*login\.example\), 20 ms/);
  assert.deepEqual(play(captive, open).changes, [['path-captive'], ['path-open']]);
  assert.deepEqual(play(open).changes, [[]]);
  assert.deepEqual(play(open, { tcp, portal: { kind: 'unknown', detail: 'x' } }).health.portal, 'open');
});

test('in words', () => {
  assert.equal(describeHealth(new PathHealth().health), 'not probed yet');
  const { health } = play({ tcp: answered(4.25), mptcp: answered(4, 0, true), portal: { kind: 'open' } });
  assert.equal(describeHealth(health), '4.3 ms, 0 % lost, MPTCP gets through, no captive portal');
  assert.equal(describeHealth(play({ tcp: silent }).health), 'not sure yet: no answer');
  assert.equal(describeHealth(play({ tcp: failed }, { tcp: failed }).health), 'silent: ENETUNREACH');
});

test('whatever comes, it stays bounded and sound', () => {
  const attempt = fc.oneof(
    fc.record({
      kind: fc.constant('answered' as const),
      rttMs: fc.double({ min: 0, max: 9e3, noNaN: true }),
      lost: fc.nat(3),
      isMptcp: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('silent' as const), lost: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ kind: fc.constant('failed' as const), detail: fc.string() }),
  );
  const result = fc.record({ tcp: attempt, mptcp: attempt }, { requiredKeys: ['tcp'] });
  fc.assert(
    fc.property(fc.array(result, { maxLength: 300 }), (results) => {
      const { health, changes } = play(...results);
      const { loss = 0, rttMs = 0, rttMinMs = 0 } = health;
      assert.ok(loss >= 0 && loss <= 1 && rttMs >= rttMinMs && health.probes === results.length);
      // Silence and answers take turns.
      const turns = changes.flat().filter((one) => one === 'path-silent' || one === 'path-answers');
      for (let i = 1; i < turns.length; i++) assert.notEqual(turns[i], turns[i - 1]);
      assert.equal(typeof describeHealth(health), 'string');
    }),
    { numRuns: 200 },
  );
});

const answers: [string, string, string, RegExp?][] = [
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', 'open'],
  ['of HTTP/1.0', 'HTTP/1.0 204 OK\r\nServer: x\r\n\r\n', 'open'],
  ['a login page', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin', 'captive', /HTTP 200 instead of 204$/],
  [
    'a redirection',
    'HTTP/1.1 302 Found\r\nLocation: http://login.example:81/?user=secret\r\n\r\n',
    'captive',
    /^HTTP 302 instead of 204, to login\.example:81$/,
  ],
  ['a redirection to nowhere', 'HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n', 'captive', /to another page/],
  ['network authentication required (RFC 6585)', 'HTTP/1.1 511 x\r\n\r\n', 'captive', /511/],
  ['something else', 'SSH-2.0-x\r\n\r\n', 'captive', /no HTTP/],
  ['binary', '\u0000\u0001\u0002\u0003', 'captive', /no HTTP/],
];
for (const [name, text, kind, detail = /^/] of answers) {
  test(`an answer of ${name}`, () => {
    const bytes = Buffer.from(text, 'latin1');
    const found = judgeAnswer(bytes);
    assert.equal(found?.kind, kind);
    assert.match(found !== undefined && 'detail' in found ? found.detail : '', detail);
    const head = text.indexOf('\r\n\r\n');
    if (kind === 'open') for (let i = 0; i < head + 4; i++) assert.equal(judgeAnswer(bytes.subarray(0, i)), undefined);
  });
}

test('a head without end is no open path', () => {
  const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(4_000)}`, 'latin1');
  assert.equal(judgeAnswer(bytes)?.kind, 'captive');
});
