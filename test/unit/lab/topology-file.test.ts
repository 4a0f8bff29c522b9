import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';

import { LabError } from '#anabranch/lab/lab-error.js';
import { parseTopology, parseTrace, readTopology, shippedTopologies } from '#anabranch/lab/topology-file.js';

const directory = mkdtempSync(join(tmpdir(), 'anabranch-topology-'));
after(() => rmSync(directory, { recursive: true }));

function faultsOf(text: string): string[] {
  try {
    parseTopology(text, 'f.yaml');
  } catch (error) {
    if (error instanceof LabError) return error.message.split('\n').map((line) => line.replace(/^f\.yaml:/, ''));
    throw error;
  }
  return [];
}

/** Two hosts and a link with these settings. */
const wifi = (settings: string) => `hosts: { a: , b: {} }\nlinks:\n  wifi: { between: [a, b]${settings} }\n`;

describe('what comes along', () => {
  test('every topology can be read, by its name and by its path, and says what it is', () => {
    const shipped = shippedTopologies();
    const files = readdirSync(fileURLToPath(new URL('../../../../topologies/', import.meta.url)));
    assert.deepEqual(shipped.map(({ name }) => `${name}.yaml`).sort(), files.sort());
    for (const { name, path, about } of shipped) {
      const topology = readTopology(name);
      assert.equal(topology.name, name);
      assert.deepEqual(readTopology(path), topology);
      assert.match(about, /^[A-Z].{10,}[^.:]$/, name);
    }
  });

  test('a name that none has is answered with the nearest', () => {
    assert.throws(
      () => readTopology('tow-paths'),
      /no topology is named tow-paths; did you mean two-paths\? there are: d/,
    );
    assert.throws(() => readTopology('./none.yaml'), /cannot read \.\/none\.yaml: there is no such file/);
    assert.throws(() => readTopology(directory), /cannot read .*: EISDIR/);
  });
});

test('the topologies of the manual can be built', () => {
  const manual = readFileSync(fileURLToPath(new URL('../../../../docs/lab.md', import.meta.url)), 'utf8');
  const blocks = [...manual.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, yaml = '']) => yaml);
  assert.ok(blocks.length >= 2);
  for (const yaml of blocks) assert.deepEqual(faultsOf(yaml), [], yaml);
});

test('settings arrive in their units', () => {
  const text = wifi(', up: { rate: 1.5mbit }, down: { rate: 20mbit, loss: 1% }, rtt: 25ms, jitter: 0.5ms, queue: 64kB');
  const { links, hosts } = parseTopology(text, 'f.yaml');
  assert.deepEqual(
    hosts.map(({ name }) => name),
    ['a', 'b'],
  );
  const common = { delayMs: 12.5, jitterMs: 0.5, reorder: false, queue: { bytes: 64_000 }, trace: undefined };
  assert.deepEqual(links[0]?.up, { ...common, rate: 1.5e6, loss: { kind: 'none' } });
  assert.deepEqual(links[0]?.down, { ...common, rate: 20e6, loss: { kind: 'random', probability: 0.01 } });
});

describe('every fault has its place, what is wrong and what would be right', () => {
  const rate = 'a rate such as 20mbit, 500kbit or 1.5gbit, or bits per second as a number';
  const moment = 'at (a time), and one of down, up, set (with to), address: { at: 5s, down: wifi }';
  const table: readonly (readonly [string, ...string[]])[] = [
    // Keys: those that are misspelt point at themselves, and are not said to be missing as well.
    [wifi(', rte: 5mbit'), '3:28 links.wifi.rte: unknown key "rte" — did you mean rate?'],
    ['host: {}\nlinks: {}', '1:1 host: unknown key "host" — did you mean hosts?'],
    [wifi(', up: { dely: 3 }'), '3:34 links.wifi.up.dely: unknown key "dely" — did you mean delay?'],
    ['hosts: { a: { forwrd: true } }\nlinks: {}', '1:15 hosts.a.forwrd: unknown key "forwrd" — did you mean forward?'],
    // Values.
    [wifi(', rate: 5mbps'), `3:34 links.wifi.rate: is "5mbps" — ${rate}`],
    [wifi(', rate: true'), `3:34 links.wifi.rate: is true — ${rate}, or unlimited`],
    [wifi(', loss: 2'), '3:34 links.wifi.loss: is 2 — a share such as 1% or 0.01'],
    [wifi(', mtu: 100'), '3:33 links.wifi.mtu: is 100 — a whole number from 576 to 9000'],
    [
      wifi(', mtu: 1279'),
      '3:33 links.wifi.mtu: is 1279, too small for IPv6 — at least 1280, or ipv6: false at the top',
    ],
    [
      `ipv6: false\n${wifi(", mtu: 1000, addresses: { a: 'fd00::1/64', b: 'fd00::2/64' }")}`,
      '4:33 links.wifi.mtu: is 1000, too small for IPv6 — at least 1280, or no IPv6 addresses here, and ipv6: false at the top',
    ],
    [
      wifi(', queue: many'),
      '3:35 links.wifi.queue: is "many" — a size such as 64kB or 1MiB, or bytes as a number, or a time such as 20ms at the ' +
        "link's rate",
    ],
    [
      wifi(', loss: { average: 60%, burst: 1 }'),
      '3:34 links.wifi.loss: asks for more loss than bursts so short can make — a gap between two bursts is at least one ' +
        'frame: lose less, or in longer bursts',
    ],
    // Of several forms, the one that was meant.
    [wifi(', loss: { average: 1%, brst: 3 }'), '3:49 links.wifi.loss.brst: unknown key "brst" — did you mean burst?'],
    [`${wifi('')}timeline: [{ at: 1s, dwn: wifi }]`, '4:22 timeline[0].dwn: unknown key "dwn" — did you mean down?'],
    [
      `${wifi('')}timeline: [{ at: 1s, down: wifi, how: silnt }]`,
      '4:39 timeline[0].how: is "silnt" — did you mean silent? one of admin, carrier, silent',
    ],
    [`${wifi('')}timeline: [{ at: 1s, foo: wifi }]`, `4:12 timeline[0]: is a map of keys — ${moment}`],
    [`${wifi('')}timeline: [3]`, `4:12 timeline[0]: is 3 — ${moment}`],
    [
      'hosts: { a: { mptcp: flase } }\nlinks: {}',
      '1:22 hosts.a.mptcp: is "flase" — true, false, or a map: { enabled, endpoints, subflows, addAddrAccepted }',
    ],
    // Names.
    [
      'hosts: { a: , b: {} }\nlinks: { w: { between: [a, bb] } }',
      '2:28 links.w.between[1]: no host is named bb — did you mean b? there are: a, b',
    ],
    [
      'hosts: { a: , b: {} }\nlinks: { w: { between: [a, a] } }',
      '2:24 links.w.between: joins a to itself — two different hosts',
    ],
    [
      'hosts: { A: }\nlinks: {}',
      '1:10 hosts.A: "A" cannot be a name here — 1 to 32 small letters, digits and hyphens, a letter first',
    ],
    [
      `${wifi('')}timeline: [{ at: 1s, down: wfi }]`,
      '4:28 timeline[0].down: no link is named wfi — did you mean wifi? there are: wifi',
    ],
    [
      'hosts: { a: { mptcp: { endpoints: { w: subflow } } }, b: , c: }\nlinks: { w: { between: [b, c] } }',
      '1:37 hosts.a.mptcp.endpoints.w: this link does not reach a — links of a: none',
    ],
    // Addresses.
    [
      wifi(', addresses: { a: 10.0.0.1, b: 10.0.0.2/24 }'),
      '3:44 links.wifi.addresses.a: is "10.0.0.1" — an address with its prefix length, such as 192.0.2.1/24',
    ],
    [
      wifi(', addresses: { a: 10.0.0.1/24, c: 10.0.0.2/24 }'),
      '3:57 links.wifi.addresses.c: the link does not reach this host — a or b',
    ],
    [
      wifi(', addresses: { a: 10.0.0.1/24 }'),
      '3:39 links.wifi.addresses: lacks an IPv4 address for b — one for both hosts, or for none',
    ],
    [
      wifi(', addresses: { a: 10.0.0.1/24, b: 10.0.1.1/24 }'),
      '3:60 links.wifi.addresses.b: 10.0.1.1/24 is not in the network of 10.0.0.1/24 — another address in 10.0.0.0/24',
    ],
    [
      'hosts: { a: , b: }\nlinks:\n  one: { between: [a, b], addresses: { a: 10.0.0.1/8, b: 10.0.0.2/8 } }\n' +
        '  two: { between: [a, b] }',
      '4:8 links.two.addresses: 10.0.2.0/24 overlaps 10.0.0.0/8 of link one — a network of its own for each link',
    ],
    // Files.
    ['3', '1:1: is 3 — keys and values of a topology'],
    ['hosts: { a: , a: }\nlinks: {}', '1:15: this key is there already — keep one of the two'],
    [
      wifi(', trace: none.txt'),
      "3:35 links.wifi.trace: cannot read none.txt: there is no such file — a file of Mahimahi's format: ascending whole " +
        'milliseconds, one a line, the last above 0',
    ],
    ['hosts: {}', '1:1 links: is missing — a map from names to links: { wifi: { between: [client, router] } }'],
  ];
  for (const [text, ...expected] of table) {
    test(expected[0]?.replace(/^[\d:]+ /, '') ?? '', () => assert.deepEqual(faultsOf(text), expected));
  }

  test('packets too small for IPv6 are fine where there is none of it', () => {
    assert.deepEqual(faultsOf(`ipv6: false\n${wifi(', mtu: 576')}`), []);
    assert.deepEqual(faultsOf(wifi(', mtu: 1280')), []);
  });

  test('all at once, in the order of the file', () => {
    const faults = faultsOf(wifi(', rate: x, delay: y, los: 1%').replace('b: {}', 'b: { forward: maybe }'));
    assert.deepEqual(
      faults.map((fault) => fault.split(' ')[1]),
      ['hosts.b.forward:', 'links.wifi.rate:', 'links.wifi.delay:', 'links.wifi.los:'],
    );
  });

  test('no text throws anything but a fault', () => {
    const piece = fc.constantFrom(
      'hosts',
      'links',
      ':',
      ' ',
      '\n',
      '  ',
      '{',
      '}',
      '[',
      ']',
      'a',
      'wifi',
      '&a',
      '*a',
      '|',
      '-',
      '!x',
      '3',
      '"',
      "'",
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => void faultsOf(pieces.join(''))));
    fc.assert(fc.property(fc.json(), (json) => void faultsOf(json)));
  });
});

describe('traces', () => {
  test('are found beside the file, for both directions or one', () => {
    writeFileSync(join(directory, 'capacity.txt'), '0\n\n5\n5\n12\n');
    const path = join(directory, 'f.yaml');
    const both = parseTopology(wifi(', trace: capacity.txt'), path).links[0];
    assert.deepEqual(
      [both?.up.trace, both?.down.trace],
      [
        [0, 5, 5, 12],
        [0, 5, 5, 12],
      ],
    );
    const one = parseTopology(wifi(', down: { trace: capacity.txt }'), path).links[0];
    assert.deepEqual([one?.up.trace, one?.down.trace], [undefined, [0, 5, 5, 12]]);
  });

  test('must be whole milliseconds that ascend', () => {
    assert.throws(() => parseTrace('1\n2.5\n'), /line 2 of the trace must be a whole number of milliseconds/);
    assert.throws(() => parseTrace('-1'), /line 1/);
    for (const [text, wrong] of [
      ['5\n3\n', 'does not ascend'],
      ['0\n0\n', 'ends at 0 ms'],
      ['', 'is an empty list'],
    ] as const) {
      writeFileSync(join(directory, 'bad.txt'), text);
      assert.throws(() => parseTopology(wifi(', trace: bad.txt'), join(directory, 'f.yaml')), new RegExp(wrong));
    }
  });

  test('and are text of their own', () => {
    assert.throws(
      () => parseTopology(wifi(`, trace: ${fileURLToPath(import.meta.url)}`), 'f.yaml'),
      /line 1 of the trace/,
    );
  });
});
