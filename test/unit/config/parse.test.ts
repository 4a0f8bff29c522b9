import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Config } from '#anabranch/config/config.js';
import { formatFault } from '#anabranch/config/fault.js';
import { parseConfig } from '#anabranch/config/parse.js';

const HASH = 'scrypt:16384:8:1:AAECAwQFBgcICQoLDA0ODw:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const OPTIONS = { fileName: 'f', defaults: { workers: 3, admin: '/run/a.sock' } };

function faultsOf(text: string): string[] {
  const parsed = parseConfig(text, OPTIONS);
  return 'faults' in parsed ? parsed.faults.map(formatFault) : [];
}

function configOf(text: string): Config {
  const parsed = parseConfig(text, OPTIONS);
  assert.ok('config' in parsed, faultsOf(text).join('\n'));
  return parsed.config;
}

const SOCKET = {
  congestion: 'auto',
  mark: undefined,
  interface: undefined,
  sourceAddress: [],
  fastOpen: false,
  sendBuffer: 'auto',
  notsentLowat: undefined,
  keepalive: 60,
  userTimeout: 120_000,
};
const INBOUND = { transport: 'auto', target: undefined, users: [], sources: [], allowLocal: false, socket: SOCKET };
const OUTBOUND = {
  server: undefined,
  transport: 'auto',
  via: undefined,
  credentials: undefined,
  optimistic: false,
  socket: SOCKET,
};
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
const DIRECT = { ...OUTBOUND, name: 'direct', type: 'direct' };

test('an empty file is a proxy for this machine', () => {
  const expected = {
    workers: 3,
    log: { kind: 'off' },
    admin: '/run/a.sock',
    dashboard: undefined,
    user: undefined,
    paths: PATHS,
    limits: { connections: 8192, connectionsPerSource: 8192 },
    timeouts: {
      handshake: 10_000,
      resolve: 5_000,
      connect: 30_000,
      idle: 3_600_000,
      halfClosed: 300_000,
      drain: 30_000,
    },
    inbounds: [{ ...INBOUND, name: 'mixed', type: 'mixed', listen: [{ address: '127.0.0.1', port: 1080 }] }],
    outbounds: [DIRECT],
    rules: [],
  };
  for (const text of ['', '\n', '# nothing\n', '---\n', '{}']) assert.deepEqual(configOf(text), expected);
});

test('every key arrives', () => {
  const config = configOf(
    `
workers: 2
log: /var/log/flows.jsonl
admin: off
dashboard: 127.0.0.1:1234
dashboardToken: a-token-hard-to-guess
user: nobody
limits: { connections: 100, connectionsPerSource: 10 }
timeouts: { handshake: 500ms, resolve: 1.5s, connect: 2m, idle: 168h, halfClosed: 10ms, drain: 0s }
inbounds:
  - type: mixed
    listen: [127.0.0.1:1, "[0:0::1]:65535", 127.0.0.1:0]
    transport: tcp
    socket: { congestion: kernel, mark: 0xff, interface: eth0, fastOpen: true, sendBuffer: 1MB, notsentLowat: 1, keepalive: off, userTimeout: off }
  - { type: forward, listen: "[::]:2", target: "EXAMPLE.org.:443", open: true, allowLocal: true }
  - { type: mixed, listen: 0.0.0.0:3, users: [{ name: ann, password: "${HASH}" }] }
  - { type: http, name: web, listen: 192.0.2.1:3, sources: [192.0.2.0/24, "2001:db8::1"] }
outbounds:
  - { name: direct, type: direct, transport: mptcp, socket: { sourceAddress: [192.0.2.1, "2001:db8::1"] } }
  - { name: up, type: http, server: "[2001:db8::2]:3128", credentials: { name: n, password: p }, optimistic: true }
  - { name: far, type: socks, server: far.example:1080, via: up }
rules:
  - { when: { inbound: web, source: 192.0.2.0/25, user: ann, domain: Example.ORG, address: "::/0", port: 443 }, use: far }
  - { when: { inbound: [mixed, web], domain: ["=a.example", b.example], port: [80, "90", 1000-2000] }, use: deny }
  - { when: { time: mon 08:00-18:00 }, use: up }
  - { when: { time: [sun 23:00-01:00, tue] }, use: up }
  - { use: direct }
`.replace('listen: 192.0.2.1:3', 'listen: 192.0.2.1:4'),
  );
  const { inbounds, outbounds, rules, ...rest } = config;
  assert.deepEqual(rest, {
    workers: 2,
    log: { kind: 'file', path: '/var/log/flows.jsonl' },
    admin: undefined,
    dashboard: { address: '127.0.0.1', port: 1234, token: 'a-token-hard-to-guess' },
    user: 'nobody',
    paths: PATHS,
    limits: { connections: 100, connectionsPerSource: 10 },
    timeouts: {
      handshake: 500,
      resolve: 1_500,
      connect: 120_000,
      idle: 604_800_000,
      halfClosed: 10,
      drain: 0,
    },
  });
  assert.deepEqual(inbounds, [
    {
      ...INBOUND,
      name: 'mixed',
      type: 'mixed',
      listen: [
        { address: '127.0.0.1', port: 1 },
        { address: '::1', port: 65_535 },
        { address: '127.0.0.1', port: 0 },
      ],
      transport: 'tcp',
      socket: {
        congestion: undefined,
        mark: 255,
        interface: 'eth0',
        sourceAddress: [],
        fastOpen: true,
        sendBuffer: 1_000_000,
        notsentLowat: 1,
        keepalive: 0,
        userTimeout: 0,
      },
    },
    {
      ...INBOUND,
      name: 'forward',
      type: 'forward',
      listen: [{ address: '::', port: 2 }],
      target: { host: 'example.org', port: 443 },
      allowLocal: true,
    },
    {
      ...INBOUND,
      name: 'mixed-2',
      type: 'mixed',
      listen: [{ address: '0.0.0.0', port: 3 }],
      users: [{ name: 'ann', password: HASH }],
    },
    {
      ...INBOUND,
      name: 'web',
      type: 'http',
      listen: [{ address: '192.0.2.1', port: 4 }],
      sources: ['192.0.2.0/24', '2001:db8::1'],
    },
  ]);
  assert.deepEqual(outbounds, [
    { ...DIRECT, transport: 'mptcp', socket: { ...SOCKET, sourceAddress: ['192.0.2.1', '2001:db8::1'] } },
    {
      ...OUTBOUND,
      name: 'up',
      type: 'http',
      server: { host: '2001:db8::2', port: 3128 },
      credentials: { name: 'n', password: 'p' },
      optimistic: true,
    },
    { ...OUTBOUND, name: 'far', type: 'socks', server: { host: 'far.example', port: 1080 }, via: 'up' },
  ]);
  assert.deepEqual(rules, [
    {
      when: {
        inbound: ['web'],
        source: ['192.0.2.0/25'],
        user: ['ann'],
        domain: ['example.org'],
        address: ['::/0'],
        port: [[443, 443]],
      },
      use: 'far',
    },
    {
      when: {
        inbound: ['mixed', 'web'],
        domain: ['=a.example', 'b.example'],
        port: [
          [80, 80],
          [90, 90],
          [1000, 2000],
        ],
      },
      use: 'deny',
    },
    { when: { time: [[480, 1_080]] }, use: 'up' },
    {
      when: {
        time: [
          [10_020, 10_080],
          [0, 60],
          [1_440, 2_880],
        ],
      },
      use: 'up',
    },
    { when: {}, use: 'direct' },
  ]);
  // Threads get it by structured clone.
  assert.deepEqual(structuredClone(config), config);
});

test('every way to name a log', () => {
  const retention = 30 * 86_400_000;
  const spool = { directory: undefined, bytesMax: 256 << 20 };
  const database = { kind: 'database', retention, spool, gateway: undefined } as const;
  const postgres = { kind: 'postgres', url: 'postgres://u:p%40ss@h:5433/d?sslmode=disable' } as const;
  const table = [
    ['off', { kind: 'off' }],
    ['stdout', { kind: 'stdout' }],
    ['a.jsonl', { kind: 'file', path: 'a.jsonl' }],
    ['embedded', { ...database, database: { kind: 'embedded', directory: undefined } }],
    ['embedded:/srv/a b', { ...database, database: { kind: 'embedded', directory: '/srv/a b' } }],
    [postgres.url, { ...database, database: postgres }],
    ['{ target: stdout }', { kind: 'stdout' }],
    [
      `{ target: "${postgres.url}", retention: 7d, spool: { directory: /srv/spool, bytesMax: 1048576 }, gateway: gw-1 }`,
      {
        kind: 'database',
        database: postgres,
        retention: 7 * 86_400_000,
        spool: { directory: '/srv/spool', bytesMax: 1_048_576 },
        gateway: 'gw-1',
      },
    ],
  ] as const;
  for (const [text, expected] of table) assert.deepEqual(configOf(`log: ${text}`).log, expected, text);
});

test('names that the file gives are left alone when others are made', () => {
  const text = `inbounds:
  - { type: socks, listen: 127.0.0.1:1 }
  - { type: http, name: socks-2, listen: 127.0.0.1:2 }
  - { type: socks, listen: 127.0.0.1:3 }
  - { type: socks, name: socks, listen: 127.0.0.1:4 }`;
  assert.deepEqual(
    configOf(text).inbounds.map(({ name }) => name),
    ['socks-3', 'socks-2', 'socks-4', 'socks'],
  );
});

test('anchors and aliases may share a section', () => {
  const { inbounds } = configOf(
    `inbounds:\n  - { type: socks, listen: 127.0.0.1:1, socket: &s { mark: 7 } }\n  - { type: http, listen: 127.0.0.1:2, socket: *s }`,
  );
  assert.deepEqual(
    inbounds.map(({ socket }) => socket.mark),
    [7, 7],
  );
});

/** Texts of any kind, and texts made of what configurations are made of. */
const yamlish = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ': ',
          ':',
          '- ',
          '\n',
          '\n  ',
          '{',
          '}',
          '[',
          ']',
          ', ',
          '"',
          "'",
          '&a ',
          '*a',
          '!!',
          '#',
          '|\n',
          '? ',
        ),
        fc.constantFrom(
          'inbounds',
          'outbounds',
          'rules',
          'type',
          'listen',
          'users',
          'when',
          'via',
          'name',
          'port',
          'use',
        ),
        fc.constantFrom(
          'mixed',
          '127.0.0.1:1080',
          'socks',
          '10s',
          'null',
          '~',
          '7',
          '-1',
          '1e9',
          '.nan',
          '<<',
          '__proto__',
        ),
        fc.string({ maxLength: 4 }),
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join('')),
);

test('any text is either a configuration or faults with places', () => {
  fc.assert(
    fc.property(yamlish, (text) => {
      const parsed = parseConfig(text, OPTIONS);
      if ('config' in parsed) return;
      assert.ok(parsed.faults.length > 0);
      for (const { line, column, message, hint } of parsed.faults) {
        assert.ok(line >= 0 && line <= text.split(/\r\n|\r|\n/).length && column >= 0);
        assert.ok(message !== '' && hint !== '' && !/[\n\r]/.test(message + hint));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('any values under known keys are either taken or named', () => {
  const value = fc.jsonValue({ maxDepth: 3 });
  const known = (...keys: string[]) => fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length });
  const inbound = known('type', 'listen', 'name', 'target', 'users', 'sources', 'open', 'socket', 'transport');
  const outbound = known('name', 'type', 'server', 'via', 'credentials', 'socket', 'transport');
  const rule = fc.record({ when: known('inbound', 'domain', 'address', 'port', 'user', 'time'), use: value });
  const file = fc.record(
    {
      inbounds: fc.array(inbound),
      outbounds: fc.array(outbound),
      rules: fc.array(rule),
      limits: value,
      timeouts: value,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(file, (raw) => {
      const parsed = parseConfig(JSON.stringify(raw), OPTIONS);
      assert.ok('config' in parsed || parsed.faults.every(({ line }) => line >= 0));
    }),
    { numRuns: 200 },
  );
});

test('is bounded: length, depth, aliases, number of faults', () => {
  const first = (text: string) => faultsOf(text)[0];
  assert.equal(first(`#${' '.repeat(5 << 20)}`), 'f: is longer than 4 MiB — a shorter file');
  assert.match(first('['.repeat(50_000)) ?? '', /nested too deeply/);
  assert.match(first(`a: ${'{b: '.repeat(20_000)}`) ?? '', /nested too deeply/);
  const bomb = Array.from({ length: 30 }, (_, i) => `k${i + 1}: &k${i + 1} [*k${i}, *k${i}, *k${i}]`).join('\n');
  assert.match(first(`k0: &k0 [x]\n${bomb}`) ?? '', /too many aliases/);
  assert.match(first(`a: &a 1\nb: [${'*a, '.repeat(1_001)}]`) ?? '', /too many aliases/);
  const many = faultsOf(Array.from({ length: 1_000 }, (_, index) => `key${index}: 1`).join('\n'));
  assert.equal(many.length, 201);
  assert.equal(many.at(-1), 'f: there are 800 more faults — mend these first');
});

test('a map in the place of a name or type is a fault like any other', () => {
  for (const text of [
    'inbounds: [{ type: { toString: }, listen: "127.0.0.1:1" }]',
    'outbounds: [{ name: { toString: }, type: socks, server: "a:1", via: b }, { name: b, type: socks, server: "c:1" }]',
  ]) {
    const parsed = parseConfig(text, OPTIONS);
    assert.ok('faults' in parsed && parsed.faults.length > 0, text);
  }
});
