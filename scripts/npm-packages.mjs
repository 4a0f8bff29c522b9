// The npm packages of this clone: are they what package-lock.json asks for, and if not, `npm ci`.
// Compares contents, not times: a copied or root-owned tree keeps working without a write.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './setup-error.mjs';

/** Every package of the lock file is there in the locked version; optional ones may be missing (other platforms). */
export function packagesInstalled(root, { dev }) {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const present = readPackages(join(root, 'node_modules/.package-lock.json'));
  if (wanted === undefined) throw new SetupError('package-lock.json is missing or broken: clone the project again');
  if (present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional, dev: onlyDev, devOptional }]) => {
    if (path === '' || (onlyDev && !dev)) return true;
    const installed = present[path];
    if (installed === undefined) return Boolean(optional || devOptional);
    return installed.version === version && existsSync(join(root, path));
  });
}

export function installPackages(root) {
  requireWritable(root);
  console.error('anabranch: installing npm packages (npm ci), under a minute …');
  // --include=dev: TypeScript is needed to build, also where NODE_ENV=production. Few, short retries: whoever waits is
  // a person, and an offline machine should hear so in seconds. --ignore-scripts: no package needs one (koffi's binary
  // ships inside a package of its own), and a script is where a hijacked package strikes first.
  const args = [
    'ci',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--prefer-offline',
    '--ignore-scripts',
  ];
  const retries = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'];
  const [command, first] = npmCommand();
  const npm = spawnSync(command, [...first, ...args, ...retries], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    timeout: 15 * 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (npm.error?.code === 'ETIMEDOUT') throw new SetupError('npm ci did not end within 15 minutes: try again');
  if (npm.error) throw new SetupError(`npm could not be started (${npm.error.code}): install it, e.g. apt install npm`);
  if (npm.signal) throw new SetupError(`npm ci was stopped by ${npm.signal}`);
  if (npm.status !== 0) throw new SetupError(explainNpm(`${npm.stderr}\n${npm.stdout}`));
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** The npm that runs this script, when one does: it need not be the one on PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running?.endsWith('.js') && existsSync(running) ? [process.execPath, [running]] : ['npm', []];
}

function requireWritable(root) {
  for (const directory of [root, join(root, 'node_modules')]) {
    if (!existsSync(directory)) continue;
    try {
      accessSync(directory, constants.W_OK);
    } catch {
      throw new SetupError(
        `npm packages are missing or outdated, and ${directory} cannot be written by this user: ` +
          'run `npm run build` there once as its owner',
      );
    }
  }
}

function explainNpm(output) {
  if (/\b(ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ECONNRESET)\b/.test(output)) {
    return 'npm packages could not be fetched: the npm registry does not answer. Is this machine online, or behind a proxy (npm config set proxy …)?';
  }
  if (/\b(EACCES|EPERM|EROFS)\b/.test(output)) {
    return `npm may not write here or to its cache:\n${firstLines(output)}\nRun \`npm run build\` once as the owner of this directory.`;
  }
  if (/\bENOSPC\b/.test(output)) return 'npm packages could not be written: the disk is full';
  return `npm ci failed:\n${firstLines(output)}`;
}

function firstLines(output) {
  return output.trim().split('\n').slice(0, 12).join('\n');
}
