// Experiments as they are run: from the command line, in real namespaces, and ended in every way.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { ExperimentResult } from '#anabranch/lab/experiments/results.js';
import { listLabs, namespacePath, processesIn, STATE_DIRECTORY } from '#anabranch/lab/registry.js';
import { cleanLabs } from '#anabranch/lab/teardown.js';

import { until } from '../loopback/support/wait.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { commandLine } from './lab-command.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const skip = requireCommands('ip', 'nsenter') || requireNamespaces() || requireMptcp();

const SCENE = `
topology:
  hosts: { client: , router: { forward: true }, gateway: , server: { mptcp: false } }
  links:
    wifi: { between: [client, router], rate: 20mbit, rtt: 4ms }
    cellular: { between: [client, router], rate: 10mbit, rtt: 8ms }
    core: { between: [router, gateway] }
    backbone: { between: [gateway, server] }
processes:
  near:
    host: client
    anabranch:
      inbounds: [{ type: socks, listen: "127.0.0.1:1080" }]
      outbounds: [{ name: up, type: socks, server: "\${address.gateway.core}:1080", transport: mptcp }]
      rules: [{ use: up }]
  far: { host: gateway, anabranch: { inbounds: [{ type: socks, listen: "0.0.0.0:1080", open: true }] } }
`;
const DOWNLOAD = (time: string): string => `
workloads:
  download: { kind: bulk, from: client, to: server, via: "127.0.0.1:1080", seconds: ${time} }
capacity: { links: [wifi, cellular], direction: down, protocol: mptcp }
measures:
  goodput: { take: goodput, of: download, from: 1s }
  finished: { take: finished, of: download }
`;

/** For a run to come so far, on however busy a machine. */
const WAIT_MS = 100_000;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly left: readonly string[];
  /** Where its working files were. */
  readonly working: string;
}

describe('lab run', { skip, timeout: 500_000 }, () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'anabranch-test-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /**
   * Runs `anabranch lab run` and looks at what its process leaves behind. `interfere` is called with the first progress
   * line, when the lab is about to be built.
   */
  function labRun(
    name: string,
    text: string,
    flags: readonly string[] = [],
    interfere?: (pid: number) => unknown,
  ): Promise<Ended> {
    const file = join(directory, `${name}.yaml`);
    const working = mkdtempSync(join(directory, 'working-'));
    writeFileSync(file, `name: ${name}\ntitle: a test\n${text}`);
    const child = spawn(process.execPath, [MAIN, 'lab', 'run', file, '--out', directory, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own, as a shell gives it one.
      detached: true,
      // The lab's working files go where this test can see them.
      env: { ...process.env, TMPDIR: working },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (said: string) => {
      stdout += said;
    });
    child.stderr.setEncoding('utf8').on('data', (said: string) => {
      const isFirst = stderr === '';
      stderr += said;
      if (isFirst) interfere?.(child.pid ?? 0);
    });
    return new Promise((resolve) => {
      child.once('close', (status) =>
        resolve({ status, stdout, stderr, left: leftOf(child.pid ?? 0, working), working }),
      );
    });
  }

  /** Labs of a process that has ended, and working files. */
  function leftOf(pid: number, working: string): string[] {
    const labs = listLabs(STATE_DIRECTORY).filter((record) => record.pid === pid);
    return [...labs.map(({ id }) => id), ...readdirSync(working)];
  }

  const labOf = (pid: number) => listLabs(STATE_DIRECTORY).find((record) => record.pid === pid);

  /** Kills a program of a workload, once it is there. */
  async function killWorkload(pid: number, file: 'client' | 'server'): Promise<void> {
    const isIt = (one: number): boolean => commandLine(one).includes(`/lab/workloads/${file}.js`);
    let found: number | undefined;
    await until(
      () => {
        found = processesIn(labOf(pid)?.namespaces ?? []).find(isIt);
        return found !== undefined;
      },
      () => `a ${file} of ${pid}`,
      WAIT_MS,
    );
    process.kill(found!, 'SIGKILL');
  }

  test('two paths by MPTCP carry more than one can, and the results can be repeated', async () => {
    const text = `${SCENE}parameters: { seconds: [2s] }\nrepetitions: 2\nseed: 7\n${DOWNLOAD('"${seconds}"')}`;
    const { status, stdout, stderr, left } = await labRun('works', text);
    assert.equal(status, 0, stderr);
    assert.deepEqual(left, []);
    assert.match(stdout, /goodput, Mbit\/s\nseconds +runs +mean +median +std dev +95 % interval +can carry\n/);
    assert.match(stderr, /run 2 of 2, 2s, \d+ s left/);
    const result = JSON.parse(readFileSync(join(directory, 'works.json'), 'utf8')) as ExperimentResult;
    assert.equal(result.experiment.text, `name: works\ntitle: a test\n${text}`);
    assert.match(result.provenance.kernel, /^\d+\.\d+/);
    assert.ok('net.ipv4.tcp_rmem' in result.provenance.sysctls);
    const [setting] = result.settings;
    assert.equal(setting?.capacityMbit?.toFixed(1), '28.1');
    assert.deepEqual(
      setting.runs.map(({ seed }) => seed),
      [7, 8],
    );
    for (const { figures, flows, workloads } of setting.runs) {
      assert.equal(figures.finished, 100);
      assert.ok((figures.goodput ?? 0) > 19.2, `${figures.goodput} Mbit/s is not more than Wi-Fi alone carries`);
      const [flow] = flows.near as { serverSide: { mptcp: string; subflows: unknown[] } }[];
      assert.equal(flow?.serverSide.mptcp, 'mptcp');
      assert.equal(flow.serverSide.subflows.length, 2);
      assert.equal(workloads.download?.kind, 'bulk');
    }
  });

  test('a process that dies in mid-experiment is named, with its last words', async () => {
    const dies = `${SCENE}  mortal: { host: server, command: [sh, -c, "echo I am going; sleep 1; echo so long >&2; exit 7"] }\n`;
    const { status, stderr, left } = await labRun('dies', dies + DOWNLOAD('20s'));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /dies, all, run 1 of 5: process mortal on server ended with status 7; its last words:\n {2}I am going\n {2}so long\n/,
    );
    assert.doesNotMatch(stderr, /\n {4}at /);
    assert.deepEqual(left, []);
  });

  test('what was measured before a run that could not be made is kept', async () => {
    const flag = join(directory, 'made-once');
    const once = `test -e ${flag} && exit 7; touch ${flag}; exec sleep 1000`;
    const text = `topology: single-path
processes: { once: { host: server, command: [sh, -c, ${JSON.stringify(once)}] } }
workloads: { ask: { kind: ping-pong, from: client, to: server, count: 5 } }
measures: { finished: { take: finished, of: ask } }
repetitions: 3
`;
    const { status, stdout, stderr, left } = await labRun('second', text);
    assert.equal(status, 1);
    assert.match(stderr, /second, all, run 2 of 3: process once on server ended with status 7/);
    assert.match(stdout, /not all runs were made/);
    const { settings } = JSON.parse(readFileSync(join(directory, 'second.json'), 'utf8')) as ExperimentResult;
    assert.deepEqual(
      settings.map(({ runs }) => runs.length),
      [1],
    );
    assert.deepEqual(left, []);
  });

  test('an anabranch reads another configuration in mid-run', async () => {
    const outbound = (name: string): string =>
      `{ name: ${name}, type: socks, server: "\${address.gateway.core}:1080", transport: mptcp }`;
    const text = `${SCENE.replace(`outbounds: [${outbound('up')}]`, `outbounds: [${outbound('up')}, ${outbound('other')}]`)}
workloads:
  ask: { kind: connect-close, from: client, to: server, via: "127.0.0.1:1080", perSecond: 10, seconds: 4s }
reloads: [{ at: 2s, process: near, with: { rules: [{ use: other }] } }]
measures: { over-wifi: { take: subflows, process: near, link: wifi }, finished: { take: finished, of: ask } }
repetitions: 1
`;
    const { status, stderr, left } = await labRun('reloads', text);
    assert.equal(status, 0, stderr);
    assert.deepEqual(left, []);
    const { settings } = JSON.parse(readFileSync(join(directory, 'reloads.json'), 'utf8')) as ExperimentResult;
    const { flows, steps, figures } = settings[0]!.runs[0]!;
    assert.deepEqual(
      steps.map(({ what }) => what),
      ['near reloads: rules'],
    );
    const outbounds = (flows.near as { outbound: string }[]).map((flow) => flow.outbound);
    assert.deepEqual([outbounds[0], outbounds.at(-1)], ['up', 'other']);
    assert.equal(figures.finished, 100);
    assert.ok((figures['over-wifi'] ?? 0) >= outbounds.length, `${figures['over-wifi']} of ${outbounds.length}`);
  });

  test('a reload that takes no effect ends the experiment', async () => {
    const text = `${SCENE}${DOWNLOAD('20s')}reloads: [{ at: 500ms, process: near, with: { workers: 2 } }]\n`;
    const { status, stderr, left } = await labRun('unheard', text);
    assert.equal(status, 1);
    assert.match(stderr, /unheard, all, run 1 of 5: process near reloaded, but `workers` changes only with a restart/);
    assert.deepEqual(left, []);
  });

  for (const file of ['client', 'server'] as const) {
    test(`a workload whose ${file} dies ends the experiment`, async () => {
      let killed: Promise<void> | undefined;
      const { status, stdout, stderr, left } = await labRun('crash', SCENE + DOWNLOAD('20s'), [], (pid) => {
        killed = killWorkload(pid, file);
      });
      await killed;
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, new RegExp(`crash, all, run 1 of 5: .*the workload's ${file} on .* was ended by SIGKILL`));
      assert.deepEqual(left, []);
    });
  }

  test('what a kill −9 leaves is removed by cleaning, working files included', async () => {
    let victim = 0;
    let killed: Promise<void> | undefined;
    const { left, working } = await labRun('killed', SCENE + DOWNLOAD('20s'), [], (pid) => {
      victim = pid;
      // Once its programs run.
      killed = until(
        () => processesIn(labOf(pid)?.namespaces ?? []).length >= 2,
        () => 'programs',
        WAIT_MS,
      ).then(() => void process.kill(pid, 'SIGKILL'));
    });
    await killed;
    assert.equal(left.length, 2, left.join(' '));
    const { namespaces = [], id = '' } = labOf(victim) ?? {};
    assert.ok(cleanLabs().includes(id));
    assert.deepEqual(leftOf(victim, working), []);
    assert.deepEqual(processesIn(namespaces), []);
    assert.deepEqual(
      namespaces.filter((name) => existsSync(namespacePath(name))),
      [],
    );
  });

  test('a process that cannot start is named, with its last words', async () => {
    const taken = `${SCENE}  second: { host: gateway, anabranch: { inbounds: [{ type: socks, listen: "0.0.0.0:1080", open: true }] } }\n`;
    const { status, stderr, left } = await labRun('taken', taken + DOWNLOAD('2s'));
    assert.equal(status, 1);
    assert.match(
      stderr,
      /process (far|second) on gateway ended with status 3; its last words:\n.*another program listens there/s,
    );
    assert.deepEqual(left, []);
  });

  test('faults of the file are told before anything is built', async () => {
    const { status, stderr } = await labRun(
      'wrong',
      `${SCENE}${DOWNLOAD('2s').replace('from: client', 'from: clint')}`,
    );
    assert.equal(status, 2);
    assert.match(
      stderr,
      /wrong\.yaml:21:33 workloads\.download\.from: is "clint": no host has this name — did you mean client\?/,
    );
  });

  for (const [what, signal, whom] of [
    ['SIGINT', 'SIGINT', 1],
    ['SIGTERM', 'SIGTERM', 1],
    // A terminal signals all of the process group.
    ['^C at the terminal', 'SIGINT', -1],
    ['^C at the terminal, again', 'SIGINT', -1],
  ] as const) {
    test(`${what} at any moment leaves nothing but the runs made until then`, async () => {
      const { status, stdout, stderr, left } = await labRun('ended', SCENE + DOWNLOAD('20s'), ['--json'], (pid) =>
        setTimeout(() => process.kill(whom * pid, signal), 100 + Math.random() * 3_000),
      );
      assert.equal(status, 130, stderr);
      assert.deepEqual(left, []);
      const result = JSON.parse(stdout) as ExperimentResult;
      assert.equal(result.interrupted, true);
      assert.deepEqual(result.settings[0]?.runs, []);
    });
  }
});
