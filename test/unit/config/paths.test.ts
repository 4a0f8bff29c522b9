import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readByteSize } from '#anabranch/config/byte-size.js';
import type { Config, Wish } from '#anabranch/config/config.js';
import { formatFault } from '#anabranch/config/fault.js';
import { parseConfig, validate } from '#anabranch/config/parse.js';
import { formatWish, readWish } from '#anabranch/config/wish.js';

const defaults = { workers: 1, admin: undefined };

const PATHS = {
  manage: false,
  mode: 'kernel',
  strategy: 'fullmesh',
  subflows: 2,
  wish: { kind: 'max-throughput' },
  meteredAfter: undefined,
  state: undefined,
  known: [],
  probe: undefined,
  balancer: undefined,
};

function configOf(raw: unknown): Config {
  const valid = validate(raw, defaults);
  assert.ok('config' in valid, JSON.stringify(valid));
  return valid.config;
}

test('paths are left alone unless they are to be managed', () => {
  for (const [raw, manage] of [
    [{}, false],
    [{ paths: {} }, false],
    [{ paths: { manage: true } }, true],
  ] as const) {
    assert.deepEqual(configOf(raw).paths, { ...PATHS, manage });
  }
});

test('an account without the right to administer the network cannot manage paths', () => {
  const valid = validate({ paths: { manage: true }, user: 'nobody' }, defaults);
  assert.ok('findings' in valid);
  assert.deepEqual(
    valid.findings.map(({ path }) => path),
    [['paths', 'manage']],
  );
  assert.ok('config' in validate({ paths: { manage: false }, user: 'nobody' }, defaults));
});

test('every key of the paths arrives', () => {
  const config = configOf({
    paths: {
      manage: true,
      mode: 'userspace',
      strategy: 'ndiffports',
      subflows: 4,
      wish: 'prefer dsl',
      meteredAfter: '1.5MB',
      state: '/var/lib/x',
      known: [
        {
          match: { interface: 'wwan*', kind: 'cellular', address: '198.51.100.0/24' },
          name: 'lte',
          kind: 'wifi',
          cost: 'free',
          priority: 0,
          ignore: false,
          endpoint: { backup: true, fullmesh: true },
          budget: { monthly: '5GB' },
        },
        {
          match: { interface: 'eth?' },
          endpoint: { signal: true, port: 8443, laminar: true },
          // biome-ignore lint/suspicious/noThenProperty: a word of the file; nobody awaits it.
          budget: { monthly: '1GiB', from: 31, then: 'off' },
        },
        { match: { kind: 'virtual' }, ignore: true },
      ],
      probe: { to: 'GW.example.net:1080' },
    },
    inbounds: [{ type: 'socks', listen: '127.0.0.1:1', paths: { strategy: 'backup' } }],
    rules: [{ use: 'direct', wish: 'avoid metered' }],
  });
  assert.deepEqual(config.paths, {
    manage: true,
    mode: 'userspace',
    strategy: 'ndiffports',
    subflows: 4,
    wish: { kind: 'prefer', path: 'dsl' },
    meteredAfter: 1_500_000,
    state: '/var/lib/x',
    known: [
      {
        match: { interface: 'wwan*', kind: 'cellular', address: '198.51.100.0/24' },
        name: 'lte',
        kind: 'wifi',
        cost: 'free',
        priority: 0,
        ignore: false,
        endpoint: { subflow: true, backup: true, fullmesh: true, signal: false, laminar: false, port: 0 },
        // biome-ignore lint/suspicious/noThenProperty: a word of the file; nobody awaits it.
        budget: { monthly: 5e9, from: 1, then: 'backup' },
      },
      {
        match: { interface: 'eth?' },
        endpoint: { subflow: false, backup: false, fullmesh: false, signal: true, laminar: true, port: 8443 },
        // biome-ignore lint/suspicious/noThenProperty: a word of the file; nobody awaits it.
        budget: { monthly: 2 ** 30, from: 31, then: 'off' },
      },
      { match: { kind: 'virtual' }, ignore: true },
    ],
    probe: { every: 30_000, to: { host: 'gw.example.net', port: 1080 }, metered: false, portal: undefined },
    balancer: undefined,
  });
  assert.equal(config.inbounds[0]?.strategy, 'backup');
  assert.deepEqual(config.rules[0]?.wish, { kind: 'avoid-metered' });
});

const SIZE = 'a number with its unit: 500kB, 1MB, 2.5GB, or 512KiB, 1MiB, 2GiB';
const WISH = 'max-throughput, low-latency, avoid metered, prefer NAME, or only NAME';
const ALIKE =
  "needs the paths' mode userspace: the kernel's path manager treats all connections alike — " +
  'add paths: { manage: true, mode: userspace }, or leave it out';
const USERSPACE = 'manage: true, mode: userspace';
const known = (text: string): string => `paths: { manage: true, known: [{ match: { interface: "*" }, ${text} }] }`;
const endpoint = (text: string): string => known(`endpoint: { ${text} }`);

const FAULTS: readonly (readonly [string, readonly string[]])[] = [
  ['paths: { strategie: backup }', ['f:1:10 paths.strategie: unknown key "strategie" — did you mean strategy?']],
  ['paths: { mode: kernal }', ['f:1:16 paths.mode: is "kernal" — did you mean kernel? one of kernel, userspace']],
  ['paths: { mode: userspace }', ['f:1:16 paths.mode: is for paths that are managed — add manage: true']],
  ['paths: { strategy: backup }', [`f:1:10 paths.strategy: ${ALIKE}`]],
  ['paths: { meteredAfter: 1MB }', [`f:1:10 paths.meteredAfter: ${ALIKE}`]],
  [
    `paths: { ${USERSPACE}, subflows: 3 }`,
    ['f:1:41 paths.subflows: is for the strategy ndiffports only — add strategy: ndiffports, or leave it out'],
  ],
  [
    `paths: { ${USERSPACE}, strategy: ndiffports, subflows: 9 }`,
    ['f:1:73 paths.subflows: is 9 — a whole number from 1 to 8'],
  ],
  [
    'paths: { manage: true, wish: redundant }',
    [
      'f:1:30 paths.wish: "redundant" cannot be had: MPTCP sends data twice by its scheduler alone, and the kernel ' +
        `lets nobody choose that per connection — ${WISH}`,
    ],
  ],
  ['paths: { manage: true, wish: fast }', [`f:1:30 paths.wish: "fast" is no wish — ${WISH}`]],
  [
    'paths: { manage: true, wish: only }',
    ['f:1:30 paths.wish: "only" names no path — only NAME: as `anabranch paths` shows it'],
  ],
  [
    'paths: { manage: true, wish: only a b }',
    ['f:1:30 paths.wish: "only a b" is not one name of a path — only NAME: as `anabranch paths` shows it'],
  ],
  ['rules: [{ use: direct, wish: avoid metered }]', [`f:1:24 rules[0].wish: ${ALIKE}`]],
  [
    'inbounds: [{ type: socks, listen: "127.0.0.1:1", paths: { strategy: backup } }]',
    [`f:1:59 inbounds[0].paths.strategy: ${ALIKE}`],
  ],
  [`paths: { ${USERSPACE}, meteredAfter: 1000 }`, [`f:1:55 paths.meteredAfter: is 1000 — ${SIZE}`]],
  [
    'paths: { probe: {} }',
    [
      'f:1:17 paths.probe.to: is missing — a host and a port: gw.example.net:1080, 198.51.100.7:443, "[2001:db8::7]:443"',
    ],
  ],
  [
    'paths: { probe: { to: "a:1", portal: "https://x/" } }',
    [
      'f:1:38 paths.probe.portal: is "https://x/" — an http:// URL that a server of the Internet answers with 204 No Content',
    ],
  ],
  [
    'paths: { balancer: { announce: gw.example.net } }',
    [
      'f:1:32 paths.balancer.announce: "gw.example.net" is not an IP address — an IP address of this gateway alone, with or without a port: 198.51.100.9, "[2001:db8::9]:10443"',
    ],
  ],
  [
    'paths: { manage: true, mode: userspace, balancer: { announce: 192.0.2.9 } }',
    [
      "f:1:41 paths.balancer: is for the kernel's path manager, which announces addresses by itself — leave mode: userspace out, or this",
    ],
  ],
  [
    'paths: { probe: { to: "a:1", every: 500ms } }',
    ['f:1:37 paths.probe.every: "500ms" is too short — from 1000ms to 168h'],
  ],
  [
    'paths: { known: [{ match: {} }] }',
    [
      'f:1:27 paths.known[0].match: says of no path that it is meant — interface, kind or address; interface: "*" for every path',
    ],
  ],
  [
    'paths: { known: [{ name: a }] }',
    ['f:1:18 paths.known[0].match: is missing — keys and values of what tells a path'],
  ],
  [
    known('kind: cell'),
    ['f:1:67 paths.known[0].kind: is "cell" — one of ethernet, wifi, cellular, dsl, tunnel, virtual, unknown'],
  ],
  [
    known('ignore: true, cost: free'),
    ['f:1:75 paths.known[0].cost: is for paths that are not ignored — leave it out, or ignore'],
  ],
  [
    known('budget: { monthly: 5 GiB, from: 32 }'),
    ['f:1:93 paths.known[0].budget.from: is 32 — a whole number from 1 to 31'],
  ],
  [
    known('budget: { monthly: lots }'),
    [`f:1:80 paths.known[0].budget.monthly: "lots" is not an amount of data — ${SIZE}`],
  ],
  [
    endpoint('signal: true, fullmesh: true'),
    [
      'f:1:97 paths.known[0].endpoint.fullmesh: cannot go with signal: the kernel refuses an endpoint with both — ' +
        'signal for a server, fullmesh for a client',
    ],
  ],
  [
    endpoint('port: 8443'),
    [
      'f:1:79 paths.known[0].endpoint.port: is told to the peer, so the kernel refuses it without signal — ' +
        'add signal: true, or leave port out',
    ],
  ],
  [
    endpoint('signal: true, subflow: true, port: 8443'),
    [
      'f:1:108 paths.known[0].endpoint.port: cannot go with subflow: the kernel refuses a port on an endpoint that ' +
        'connects — leave subflow out, or port',
    ],
  ],
  [
    endpoint('subflow: false'),
    [
      'f:1:82 paths.known[0].endpoint.subflow: makes an endpoint that does nothing — leave it out, or add signal or laminar',
    ],
  ],
  [
    endpoint('subflow: false, laminar: true, fullmesh: true'),
    ['f:1:114 paths.known[0].endpoint.fullmesh: has no effect without subflow — leave subflow out'],
  ],
];

test('what nobody would carry out is a fault', () => {
  const text =
    'paths:\n  wish: avoid metered\n  known:\n    - { match: { kind: wifi }, name: a, budget: { monthly: 1GB } }';
  const parsed = parseConfig(text, { fileName: 'f', defaults });
  assert.deepEqual('faults' in parsed ? parsed.faults.map(formatFault) : [], [
    'f:2:3 paths.wish: is for paths that are managed — add manage: true to paths',
    'f:4:41 paths.known[0].budget: is for paths that are managed — add manage: true to paths',
  ]);
});

test('faults of the paths name their place, what is wrong and what would be right', () => {
  for (const [text, expected] of FAULTS) {
    const parsed = parseConfig(text, { fileName: 'f', defaults });
    assert.deepEqual('faults' in parsed ? parsed.faults.map(formatFault) : [], expected, text);
  }
});

test('wishes are read as they are printed', () => {
  const wishes: readonly Wish[] = [
    { kind: 'max-throughput' },
    { kind: 'low-latency' },
    { kind: 'avoid-metered' },
    { kind: 'prefer', path: 'lte' },
    { kind: 'only', path: 'enp3s0.7@x' },
  ];
  for (const value of wishes) assert.deepEqual(readWish(formatWish(value)), { value });
  assert.deepEqual(readWish('  avoid   metered '), { value: { kind: 'avoid-metered' } });
  fc.assert(
    fc.property(fc.string(), (text) => {
      const reading = readWish(text);
      if ('value' in reading) assert.deepEqual(readWish(formatWish(reading.value)), reading);
    }),
  );
});

test('amounts of data have a unit, decimal or binary', () => {
  for (const [text, value] of [
    ['1B', 1],
    ['500kB', 500_000],
    ['1KB', 1_000],
    ['2.5GB', 2_500_000_000],
    ['1 MiB', 1_048_576],
    ['0.5KiB', 512],
    ['1000TB', 1e15],
  ] as const) {
    assert.deepEqual(readByteSize(text), { value }, text);
  }
  for (const text of ['', '5', 'GB', '5gb', '5G', '-1GB', '1e3MB', '0B', '1001TB', '1.2.3MB', '99999999999TB']) {
    assert.ok('wrong' in readByteSize(text), text);
  }
});
