// npm run demo [-- arguments]: from a fresh clone to the demo. Installs and builds what is missing, then becomes
// `anabranch demo` in this same process, so that ^C reaches the demo itself.

import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compile, distFresh } from './compile.mjs';
import { installPackages, packagesInstalled } from './npm-packages.mjs';
import { runSetup } from './setup-error.mjs';
import { provideSystemPackages } from './system-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, 'dist/cli/main.js');

await runSetup(() => {
  const fresh = distFresh(root);
  // TypeScript is needed only to build: a shipped dist/ runs on the production packages alone.
  if (!packagesInstalled(root, { dev: !fresh })) installPackages(root);
  if (!fresh) {
    console.error('anabranch: building (tsc -b src) …');
    compile(root, ['src']);
  }
  provideSystemPackages('demo');
});

process.argv = [process.argv[0], entry, 'demo', ...process.argv.slice(2)];
await import(pathToFileURL(entry).href);
