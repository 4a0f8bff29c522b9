// anabranch config schema: the JSON Schema of the configuration file, for editors and generators.

import type { Command } from 'commander';
import { configJsonSchema } from '../config/schema.ts';

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
    .action(() => console.log(JSON.stringify(configJsonSchema(), null, 2)));
}
