// anabranch config schema: the JSON Schema of the configuration file, for editors and generators.

import type { Command } from 'commander';

const EXAMPLES = `
Examples:
  anabranch config schema > anabranch.schema.json
  Then put this first line into the file, for editors that know yaml-language-server:
  # yaml-language-server: $schema=anabranch.schema.json`;

export function register(program: Command): void {
  const config = program.command('config').description('about the configuration file');
  config
    .command('schema')
    .description('print its JSON Schema (draft 2020-12)')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const { configJsonSchema } = await import('../config/schema.ts');
      console.log(JSON.stringify(configJsonSchema(), null, 2));
    });
}
