// The lab from the command line: what it does, what it says when it cannot, and that nothing is ever left of it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireNamespaces } from '../requirements.ts';
import { asOrdinaryUser, bringUp, leftOf, runLab, startUp } from './lab-command.ts';

const skip = requireCommands('ip', 'nsenter', 'unshare', 'setpriv') || requireNamespaces();
const directory = mkdtempSync(join(tmpdir(), 'anabranch-lab-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** Where no other lab of this machine is to be seen. */
const ALONE = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c'];
const alone = (setup = 'true'): string[] => [...ALONE, `mount -t tmpfs tmpfs /run && ${setup} && exec "$@"`, 'sh'];

/** Why tests as an ordinary user are left out; false when they are not. */
function keepsUsersOut(): string | false {
  const { code, err } = runLab(['up', 'no-such-topology'], asOrdinaryUser());
  if (code === 2) return false;
  return `an ordinary user cannot have a lab here: ${err.trim() || 'he may not read the program'}`;
}
const noUsers = skip || keepsUsersOut();
if (noUsers) console.log(noUsers);
const unread = skip || (runLab(['--help'], asOrdinaryUser()).code !== 0 && 'another user cannot read the program');

const ID = `c${process.pid % 100_000}`;

describe('a lab that is up', { skip, timeout: 240_000 }, () => {
  const id = `${ID}up`;
  before(async () => {
    const { facts } = await bringUp(['two-paths', '--id', id]);
    assert.equal(facts.id, id);
  });
  after(() => runLab(['down', '--lab', id]));
  const lab = (...args: string[]) => runLab([...args.slice(0, 1), '--lab', id, ...args.slice(1)]);

  test('runs programs on its hosts, with their input, output, arguments and exit code', () => {
    assert.match(lab('exec', 'client', 'ip', '-brief', 'address').out, /^wifi@\S+ +UP +10\.0\.1\.1\/24/m);
    assert.equal(lab('exec', 'server', 'sh', '-c', 'exit 7').code, 7);
    assert.equal(lab('exec', 'server', 'sh', '-c', 'kill -9 $$').code, 137);
    assert.equal(lab('exec', 'server', 'printf', '%s|', 'a b', '--json', '-V').out, 'a b|--json|-V|');
    assert.equal(runLab(['exec', '--lab', id, 'server', 'cat'], [], 'through').out, 'through');
    assert.match(lab('exec', 'server', 'no-such-program').err, /no-such-program/);
  });

  test('is listed', () => {
    assert.match(
      runLab(['list']).out,
      new RegExp(`^  ${id}  two-paths, by process \\d+: client, router, server$`, 'm'),
    );
    const { topologies, running } = JSON.parse(runLab(['list', '--json']).out);
    assert.ok(topologies.some(({ name }: { name: string }) => name === 'two-paths'));
    assert.ok(running.some((one: { id: string }) => one.id === id));
  });

  test('lets its links be changed and looked at', () => {
    assert.deepEqual(lab('link', 'wifi', 'set', 'rate=5mbit', 'up.delay=3ms', 'loss.average=1%', 'loss.burst=4'), {
      code: 0,
      out: '',
      err: '',
    });
    assert.match(
      lab('link', 'wifi').out,
      /^wifi {2}client – router: up 5 Mbit\/s, 3 ms, 1 % in bursts lost, queue 100 ms; down 5 Mbit\/s, 10 ms, /,
    );
    assert.equal(lab('link').out.match(/^\w+ {2}\w+ – \w+: /gm)?.length, 3);
    for (const how of ['silent', 'carrier', 'admin']) {
      assert.equal(lab('link', '--how', how, 'wifi', 'down').err, '');
      const { out } = lab('exec', 'client', 'ip', '-brief', 'link', 'show', 'dev', 'wifi');
      assert.match(out, how === 'silent' ? / UP / : / (DOWN|LOWERLAYERDOWN) /, how);
      assert.equal(lab('link', 'wifi', 'up').err, '');
    }
    assert.match(lab('exec', 'client', 'ip', '-brief', 'link', 'show', 'dev', 'wifi').out, / UP /);
  });

  test('lets an address be changed', () => {
    assert.equal(lab('address', 'client', 'wifi', '10.0.1.77/24').err, '');
    assert.match(lab('exec', 'client', 'ip', '-brief', 'address').out, /10\.0\.1\.77\/24/);
    assert.equal(lab('address', 'client', 'wifi', '10.0.1.1/24').err, '');
  });

  test('says what is wrong with a wish', () => {
    for (const [args, code, expected] of [
      [['exec', 'clent', 'true'], 2, /no host is named clent; did you mean client\? there are: client, router, server/],
      [['link', 'wfi', 'down'], 2, /no link is named wfi; did you mean wifi\?/],
      [['link', 'wfi'], 2, /no link is named wfi; did you mean wifi\?/],
      [['link', 'wifi', 'dwn'], 2, /down, up or set, not dwn; did you mean down\?/],
      [['link', 'wifi', 'set', 'rte=1mbit'], 2, /there is no setting rte; did you mean rate\?/],
      [['link', 'wifi', 'set', 'up.los=1%'], 2, /there is no setting up\.los; did you mean loss\?/],
      [['link', 'wifi', 'set', 'loss.avrage=1%'], 2, /loss\.avrage; did you mean average\?/],
      [['link', 'wifi', 'set', 'rate'], 2, /name=value/],
      [['link', 'wifi', 'set'], 2, /set needs settings/],
      [['link', 'wifi', 'set', 'rate=5mbps'], 2, /wifi\.rate: is "5mbps" — a rate such as 20mbit/],
      [['link', 'wifi', 'down', 'rate=1mbit'], 2, /did you mean set rate=1mbit\?/],
      [['link', '--how', 'admin', '--side', 'server', 'wifi', 'down'], 2, /wifi joins client and router, not server/],
      [['address', 'client', 'wifi', '10.9.9.9/24'], 2, /10\.9\.9\.9\/24 is not in the network of link wifi/],
      [
        ['address', 'client', 'backbone', '10.0.3.9/24'],
        2,
        /client is not on a link backbone; it is on: wifi, cellular/,
      ],
    ] as const) {
      const outcome = lab(...args);
      assert.match(outcome.err, expected, args.join(' '));
      assert.deepEqual([outcome.code, outcome.out], [code, ''], args.join(' '));
    }
    assert.match(runLab(['exec', '--lab', 'nosuch', 'client', 'true']).err, /no lab nosuch is running; running are: /);
    assert.match(runLab(['up', 'two-paths', '--id', id]).err, new RegExp(`a lab with the id ${id} is there already`));
    assert.match(runLab(['up', 'two-paths', '--id', 'NO']).err, /1 to 12 small letters and digits/);
  });

  test('belongs to root: others may look, and are told so when they want more', {
    skip: process.getuid?.() !== 0 || unread,
  }, () => {
    const user = asOrdinaryUser();
    assert.match(runLab(['exec', '--lab', id, 'client', 'true'], user).err, /belongs to root: run this as root too/);
    assert.match(runLab(['link', '--lab', id, 'wifi', 'down'], user).err, /it is of another user/);
  });
});

test('down ends a lab, and leaves nothing', { skip, timeout: 240_000 }, async () => {
  const id = `${ID}dn`;
  const { child } = await bringUp(['single-path', '--id', id]);
  const ended = once(child, 'exit');
  assert.deepEqual(runLab(['down', '--lab', id]), { code: 0, out: '', err: '' });
  assert.deepEqual(await ended, [0, null]);
  await untilNothingLeft(id);
});

test('clean removes what a kill −9 left, and says so', { skip, timeout: 240_000 }, async () => {
  const id = `${ID}cl`;
  const { child } = await bringUp(['single-path', '--id', id]);
  assert.doesNotMatch(runLab(['clean']).out, new RegExp(id), 'it is in use');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(leftOf(id).length > 0);
  assert.match(runLab(['exec', '--lab', id, 'client', 'true']).err, /no lab /);
  assert.match(runLab(['clean']).out, new RegExp(`^removed: .*\\b${id}\\b`));
  await untilNothingLeft(id);
});

test('the timeline is played when it is asked for', { skip, timeout: 240_000 }, async () => {
  const id = `${ID}tl`;
  const path = join(directory, 'timeline.yaml');
  const hosts = 'hosts: { a: , b: }\nlinks: { wire: { between: [a, b] } }\n';
  writeFileSync(path, `${hosts}timeline: [{ at: 50ms, set: wire, to: { rate: 3mbit } }]\n`);
  await bringUp([path, '--id', id, '--play']);
  await until(
    () => /3 Mbit\/s/.test(runLab(['link', '--lab', id]).out),
    () => runLab(['link', '--lab', id]),
    20_000,
  );
  runLab(['down', '--lab', id]);
  await untilNothingLeft(id);
});

describe('what cannot be is said in words, and leaves nothing', { skip, timeout: 240_000 }, () => {
  const file = (text: string): string => {
    const path = join(directory, 'f.yaml');
    writeFileSync(path, text);
    return path;
  };
  for (const [what, topology, expected] of [
    ['an unknown topology', () => 'two-path', /^anabranch: no topology is named two-path; did you mean two-paths\?/],
    ['no such file', () => './none.yaml', /^anabranch: cannot read \.\/none\.yaml: there is no such file\n$/],
    [
      'a misspelt key',
      () => file('hosts: { a: , b: }\nlinks:\n  x: { betwen: [a, b] }\n'),
      /f\.yaml:3:8 links\.x\.betwen: unknown key "betwen" — did you mean between\?\n$/,
    ],
    [
      'a link to an unknown host',
      () => file('hosts: { client: , b: }\nlinks:\n  x: { between: [cleint, b] }\n'),
      /f\.yaml:3:18 links\.x\.between\[0\]: no host is named cleint — did you mean client\?/,
    ],
    [
      'overlapping addresses',
      () =>
        file(
          'hosts: { a: , b: }\nlinks:\n  x: { between: [a, b], addresses: { a: 10.0.0.1/8, b: 10.0.0.2/8 } }\n' +
            '  y: { between: [a, b] }\n',
        ),
      /f\.yaml:4:6 links\.y\.addresses: 10\.0\.2\.0\/24 overlaps 10\.0\.0\.0\/8 of link x/,
    ],
    [
      'packets too small for IPv6',
      () => file('hosts: { a: , b: }\nlinks:\n  x: { between: [a, b], mtu: 1000 }\n'),
      /f\.yaml:3:30 links\.x\.mtu: is 1000, too small for IPv6 — at least 1280, or ipv6: false at the top\n$/,
    ],
    ['not YAML', () => file('hosts: [\n'), /f\.yaml:\d:\d+: .* — /],
  ] as const) {
    test(what, async () => {
      const id = `${ID}er`;
      const { code, out, err } = runLab(['up', topology(), '--id', id]);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, expected);
      await untilNothingLeft(id);
    });
  }

  test('no running lab', () => {
    for (const args of [
      ['exec', 'client', 'true'],
      ['link', 'wifi', 'down'],
      ['link'],
      ['down'],
      ['address', 'a', 'b', 'c'],
    ]) {
      const { code, out, err } = runLab(args, alone());
      assert.deepEqual([code, out, err], [3, '', 'anabranch: no lab is running; start one with anabranch lab up\n']);
    }
    assert.match(runLab(['list'], alone()).out, /\nno lab is running\n$/);
    assert.equal(runLab(['clean'], alone()).out, 'nothing was left behind\n');
  });

  test('no program ip', () => {
    // Everything of the folders of programs but that one.
    const real = join(directory, 'real');
    const few = join(directory, 'few');
    const setup = `for d in $(readlink -f /usr/bin /bin /usr/sbin /sbin | sort -u); do
        mkdir -p ${real}$d ${few}$d; mount --bind $d ${real}$d; ln -sf ${real}$d/* ${few}$d/; rm -f ${few}$d/ip; done
      for d in $(cd ${few} && find . -name nsenter -o -name sh -o -name chroot | sed 's,^[.],,;s,/[^/]*$,,' | sort -u); do
        mount --bind ${few}$d $d; done`;
    const { code, err } = runLab(['up', 'two-paths'], alone(`{ ${setup}; }`));
    assert.equal(err, 'anabranch: the program ip is not there; install the package iproute2\n');
    assert.equal(code, 3);
  });

  for (const kind of ['user', 'net', 'mnt']) {
    test(`neither root nor ${kind} namespaces`, () => {
      const limit = `max_${kind}_namespaces`;
      const deny = `echo 0 > /proc/sys/user/${limit} && exec setpriv --bounding-set=-all --inh-caps=-all -- "$@"`;
      for (const args of [
        ['up', 'two-paths'],
        ['run', 'pooling', '--quick'],
      ]) {
        const { code, out, err } = runLab(args, ['unshare', '--user', '--map-root-user', 'sh', '-c', deny, 'sh']);
        assert.match(err, /^anabranch: a lab needs root, or user namespaces/);
        assert.match(err, new RegExp(`sysctl -w user\\.${limit}=10000 allows them; or run it as root\n$`));
        assert.deepEqual([code, out], [3, '']);
      }
    });
  }
});

test('/dev/net/tun is not needed', { skip, timeout: 240_000 }, async () => {
  const id = `${ID}tu`;
  await bringUp(['two-paths', '--id', id], alone('{ [ ! -d /dev/net ] || mount -t tmpfs tmpfs /dev/net; }'));
  const seen = runLab(['exec', '--lab', id, 'client', 'sh', '-c', 'ls /dev/net; ip -brief link show dev wifi']);
  assert.match(seen.out, /^wifi@\S+ +UP /, seen.err);
  assert.equal(runLab(['down', '--lab', id]).err, '');
});

test('on a kernel without MPTCP all hosts are without it', { skip, timeout: 240_000 }, async () => {
  const id = `${ID}nm`;
  await bringUp(['two-paths', '--id', id], alone('mount -t tmpfs tmpfs /proc/sys/net/mptcp'));
  const { code, out, err } = runLab(['exec', '--lab', id, 'client', 'ip', 'mptcp', 'endpoint', 'show']);
  assert.deepEqual([code, out, err], [0, '', '']);
  assert.equal(runLab(['exec', '--lab', id, 'client', 'true']).code, 0);
  assert.equal(runLab(['down', '--lab', id]).err, '');
});

describe('an ordinary user', { skip: noUsers, timeout: 240_000 }, () => {
  const user = asOrdinaryUser();

  test('has labs too, and may do all with them', async () => {
    const id = `${ID}us`;
    const { child, facts } = await bringUp(['two-paths', '--id', id], user);
    const ended = once(child, 'exit');
    assert.equal(facts.id, id);
    const lab = (...args: string[]) => runLab([...args.slice(0, 1), '--lab', id, ...args.slice(1)], user);
    assert.match(lab('exec', 'client', 'ip', '-brief', 'address').out, /^wifi@\S+ +UP +10\.0\.1\.1\/24/m);
    assert.match(lab('exec', 'client', 'ip', 'mptcp', 'endpoint').out, /10\.0\.2\.1/);
    assert.equal(lab('exec', 'client', 'sh', '-c', 'exit 5').code, 5);
    assert.equal(lab('link', 'wifi', 'set', 'rate=1mbit').err, '');
    assert.match(lab('link', 'wifi').out, /1 Mbit\/s/);
    assert.match(runLab(['list'], user).out, new RegExp(`^  ${id}  `, 'm'));
    // The frames really pass.
    const reach = "require('net').connect(9, '10.0.3.2').on('error', (e) => console.log(e.code))";
    assert.equal(lab('exec', 'client', process.execPath, '-e', reach).out, 'ECONNREFUSED\n');
    assert.deepEqual(lab('down'), { code: 0, out: '', err: '' });
    assert.deepEqual(await ended, [0, null]);
    await untilNothingLeft(id);
  });

  test('leaves nothing even when the command is killed', async () => {
    const id = `${ID}uk`;
    const { child } = await bringUp(['single-path', '--id', id], user);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await untilNothingLeft(id);
  });
});

describe('^C at any moment leaves nothing', { skip, timeout: 240_000 }, () => {
  // A terminal signals all of the process group.
  for (const [who, as, signal, whom, tries, withinMs] of [
    ['root', [], 'SIGINT', 1, 12, 800],
    ['root at a terminal', [], 'SIGINT', -1, 12, 800],
    ['an ordinary user', asOrdinaryUser(), 'SIGTERM', 1, 6, 1_200],
    ['an ordinary user at a terminal', asOrdinaryUser(), 'SIGINT', -1, 6, 1_200],
  ] as const) {
    test(who, { skip: as.length > 0 && noUsers }, async () => {
      for (let i = 0; i < tries; i++) {
        const id = `${ID}x${i}`;
        const child = startUp(['two-paths', '--id', id], as);
        const ended = once(child, 'exit');
        const afterMs = Math.random() * withinMs;
        await sleep(afterMs);
        process.kill(whom * (child.pid ?? 0), signal);
        await ended;
        await untilNothingLeft(id, `${signal} after ${afterMs.toFixed(0)} ms`);
      }
    });
  }
});

/** The kernel ends a process, and a namespace of processes, in its own time. */
async function untilNothingLeft(id: string, when = ''): Promise<void> {
  await until(
    () => leftOf(id).length === 0,
    () => `nothing left ${when}: ${leftOf(id)}`,
  );
}
