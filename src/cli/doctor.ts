// anabranch doctor [HOST:PORT]: is this machine fit for MPTCP over all its paths, and if not, what mends it? --fix mends it.

import type { Command } from 'commander';
import type { PathProbeFacts } from '../doctor/facts.ts';
import type { Level, Verdict } from '../doctor/verdict.ts';
import type { Destination } from '../wire/destination.ts';
import { CliError } from './cli-error.ts';
import { readPortal, readTarget } from './paths-probe.ts';

const EXAMPLES = `
Examples:
  anabranch doctor                       this machine: kernel, settings, limits, endpoints, routing
  anabranch doctor gw.example.net:1080   also: does MPTCP get through to that server?
  anabranch doctor --json                the same for a program: { ok, verdicts }
  anabranch doctor --fix --dry-run       what of it would be mended, and how
  sudo anabranch doctor --fix            mends it until the next start of the machine
  sudo anabranch doctor --fix --permanent    and for good, in /etc/sysctl.d/90-anabranch.conf

Without --fix nothing is changed; with it settings of the kernel are, but no path, route or connection.
Exit codes: 0 nothing fails (warnings or not), 1 something does, 2 wrong usage, 3 --fix without being root.`;

export function register(program: Command): void {
  program
    .command('doctor')
    .description('check this machine and the way to a server')
    .argument('[host:port]', 'a server to try MPTCP with')
    .option('--json', 'print JSON')
    .option('--portal <url>', 'with HOST:PORT: an http page that answers 204, to tell captive portals')
    .option('--fix', 'change the settings that the verdicts recommend (as root)')
    .option('--dry-run', 'with --fix: only say what would be changed')
    .option('--permanent', 'with --fix: keep it over starts of the machine, in /etc/sysctl.d and /etc/modules-load.d')
    .addHelpText('after', EXAMPLES)
    .action(doctor);
}

interface Flags {
  readonly portal?: string;
  readonly json?: boolean;
  readonly fix?: boolean;
  readonly dryRun?: boolean;
  readonly permanent?: boolean;
}

async function doctor(targetText: string | undefined, flags: Flags): Promise<void> {
  const { portal, json = false, fix = false, dryRun = false, permanent = false } = flags;
  if (!fix && (dryRun || permanent)) {
    throw new CliError(`${dryRun ? '--dry-run' : '--permanent'} says how --fix is meant: anabranch doctor --fix …`, 2);
  }
  const target = targetText === undefined ? undefined : readTarget(targetText);
  const page = readPortal(portal);
  const [{ gatherFacts }, { probeHost }, { judge }] = await Promise.all([
    import('../doctor/gather.ts'),
    import('../doctor/probe.ts'),
    import('../doctor/verdicts.ts'),
  ]);
  const gathering =
    target === undefined ? {} : { target, probe: probeHost, probePaths: (to: Destination) => probePaths(to, page) };
  const verdicts = judge(await gatherFacts(gathering));
  if (fix) {
    const { fixSettings, formatFix } = await import('./doctor-fix.ts');
    const report = await fixSettings(verdicts, { dryRun, permanent });
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatFix(report, permanent));
    if (!report.ok) process.exitCode = 1;
    return;
  }
  const failed = verdicts.some(({ level }) => level === 'fail');
  if (json) process.stdout.write(`${JSON.stringify({ ok: !failed, verdicts }, null, 2)}\n`);
  else
    process.stdout.write(formatVerdicts(verdicts, process.stdout.isTTY === true && process.env.NO_COLOR === undefined));
  if (failed) process.exitCode = 1;
}

async function probePaths(to: Destination, page: string | undefined): Promise<PathProbeFacts[]> {
  const [{ probeOnce }, { describeHealth }] = await Promise.all([
    import('./path-probing.ts'),
    import('../paths/probing/path-health.ts'),
  ]);
  return (await probeOnce({ to, portal: page })).map((health) => {
    const { path, address, answers, loss, mptcp } = health;
    const portal = health.portal === 'unknown' ? undefined : health.portal;
    return { path, address, answers, loss, mptcp, portal, text: describeHealth(health) };
  });
}

/** ECMA-48 SGR: green, yellow, red, dim. */
const COLOURS: Readonly<Record<Level, string>> = { ok: '32', warn: '33', fail: '31', unknown: '2' };
const LEVEL_WIDTH = 'unknown'.length;

/** One line for each verdict in columns; under those that are not well, why it matters and what mends it. */
export function formatVerdicts(verdicts: readonly Verdict[], coloured: boolean): string {
  const width = Math.max(...verdicts.map(({ id }) => id.length));
  const indent = ' '.repeat(LEVEL_WIDTH + width + 4);
  let text = '';
  for (const { id, level, found, why, mend } of verdicts) {
    const padded = level.padEnd(LEVEL_WIDTH);
    const mark = coloured ? `\u001b[${COLOURS[level]}m${padded}\u001b[0m` : padded;
    text += `${mark}  ${id.padEnd(width)}  ${found}\n`;
    if (why !== '') text += `${indent}${why}\n`;
    for (const line of mend) text += `${indent}→ ${line}\n`;
  }
  const count = (wanted: Level): number => verdicts.filter(({ level }) => level === wanted).length;
  return `${text}\n${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} failing, ${count('unknown')} unknown\n`;
}
