// npm run build: npm packages when they are missing, then everything compiled.

import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.mjs';
import { installPackages, packagesInstalled } from './npm-packages.mjs';
import { runSetup } from './setup-error.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

await runSetup(() => {
  if (!packagesInstalled(root, { dev: true })) installPackages(root);
  compile(root, ['src', 'test', 'bench']);
});
