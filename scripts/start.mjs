// npm start: from a fresh clone to a running proxy. Installs and builds what is missing, then becomes `anabranch run`
// in this same process, so that signals reach the proxy itself. Arguments after `npm start --` go to `run`.
//
// Written for old Nodes too (no top-level await, no new syntax): it is this file that has to tell them they are too old.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, 'dist', 'cli', 'main.js');

function refuse(message) {
  console.error(`anabranch: ${message}`);
  process.exit(1);
}

const version = process.versions.node.split('.').map(Number);
if (process.platform !== 'linux') {
  refuse(`this program needs Linux (epoll, splice and MPTCP are the kernel's); this is ${process.platform}`);
}
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  refuse(
    `Node.js 20.19 or newer is needed, this is ${process.versions.node} (${process.execPath}); see https://nodejs.org/`,
  );
}

async function start() {
  const [{ packagesInstalled, installPackages }, { distFresh, compile }] = await Promise.all([
    import('./npm-packages.mjs'),
    import('./compile.mjs'),
  ]);
  const fresh = distFresh(root);
  // TypeScript is needed only to build: a shipped dist/ runs on the production packages alone.
  if (!packagesInstalled(root, { dev: !fresh })) installPackages(root);
  if (!fresh) {
    console.error('anabranch: building (tsc -b src) …');
    compile(root, ['src']);
  }
}

// npm runs scripts in the package's directory. File names among the arguments mean the directory the user is in.
function returnToCaller() {
  const caller = process.env.npm_lifecycle_event === 'start' ? process.env.INIT_CWD : undefined;
  if (caller === undefined || !existsSync(caller)) return;
  try {
    process.chdir(caller);
  } catch {
    // Not enterable for this user: absolute file names still work.
  }
}

// Without a configuration file, which would say itself: the dashboard shows past connections, and `report` has something
// to read. `npm start -- --log off` keeps nothing.
function logging(given) {
  const says = given.some(
    (text) => /^--(log|help)(=|$)|^-h$/.test(text) || /\.(ya?ml|json)$/.test(text) || existsSync(text),
  );
  return says ? [] : ['--log', 'embedded'];
}

import('./setup-error.mjs')
  .then(({ runSetup }) => runSetup(start))
  .then(() => {
    returnToCaller();
    const given = process.argv.slice(2);
    process.argv = [process.argv[0], entry, 'run', ...logging(given), ...given];
    return import(pathToFileURL(entry).href);
  })
  .catch((error) => {
    console.error(error);
    process.exit(70);
  });
