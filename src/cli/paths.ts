// `anabranch paths`: the ways out of this machine, and what is set up for MPTCP to use them; `anabranch paths manage` sets
// it up and keeps it so.

import type { Command } from 'commander';
import type { PathsConfig } from '../config/config.ts';
import type { PathSurvey, Survey } from '../paths/survey.ts';
import { CliError } from './cli-error.ts';
import { provideBudgetFile } from './path-management.ts';
import { registerProbe } from './paths-probe.ts';

const EXAMPLES = `
Examples:
  anabranch paths                    what leads out, and what is missing
  anabranch paths --json             the same for a program: { paths, limits, missing }
  anabranch paths manage             sets up every path and watches them, until ^C

\`paths\` changes nothing and needs no rights. \`paths manage\` needs CAP_NET_ADMIN; it takes back at its end what it set up,
and leaves alone what others did. See docs/paths.md.`;

export function register(program: Command): void {
  const paths = program
    .command('paths')
    .summary('show the paths out of this machine, or manage them')
    .description(
      'Shows every path: an interface with an address and a gateway, and what is set up for MPTCP to use it.',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(({ json = false }: { json?: boolean }) => showPaths(json));
  registerProbe(paths);
  paths
    .command('manage')
    .summary('set the paths up and keep them working, until ^C')
    .description(
      'Sets up source routing and MPTCP endpoints for every path, follows each change of the network, notices paths that ' +
        'have fallen silent, and takes everything back at the end.',
    )
    .option('--config <file>', 'configuration whose section `paths` holds')
    .action(async ({ config }: { config?: string }) => manage(await readPaths(config)));
}

/** What the configuration says of the paths; without a file, what holds without one. */
async function readPaths(file: string | undefined): Promise<PathsConfig> {
  const { createConfigSource } = await import('./config-source.ts');
  return (await createConfigSource(file, {}).read()).paths;
}

async function showPaths(json: boolean): Promise<void> {
  const { surveyPaths } = await import('../paths/survey.ts');
  const survey = surveyPaths();
  process.stdout.write(json ? `${JSON.stringify(survey, null, 2)}\n` : formatSurvey(survey));
}

async function manage(paths: PathsConfig): Promise<void> {
  const [{ managePaths, PathsError }, { createLogger }] = await Promise.all([
    import('../paths/managed-paths.ts'),
    import('./logger.ts'),
  ]);
  const log = createLogger();
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  let crash: (error: CliError) => void = () => undefined;
  const crashed = new Promise<never>((_, reject) => {
    crash = reject;
  });
  try {
    const managed = await managePaths({
      paths,
      budgetFile: provideBudgetFile(paths),
      say: (level, code, message) => log[level](code, message),
      onCrash: ({ message }) => crash(new CliError(`the path manager failed: ${message}`, 1)),
    });
    log.info('managing', 'the paths are set up and watched');
    await Promise.race([stopped, crashed]);
    await managed.close();
    log.info('stopped', 'what was set up is taken back');
  } catch (error) {
    if (error instanceof PathsError) throw new CliError(error.message, 3);
    throw error;
  }
}

export function formatSurvey({ paths, limits, missing }: Survey): string {
  if (paths.length === 0) return 'No path leads out: no interface has both an address and a default route.\n';
  const rows = paths.map(describe);
  const head = ['PATH', 'KIND', 'ADDRESS', 'GATEWAY', 'COST', 'ROUTING', 'ENDPOINT'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  const lines = [line(head)];
  for (const [i, path] of paths.entries()) {
    lines.push(line(rows[i]!), ...path.missing.map((text) => `  → ${text}`));
  }
  if (limits !== undefined) {
    lines.push(
      '',
      `MPTCP: ${limits.subflows} further subflows, ${limits.acceptedAddresses} announced addresses taken up`,
    );
  }
  lines.push(...missing.map((text) => `→ ${text}`));
  return `${lines.join('\n')}\n`;
}

function describe(path: PathSurvey): string[] {
  const routing = path.table === undefined ? path.routing : `${path.routing}, table ${path.table}`;
  const flags = path.endpointFlags.length > 0 ? ` (${path.endpointFlags.join(', ')})` : '';
  const { name, kind, address, prefix, gateway = '–', cost, endpoint } = path;
  return [name, kind, `${address}/${prefix}`, gateway, cost, routing, `${endpoint}${flags}`];
}
