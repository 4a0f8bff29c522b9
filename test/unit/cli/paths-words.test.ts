// The paths in words: as a table, for the dashboard, and wishes that name none of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { withKnown } from '#anabranch/cli/known-paths.js';
import { formatSurvey } from '#anabranch/cli/paths-table.js';
import { unknownWishes } from '#anabranch/cli/wish-names.js';
import { validate } from '#anabranch/config/parse.js';
import type { PathReading } from '#anabranch/dashboard/source.js';
import type { PathSurvey, WholeSurvey } from '#anabranch/paths/survey.js';
import { pathOf } from '../paths/path-of.ts';

function surveyed(more: Partial<PathSurvey>): PathSurvey {
  const plain = { routing: 'none', table: undefined, endpoint: 'none', endpointFlags: [], endpointPort: 0 } as const;
  return { ...pathOf(2, '192.0.2.7'), ...plain, silent: false, missing: [], ...more, budget: more.budget };
}

const BUDGET = {
  monthly: 5e9,
  from: 1,
  // biome-ignore lint/suspicious/noThenProperty: a word of the configuration; nobody awaits it.
  then: 'off',
  used: 4.8e9,
  since: '2026-11-01',
  until: '2026-12-01',
  spent: 'backup',
} as const;
const NOTHING: WholeSurvey = { paths: [], ignored: [], limits: undefined, others: [], missing: [] };

test('a table of the paths, with what is to be said of each', () => {
  const paths = [
    surveyed({ name: 'wlan0', interface: 'wlan0', routing: 'ours', table: 17_300, missing: ['silent: nothing'] }),
    surveyed({
      ...{ name: 'lte', interface: 'wwan0', kind: 'cellular', cost: 'metered', priority: 10, gateway: '192.0.2.1' },
      ...{ endpoint: 'ours', endpointFlags: ['signal', 'backup'], endpointPort: 8_443, backup: true, budget: BUDGET },
    }),
  ];
  const others = [{ name: 'NetworkManager', pid: 812 }];
  const limits = { subflows: 8, acceptedAddresses: 0 };
  assert.deepEqual(formatSurvey({ paths, ignored: ['vm'], limits, others, missing: ['something'] }).split('\n'), [
    'PATH         KIND      ADDRESS       GATEWAY    COST     PRIORITY  ROUTING            ENDPOINT',
    'wlan0        wifi      192.0.2.7/24  –          free     0         ours, table 17300  none',
    '  → silent: nothing',
    'lte (wwan0)  cellular  192.0.2.7/24  192.0.2.1  metered  10        none               ours (signal, backup) port 8443',
    '  stands by',
    '  4.8 GB of 5.0 GB used (96 %) until 2026-12-01: it stands by',
    '',
    'Ignored: vm',
    'NetworkManager runs, too (process 812): what it sets up is left alone',
    'MPTCP: 8 further subflows, 0 announced addresses taken up',
    '→ something',
    '',
  ]);
  assert.match(formatSurvey(NOTHING), /^No path leads out/);
});

test('the dashboard is told of the path that works, of both families of an interface', () => {
  const common = { addresses: [], state: 'up', kind: 'other', bytesIn: 0, bytesOut: 0 } as const;
  const readings: readonly PathReading[] = [
    { name: 'wwan0', ...common },
    { name: 'eth0', ...common },
  ];
  const lte = surveyed({ name: 'lte', interface: 'wwan0', trouble: 'no carrier' });
  const lte6 = surveyed({ name: 'lte', interface: 'wwan0', family: 6, budget: BUDGET });
  assert.deepEqual(withKnown(readings, undefined), readings);
  const [wwan, eth] = withKnown(readings, { ...NOTHING, paths: [lte, lte6] });
  assert.deepEqual(wwan?.known, {
    ...{ path: 'lte', kind: 'wifi', cost: 'free', priority: 0, backup: false, trouble: '' },
    budget: { used: 4.8e9, monthly: 5e9, until: '2026-12-01', spent: 'backup' },
  });
  assert.equal(eth?.known, undefined);
  const [silent] = withKnown(readings, { ...NOTHING, paths: [lte, { ...lte6, silent: true }] });
  assert.equal(silent?.known?.trouble, 'no carrier');
});

test('a wish for a path that is not there is told, with the name that may be meant', () => {
  const valid = validate(
    {
      paths: {
        manage: true,
        mode: 'userspace',
        wish: 'prefer wlan1',
        known: [{ match: { kind: 'cellular' }, name: 'lte' }],
      },
      rules: [
        { use: 'direct', wish: 'only lte' },
        { use: 'direct', wish: 'only let' },
        { use: 'direct', wish: 'avoid metered' },
      ],
    },
    { workers: 1, admin: undefined },
  );
  assert.ok('config' in valid);
  assert.deepEqual(unknownWishes(valid.config, ['wlan0', 'eth0']), [
    'paths.wish names the path "wlan1", and there is none just now: did you mean wlan0?',
    'rules[1].wish names the path "let", and there is none just now: known: wlan0, eth0, lte',
  ]);
});
