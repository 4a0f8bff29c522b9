import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatVerdicts } from '#anabranch/cli/doctor.js';

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
