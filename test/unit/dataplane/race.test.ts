// The race for a connection: whom it tries, when, and what it leaves behind.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { type TestContext, test } from 'node:test';

import type { Connection } from '#anabranch/dataplane/connection.js';
import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { type OtherPaths, Race, type RaceOwner } from '#anabranch/dataplane/race.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { listen } from '#anabranch/ffi/sockets.js';
import { beginConnect, type ConnectOptions, localEndpoint } from '#anabranch/socket/connect.js';
import { openListener } from '#anabranch/socket/listen.js';
import { createLoop, pause, play, wait } from './stage.ts';

const PLAIN: ConnectOptions = { mptcp: false, sourceAddress: [], socket: {}, fastOpen: false };
const ACCEPTS = '127.0.0.11';
const ACCEPTS_TOO = '127.0.0.12';
const HANGS = '127.0.0.13';
const REFUSES = '127.0.0.14';
const REFUSES_TOO = '127.0.0.15';
const hasIpv6 = Object.values(networkInterfaces()).some((own) => own?.some(({ address }) => address === '::1'));
const skipIpv6 = hasIpv6 ? false : 'needs ::1';

const open = (address: string, port: number) =>
  openListener({ address, port, transport: 'tcp', shared: false, fastOpen: false, socket: {} });

/** One port where each of the addresses above does as it is called, and ::1 accepts. */
function openPort(t: TestContext): number {
  const accepts = open(ACCEPTS, 0);
  const { port } = accepts.local;
  const fds = [accepts.fd, open(ACCEPTS_TOO, port).fd, open(HANGS, port).fd];
  if (hasIpv6) fds.push(open('::1', port).fd);
  // A queue of one, filled: further SYNs are dropped, as by a host that is not there.
  listen(fds[2] as number, 0);
  for (let i = 0; i < 2; i++) fds.push(beginConnect(HANGS, port, PLAIN));
  pause(5);
  t.after(() => fds.forEach((fd) => void close(fd)));
  return port;
}

interface Run {
  readonly loop: EventLoop;
  readonly race: Race;
  /** `connected <address>` or `lost <errno>[ <option>]`, with milliseconds since the start. */
  readonly told: { readonly what: string; readonly ms: number }[];
  connection: Connection | undefined;
  over(): boolean;
}

function start(t: TestContext, port: number, options: ConnectOptions = PLAIN, paths?: OtherPaths): Run {
  const loop = createLoop();
  const begin = performance.now();
  const tell = (what: string) => run.told.push({ what, ms: performance.now() - begin });
  const owner: RaceOwner = {
    onConnected: (connection, address) => {
      run.connection = connection;
      tell(`connected ${address}`);
    },
    onRaceLost: (errno, option) => tell(`lost ${errno}${option === undefined ? '' : ` ${option}`}`),
  };
  const race = new Race(loop, port, options, owner, paths);
  const run: Run = { loop, race, told: [], connection: undefined, over: () => run.told.length > 0 };
  t.after(() => run.connection?.close());
  return run;
}

const openFiles = () => readdirSync('/proc/self/fd').length;

function assertTold({ told }: Run, what: string, msMin: number, msMax: number): void {
  assert.deepEqual(
    told.map((one) => one.what),
    [what],
  );
  const ms = told[0]?.ms ?? Number.NaN;
  assert.ok(ms >= msMin && ms <= msMax, `${what} after ${ms} ms, not ${msMin}–${msMax}`);
}

test('the only address connects; the connection is writable and its owner has it', (t) => {
  const run = start(t, openPort(t));
  play(run.loop, [() => run.race.add([ACCEPTS], true), run.over]);
  assertTold(run, `connected ${ACCEPTS}`, 0, 240);
  assert.ok(run.connection?.writable && !run.connection.failed);
});

test('the next address is tried 250 ms after one that does not answer, and wins', (t) => {
  const run = start(t, openPort(t));
  const before = openFiles();
  play(run.loop, [() => run.race.add([HANGS, ACCEPTS], true), run.over]);
  assertTold(run, `connected ${ACCEPTS}`, 248, 900);
  // Its own descriptor came, the loop's two went with it; the attempt that hangs is closed.
  assert.equal(openFiles(), before + 1 - 2);
});

test('the next address is tried at once after one that refused', (t) => {
  const run = start(t, openPort(t));
  play(run.loop, [() => run.race.add([REFUSES, REFUSES_TOO, ACCEPTS], true), run.over]);
  assertTold(run, `connected ${ACCEPTS}`, 0, 240);
});

test('a failure does not shorten the wait for a later attempt', (t) => {
  const run = start(t, openPort(t));
  // The second follows the first by 250 ms and is refused, so the third begins then.
  play(run.loop, [() => run.race.add([HANGS, REFUSES, ACCEPTS], true), run.over]);
  assertTold(run, `connected ${ACCEPTS}`, 248, 900);
});

test('when all have failed the first reason is told', (t) => {
  const run = start(t, openPort(t));
  play(run.loop, [() => run.race.add([REFUSES, '255.255.255.255', REFUSES_TOO], true), run.over]);
  assertTold(run, 'lost 111', 0, 240);
  const none = start(t, openPort(t));
  play(none.loop, [() => none.race.add([], true), none.over]);
  assertTold(none, 'lost 0', 0, 240);
});

test('an option that the kernel refuses is named', (t) => {
  const run = start(t, openPort(t), { ...PLAIN, socket: { congestion: 'no-such' } });
  play(run.loop, [() => run.race.add([ACCEPTS], true), run.over]);
  assertTold(run, 'lost 2 setsockopt congestion no-such: no such file or directory (ENOENT)', 0, 240);
});

test('addresses that come late are tried at once when the wait is over, else in their turn', (t) => {
  const port = openPort(t);
  const late = start(t, port);
  play(late.loop, [() => late.race.add([HANGS], false), wait(300), () => late.race.add([ACCEPTS], true), late.over]);
  assertTold(late, `connected ${ACCEPTS}`, 300, 540);
  const soon = start(t, port);
  play(soon.loop, [() => soon.race.add([HANGS], false), wait(50), () => soon.race.add([ACCEPTS], true), soon.over]);
  assertTold(soon, `connected ${ACCEPTS}`, 248, 900);
});

test('a race that has failed so far waits for more, and is lost when there is none', (t) => {
  const port = openPort(t);
  const run = start(t, port);
  play(run.loop, [
    () => run.race.add([REFUSES], false),
    wait(50),
    () => assert.equal(run.over(), false),
    () => run.race.add([REFUSES], true),
    run.over,
  ]);
  assertTold(run, 'lost 111', 50, 290);
  const more = start(t, port);
  play(more.loop, [
    () => more.race.add([REFUSES], false),
    wait(50),
    () => more.race.add([REFUSES, ACCEPTS], true),
    more.over,
  ]);
  assertTold(more, `connected ${ACCEPTS}`, 50, 290);
});

test('IPv6 goes first, and the families take turns', { skip: skipIpv6 }, (t) => {
  const port = openPort(t);
  const six = start(t, port);
  play(six.loop, [() => six.race.add([ACCEPTS, '::1'], true), six.over]);
  assertTold(six, 'connected ::1', 0, 240);
  // A family that comes late goes ahead of the rest of the first.
  const late = start(t, port);
  play(late.loop, [
    () => late.race.add([HANGS, ACCEPTS], false),
    () => late.race.add([HANGS, ACCEPTS, '::1'], true),
    late.over,
  ]);
  assertTold(late, 'connected ::1', 248, 900);
});

test('no more than twelve addresses are tried', (t) => {
  const run = start(t, openPort(t));
  const refusing = Array.from({ length: 12 }, (_, i) => `127.0.1.${i + 1}`);
  play(run.loop, [
    () => run.race.add(refusing.slice(0, 6), false),
    () => run.race.add([...refusing, ACCEPTS], true),
    run.over,
  ]);
  assertTold(run, 'lost 111', 0, 500);
});

test('cancel closes every attempt, and nothing more is heard', (t) => {
  const port = openPort(t);
  const run = start(t, port);
  const before = openFiles();
  play(run.loop, [
    () => run.race.add([HANGS, '127.0.0.13', ACCEPTS], true),
    wait(20),
    () => run.race.cancel(),
    () => run.race.add([ACCEPTS_TOO], true),
    wait(300),
  ]);
  assert.deepEqual(run.told, []);
  assert.equal(openFiles(), before - 2);
});

test('from several sources: all addresses from the first one, then all from the next', (t) => {
  // The first is no address of this machine, as when an interface has gone away; nothing but its own family counts.
  const sourceAddress = ['2001:db8::1', '192.0.2.1', '127.0.0.21', '127.0.0.22'];
  const run = start(t, openPort(t), { ...PLAIN, sourceAddress });
  play(run.loop, [() => run.race.add([REFUSES, ACCEPTS], true), run.over]);
  assertTold(run, `connected ${ACCEPTS}`, 0, 240);
  assert.equal(localEndpoint(run.connection?.fd as number).address, '127.0.0.21');
});

test('the next source has its turn 250 ms after one from which nothing is answered', (t) => {
  const run = start(t, openPort(t), { ...PLAIN, sourceAddress: ['127.0.0.21', '127.0.0.22'] });
  const before = openFiles();
  const underWay: number[] = [];
  play(run.loop, [
    () => run.race.add([HANGS], true),
    wait(150),
    () => underWay.push(openFiles() - before),
    wait(200),
    () => underWay.push(openFiles() - before),
    wait(300),
    () => underWay.push(openFiles() - before),
    () => run.race.cancel(),
  ]);
  assert.deepEqual([underWay, run.told], [[1, 2, 2], []]);
});

test('the first reason is told when every source has failed', (t) => {
  const run = start(t, openPort(t), { ...PLAIN, sourceAddress: ['127.0.0.21', '127.0.0.22'] });
  play(run.loop, [() => run.race.add([REFUSES, REFUSES_TOO], true), run.over]);
  assertTold(run, 'lost 111', 0, 240);
});

/** Managed paths that are all on loopback. */
function otherPaths(sources: readonly string[], delayMs: number) {
  const asked: string[] = [];
  const answers: string[] = [];
  const paths: OtherPaths = {
    besides(local, remote) {
      asked.push(`${local} ${remote}`);
      return { sources, delayMs };
    },
    answered: (remote) => void answers.push(remote),
    overtaken: () => void answers.push('overtaken'),
  };
  return { paths, asked, answers };
}

test('an address that does not answer is tried over the other paths, before the next address', (t) => {
  const { paths, asked, answers } = otherPaths(['127.0.0.21', '192.0.2.250', '127.0.0.22'], 60);
  const run = start(t, openPort(t), PLAIN, paths);
  const before = openFiles();
  const attempts: number[] = [];
  const count = (): void => void attempts.push(openFiles() - before);
  play(run.loop, [
    () => run.race.add([HANGS], false),
    count,
    wait(90),
    count,
    wait(60),
    count,
    () => run.race.add([ACCEPTS], true),
    run.over,
  ]);
  // The address that is none of ours costs no time.
  assert.deepEqual(attempts, [1, 2, 3]);
  assertTold(run, `connected ${ACCEPTS}`, 60 + 60 + 248, 1_200);
  assert.deepEqual(asked, [`127.0.0.1 ${HANGS}`, `127.0.0.1 ${ACCEPTS}`]);
  assert.deepEqual(answers, [ACCEPTS]);
});

test('where the first attempt cannot even begin, there is nobody to look aside from', (t) => {
  const { paths, answers } = otherPaths(['127.0.0.21'], 0);
  const port = openPort(t);
  const run = start(t, port, { ...PLAIN, sourceAddress: ['192.0.2.250'] }, paths);
  play(run.loop, [() => run.race.add([ACCEPTS], true), run.over]);
  assert.match(run.told[0]?.what ?? '', /^lost 99/);
  assert.deepEqual(answers, []);
});

test('a server that refuses is asked over one path only', (t) => {
  const { paths } = otherPaths(['127.0.0.21', '127.0.0.22'], 200);
  const run = start(t, openPort(t), PLAIN, paths);
  play(run.loop, [() => run.race.add([REFUSES], true), run.over]);
  assertTold(run, 'lost 111', 0, 150);
});

test('attempts over all paths and to all addresses are bounded', (t) => {
  const { paths } = otherPaths(
    Array.from({ length: 40 }, (_, i) => `127.0.1.${i}`),
    0,
  );
  const run = start(t, openPort(t), PLAIN, paths);
  const before = openFiles();
  play(run.loop, [() => run.race.add([HANGS], true), wait(100), () => assert.equal(openFiles() - before, 12)]);
  run.race.cancel();
  assert.equal(run.over(), false);
});
