// `anabranch reload`: a running anabranch reads its configuration again.

import type { Command } from 'commander';
import { askAdmin, defaultAdminPath } from './admin-client.ts';

export function register(program: Command): void {
  program
    .command('reload')
    .summary('apply the changed configuration file without touching a live connection')
    .description(
      'Makes a running anabranch read its configuration file again, as SIGHUP does. Live connections go on as they ' +
        'are; a faulty file changes nothing, and its faults are shown here.',
    )
    .option('--admin <path>', 'admin socket of the running anabranch', defaultAdminPath())
    .option('--json', 'print the answer as JSON')
    .addHelpText('after', '\nExamples:\n  anabranch reload\n  anabranch reload --admin /run/anabranch/lte.sock\n')
    .action(async (options: { admin: string; json?: true }) => {
      const answer = (await askAdmin(options.admin, 'POST', '/reload')) as { notes: string[] };
      if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`);
      else process.stdout.write(`${['reloaded', ...answer.notes].join('\n')}\n`);
    });
}
