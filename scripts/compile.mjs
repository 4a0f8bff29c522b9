// TypeScript to JavaScript: src → dist, test → build/test, bench → build/bench.
//
// Three things tsc alone does not do. The dashboard's page is bundled, so that a browser loads three files. Outputs whose source is gone are deleted, so that a test removed from the tree
// cannot run. And dist/ carries a stamp of what it was built from, so that a start needs neither tsc nor a write when
// nothing changed: times are not compared, because a clone or a copy sets them as it likes.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { SetupError } from './setup-error.mjs';

const PROJECTS = { src: 'dist', test: 'build/test', bench: 'build/bench' };

/** True when dist/ is whole and was built from exactly these sources. */
export function distFresh(root) {
  try {
    return (
      readFileSync(join(root, 'dist/.stamp'), 'utf8') === stamp(root) &&
      missingOutputs(root, 'src').length === 0 &&
      existsSync(join(root, 'dist/dashboard/web/app.js'))
    );
  } catch {
    return false;
  }
}

/** Builds the named projects (`src` comes along with each) by `tsc -b`, which does only what is needed. */
export function compile(root, projects) {
  requireWritable(root);
  for (const project of new Set(['src', ...projects])) {
    deleteStale(root, project);
    // tsc trusts its build info and would not notice that an output was deleted by hand.
    if (missingOutputs(root, project).length > 0)
      rmSync(join(root, PROJECTS[project], '.tsbuildinfo'), { force: true });
  }
  const tsc = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-b', ...projects, 'src/dashboard/web'],
    {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  if (tsc.status === 0) bundlePage(root);
  if (tsc.status !== 0) throw new SetupError(`the build failed:\n${tsc.stdout || (tsc.error ?? tsc.signal ?? '')}`);
  writeFileSync(join(root, 'dist/.stamp'), stamp(root));
}

/** What dist/ depends on: the sources, the compiler's options, and what tsc last did there (its build info). */
function stamp(root) {
  const hash = createHash('sha256');
  const files = [
    ...sources(root, 'src').map((file) => join('src', file)),
    ...pageSources(root),
    'src/tsconfig.json',
    'tsconfig.base.json',
  ];
  for (const file of [...files, 'dist/.tsbuildinfo']) {
    const content = readFileSync(join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** src/dashboard/web → dist/dashboard/web. The types of the page are a project of their own. */
function bundlePage(root) {
  const from = join(root, 'src/dashboard/web');
  // By its API: its command is a script or a binary, as the packages' install scripts were run or not.
  const esbuild = createRequire(join(root, 'package.json'))('esbuild');
  try {
    esbuild.buildSync({
      absWorkingDir: root,
      entryPoints: ['app.tsx', 'app.css', 'index.html'].map((file) => join(from, file)),
      outdir: join(root, 'dist/dashboard/web'),
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      loader: { '.html': 'copy' },
      logLevel: 'silent',
    });
  } catch (error) {
    throw new SetupError(`the dashboard's page was not built:\n${error.message}`);
  }
}

function pageSources(root) {
  return filesBelow(join(root, 'src/dashboard/web')).map((file) => join('src/dashboard/web', file));
}

function sources(root, project) {
  return filesBelow(join(root, project)).filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));
}

function missingOutputs(root, project) {
  return sources(root, project)
    .map((file) => join(root, PROJECTS[project], file.replace(/\.ts$/, '.js')))
    .filter((output) => !existsSync(output));
}

function deleteStale(root, project) {
  const outDir = join(root, PROJECTS[project]);
  for (const file of filesBelow(outDir)) {
    const stem = file.replace(/(\.d\.ts|\.js)(\.map)?$/, '');
    if (file.startsWith('dashboard/web/')) continue;
    if (stem !== file && !existsSync(join(root, project, `${stem}.ts`))) rmSync(join(outDir, file));
  }
}

function filesBelow(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

function requireWritable(root) {
  const dist = join(root, 'dist');
  try {
    accessSync(existsSync(dist) ? dist : root, constants.W_OK);
  } catch {
    throw new SetupError(
      `dist/ is missing or older than src/, and ${root} cannot be written by this user: ` +
        'run `npm run build` there once as its owner',
    );
  }
}
