// `anabranch paths`: the ways out of this machine, and what is set up for MPTCP to use them; `paths manage` sets it up and
// keeps it so; `paths set` changes those of a running proxy.

import type { Command } from 'commander';
import type { PathsConfig } from '../config/config.ts';
import { askAdmin, defaultAdminPath } from './admin-client.ts';
import { CliError } from './cli-error.ts';
import { provideBudgetFile } from './path-management.ts';
import { registerProbe } from './paths-probe.ts';
import { formatSurvey } from './paths-table.ts';
import type { PathsAnswer } from './proxy-paths.ts';

const EXAMPLES = `
Examples:
  anabranch paths                        what leads out, and what is missing; as a running proxy knows it
  anabranch paths --config gateway.yaml  with the names, costs and flags of that file
  anabranch paths --json                 the same for a program: { managed, paths, ignored, limits, others, missing }
  anabranch paths set lte backup=on      a running proxy's path: connections follow at once
  anabranch paths probe gw.example:1080  tries each of them
  anabranch paths manage                 sets up every path and watches them, until ^C

\`paths\` changes nothing and needs no rights. \`paths manage\` needs CAP_NET_ADMIN; it takes back at its end what it set up,
and leaves alone what others did. See docs/paths.md.`;

const SETTINGS = `
Settings:
  priority=NUMBER    smaller is preferred: paths behind the best one that works stand by
  backup=on|off      used only while no other path works
  cost=free|metered  what the wish \`avoid metered\` goes by
  ignore=on|off      on: not a path

They hold until the configuration is read again or the proxy ends. To keep them, write them into the configuration.

Examples:
  anabranch paths set wwan0 backup=on
  anabranch paths set lte priority=10 cost=free`;

interface ShowOptions {
  readonly json?: true;
  readonly config?: string;
  readonly admin?: string;
}

export function register(program: Command): void {
  const paths = program
    .command('paths')
    .summary('show the paths out of this machine, change or manage them')
    .description(
      'Shows every path: an interface with an address and a gateway, and what is set up for MPTCP to use it.',
    )
    .enablePositionalOptions()
    .option('--config <file>', 'show them as this configuration knows them')
    .option('--admin <path>', 'admin socket of a running anabranch to ask')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: ShowOptions) => showPaths(options));
  registerProbe(paths);
  paths
    .command('set')
    .summary("change a running proxy's path")
    .description('Changes how a running proxy that manages the paths uses one of them. Its connections follow at once.')
    .argument('<name>', "the path's name, or its interface's")
    .argument('<settings...>', 'key=value')
    .option('--admin <path>', 'admin socket of the running anabranch', defaultAdminPath())
    .option('--json', 'print the paths as JSON')
    .addHelpText('after', SETTINGS)
    .action((name: string, settings: string[], options: SetOptions) => setPath(name, settings, options));
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

async function showPaths({ json, config, admin }: ShowOptions): Promise<void> {
  if (config !== undefined && admin !== undefined) {
    throw new CliError('--config, --admin: a file, or a running anabranch, not both', 2);
  }
  print(config === undefined ? await askOrSurvey(admin) : await survey(await readPaths(config)), json);
}

/** As a running proxy knows them; when none was named and none runs, as they are found. */
async function askOrSurvey(admin: string | undefined): Promise<PathsAnswer> {
  try {
    return (await askAdmin(admin ?? defaultAdminPath(), 'GET', '/paths')) as PathsAnswer;
  } catch (error) {
    if (admin !== undefined || !(error instanceof CliError)) throw error;
    return survey(undefined);
  }
}

async function survey(config: PathsConfig | undefined): Promise<PathsAnswer> {
  const [{ surveyPaths }, { Preferences }] = await Promise.all([
    import('../paths/survey.ts'),
    import('../paths/preferences.ts'),
  ]);
  return { managed: false, ...surveyPaths({ preferences: new Preferences(config) }) };
}

function print(answer: PathsAnswer, json = false): void {
  process.stdout.write(json ? `${JSON.stringify(answer, null, 2)}\n` : formatSurvey(answer));
}

interface SetOptions {
  readonly admin: string;
  readonly json?: true;
}

async function setPath(name: string, texts: readonly string[], { admin, json }: SetOptions): Promise<void> {
  const { readSettings, splitSetting } = await import('../paths/settings.ts');
  const entries = texts.map((text) => {
    const split = splitSetting(text);
    if ('fault' in split) throw new CliError(split.fault, 2);
    return split;
  });
  const settings = readSettings(entries);
  if ('fault' in settings) throw new CliError(settings.fault, 2);
  const query = new URLSearchParams([['name', name], ...entries.map(([key, value]): [string, string] => [key, value])]);
  print((await askAdmin(admin, 'POST', `/paths?${query}`)) as PathsAnswer, json);
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
