import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatVerdicts } from '#anabranch/cli/doctor.js';
import { formatFix } from '#anabranch/cli/doctor-fix.js';
import { sysctl } from '#anabranch/doctor/remedy.js';

const verdicts = [
  { id: 'kernel', level: 'ok', found: 'Linux 6.18', why: '', mend: [] },
  { id: 'mptcp', level: 'fail', found: 'off', why: 'It matters.', mend: ['do this', 'and that'] },
] as const;

test('verdicts stand in columns, with reason and remedy beneath', () => {
  assert.equal(
    formatVerdicts(verdicts, false),
    [
      'ok       kernel  Linux 6.18',
      'fail     mptcp   off',
      '                 It matters.',
      '                 → do this',
      '                 → and that',
      '',
      '1 ok, 0 to look at, 1 failing, 0 unknown',
      '',
    ].join('\n'),
  );
});

test('colours only when asked for', () => {
  assert.ok(!formatVerdicts(verdicts, false).includes('\u001b'));
  assert.ok(formatVerdicts(verdicts, true).startsWith('\u001b[32mok     \u001b[0m  kernel'));
});

const change = { remedy: sysctl('net.core.somaxconn', 4096), before: '128', after: '4096', failure: undefined };
const refused = { ...change, remedy: sysctl('net.x', 1), before: undefined, after: undefined, failure: 'EROFS' };

test('what was changed stands before and after, then what is left to do', () => {
  const byHand = [
    { id: 'endpoints', level: 'warn', found: 'none', why: 'x', mend: ['anabranch paths manage'] } as const,
  ];
  assert.equal(
    formatFix({ ok: false, rehearsed: false, changes: [change, refused], byHand, kept: [] }, false),
    [
      'SETTING             BEFORE  AFTER',
      'net.core.somaxconn  128     4096',
      'net.x               ?       ?',
      '  → not changed: EROFS',
      '',
      'By hand:',
      '  endpoints: none',
      '    → anabranch paths manage',
      '',
      'Until the machine is started again; anabranch doctor --fix --permanent keeps it for good.',
      '',
    ].join('\n'),
  );
});

test('a rehearsal says so, and what would be kept', () => {
  const kept = [{ path: '/etc/x.conf', lines: ['a = 1'] }];
  const text = formatFix({ ok: true, rehearsed: true, changes: [change], byHand: [], kept }, true);
  assert.match(text, /^SETTING +NOW +WOULD BE\n/);
  assert.match(text, /Would be kept in \/etc\/x\.conf:\n {2}a = 1\n$/);
  const nothing = formatFix({ ok: true, rehearsed: false, changes: [], byHand: [], kept: [] }, false);
  assert.equal(nothing, 'No setting is in need of change.\n');
});
