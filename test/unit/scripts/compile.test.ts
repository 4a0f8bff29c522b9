import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../../../../', import.meta.url));
const { compile, distFresh } = (await import(join(project, 'scripts/compile.mjs'))) as {
  compile: (root: string, projects: readonly string[]) => void;
  distFresh: (root: string) => boolean;
};

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'anabranch-compile-'));
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'));
  const page = ['src/dashboard/web', 'src/dashboard/source.ts', 'src/dashboard/history.ts'];
  for (const file of [
    'tsconfig.base.json',
    'src/tsconfig.json',
    'test/tsconfig.json',
    'bench/tsconfig.json',
    'package.json',
    ...page,
  ]) {
    cpSync(join(project, file), join(root, file), { recursive: true });
  }
  write('src/wire/a.ts', 'export const a = 1;\n');
  write('src/wire/b.ts', 'export const b = 2;\n');
  write('bench/a.ts', 'export const e = 5;\n');
  write('test/unit/a.test.ts', "import { a } from '#anabranch/wire/a.js';\n\nexport const c: number = a;\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(file: string, text: string): void {
  mkdirSync(join(root, file, '..'), { recursive: true });
  writeFileSync(join(root, file), text);
}

test('fresh after a build, whatever the times say; stale after any change', () => {
  assert.equal(distFresh(root), false);
  compile(root, ['src']);
  assert.equal(distFresh(root), true);
  utimesSync(join(root, 'src/wire/a.ts'), new Date('2100-01-01'), new Date('2100-01-01'));
  assert.equal(distFresh(root), true);
  write('src/wire/a.ts', 'export const a = 3;\n');
  assert.equal(distFresh(root), false);
  compile(root, ['src']);
  assert.equal(distFresh(root), true);
  rmSync(join(root, 'src/wire/b.ts'));
  assert.equal(distFresh(root), false);
});

test('the page is bundled, and is stale after any change too', () => {
  compile(root, ['src']);
  for (const file of ['index.html', 'app.js', 'app.css'])
    assert.ok(existsSync(join(root, 'dist/dashboard/web', file)), file);
  write('src/dashboard/web/colours.tsx', "export function colourOf(_: number): string {\n  return '#000000';\n}\n");
  assert.equal(distFresh(root), false);
  compile(root, ['src']);
  assert.equal(distFresh(root), true);
});

test('an output deleted by hand is built again', () => {
  compile(root, ['src']);
  rmSync(join(root, 'dist/wire/b.js'));
  assert.equal(distFresh(root), false);
  compile(root, ['src']);
  assert.ok(existsSync(join(root, 'dist/wire/b.js')));
  assert.equal(distFresh(root), true);
});

test('what a removed source left behind is deleted, test or not', () => {
  compile(root, ['test']);
  assert.ok(existsSync(join(root, 'build/test/unit/a.test.js')));
  write('test/unit/b.test.ts', 'export const d = 4;\n');
  rmSync(join(root, 'test/unit/a.test.ts'));
  rmSync(join(root, 'src/wire/b.ts'));
  compile(root, ['test']);
  assert.equal(existsSync(join(root, 'build/test/unit/a.test.js')), false);
  assert.equal(existsSync(join(root, 'build/test/unit/a.test.d.ts')), false);
  assert.equal(existsSync(join(root, 'dist/wire/b.js')), false);
  assert.ok(existsSync(join(root, 'build/test/unit/b.test.js')));
});

test('a type error is told, and the build does not count as fresh', () => {
  write('src/wire/a.ts', "export const a: number = 'one';\n");
  assert.throws(() => compile(root, ['src']), { name: 'SetupError', message: /src\/wire\/a\.ts.*TS2322/ });
  assert.equal(distFresh(root), false);
});
