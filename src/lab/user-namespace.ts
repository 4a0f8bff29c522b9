// Labs for ordinary users: runs a command again as root of namespaces of its own (user, network, mount, process), where
// veth devices, `ip netns` and packet sockets need no privilege of the machine. All of it is gone when the command ends,
// however it ends: the kernel kills what is left in the process namespace.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { missingProgram, programPath } from './commands.ts';
import { LabError, LabErrorCode } from './lab-error.ts';

/** include/uapi/linux/capability.h */
const CAP_NET_ADMIN = 12n;
const CAP_SYS_ADMIN = 21n;

/** Whether this process may make network namespaces as it is. */
export function mayMakeNamespaces(status = readText('/proc/self/status')): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1] ?? '0'}`);
  return ((effective >> CAP_NET_ADMIN) & 1n) === 1n && ((effective >> CAP_SYS_ADMIN) & 1n) === 1n;
}

/** `ip netns` and the record of labs need a /run that one may write to. */
const INSIDE = 'mount -t tmpfs -o mode=755 tmpfs /run || exit 125; "$@"; exit $?';

const UNSHARE = ['--user', '--map-root-user', '--net', '--mount', '--fork', '--kill-child'];
const PROCESSES = ['--pid', '--mount-proc'];
const PROBE_MS_MAX = 10_000;

/**
 * Runs `command` inside; resolves with its exit status, 128 + number when a signal ended it. Signals that end this
 * program are passed on. Rejects with a LabError that names what is missing when the machine does not allow it.
 */
export async function enterUserNamespace(command: readonly string[]): Promise<number> {
  const options = findOptions();
  // Should this program be killed, unshare goes with it, and with unshare everything inside.
  const unshare = [programPath('unshare'), ...options, '--', 'sh', '-c', INSIDE, 'sh', ...command] as const;
  const setpriv = programPath('setpriv');
  const argv = setpriv.startsWith('/') ? [setpriv, '--pdeathsig', 'KILL', '--', ...unshare] : unshare;
  const child = spawn(argv[0] as string, argv.slice(1), { stdio: 'inherit' });
  const passOn = (signal: NodeJS.Signals): void => signalInside(child, signal);
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status, signal) =>
        resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])),
      );
    });
  } finally {
    for (const signal of signals) process.off(signal, passOn);
  }
}

/** The options of unshare that work here. A container that masks parts of /proc lets nobody mount another one. */
function findOptions(): readonly string[] {
  const attempts = [[...UNSHARE, ...PROCESSES], UNSHARE];
  let said = '';
  for (const options of attempts) {
    const { status, stderr, error } = spawnSync(
      programPath('unshare'),
      [...options, '--', 'sh', '-c', INSIDE, 'sh', 'true'],
      { encoding: 'utf8', timeout: PROBE_MS_MAX },
    );
    if (status === 0) return options;
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw missingProgram('unshare');
    said ||= stderr.trim().split('\n')[0] ?? '';
  }
  throw new LabError(LabErrorCode.missing, explainRefusal(readSettings(), said));
}

const KINDS = { user: 'user', net: 'network', mnt: 'mount' } as const;
type Kind = keyof typeof KINDS;

/** What unshare(2) says by ENOSPC: a limit is reached, or nested too deeply. */
const FULL = /No space left on device/;

/** Settings of the machine that keep users from namespaces; undefined where the kernel does not have one. */
export interface NamespaceSettings {
  /** Whether the kernel knows user namespaces at all. */
  readonly known: boolean;
  /** kernel.unprivileged_userns_clone, of Debian's kernels. */
  readonly unprivilegedClone: string | undefined;
  /** The limits of the kinds that a lab needs, user.max_user_namespaces and so on, by kind. */
  readonly limits: Readonly<Partial<Record<Kind, string | undefined>>>;
  /** kernel.apparmor_restrict_unprivileged_userns, of Ubuntu's. */
  readonly apparmor: string | undefined;
  /** Whether a filter of system calls is in force, as in a container. */
  readonly filtered: boolean;
}

/** What keeps an ordinary user from a lab, and what would mend it. */
export function explainRefusal(settings: NamespaceSettings, said: string): string {
  const reasons: string[] = [];
  if (!settings.known) reasons.push('this kernel has no user namespaces (CONFIG_USER_NS)');
  if (settings.unprivilegedClone === '0') {
    reasons.push('the kernel keeps them from users: sysctl -w kernel.unprivileged_userns_clone=1 lets them');
  }
  for (const kind of Object.keys(KINDS) as Kind[]) {
    if (settings.limits[kind] !== '0') continue;
    reasons.push(`no ${KINDS[kind]} namespace is allowed: sysctl -w user.max_${kind}_namespaces=10000 allows them`);
  }
  if (settings.apparmor === '1') {
    reasons.push(
      'AppArmor takes their rights away: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 gives them',
    );
  }
  if (reasons.length === 0 && FULL.test(said)) {
    const limits = Object.entries(settings.limits).map(([kind, limit]) => `user.max_${kind}_namespaces=${limit}`);
    reasons.push(`as many as are allowed are there already (${limits.join(', ')}): end some, or raise these sysctls`);
  }
  if (reasons.length === 0 && settings.filtered) {
    reasons.push('a filter of system calls (seccomp), as containers have one, seems to forbid them');
  }
  const why = reasons.length > 0 ? reasons.join('; ') : said || 'the kernel does not say why';
  return `a lab needs root, or user namespaces, and here they do not work: ${why}; or run it as root`;
}

function readSettings(): NamespaceSettings {
  const sysctl = (name: string): string | undefined => readText(`/proc/sys/${name}`)?.trim();
  return {
    known: readText('/proc/self/uid_map') !== undefined,
    unprivilegedClone: sysctl('kernel/unprivileged_userns_clone'),
    limits: {
      user: sysctl('user/max_user_namespaces'),
      net: sysctl('user/max_net_namespaces'),
      mnt: sysctl('user/max_mnt_namespaces'),
    },
    apparmor: sysctl('kernel/apparmor_restrict_unprivileged_userns'),
    filtered: /^Seccomp:\s*2$/m.test(readText('/proc/self/status') ?? ''),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/**
 * Signals the command, past unshare and the shell, which would not hand it on: unshare ignores signals, and the first
 * process of a process namespace is spared those it does not handle. Before the command has begun, all of it is killed.
 */
function signalInside(child: ChildProcess, signal: NodeJS.Signals): void {
  const shell = child.pid === undefined ? undefined : childOf(child.pid);
  const inside = shell === undefined ? undefined : childOf(shell);
  try {
    if (inside !== undefined) process.kill(inside, signal);
    else child.kill('SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** The oldest child of a process: field 4 of proc_pid_stat(5) names the parent. */
function childOf(parent: number): number | undefined {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const stat = readText(`/proc/${pid}/stat`) ?? '';
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
    });
  return children.length === 0 ? undefined : Math.min(...children.map(Number));
}
