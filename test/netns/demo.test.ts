// The demo end to end: it shows what it promises, as root and as an ordinary user, and leaves nothing behind whenever it
// is stopped.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { listLabs, NETNS_DIRECTORY, STATE_DIRECTORY } from '#anabranch/lab/registry.js';

import { requireCommands, requireMptcp, requireNamespaces, requireRoot } from '../requirements.ts';

const MAIN = join(import.meta.dirname, '../../../dist/cli/main.js');
/** In the environment of the demo, and so of everything it starts. */
const MARK = 'ANABRANCH_DEMO_TEST';
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];
/** A place without rights in which no further user namespace may be made. */
const LOCKED = [
  'unshare',
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all -- "$@"',
  'sh',
];
const skip = requireCommands('ip', 'nsenter', 'curl') || requireNamespaces() || requireMptcp();
const skipOther = skip || requireRoot() || requireCommands('setpriv', 'unshare');

interface Demo {
  readonly child: ChildProcess;
  readonly mark: string;
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
}

function startDemo(args: readonly string[], through: readonly string[] = []): Demo {
  const mark = randomUUID();
  const [command = '', ...rest] = [...through, process.execPath, MAIN, 'demo', ...args];
  // A process group of its own, as a shell gives to what it starts: ^C reaches all of it.
  const child = spawn(command, rest, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, [MARK]: mark, HOME: '/' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([status, signal]) => ({ status, signal, stdout, stderr }));
  return { child, mark, ended };
}

/** Processes that carry the mark. */
function processesOf(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });
}

/** What a demo that ran as this process has left, given the namespaces it was seen to have. */
function leftOf({ child, mark }: Demo, namespaces: readonly string[]): string[] {
  return [
    ...processesOf(mark).map((pid) => `process ${pid}`),
    ...listLabs(STATE_DIRECTORY)
      .filter(({ pid }) => pid === child.pid)
      .map(({ id }) => `record ${id}`),
    ...names(NETNS_DIRECTORY).filter((name) => namespaces.includes(name)),
    ...names('/sys/class/net').filter((name) => /^(mptcp|tcp)-/.test(name)),
  ];
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function interruptAgain({ child }: Demo): void {
  try {
    process.kill(-child.pid!, 'SIGINT');
  } catch {
    // The first one has done it.
  }
}

describe('the demo', { skip, timeout: 300_000 }, () => {
  test('carries the download over MPTCP through the cut, and says so as JSON and in a report', async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'anabranch-demo-test-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const report = join(directory, 'report.html');
    const demo = startDemo(['--quick', '--json', '--report', report]);
    const { status, stdout, stderr } = await demo.ended;
    assert.equal(status, 0, stderr);
    assert.ok(stderr.includes(report), stderr);
    const page = readFileSync(report, 'utf8');
    assert.match(page, /(Both downloads|The download over MPTCP) came through/);
    assert.match(page, /path 1 is cut at [\d.]+ s/);
    // Among the connections beside it the download stands out.
    assert.match(page, />[\d.]+:80: 24\.0 MB in [\d.]+ s</);
    const { mptcp, tcp, events, flow, versions } = JSON.parse(stdout);
    assert.deepEqual([mptcp.finished, mptcp.sha256Ok, mptcp.bytes], [true, true, 24_000_000]);
    // Each path carried a part of it that no accident explains, and together the whole.
    assert.ok(mptcp.bytesPerPath.path1 > 5e6 && mptcp.bytesPerPath.path2 > 2e6, JSON.stringify(mptcp));
    assert.ok(mptcp.bytesPerPath.path1 + mptcp.bytesPerPath.path2 > 24e6);
    assert.ok(mptcp.longestStallMs < tcp.longestStallMs, 'plain TCP stands still for longer');
    assert.ok(tcp.longestStallMs >= 4_000, 'plain TCP stands still as long as its path is away');
    assert.ok(tcp.bytesPerPath.path2 < 10_000, 'plain TCP does not use the second path');
    const kinds = events.map(({ kind }: { kind: string }) => kind);
    assert.deepEqual(kinds.slice(0, 2), ['cut', 'back']);
    assert.equal(flow.clientSide, 'mptcp');
    assert.equal(flow.serverSide, 'peer-without-mptcp');
    // Each path that returned, or that was wrongly taken for dead, has had several.
    assert.deepEqual([...new Set(flow.subflows.map(({ path }: { path: number }) => path))].sort(), [1, 2]);
    assert.deepEqual(Object.keys(versions).sort(), ['anabranch', 'curl', 'kernel', 'node']);
    assert.deepEqual(leftOf(demo, []), []);
  });

  for (const [afterMs, times] of [
    [0, 1],
    [150, 1],
    [300, 1],
    [450, 2],
    [700, 1],
    [1_500, 2],
    [6_000, 1],
  ] as const) {
    test(`leaves nothing when ^C comes ${times === 1 ? 'once' : 'twice'} after ${afterMs} ms`, async () => {
      const demo = startDemo([]);
      await sleep(afterMs);
      const mine = listLabs(STATE_DIRECTORY).find(({ pid }) => pid === demo.child.pid);
      process.kill(-demo.child.pid!, 'SIGINT');
      if (times === 2) await sleep(10).then(() => interruptAgain(demo));
      const { status, signal, stderr } = await demo.ended;
      // Before the program has got so far as to listen for it, the signal itself ends it.
      assert.ok(status === 130 || signal === 'SIGINT', `${status} ${signal} ${stderr}`);
      assert.doesNotMatch(stderr, /internal error|\bat /);
      assert.deepEqual(leftOf(demo, mine?.namespaces ?? []), []);
    });
  }
});

describe('the demo on a terminal', { skip: skip || requireCommands('script'), timeout: 240_000 }, () => {
  test('is drawn in place, and ^C gives the cursor back', async () => {
    const command = `env TERM=xterm LANG=C.UTF-8 NO_COLOR= ${process.execPath} ${MAIN} demo`;
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'ignore'] });
    let drawn = '';
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      drawn += text;
      // What the key sends; the terminal makes a SIGINT of it.
      if (drawn.includes('▄') && !terminal.stdin.writableEnded) terminal.stdin.end('\u0003');
    });
    const [status] = await once(terminal, 'close');
    assert.equal(status, 130, drawn);
    const cursor = drawn.split('\u001b[?25').slice(1);
    assert.deepEqual(
      cursor.map((after) => after[0]),
      ['l', 'h'],
    );
    assert.match(drawn, /stopped by SIGINT; nothing of it is left\s*$/);
    assert.ok(drawn.includes('\u001b[36m'), 'coloured: an empty NO_COLOR is none');
  });
});

describe('the demo for ordinary users', { skip: skipOther, timeout: 300_000 }, () => {
  test('runs in a user namespace, in lines without control characters where there is no terminal', async (t) => {
    const demo = startDemo(['--quick'], NOBODY);
    const { status, stdout, stderr } = await demo.ended;
    assert.equal(status, 0, stderr);
    const report = /^The report, with plots: (\/.*\/anabranch-demo-\w+\/report\.html)$/m.exec(stderr)?.[1];
    assert.ok(report !== undefined, stderr);
    t.after(() => rmSync(dirname(report), { recursive: true, force: true }));
    assert.match(readFileSync(report, 'utf8'), /<\/html>/);
    assert.match(stdout, /^ +\d+\.\d s {2}path 1 is cut/m);
    assert.match(stdout, /^(Both downloads|The download over MPTCP) came through/m);
    assert.match(stdout, /^Through anabranch, over MPTCP: finished in \d+\.\d s, SHA-256 right/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f]/);
    assert.deepEqual(leftOf(demo, []), []);
  });

  for (const [afterMs, signal] of [
    [300, 'SIGINT'],
    [700, 'SIGINT'],
    [3_000, 'SIGINT'],
    [3_000, 'SIGTERM'],
    [3_000, 'SIGKILL'],
  ] as const) {
    test(`leaves nothing when ${signal} comes after ${afterMs} ms`, async () => {
      const demo = startDemo([], NOBODY);
      await sleep(afterMs);
      // ^C reaches the whole group; the others are sent to the program itself.
      process.kill(signal === 'SIGINT' ? -demo.child.pid! : demo.child.pid!, signal);
      const { status } = await demo.ended;
      assert.notEqual(status, 0);
      // After a kill the kernel clears up, in its own time.
      for (let tried = 0; tried < 20 && processesOf(demo.mark).length > 0; tried++) await sleep(100);
      assert.deepEqual(leftOf(demo, []), []);
    });
  }

  test('names what is missing where there are no user namespaces', async () => {
    const { status, stderr } = await startDemo(['--quick'], LOCKED).ended;
    assert.equal(status, 3, stderr);
    assert.match(stderr, /^anabranch: a lab needs root, or user namespaces.*sysctl -w user\.max_user_namespaces=/);
  });

  test('says at once where its report cannot go', async () => {
    const { status, stderr } = await startDemo(['--quick', '--report', '/nowhere/report.html']).ended;
    assert.equal(status, 2);
    assert.match(stderr, /--report \/nowhere\/report\.html: .*no such file or directory/);
  });

  test('names a congestion control that the kernel does not have', async () => {
    const { status, stderr } = await startDemo(['--congestion', 'nonesuch']).ended;
    assert.equal(status, 3, stderr);
    assert.match(stderr, /does not allow the congestion control nonesuch; it allows: .*cubic/);
  });
});
