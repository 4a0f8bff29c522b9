import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFault } from '#anabranch/config/fault.js';
import { type ConfigFlags, configFromFlags } from '#anabranch/config/flags.js';
import { parseConfig } from '#anabranch/config/parse.js';

const HASH = 'scrypt:16384:8:1:AAECAwQFBgcICQoLDA0ODw:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const DEFAULTS = { workers: 2, admin: '/run/a.sock' };

const SAME: readonly (readonly [ConfigFlags, string])[] = [
  [{}, ''],
  [
    { listen: ['127.0.0.1:1', '[::1]:1'] },
    'inbounds: [{ type: mixed, listen: 127.0.0.1:1 }, { type: mixed, listen: "[::1]:1" }]',
  ],
  [
    { socks: ['127.0.0.1:1'], http: ['127.0.0.1:2'], forward: ['127.0.0.1:3=a.example:4'] },
    `inbounds:
  - { type: socks, listen: 127.0.0.1:1 }
  - { type: http, listen: 127.0.0.1:2 }
  - { type: forward, listen: 127.0.0.1:3, target: a.example:4 }`,
  ],
  [
    { listen: ['0.0.0.0:1'], user: [`ann:${HASH}`], source: ['192.0.2.0/24'], allowLocal: true },
    `inbounds: [{ type: mixed, listen: 0.0.0.0:1, allowLocal: true, sources: [192.0.2.0/24], users: [{ name: ann, password: "${HASH}" }] }]`,
  ],
  [{ listen: ['0.0.0.0:1'], open: true }, 'inbounds: [{ type: mixed, listen: 0.0.0.0:1, open: true }]'],
  [
    { user: [`ann:${HASH}`] },
    `inbounds: [{ type: mixed, listen: 127.0.0.1:1080, users: [{ name: ann, password: "${HASH}" }] }]`,
  ],
  [{ workers: '4', log: 'stdout', admin: 'off' }, 'workers: 4\nlog: stdout\nadmin: off'],
  [
    { transport: 'mptcp', congestion: 'reno' },
    `inbounds: [{ type: mixed, listen: 127.0.0.1:1080, transport: mptcp, socket: { congestion: reno } }]
outbounds: [{ name: direct, type: direct, transport: mptcp, socket: { congestion: reno } }]`,
  ],
  [
    { outbound: ['socks5://gw.example'] },
    'outbounds: [{ name: upstream-1, type: socks, server: "gw.example:1080" }]\nrules: [{ use: upstream-1 }]',
  ],
  [
    {
      outbound: [
        'socks5h://a%40b:p%3Aw@gw.example:1?transport=mptcp&optimistic=true&congestion=bbr',
        'http://[2001:db8::1]:3128/',
      ],
    },
    `outbounds:
  - { name: upstream-1, type: socks, server: "gw.example:1", transport: mptcp, optimistic: true, credentials: { name: a@b, password: "p:w" }, socket: { congestion: bbr } }
  - { name: upstream-2, type: http, server: "[2001:db8::1]:3128", via: upstream-1 }
rules: [{ use: upstream-2 }]`,
  ],
];

test('flags say what a file would say', () => {
  for (const [flags, file] of SAME) {
    const expected = parseConfig(file, { fileName: 'f', defaults: DEFAULTS });
    assert.ok('config' in expected, JSON.stringify(expected));
    assert.deepEqual(configFromFlags(flags, DEFAULTS), expected, file);
  }
});

const OUTBOUND = 'socks5://host:port or http://host:port, with name:password@ before the host where it is asked for';

const FAULTY: readonly (readonly [ConfigFlags, readonly string[]])[] = [
  [{ workers: 'x' }, ['--workers: is "x" — a whole number from 1 to 256']],
  [{ workers: '0' }, ['--workers: is 0 — a whole number from 1 to 256']],
  [
    { listen: ['0.0.0.0:1'] },
    [
      '--listen 0.0.0.0:1: 0.0.0.0:1 is open to whoever reaches it — add users, or add sources (client networks), or listen on "127.0.0.1:1", or say open: true',
    ],
  ],
  [
    { listen: ['127.0.0.1:1'], socks: ['127.0.0.1:1'] },
    ['--socks 127.0.0.1:1: 127.0.0.1:1 meets 127.0.0.1:1 of inbound mixed — another port, or another address'],
  ],
  [{ forward: ['127.0.0.1:1'] }, ['--forward 127.0.0.1:1: has no target — 127.0.0.1:9000=198.51.100.7:443']],
  [{ forward: ['127.0.0.1:1=b'] }, ['--forward 127.0.0.1:1=b: "b" has no port — "b:1080", or another port']],
  [
    { listen: ['127.0.0.1:1', '127.0.0.1:2'], source: ['10.0.0.1/8'] },
    ['--source: "10.0.0.1/8" has bits set beyond its prefix — 10.0.0.0/8, or the address without /…'],
  ],
  [{ user: ['ann'] }, ['--user: has no hash — name:scrypt:… — make the hash with `anabranch hash`']],
  [
    { user: ['ann:hunter2'] },
    [
      '--user: is a plain password, and those are not taken: whoever reads the file has it — a hash that begins with scrypt: — make one with `anabranch hash`',
    ],
  ],
  [{ transport: 'udp' }, ['--transport: is "udp" — one of auto, tcp, mptcp']],
  [{ outbound: ['gw.example:1080'] }, [`--outbound (1): is not the URL of a proxy — ${OUTBOUND}`]],
  [{ outbound: ['ftp://h:1'] }, [`--outbound (1): names no protocol of ours — ${OUTBOUND}`]],
  [
    { outbound: ['https://h:1'] },
    [`--outbound (1): asks for TLS, which this version does not speak to proxies — ${OUTBOUND}`],
  ],
  [{ outbound: ['socks5://h:1/path'] }, [`--outbound (1): goes on after host and port — ${OUTBOUND}`]],
  [
    { outbound: ['socks5://h:1', 'socks5://h:2?transprt=tcp'] },
    ['--outbound (2): has an unknown parameter — did you mean transport?'],
  ],
  [
    { outbound: ['socks5://h:1', 'socks5://h:2?transport=tcp'] },
    ['--outbound (2): has no effect: upstream-1 opens the connection — set it at upstream-1, or leave it out'],
  ],
  [{ outbound: ['http://u:%zz@h:1'] }, ['--outbound (1): has a % that escapes nothing — %25 for a percent sign']],
];

test('faults name the flag, and no password', () => {
  for (const [flags, expected] of FAULTY) {
    const parsed = configFromFlags(flags, DEFAULTS);
    assert.ok('faults' in parsed, JSON.stringify(flags));
    const faults = parsed.faults.map(formatFault);
    assert.deepEqual(
      faults,
      expected.map((fault) => `command line ${fault}`),
    );
    for (const fault of faults) assert.ok(!fault.includes('hunter2'));
  }
});
