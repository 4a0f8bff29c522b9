import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFault } from '#anabranch/config/fault.js';
import { LOG_HINT } from '#anabranch/config/log-target.js';
import { parseConfig } from '#anabranch/config/parse.js';
import { parsePasswd } from '#anabranch/config/passwd.js';

const HASH = 'scrypt:16384:8:1:AAECAwQFBgcICQoLDA0ODw:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';
const DESTINATION = 'a host and a port: gw.example.net:1080, 198.51.100.7:443, "[2001:db8::7]:443"';
const LISTEN = 'an address and a port: 127.0.0.1:1080, "[::1]:1080", 0.0.0.0:1080';
const NETWORK = 'a network in CIDR notation: 192.0.2.0/24, "2001:db8::/32", or a single address';
const QUOTES = 'put text that begins with one of [ ] { } * & ! | > % @ ` or holds ": " or " #" into quotes';
const ACCOUNT = 'a login name of this machine, or its number: 0 to 4294967294';
const ACCOUNTS = parsePasswd('root:x:0:0:root:/root:/bin/sh\nbackup:x:34:34::/var/backups:/bin/sh\n');
const TOP = 'workers, log, admin, dashboard, dashboardToken, user, paths, limits, timeouts, inbounds, outbounds, rules';

function faultsOf(text: string): string[] {
  const parsed = parseConfig(text, { fileName: 'f', defaults: { workers: 1, admin: undefined, accounts: ACCOUNTS } });
  return 'faults' in parsed ? parsed.faults.map(formatFault) : [];
}

type Table = readonly (readonly [string, readonly string[]])[];

/** One line of a flow map each; what is tested stands at the end. */
const VALUES: Table = [
  ['- a', ['f:1:1: is a list — keys and values of the configuration']],
  ['text', ['f:1:1: is "text" — keys and values of the configuration']],
  ['worker: 2', ['f:1:1 worker: unknown key "worker" — did you mean workers?']],
  ['colour: 2', [`f:1:1 colour: unknown key "colour" — known: ${TOP}`]],
  ['__proto__: 2', [`f:1:1 __proto__: unknown key "__proto__" — known: ${TOP}`]],
  ['{ workers:2 }', ['f:1:3 workers:…: unknown key "workers:…" — put a space after the colon']],
  ['workers: 0', ['f:1:10 workers: is 0 — a whole number from 1 to 256']],
  ['workers: 1.5', ['f:1:10 workers: is 1.5 — a whole number from 1 to 256']],
  ['workers: "2"', ['f:1:10 workers: is "2" — a whole number from 1 to 256']],
  ['workers: .nan', ['f:1:10 workers: is NaN — a whole number from 1 to 256']],
  ['workers:', ['f:1:9 workers: has no value — a whole number from 1 to 256']],
  ['workers: 2\nworkers: 3', ['f:2:1: this key is there already — keep one of the two']],
  ['log: true', [`f:1:6 log: is true — ${LOG_HINT}`]],
  ['log: flows.log', [`f:1:6 log: "flows.log" is not a place to log to — ${LOG_HINT}`]],
  ['log: "embedded:"', ['f:1:6 log: "embedded:" names no usable directory — embedded:/var/lib/anabranch/log']],
  [
    'log: postgres://u:se#cret@h/d',
    [
      'f:1:6 log: is not the URL of a PostgreSQL database — postgres://user:password@host:5432/database; in a name or password write other characters than letters and digits as %XX',
    ],
  ],
  [
    'log: postgres:///d?password=secret',
    [
      'f:1:6 log: is not the URL of a PostgreSQL database — postgres://user:password@host:5432/database; in a name or password write other characters than letters and digits as %XX',
    ],
  ],
  ['log: { target: flows.log }', [`f:1:16 log.target: "flows.log" is not a place to log to — ${LOG_HINT}`]],
  ['log: { retention: 3d }', [`f:1:6 log.target: is missing — ${LOG_HINT}`]],
  ['log: { target: embedded, retention: 30 }', ['f:1:37 log.retention: is 30 — whole days, from 1d to 3650d']],
  [
    'log: { target: embedded, retention: 36h }',
    ['f:1:37 log.retention: "36h" is not a time to keep the log — whole days, from 1d to 3650d'],
  ],
  [
    'log: { target: embedded, spool: { bytesMax: 5 } }',
    ['f:1:45 log.spool.bytesMax: is 5 — a whole number from 1048576 to 1099511627776'],
  ],
  [
    'log: { target: stdout, gateway: gw1 }',
    ['f:1:24 log.gateway: is for databases only — leave it out, or name a database as the target'],
  ],
  [
    'admin: sock',
    [
      'f:1:8 admin: "sock" is not a path — a path of at most 107 bytes for a unix socket (/run/anabranch/admin.sock), or off',
    ],
  ],
  ['user: "a b"', ['f:1:7 user: is "a b" — the name of an account of this machine']],
  ['limits: { connections: 0 }', ['f:1:24 limits.connections: is 0 — a whole number from 1 to 1000000']],
  ['limits: 5', ['f:1:9 limits: is 5 — keys and values of limits']],
  ['timeouts: { idle: 10 }', ['f:1:19 timeouts.idle: is 10 — a number with its unit: 10ms, 10s, 10m or 10h']],
  [
    'timeouts: { idle: "90" }',
    ['f:1:19 timeouts.idle: "90" has no unit — a number with its unit: 90ms, 90s, 90m or 90h'],
  ],
  [
    'timeouts: { idle: 1m30s }',
    ['f:1:19 timeouts.idle: "1m30s" is not a duration — a number with its unit: 10ms, 10s, 10m or 10h'],
  ],
  ['timeouts: { idle: 9ms }', ['f:1:19 timeouts.idle: "9ms" is too short — from 10ms to 168h']],
  ['timeouts: { idle: 200h }', ['f:1:19 timeouts.idle: "200h" is too long — from 10ms to 168h']],
  [
    'timeouts: { half_closed: 1s }',
    ['f:1:13 timeouts.half_closed: unknown key "half_closed" — did you mean halfClosed?'],
  ],
  [
    'inbounds: []',
    ['f:1:11 inbounds: is an empty list — at least one inbound, or leave `inbounds` out for mixed on 127.0.0.1:1080'],
  ],
];

test('values by themselves', () => {
  for (const [text, expected] of VALUES) assert.deepEqual(faultsOf(text), expected, text);
});

const GUESS = (port: number) =>
  `127.0.0.1:${port} for this machine only, 0.0.0.0:${port} for IPv4 or "[::]:${port}" for all of the network`;

test('addresses to listen on', () => {
  const table: Table = [
    ['":1080"', [`":1080" does not say on which address — ${GUESS(1080)}`]],
    ['"*:80"', [`"*:80" does not say on which address — ${GUESS(80)}`]],
    ['localhost:80', ['"localhost:80" does not begin with an IP address — 127.0.0.1:80 or "[::1]:80"']],
    ['example.org:80', [`"example.org:80" does not begin with an IP address — ${LISTEN}`]],
    [
      '"1080"',
      ['"1080" is not an address with a port — 127.0.0.1:1080 for this machine only, 0.0.0.0:1080 for the network'],
    ],
    ['1080', [`is 1080 — ${LISTEN}`]],
    ['127.0.0.1', ['"127.0.0.1" is not an address with a port — with a port: "127.0.0.1:1080"']],
    ['"::1"', ['"::1" is not an address with a port — with a port: "[::1]:1080"']],
    ['"fe80::1:1080"', ['"fe80::1:1080" is not an address with a port — IPv6 in brackets: "[fe80::1]:1080"']],
    [
      '"2001:db8:0:0:0:0:0:1:1080"',
      ['"2001:db8:0:0:0:0:0:1:1080" is not an address with a port — IPv6 in brackets: "[2001:db8:0:0:0:0:0:1]:1080"'],
    ],
    ['127.0.0.1:65536', [`"127.0.0.1:65536" has a port beyond 65535 — ${LISTEN}`]],
    ['127.1:80', [`"127.1:80" does not begin with an IP address — ${LISTEN}`]],
    ['"[127.0.0.1]:80"', [`"[127.0.0.1]:80" does not begin with an IP address — ${LISTEN}`]],
    ['"[fe80::1%eth0]:80"', [`"[fe80::1%eth0]:80" does not begin with an IP address — ${LISTEN}`]],
    ['224.0.0.1:80', [`"224.0.0.1:80" is a multicast or reserved address — ${LISTEN}`]],
    ['[]', [`is an empty list — one, or a list of at least one: ${LISTEN}`]],
  ];
  for (const [listen, expected] of table) {
    const text = `inbounds:\n  - type: mixed\n    listen: ${listen}`;
    assert.deepEqual(
      faultsOf(text),
      expected.map((fault) => `f:3:13 inbounds[0].listen: ${fault}`),
      listen,
    );
  }
  const text = 'inbounds: [{ type: mixed, listen: [127.0.0.1:1, 127.0.0.1] }]';
  assert.deepEqual(faultsOf(text), [
    'f:1:49 inbounds[0].listen[1]: "127.0.0.1" is not an address with a port — with a port: "127.0.0.1:1080"',
  ]);
});

/** Inbounds, each on a line of its own from line 2, column 5 on. */
const INBOUNDS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    ['{ }'],
    [
      'f:2:5 inbounds[0].type: is missing — one of socks, http, mixed, forward',
      `f:2:5 inbounds[0].listen: is missing — ${LISTEN}`,
    ],
  ],
  [['text'], ['f:2:5 inbounds[0]: is "text" — keys and values of an inbound']],
  [
    ['{ type: socks5, listen: 127.0.0.1:1 }'],
    ['f:2:13 inbounds[0].type: is "socks5" — did you mean socks? one of socks, http, mixed, forward'],
  ],
  [['{ type: forward, listen: 127.0.0.1:1 }'], [`f:2:5 inbounds[0].target: is missing — forward needs ${DESTINATION}`]],
  [
    ['{ type: http, listen: 127.0.0.1:1, target: a.example:1 }'],
    [
      'f:2:40 inbounds[0].target: is for forward only — leave it out, or make the type forward; clients of http name their targets',
    ],
  ],
  [
    ['{ type: forward, listen: 127.0.0.1:1, target: a.example }'],
    ['f:2:51 inbounds[0].target: "a.example" has no port — "a.example:1080", or another port'],
  ],
  [
    ['{ type: forward, listen: 127.0.0.1:1, target: "a.example:1", users: [] }'],
    [
      'f:2:66 inbounds[0].users: forward has no authentication — leave it out, and list the client networks under sources',
    ],
  ],
  [
    ['{ type: mixed, listen: 0.0.0.0:1 }'],
    [
      'f:2:28 inbounds[0].listen: 0.0.0.0:1 is open to whoever reaches it — add users, or add sources (client networks), or listen on "127.0.0.1:1", or say open: true',
    ],
  ],
  [
    ['{ type: mixed, listen: ["[::1]:1", "[2001:db8::1]:1"], users: [], open: false }'],
    [
      'f:2:40 inbounds[0].listen[1]: [2001:db8::1]:1 is open to whoever reaches it — add users, or add sources (client networks), or listen on "[::1]:1", or say open: true',
    ],
  ],
  [
    ['{ type: forward, listen: 192.0.2.1:1, target: "a.example:1" }'],
    [
      'f:2:30 inbounds[0].listen: 192.0.2.1:1 is open to whoever reaches it — add sources (client networks), or listen on "127.0.0.1:1", or say open: true',
    ],
  ],
  [
    ['{ type: mixed, listen: 0.0.0.0:1, sources: [10.1.2.3/8, x] }'],
    [
      'f:2:49 inbounds[0].sources[0]: "10.1.2.3/8" has bits set beyond its prefix — 10.0.0.0/8, or the address without /…',
      `f:2:61 inbounds[0].sources[1]: "x" is not a network — ${NETWORK}`,
    ],
  ],
  [
    ['{ type: mixed, listen: 127.0.0.1:1, allow_local: true }'],
    ['f:2:41 inbounds[0].allow_local: unknown key "allow_local" — did you mean allowLocal?'],
  ],
  [['{ type: mixed, listen: 127.0.0.1:1, open: yes }'], ['f:2:47 inbounds[0].open: is "yes" — true or false']],
  [
    ['{ type: socks, listen: 127.0.0.1:1 }', '{ type: http, listen: 127.0.0.1:1 }'],
    ['f:3:27 inbounds[1].listen: 127.0.0.1:1 meets 127.0.0.1:1 of inbound socks — another port, or another address'],
  ],
  [
    ['{ type: socks, listen: 127.0.0.1:1 }', '{ type: http, listen: "0.0.0.0:1", open: true }'],
    ['f:3:27 inbounds[1].listen: 0.0.0.0:1 meets 127.0.0.1:1 of inbound socks — another port, or another address'],
  ],
  [
    ['{ type: socks, listen: "[::]:1", open: true }', '{ type: http, listen: "127.0.0.1:1" }'],
    ['f:3:27 inbounds[1].listen: 127.0.0.1:1 meets [::]:1 of inbound socks — another port, or another address'],
  ],
  [['{ type: socks, listen: ["0.0.0.0:1", "[::1]:1"], open: true }', '{ type: http, listen: 127.0.0.1:2 }'], []],
  [
    ['{ type: socks, listen: ["127.0.0.1:1", "127.0.0.1:1"] }'],
    ['f:2:44 inbounds[0].listen[1]: 127.0.0.1:1 meets 127.0.0.1:1 of this inbound — another port, or another address'],
  ],
  [
    ['{ type: socks, name: a, listen: 127.0.0.1:1 }', '{ type: http, name: a, listen: 127.0.0.1:2 }'],
    ['f:3:25 inbounds[1].name: an inbound of this name exists already — a name that no other has'],
  ],
  [
    ['{ type: socks, name: http, listen: 127.0.0.1:1 }'],
    [
      'f:2:26 inbounds[0].name: names a type, and this inbound is of another (socks) — another name: rules name inbounds by name or type',
    ],
  ],
  [
    ['{ type: socks, name: "a b", listen: 127.0.0.1:1 }'],
    [
      'f:2:26 inbounds[0].name: is "a b" — letters, digits, dots, hyphens and underscores, at most 63, a letter or digit first',
    ],
  ],
  [
    ['{ type: mixed, listen: 127.0.0.1:1, socket: { sourceAddress: 192.0.2.1 } }'],
    [
      'f:2:51 inbounds[0].socket.sourceAddress: accepted connections have the address that the client chose — set it in the socket section of an outbound',
    ],
  ],
  [
    ['{ type: mixed, listen: 127.0.0.1:1, socket: { pacingRate: 5 } }'],
    [
      'f:2:51 inbounds[0].socket.pacingRate: MPTCP sockets refuse SO_MAX_PACING_RATE — limit the rate of an interface with tc',
    ],
  ],
  [
    ['{ type: mixed, listen: 127.0.0.1:1, socket: { keepalive: 1.5s, mark: 0, userTimeout: 1ms } }'],
    [
      'f:2:62 inbounds[0].socket.keepalive: "1.5s" cannot be set — whole seconds from 1s to 32767s (9h), or off',
      'f:2:74 inbounds[0].socket.mark: is 0 — a whole number from 1 to 4294967295',
      'f:2:90 inbounds[0].socket.userTimeout: "1ms" is too short — from 1000ms to 168h',
    ],
  ],
];

test('inbounds', () => {
  for (const [lines, expected] of INBOUNDS) {
    const text = `inbounds:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
    assert.deepEqual(faultsOf(text), expected, text);
  }
});

const OUTBOUNDS: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    ['{ type: socks, server: "a.example:1" }'],
    [
      'f:2:5 outbounds[0].name: is missing — letters, digits, dots, hyphens and underscores, at most 63, a letter or digit first',
    ],
  ],
  [['{ name: a, type: socks }'], [`f:2:5 outbounds[0].server: is missing — ${DESTINATION}`]],
  [
    ['{ name: a, type: socks, server: "socks5://u:secret@h:1" }'],
    [`f:2:37 outbounds[0].server: is a URL — ${DESTINATION}`],
  ],
  [
    ['{ name: a, type: direct, server: "h:1", credentials: { name: u, password: secret }, via: x, optimistic: true }'],
    [
      'f:2:30 outbounds[0].server: is for proxies, and direct asks none — leave it out, or make the type socks or http',
      'f:2:45 outbounds[0].credentials: is for proxies, and direct asks none — leave it out, or make the type socks or http',
      'f:2:89 outbounds[0].via: is for proxies, and direct asks none — leave it out, or make the type socks or http',
      'f:2:97 outbounds[0].optimistic: is for proxies, and direct asks none — leave it out, or make the type socks or http',
    ],
  ],
  [
    ['{ name: deny, type: socks, server: "h:1" }'],
    ['f:2:13 outbounds[0].name: deny is what a rule says to refuse a connection — another name'],
  ],
  [
    ['{ name: direct, type: socks, server: "h:1" }'],
    [
      'f:2:13 outbounds[0].name: direct is what no rule leads to, and this one is a proxy (socks) — another name, and a last rule without conditions to use it for everything',
    ],
  ],
  [
    ['{ name: a, type: socks, server: "h:1" }', '{ name: a, type: direct }'],
    ['f:3:13 outbounds[1].name: an outbound of this name exists already — a name that no other has'],
  ],
  [
    ['{ name: near, type: socks, server: "h:1", via: neer }'],
    ['f:2:52 outbounds[0].via: no outbound has this name — known: direct'],
  ],
  [
    ['{ name: near, type: socks, server: "h:1" }', '{ name: far, type: http, server: "h:1", via: naer }'],
    ['f:3:50 outbounds[1].via: no outbound has this name — known: direct, near'],
  ],
  [
    ['{ name: a, type: socks, server: "h:1", via: a }'],
    ['f:2:49 outbounds[0].via: goes in a circle: a → a — a chain that ends at direct'],
  ],
  [
    [
      '{ name: a, type: socks, server: "h:1", via: b }',
      '{ name: b, type: socks, server: "h:1", via: c }',
      '{ name: c, type: socks, server: "h:1", via: b }',
    ],
    [
      'f:3:49 outbounds[1].via: goes in a circle: b → c → b — a chain that ends at direct',
      'f:4:49 outbounds[2].via: goes in a circle: c → b → c — a chain that ends at direct',
    ],
  ],
  [
    [
      '{ name: a, type: socks, server: "h:1" }',
      '{ name: b, type: socks, server: "h:1", via: a, transport: tcp, socket: { mark: 1 } }',
    ],
    [
      'f:3:52 outbounds[1].transport: has no effect: a opens the connection — set it at a, or leave it out',
      'f:3:68 outbounds[1].socket: has no effect: a opens the connection — set it at a, or leave it out',
    ],
  ],
  [
    ['{ name: a, type: direct, socket: { sourceAddress: [x, 0.0.0.0, "::", "ff02::1"] } }'],
    [
      'f:2:56 outbounds[0].socket.sourceAddress[0]: "x" is not an IP address — an IP address of this machine: 192.0.2.7, 2001:db8::7',
      'f:2:59 outbounds[0].socket.sourceAddress[1]: "0.0.0.0" is no address to connect from — an IP address of this machine: 192.0.2.7, 2001:db8::7',
      'f:2:68 outbounds[0].socket.sourceAddress[2]: "::" is no address to connect from — an IP address of this machine: 192.0.2.7, 2001:db8::7',
      'f:2:74 outbounds[0].socket.sourceAddress[3]: "ff02::1" is no address to connect from — an IP address of this machine: 192.0.2.7, 2001:db8::7',
    ],
  ],
];

test('outbounds', () => {
  for (const [lines, expected] of OUTBOUNDS) {
    const text = `outbounds:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
    assert.deepEqual(faultsOf(text), expected, text);
  }
});

const DOMAIN = 'a domain for itself and all below it (example.org), or for itself only ("=example.org")';
const PORT = 'a port (443) or a range ("8000-8100"), from 1 to 65535';

/** The rule begins in line 2 at column 5; there is one inbound, `mixed`, and the outbounds direct and gateway. */
const RULES: Table = [
  ['{ }', ['f:2:5 rules[0].use: is missing — the name of an outbound, direct, or deny']],
  ['{ use: gatway }', ['f:2:12 rules[0].use: no outbound has this name — did you mean gateway?']],
  ['{ use: Deny }', ['f:2:12 rules[0].use: no outbound has this name — did you mean deny?']],
  [
    '{ when: { inbound: mixd }, use: deny }',
    ['f:2:24 rules[0].when.inbound: no inbound has this name or type — did you mean mixed?'],
  ],
  [
    '{ when: { inbound: [mixed, http] }, use: deny }',
    ['f:2:32 rules[0].when.inbound[1]: no inbound has this name or type — known: mixed'],
  ],
  [
    '{ when: { user: ann }, use: deny }',
    ['f:2:21 rules[0].when.user: no inbound has a user of this name — there is none'],
  ],
  [
    '{ when: { account: [backp, mallory, "", root x, 0, "4294967294"] }, use: deny }',
    [
      'f:2:25 rules[0].when.account[0]: /etc/passwd has no account "backp" — did you mean backup?',
      'f:2:32 rules[0].when.account[1]: /etc/passwd has no account "mallory" — the number of one from elsewhere: id -u mallory',
      `f:2:41 rules[0].when.account[2]: "" is no account — ${ACCOUNT}`,
      `f:2:45 rules[0].when.account[3]: "root x" is no account — ${ACCOUNT}`,
    ],
  ],
  [
    '{ when: { account: [-1, 1.5, 4294967295, "-1", true] }, use: deny }',
    [
      `f:2:25 rules[0].when.account[0]: -1 is no number of an account — ${ACCOUNT}`,
      `f:2:29 rules[0].when.account[1]: 1.5 is no number of an account — ${ACCOUNT}`,
      `f:2:34 rules[0].when.account[2]: 4294967295 is no number of an account — ${ACCOUNT}`,
      `f:2:46 rules[0].when.account[3]: "-1" is no account — ${ACCOUNT}`,
      `f:2:52 rules[0].when.account[4]: is true — ${ACCOUNT}`,
    ],
  ],
  [
    '{ when: { account: roo }, use: deny }',
    ['f:2:24 rules[0].when.account: /etc/passwd has no account "roo" — did you mean root?'],
  ],
  [
    '{ when: { account: [] }, use: deny }',
    [`f:2:24 rules[0].when.account: is an empty list — one, or a list of at least one: ${ACCOUNT}`],
  ],
  [
    '{ when: { domain: "*.example.org" }, use: deny }',
    ['f:2:23 rules[0].when.domain: "*.example.org" has a wildcard — example.org, which takes in every name below it'],
  ],
  [
    '{ when: { domain: .example.org }, use: deny }',
    ['f:2:23 rules[0].when.domain: ".example.org" has a wildcard — example.org, which takes in every name below it'],
  ],
  [
    '{ when: { domain: 192.0.2.1 }, use: deny }',
    ['f:2:23 rules[0].when.domain: "192.0.2.1" is an address — a condition on addresses is named `address`'],
  ],
  [
    '{ when: { domain: bücher.example }, use: deny }',
    ['f:2:23 rules[0].when.domain: "bücher.example" is not a domain name — its A-label form: xn--…'],
  ],
  ['{ when: { domain: "a b" }, use: deny }', [`f:2:23 rules[0].when.domain: "a b" is not a domain name — ${DOMAIN}`]],
  [
    '{ when: { address: 2001:db8::1/64 }, use: deny }',
    [
      'f:2:24 rules[0].when.address: "2001:db8::1/64" has bits set beyond its prefix — 2001:db8::/64, or the address without /…',
    ],
  ],
  [
    '{ when: { port: [0, 65536, 9-8, 1-65536, -1, 1.5, x] }, use: deny }',
    [
      `f:2:22 rules[0].when.port[0]: is not a port or range of ports — ${PORT}`,
      `f:2:25 rules[0].when.port[1]: is not a port or range of ports — ${PORT}`,
      'f:2:32 rules[0].when.port[2]: "9-8" ends before it begins — "8-9"',
      `f:2:37 rules[0].when.port[3]: "1-65536" is not a port or range of ports — ${PORT}`,
      `f:2:46 rules[0].when.port[4]: is not a port or range of ports — ${PORT}`,
      `f:2:50 rules[0].when.port[5]: is not a port or range of ports — ${PORT}`,
      `f:2:55 rules[0].when.port[6]: "x" is not a port or range of ports — ${PORT}`,
    ],
  ],
  [
    '{ when: { time: [mon-fri 8-18, 24:00-06:00, noon, "08:00-08:00"] }, use: deny }',
    [
      'f:2:22 rules[0].when.time[0]: "mon-fri 8-18" has no span of the day — from and to, hours and minutes: 08:00-18:00',
      'f:2:36 rules[0].when.time[1]: "24:00-06:00" has an hour that no clock shows — from 00:00 to 23:59; 24:00 as an end',
      'f:2:49 rules[0].when.time[2]: does not name days by "noon" — days are mon, tue, wed, thu, fri, sat, sun: mon-fri, or sat,sun',
      'f:2:55 rules[0].when.time[3]: "08:00-08:00" ends as it begins — the whole day is 00:00-24:00',
    ],
  ],
  ['{ when: { port: true }, use: deny }', [`f:2:21 rules[0].when.port: is true — ${PORT}`]],
  [
    '{ when: { port: [] }, use: deny }',
    [`f:2:21 rules[0].when.port: is an empty list — one, or a list of at least one: ${PORT}`],
  ],
  [
    '{ when: { host: a }, use: deny }',
    [
      'f:2:15 rules[0].when.host: unknown key "host" — known: inbound, source, user, account, domain, address, port, time',
    ],
  ],
  ['{ wehn: {}, use: deny }', ['f:2:7 rules[0].wehn: unknown key "wehn" — known: when, use, wish']],
];

test('rules', () => {
  for (const [rule, expected] of RULES) {
    const text = `rules:\n  - ${rule}\noutbounds: [{ name: gateway, type: socks, server: "h:1" }]`;
    assert.deepEqual(faultsOf(text), expected, text);
  }
});

test('syntax faults have a place and a remedy', () => {
  const table: Table = [
    ['inbounds:\n\t- x', ['f:2:1: a tab as indentation — indent with spaces']],
    ['a: [1\nb: c', ['f:2:1: the indentation fits nothing above — indent entries of one list or map alike']],
    ['log: off\n---\nlog: off', ['f:2:1: a second document begins — one configuration a file: remove the --- line']],
    ['listen: [::1]:1080', [`f:1:14: this does not fit what stands before it — ${QUOTES}`]],
    ['log: *flows', [`f:1:6: a * begins an alias here, and there is no such anchor — ${QUOTES}`]],
    ['log: a: b', ['f:1:6: a second key on the same line — a line of its own for each, or { a: 1, b: 2 }']],
  ];
  for (const [text, expected] of table) assert.deepEqual(faultsOf(text), expected, text);
});

test('all faults at once, in the order of the file, whatever their kind', () => {
  const faults = faultsOf(`rules:
  - { use: gatway }
workers: many
workers: 2
inbounds:
  - { type: mixed, listen: 0.0.0.0:1080 }
  - { type: forward, listen: 127.0.0.1:1080 }
outbounds:
  - { name: gateway, type: socks, server: h:1, via: gateway, colour: red }
`);
  assert.deepEqual(
    faults.map((fault) => fault.split(' — ')[0]),
    [
      'f:2:12 rules[0].use: no outbound has this name',
      'f:4:1: this key is there already',
      'f:6:28 inbounds[0].listen: 0.0.0.0:1080 is open to whoever reaches it',
      'f:7:5 inbounds[1].target: is missing',
      'f:7:30 inbounds[1].listen: 127.0.0.1:1080 meets 0.0.0.0:1080 of inbound mixed',
      'f:9:53 outbounds[0].via: goes in a circle: gateway → gateway',
      'f:9:62 outbounds[0].colour: unknown key "colour"',
    ],
  );
});

test('a password is never shown', () => {
  const secret = 'hunter2';
  const texts = [
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [{ name: a, password: ${secret} }] }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [{ name: a, password:${secret} }] }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [{ name: a, ${secret} }] }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [${secret}] }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: { a: ${secret} } }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: ${secret} }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [{ name: "a:${secret}", password: "${HASH}x" }] }]`,
    `inbounds: [{ type: socks, listen: 127.0.0.1:1, password: ${secret} }]`,
    `outbounds: [{ name: a, type: socks, server: "u:${secret}@h:1" }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: "u:${secret}" }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { name: u, password: [${secret}] } }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { name: u, pasword: ${secret} } }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { u: ${secret} } }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { name: u, password: "${secret} }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { name: u, password: *${secret} } }]`,
    `outbounds: [{ name: a, type: socks, server: "h:1", credentials: { name: u, password: %${secret} } }]`,
    `log: postgres://u:${secret}#@h/d`,
    `log: { target: postgres://u:${secret}@h/d, retention: 1 }`,
    `log: { target: postgres:///d?password=${secret} }`,
    `log: { targt: postgres://u:${secret}@h/d }`,
  ];
  for (const text of texts) {
    const faults = faultsOf(text);
    assert.ok(faults.length > 0, text);
    for (const fault of faults) assert.ok(!fault.includes(secret), fault);
  }
});

test('a plain password is refused with the way to make a hash', () => {
  const text = 'inbounds: [{ type: socks, listen: 127.0.0.1:1, users: [{ name: a, password: hunter2 }] }]';
  assert.deepEqual(faultsOf(text), [
    'f:1:77 inbounds[0].users[0].password: is a plain password, and those are not taken: whoever reads the file has it — a hash that begins with scrypt: — make one with `anabranch hash`',
  ]);
});
