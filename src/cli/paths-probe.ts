// `anabranch paths probe`: what each path is like just now, asked over the path itself; or what a running proxy has found.

import type { Command } from 'commander';
import { describeHealth } from '../paths/probing/path-health.ts';
import type { ProbedHealth } from '../paths/probing/prober.ts';
import { type Destination, parseHostPort } from '../wire/destination.ts';
import { askAdmin, defaultAdminPath } from './admin-client.ts';
import { CliError } from './cli-error.ts';

const EXAMPLES = `
Examples:
  anabranch paths probe gw.example.net:1080      round trip, losses, and does MPTCP get through?
  anabranch paths probe gw.example.net:1080 --portal http://gw.example.net/generate_204
  anabranch paths probe                          what the running anabranch has found (paths.probe in its configuration)

Some 2 kB over each path, metered ones included. Exit codes: 0 every path answers, 1 one does not, 2 wrong usage,
3 no running anabranch.`;

interface Flags {
  readonly portal?: string;
  readonly admin: string;
  readonly json?: true;
}

/** `paths`: the command that this one belongs to. */
export function registerProbe(paths: Command): void {
  paths
    .command('probe')
    .summary('try each path: round trip, losses, captive portals, MPTCP')
    .description('Connects to a server over each path by itself, a few times, and says what came of it.')
    .argument('[host:port]', 'a server, best your gateway; without it a running anabranch is asked')
    .option('--portal <url>', 'an http page that answers 204, to tell captive portals')
    .option('--admin <path>', 'admin socket of the running anabranch', defaultAdminPath())
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(probe);
}

async function probe(where: string | undefined, { portal, admin, json }: Flags): Promise<void> {
  const probes = where === undefined ? await latest(admin) : await look(readTarget(where), readPortal(portal));
  process.stdout.write(json ? `${JSON.stringify({ probes }, null, 2)}\n` : formatProbes(probes));
  if (probes.some(({ answers, portal: found }) => answers === false || found === 'captive')) process.exitCode = 1;
}

async function look(to: Destination, portal: string | undefined): Promise<readonly ProbedHealth[]> {
  const { probeOnce } = await import('./path-probing.ts');
  return probeOnce({ to, portal });
}

async function latest(admin: string): Promise<readonly ProbedHealth[]> {
  const answer = (await askAdmin(admin, 'GET', '/probes')) as { readonly probes?: readonly ProbedHealth[] };
  return answer.probes ?? [];
}

export function readTarget(text: string): Destination {
  const to = parseHostPort(text);
  if (to !== undefined) return to;
  throw new CliError(`not HOST:PORT: ${text} (as in gw.example.net:1080 or [2001:db8::1]:1080)`, 2);
}

/** http, for a portal cannot answer for https; without a password in it. */
export function readPortal(text: string | undefined): string | undefined {
  if (text === undefined || (/^http:\/\/[^/?#@]+([/?][^#]*)?$/.test(text) && URL.canParse(text))) return text;
  throw new CliError(`not an http:// URL: ${text} (as in http://gw.example.net/generate_204)`, 2);
}

export function formatProbes(probes: readonly ProbedHealth[]): string {
  if (probes.length === 0)
    return 'No path was probed: none leads to a server of this family, or no probing is configured.\n';
  const rows = [['PATH', 'ADDRESS', 'FOUND'], ...probes.map((one) => [one.path, one.address, describeHealth(one)])];
  const width = (column: number): number => Math.max(...rows.map((row) => (row[column] as string).length));
  const [first, second] = [width(0), width(1)];
  return rows
    .map(([path = '', address = '', found = '']) => `${path.padEnd(first)}  ${address.padEnd(second)}  ${found}\n`)
    .join('');
}
