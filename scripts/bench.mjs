// npm run bench [-- arguments]: the peers' packages, the build, then build/bench/main.js in this process.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compile } from './compile.mjs';
import { installPackages, packagesInstalled } from './npm-packages.mjs';
import { runSetup, SetupError } from './setup-error.mjs';
import { provideSystemPackages, systemPath } from './system-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, 'build/bench/main.js');

await runSetup(() => {
  if (!packagesInstalled(root, { dev: true })) installPackages(root);
  compile(root, ['src', 'bench']);
  if (!existsSync(entry)) throw new SetupError('bench/main.ts is missing: clone the project again');
  provideSystemPackages('bench');
});

process.env.PATH = systemPath();
process.chdir(root);
process.argv = [process.argv[0], entry, ...process.argv.slice(2)];
await import(pathToFileURL(entry).href);
