// anabranch log status|migrate: looks after the database of the flow log.

import type { Command } from 'commander';
import type { LogDatabase } from '../config/config.ts';
import { readLog } from '../config/log-target.ts';
import { CliError } from './cli-error.ts';

const EXAMPLES = `
Examples:
  anabranch log status                          the embedded database where \`log: embedded\` keeps it
  anabranch log status gateway.yaml             the database that this configuration names
  anabranch log status --target embedded:/srv/flows
  anabranch log migrate gateway.yaml            bring its schema up to date before the proxy does

A URL on the command line shows its password to every user of this machine: better name a configuration file.`;

interface Flags {
  readonly target?: string;
  readonly json?: true;
}

export function register(program: Command): void {
  const log = program.command('log').description("look after the flow log's database");
  const add = (name: string, description: string) =>
    log
      .command(name)
      .description(description)
      .argument('[file]', 'configuration file (YAML)')
      .option('--target <target>', 'embedded, embedded:DIRECTORY or postgres://…')
      .addHelpText('after', EXAMPLES);
  add('status', 'show its size, its age and its schema').option('--json', 'print JSON').action(showStatus);
  add('migrate', 'bring its schema up to date').action(runMigrations);
}

async function showStatus(file: string | undefined, flags: Flags): Promise<void> {
  const { readLogState } = await import('../flowlog/maintenance.ts');
  const target = await chooseTarget(file, flags);
  const state = await readLogState(target).catch(fail);
  if (flags.json) return console.log(JSON.stringify(state, null, 2));
  const { name, usedBy, schema, firstDay, lastDay, bytes, gateways } = state;
  console.log(`${name}${usedBy === undefined ? '' : `, open in process ${usedBy}`}`);
  if (schema.found === 0) return console.log('  there is no log in it yet');
  const advice = schema.found < schema.known ? ': run `anabranch log migrate`' : ': update this anabranch';
  const compared = schema.found === schema.known ? 'up to date' : `this anabranch knows ${schema.known}${advice}`;
  console.log(`  schema    version ${schema.found}, ${compared}`);
  console.log(
    `  entries   ${firstDay === undefined ? 'none' : `from ${firstDay} to ${lastDay} (days with room for them)`}`,
  );
  console.log(`  size      ${(bytes / 1e6).toFixed(1)} MB`);
  console.log(`  gateways  ${gateways.map(printable).join(', ') || 'none'}`);
}

async function runMigrations(file: string | undefined, flags: Flags): Promise<void> {
  const { migrateLog } = await import('../flowlog/maintenance.ts');
  const done = await migrateLog(await chooseTarget(file, flags)).catch(fail);
  console.log(done.length === 0 ? 'the schema is up to date' : done.map((name) => `migrated: ${name}`).join('\n'));
}

async function chooseTarget(file: string | undefined, { target }: Flags) {
  const { targetOf } = await import('./log-place.ts');
  if (target !== undefined) {
    if (file !== undefined) throw new CliError('name a file or a --target, not both', 2);
    return targetOf(parseTarget(target));
  }
  if (file === undefined) return targetOf({ kind: 'embedded', directory: undefined });
  const { createConfigSource } = await import('./config-source.ts');
  const { log } = await createConfigSource(file, {}).read();
  if (log.kind !== 'database') throw new CliError(`${file}: its log is not in a database (log: ${log.kind})`, 2);
  return targetOf(log.database);
}

/** The text may hold a password: it is not repeated. */
function parseTarget(text: string): LogDatabase {
  const reading = readLog(text);
  if ('value' in reading && reading.value.kind === 'database') return reading.value.database;
  throw new CliError('--target: embedded, embedded:DIRECTORY or postgres://user:password@host/database', 2);
}

function fail(error: unknown): never {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'log-not-reachable') throw new CliError(message, 3);
  throw error;
}

/** Names come from other machines: nothing of them may steer the terminal. */
function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
