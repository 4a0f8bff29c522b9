// The Debian packages that tests, benchmarks and the demo use as real clients, servers and peers. The proxy itself needs none.
// As root the missing ones are installed; otherwise they are named, with what goes untested or unmeasured.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `proof`: the command, or the file, whose presence shows that the package is there.
 * `sets`: who asks for it. `service`: the unit that Debian would start by itself, and that must not stay.
 */
const PACKAGES = [
  {
    name: 'iproute2',
    proof: 'ip',
    sets: ['test', 'bench', 'demo'],
    use: 'network namespaces, links, MPTCP endpoints',
  },
  {
    name: 'curl',
    proof: 'curl',
    sets: ['test', 'bench', 'demo'],
    use: 'client: every SOCKS variant, CONNECT, plain HTTP',
  },
  { name: 'nftables', proof: 'nft', sets: ['test'], use: 'middleboxes: what strips MPTCP options' },
  { name: 'mptcpize', proof: 'mptcpize', sets: ['test', 'bench'], use: 'turns clients and peers into MPTCP programs' },
  { name: 'iperf3', proof: 'iperf3', sets: ['test', 'bench'], use: 'load from a client that is not ours' },
  { name: 'microsocks', proof: 'microsocks', sets: ['test', 'bench'], use: 'upstream and peer: SOCKS 5' },
  {
    name: 'dante-server',
    proof: 'danted',
    service: 'danted',
    sets: ['test', 'bench'],
    use: 'upstream and peer: SOCKS 4 and 5',
  },
  { name: 'squid', proof: 'squid', service: 'squid', sets: ['test', 'bench'], use: 'upstream and peer: HTTP CONNECT' },
  { name: 'proxychains4', proof: 'proxychains4', sets: ['test'], use: 'client: SOCKS by preloading' },
  { name: 'wget', proof: 'wget', sets: ['test'], use: 'client: HTTP proxy' },
  { name: 'git', proof: 'git', sets: ['test'], use: 'client: HTTPS through a proxy' },
  { name: 'openssl', proof: 'openssl', sets: ['test'], use: 'certificates for local HTTPS servers' },
  {
    name: 'postgresql',
    proof: 'pg_createcluster',
    service: 'postgresql',
    sets: ['test'],
    use: 'a real database for the flow log',
  },
  { name: 'chromium', proof: 'chromium', sets: ['test'], use: 'client: a browser without a window' },
  { name: 'haproxy', proof: 'haproxy', service: 'haproxy', sets: ['bench'], use: 'peer: forced splice' },
  { name: 'nginx', proof: 'nginx', service: 'nginx', sets: ['bench'], use: 'peer: stream proxy' },
  {
    name: 'libnginx-mod-stream',
    proof: '/usr/lib/nginx/modules/ngx_stream_module.so',
    sets: ['bench'],
    use: 'the stream module of nginx',
  },
  {
    name: 'mptcpd',
    proof: '/usr/libexec/mptcpd',
    service: 'mptcp',
    sets: ['test', 'bench'],
    use: 'peer: path manager, beside ours and in the experiments recovery and dead-route',
  },
  {
    name: 'mptcpd-plugins',
    proof: `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/mptcpd/addr_adv.so`,
    sets: ['test', 'bench'],
    use: 'what mptcpd does with addresses',
  },
  // Nothing to install on a machine whose network somebody depends on: its test runs where it is already, and in CI.
  { name: 'dbus-daemon', proof: 'dbus-daemon', sets: ['ci'], use: 'what NetworkManager speaks by' },
  {
    name: 'network-manager',
    proof: 'NetworkManager',
    service: 'NetworkManager',
    sets: ['ci'],
    use: 'peer: path manager, beside ours',
  },
  { name: 'tcpdump', proof: 'tcpdump', sets: ['bench'], use: 'packet timestamps for the added delay' },
];

// Debian keeps servers and `ip` where an ordinary user's PATH does not look.
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin'];
const POLICY = '/usr/sbin/policy-rc.d';

/** PATH with the directories of system commands at its end. */
export function systemPath() {
  const directories = (process.env.PATH ?? '').split(':').filter(Boolean);
  return [...new Set([...directories, ...SBIN])].join(':');
}

/** Makes the packages of these sets present as far as this user can, and says aloud what stays missing. */
export function provideSystemPackages(...wanted) {
  const missing = missingPackages(wanted);
  if (missing.length === 0) return;
  const installable = process.getuid() === 0 && findCommand('apt-get') !== undefined;
  if (installable) install(missing);
  const left = missingPackages(wanted);
  if (left.length === 0) return;
  console.error(`anabranch: system packages missing; what needs them is skipped:`);
  for (const { name, use } of left) console.error(`  ${name.padEnd(20)} ${use}`);
  if (!installable) console.error(`To have them: sudo apt-get install ${left.map(({ name }) => name).join(' ')}`);
}

function missingPackages(wanted) {
  return PACKAGES.filter(
    ({ sets, proof }) => sets.some((set) => wanted.includes(set)) && findCommand(proof) === undefined,
  );
}

function findCommand(proof) {
  if (proof.startsWith('/')) return existsSync(proof) ? proof : undefined;
  return systemPath()
    .split(':')
    .map((directory) => join(directory, proof))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function install(packages) {
  const names = packages.map(({ name }) => name);
  console.error(`anabranch: installing system packages (apt-get): ${names.join(' ')} …`);
  const update = apt(['update']);
  if (update.status !== 0) console.error(`anabranch: apt-get update failed, trying all the same:\n${said(update)}`);
  withoutServices(() => {
    if (apt(['install', ...names]).status === 0) return;
    // One unknown name fails them all; then each alone, so that the others are there.
    for (const name of names) {
      const one = apt(['install', name]);
      if (one.status !== 0) console.error(`anabranch: apt-get install ${name} failed:\n${said(one)}`);
    }
  });
  // Not at the next boot either: these are tools here, and a web server nobody asked for is a hole.
  if (findCommand('systemctl') === undefined) return;
  for (const { service } of packages) {
    if (service !== undefined) spawnSync('systemctl', ['disable', service], { stdio: 'ignore', timeout: 30_000 });
  }
}

function apt(args) {
  return spawnSync('apt-get', ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    encoding: 'utf8',
    env: { ...process.env, PATH: systemPath(), DEBIAN_FRONTEND: 'noninteractive' },
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15 * 60_000,
  });
}

function said(result) {
  return `${result.stderr ?? ''}${result.error ?? ''}`.trim().split('\n').slice(-8).join('\n');
}

/** Debian starts a daemon as it is installed, unless policy-rc.d says 101 (invoke-rc.d(8)). */
function withoutServices(action) {
  if (existsSync(POLICY)) return action();
  // With a handler of ours ^C ends apt-get, not this process, and the policy is taken away again.
  const wait = () => {};
  process.on('SIGINT', wait).on('SIGTERM', wait);
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return action();
  } finally {
    rmSync(POLICY, { force: true });
    process.off('SIGINT', wait).off('SIGTERM', wait);
  }
}
