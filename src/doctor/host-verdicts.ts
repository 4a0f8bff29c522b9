// Verdicts about the machine as a whole: its kernel, its settings, its limits.

import type { Facts } from './facts.ts';
import { mendedBy, type Remedy, sysctl } from './remedy.ts';
import { ok, unknown, type Verdict } from './verdict.ts';

/** MPTCP version 1 is in Linux since 5.6, MPTCP_INFO since 5.16, MPTCP_FULL_INFO and byte totals since 6.5. */
const KERNEL_MIN = [5, 6];
const KERNEL_INFO = [5, 16];
const KERNEL_FULL_INFO = [6, 5];
const DESCRIPTORS_MIN = 65_536;
/** Half of the receive buffer that MPTCP sockets want: the kernel doubles what is asked for. */
const ASKED_MAX_MIN = 4_194_304;
/** The product of 400 Mbit/s and 80 ms. */
const BUFFER_BYTES_MIN = 4 * 1024 * 1024;
/** The kernel's default: 64 MiB of pipes for one user. */
const PIPE_PAGES_MIN = 16_384;
const BACKLOG_MIN = 1024;
/** The kernel doubles it with each further time, up to 64 times as much (mptcp-sysctl.rst). */
const BLACKHOLE_S_MAX = 60;
const CLOSE_TIMEOUT_S_MIN = 30;
/** The kernel's default. */
const CLOSE_TIMEOUT_S = 60;

export function hostVerdicts(facts: Facts): Verdict[] {
  return [
    kernel(facts),
    mptcp(facts),
    pathManager(facts),
    congestion(facts),
    fastOpen(facts),
    buffers(facts),
    descriptors(facts),
    pipes(facts),
    backlog(facts),
    ...blackhole(facts),
    ...closeTimeout(facts),
  ];
}

function kernel({ kernelRelease }: Facts): Verdict {
  const id = 'kernel';
  const match = /^(\d+)\.(\d+)/.exec(kernelRelease ?? '');
  if (!match) return unknown(id, 'the release of the kernel could not be read');
  const version = [Number(match[1]), Number(match[2])];
  const found = `Linux ${kernelRelease}`;
  const mend = ['install a later kernel of your distribution (6.6 or later is best)'];
  if (before(version, KERNEL_MIN)) {
    return { id, level: 'fail', found, why: 'MPTCP came with Linux 5.6; before, everything goes over TCP.', mend };
  }
  if (before(version, KERNEL_INFO)) {
    return { id, level: 'warn', found, why: 'Before Linux 5.16 nothing can be seen of the single paths.', mend };
  }
  if (before(version, KERNEL_FULL_INFO)) {
    return { id, level: 'warn', found, why: 'Before Linux 6.5 the byte totals of a connection are missing.', mend };
  }
  return ok(id, found);
}

function before(version: readonly number[], other: readonly number[]): boolean {
  const [major = 0, minor = 0] = version;
  const [otherMajor = 0, otherMinor = 0] = other;
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}

function mptcp({ mptcpSocket, sysctls }: Facts): Verdict {
  const id = 'mptcp';
  if (mptcpSocket.available) return ok(id, mptcpSocket.detail);
  const remedies = sysctls['net.mptcp.enabled'] === '0' ? [sysctl('net.mptcp.enabled', 1)] : [];
  const why = 'Without it connections have one path only.';
  return { id, level: 'fail', found: mptcpSocket.detail, why, ...mendedBy(remedies) };
}

function pathManager({ sysctls }: Facts): Verdict {
  const id = 'path-manager';
  const named = sysctls['net.mptcp.path_manager'];
  const type = sysctls['net.mptcp.pm_type'];
  const name = named ?? (type === undefined ? undefined : type === '0' ? 'kernel' : 'userspace');
  if (name === undefined) return unknown(id, 'the path manager could not be read');
  if (name === 'kernel') return ok(id, 'the kernel opens paths by its endpoints');
  return {
    id,
    level: 'warn',
    found: `new paths are left to "${name}"`,
    why: 'Unless a daemon such as mptcpd opens paths, connections keep to their first one.',
    mend: [named === undefined ? 'sysctl -w net.mptcp.pm_type=0' : 'sysctl -w net.mptcp.path_manager=kernel'],
  };
}

/** Congestion controls that connections choose from: src/proxy. */
const CHOSEN = ['cubic', 'bbr'] as const;

function congestion({ sysctls }: Facts): Verdict {
  const id = 'congestion';
  const allowed = sysctls['net.ipv4.tcp_allowed_congestion_control'];
  const available = words(sysctls['net.ipv4.tcp_available_congestion_control']);
  const fallback = sysctls['net.ipv4.tcp_congestion_control'] ?? 'unknown';
  if (allowed === undefined) return unknown(id, 'the congestion controls could not be read');
  const missing = CHOSEN.filter((name) => !words(allowed).includes(name));
  if (missing.length === 0) return ok(id, `cubic and bbr may be chosen (default: ${fallback})`);
  const modules = missing.filter((name) => !available.includes(name));
  return {
    id,
    level: 'warn',
    found: `${missing.join(' and ')} may not be chosen by everyone (default: ${fallback})`,
    why: missing.includes('cubic')
      ? 'Each connection chooses its own; where it may not, it runs with the default, and bbr does badly under MPTCP.'
      : 'Over long paths that lose packets cubic carries a fraction of what bbr does; connections choose it there.',
    ...mendedBy([
      ...modules.map((name): Remedy => ({ kind: 'module', name: `tcp_${name}` })),
      sysctl('net.ipv4.tcp_allowed_congestion_control', [...words(allowed), ...missing].join(' ')),
    ]),
  };
}

function words(text: string | undefined): string[] {
  return text?.split(/\s+/).filter((word) => word !== '') ?? [];
}

function fastOpen({ sysctls }: Facts): Verdict {
  const id = 'fast-open';
  const value = sysctls['net.ipv4.tcp_fastopen'];
  if (value === undefined) return unknown(id, 'net.ipv4.tcp_fastopen could not be read');
  const sides = Number(value) & 3;
  if (sides === 3) return ok(id, 'TCP Fast Open for both sides');
  const found = [
    'TCP Fast Open is off',
    'TCP Fast Open for outgoing connections only',
    'TCP Fast Open for incoming connections only',
  ];
  return {
    id,
    level: 'warn',
    found: found[sides] ?? '',
    why: 'With it a repeated connection saves a round trip, where fastOpen is configured.',
    ...mendedBy([sysctl('net.ipv4.tcp_fastopen', 3)]),
  };
}

function buffers({ sysctls }: Facts): Verdict {
  const id = 'buffers';
  const most = (name: string): number => Number(words(sysctls[name])[2]);
  const [rmem, wmem] = [most('net.ipv4.tcp_rmem'), most('net.ipv4.tcp_wmem')];
  if (Number.isNaN(rmem) || Number.isNaN(wmem)) return unknown(id, 'the sizes of TCP buffers could not be read');
  const found = `up to ${mebibytes(rmem)} to receive and ${mebibytes(wmem)} to send`;
  const raised = (name: string, bytes: number): Remedy =>
    sysctl(name, [...words(sysctls[name]).slice(0, 2), bytes].join(' '));
  const remedies: Remedy[] = [];
  if (rmem < BUFFER_BYTES_MIN) remedies.push(raised('net.ipv4.tcp_rmem', 33_554_432));
  if (wmem < BUFFER_BYTES_MIN) remedies.push(raised('net.ipv4.tcp_wmem', 16_777_216));
  // A proxy without CAP_NET_ADMIN may ask for this much only; a connection whose path dies needs it (src/socket).
  for (const name of ['net.core.rmem_max', 'net.core.wmem_max']) {
    const asked = sysctls[name];
    if (asked !== undefined && Number(asked) < ASKED_MAX_MIN) remedies.push(sysctl(name, ASKED_MAX_MIN));
  }
  if (remedies.length === 0) return ok(id, found);
  const why = 'The data of all paths waits for the slowest one: a buffer must hold their sum times its round trip.';
  return { id, level: 'warn', found, why, ...mendedBy(remedies) };
}

function mebibytes(bytes: number): string {
  return `${Number((bytes / 1024 / 1024).toFixed(1))} MiB`;
}

function descriptors(facts: Facts): Verdict {
  const id = 'descriptors';
  if (facts.descriptors === undefined) return unknown(id, 'the limit of open files could not be read');
  const { hard } = facts.descriptors;
  const found = hard === Infinity ? 'any number of open files' : `up to ${hard} open files`;
  if (hard >= DESCRIPTORS_MIN) return ok(id, found);
  return {
    id,
    level: 'warn',
    found,
    why: 'A relayed connection takes two descriptors, and up to four more for its pipes.',
    mend: ['LimitNOFILE=1048576 in the systemd unit, or: ulimit -Hn 1048576 as root'],
  };
}

function pipes({ sysctls }: Facts): Verdict {
  const id = 'pipes';
  const value = sysctls['fs.pipe-user-pages-soft'];
  if (value === undefined) return unknown(id, 'fs.pipe-user-pages-soft could not be read');
  const pages = Number(value);
  const found = pages === 0 ? 'pipes of any size in all' : `${mebibytes(pages * 4096)} of pipes before they are cut`;
  if (pages === 0 || pages >= PIPE_PAGES_MIN) return ok(id, found);
  const why = 'Beyond it the kernel gives pipes of two pages only, and relaying costs many more calls.';
  return { id, level: 'warn', found, why, ...mendedBy([sysctl('fs.pipe-user-pages-soft', 65_536)]) };
}

function backlog({ sysctls }: Facts): Verdict {
  const id = 'backlog';
  const value = sysctls['net.core.somaxconn'];
  if (value === undefined) return unknown(id, 'net.core.somaxconn could not be read');
  const found = `${value} connections may wait to be accepted`;
  if (Number(value) >= BACKLOG_MIN) return ok(id, found);
  const why = 'In a burst the kernel drops what does not fit, and clients wait for a second or more.';
  return { id, level: 'warn', found, why, ...mendedBy([sysctl('net.core.somaxconn', 4_096)]) };
}

/** Linux ≥ 6.12; before there is no such memory. */
function blackhole({ sysctls }: Facts): Verdict[] {
  const id = 'blackhole';
  const value = sysctls['net.mptcp.blackhole_timeout'];
  if (value === undefined) return [];
  const seconds = Number(value);
  if (seconds <= BLACKHOLE_S_MAX) {
    const forgets = seconds === 0 ? 'never' : `for ${seconds} s at first`;
    return [ok(id, `MPTCP is given up ${forgets} when a connection stands only without it`)];
  }
  return [
    {
      id,
      level: 'warn',
      found: `MPTCP is given up for ${seconds} s at first, to everywhere, when one connection stands only without it`,
      why: 'A path that was away for some seconds looks the same, and costs this machine all its paths for that time.',
      ...mendedBy([sysctl('net.mptcp.blackhole_timeout', BLACKHOLE_S_MAX)]),
    },
  ];
}

/** Linux ≥ 6.6 */
function closeTimeout({ sysctls }: Facts): Verdict[] {
  const id = 'close-timeout';
  const value = sysctls['net.mptcp.close_timeout'];
  if (value === undefined) return [];
  const found = `a connection without any path is kept for ${value} s`;
  if (Number(value) >= CLOSE_TIMEOUT_S_MIN) return [ok(id, found)];
  const why = 'It ends before the next network can be reached: a tunnel, a lift, the way from one Wi-Fi to the next.';
  return [{ id, level: 'warn', found, why, ...mendedBy([sysctl('net.mptcp.close_timeout', CLOSE_TIMEOUT_S)]) }];
}
