import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const url = new URL('../../../../scripts/npm-packages.mjs', import.meta.url);
const { packagesInstalled } = (await import(url.href)) as {
  packagesInstalled: (root: string, needs: { dev: boolean }) => boolean;
};

const LOCKED = {
  '': { version: '1.0.0' },
  'node_modules/run': { version: '1.0.0' },
  'node_modules/tool': { version: '2.0.0', dev: true },
  'node_modules/other-platform': { version: '3.0.0', optional: true },
};

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'anabranch-packages-'));
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: LOCKED }));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function install(packages: Record<string, string>): void {
  const entries = Object.entries(packages).map(([name, version]) => {
    mkdirSync(join(root, 'node_modules', name), { recursive: true });
    return [`node_modules/${name}`, { version }];
  });
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(
    join(root, 'node_modules/.package-lock.json'),
    JSON.stringify({ packages: Object.fromEntries(entries) }),
  );
}

for (const [title, packages, run, build] of [
  ['nothing', {}, false, false],
  ['everything', { run: '1.0.0', tool: '2.0.0', 'other-platform': '3.0.0' }, true, true],
  ['all for this platform', { run: '1.0.0', tool: '2.0.0' }, true, true],
  ['production packages only', { run: '1.0.0' }, true, false],
  ['another version', { run: '1.0.1', tool: '2.0.0' }, false, false],
  ['another version of a tool', { run: '1.0.0', tool: '2.0.1' }, true, false],
] as const) {
  test(`installed: ${title}`, () => {
    install(packages);
    assert.equal(packagesInstalled(root, { dev: false }), run);
    assert.equal(packagesInstalled(root, { dev: true }), build);
  });
}

test('no node_modules, and a package whose folder was deleted', () => {
  assert.equal(packagesInstalled(root, { dev: false }), false);
  install({ run: '1.0.0', tool: '2.0.0' });
  rmSync(join(root, 'node_modules/run'), { recursive: true });
  assert.equal(packagesInstalled(root, { dev: false }), false);
});

test('a clone without its lock file is refused with what to do', () => {
  rmSync(join(root, 'package-lock.json'));
  assert.throws(() => packagesInstalled(root, { dev: false }), {
    name: 'SetupError',
    message: /clone the project again/,
  });
});
