import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isPure, MAY_IMPORT, mayImport, ROOMS, type Room, roomOf } from './rooms.ts';

const root = packageRoot(dirname(fileURLToPath(import.meta.url)));
const src = join(root, 'src');
const LINES_MAX = 400;

interface Source {
  /** Relative to src/. */
  readonly file: string;
  readonly room: Room;
  readonly text: string;
  readonly imports: readonly string[];
}

describe('the sources keep the walls', () => {
  const sources = readSources();

  test('every file of src/ lies in a known room', () => {
    const lost = sourceFiles().filter((file) => roomOf(file) === undefined);
    assert.deepEqual(lost, []);
    assert.ok(sources.length > 0);
  });

  test('imports go only where the room may look', () => {
    const breaches = sources.flatMap(({ file, room, imports }) =>
      imports
        .filter((specifier) => {
          if (!specifier.startsWith('.')) return false;
          const target = roomOf(normalize(join(dirname(file), specifier)));
          return target === undefined || !mayImport(file, room, target);
        })
        .map((specifier) => `${file} imports ${specifier}`),
    );
    assert.deepEqual(breaches, []);
  });

  test('no file takes part in an import cycle', () => {
    assert.deepEqual(findCycle(sources), undefined);
  });

  test('only ffi loads native code', () => {
    const loaders = sources.filter(({ imports }) => imports.some((name) => /^(koffi|@koromix)(\/|$)/.test(name)));
    assert.deepEqual(
      loaders.filter(({ room }) => room !== 'ffi').map(({ file }) => file),
      [],
    );
  });

  test('pure rooms know no node, no clock, no chance', () => {
    const impure =
      /\b(Date\.now|new Date\b|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|process\.)/;
    const breaches = sources
      .filter(({ room }) => isPure(room))
      .flatMap(({ file, text, imports }) => [
        ...imports.filter((name) => name.startsWith('node:')).map((name) => `${file} imports ${name}`),
        ...codeLines(text)
          .filter((line) => impure.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      ]);
    assert.deepEqual(breaches, []);
  });

  test('only cli reads the environment and the arguments', () => {
    const reader = /\bprocess\.(env|argv)\b|\bparseArgs\b|\bfrom 'commander'/;
    const breaches = sources
      .filter(({ room }) => room !== 'cli')
      .flatMap(({ file, text }) =>
        codeLines(text)
          .filter((line) => reader.test(line))
          .map((line) => `${file}: ${line.trim()}`),
      );
    assert.deepEqual(breaches, []);
  });

  test(`a file has at most ${LINES_MAX} lines`, () => {
    const long = sources.filter(({ text }) => text.split('\n').length - 1 > LINES_MAX).map(({ file }) => file);
    assert.deepEqual(long, []);
  });

  test('no folder is a drawer', () => {
    const drawers = sourceFiles().filter((file) => /(^|\/)(utils?|helpers?|common|misc|index)(\/|\.ts$)/.test(file));
    assert.deepEqual(drawers, []);
  });
});

describe('the linter guards the walls', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'anabranch-layers-'));
    writeFileSync(join(directory, 'biome.json'), readFileSync(join(root, 'biome.json')));
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  function write(file: string, text: string): void {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  /** Files below src/ that one rule complains about. */
  function lint(rule: string): string[] {
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
    const args = [biome, 'lint', `--only=${rule}`, '--reporter=json', '--max-diagnostics=none', '.'];
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', timeout: 60_000 });
    assert.ok(stdout.startsWith('{'), stderr);
    const report = JSON.parse(stdout) as { diagnostics: { severity: string; location: { path: string } }[] };
    const files = report.diagnostics
      .filter(({ severity }) => severity === 'error')
      .map(({ location }) => location.path);
    return [...new Set(files)].sort();
  }

  test('each import that is forbidden fails, each that is allowed passes, for every pair of rooms', () => {
    const forbidden: string[] = [];
    for (const from of [...ROOMS, 'lab/emulator' as const]) {
      const room = from === 'lab/emulator' ? 'lab' : from;
      for (const to of ROOMS) {
        if (to === room) continue;
        const depth = from === room ? '..' : '../..';
        for (const [kind, line] of [
          ['value', `import { x } from '${depth}/${to}/x.ts';\nx();\n`],
          ['type', `import type { X } from '${depth}/${to}/deep/x.ts';\nexport type Y = X;\n`],
        ] as const) {
          const file = `src/${from}/${to}-${kind}.ts`;
          write(file, line);
          if (!mayImport(`${from}/`, room, to)) forbidden.push(file);
        }
      }
      for (const [name, module, allowed] of [
        ['koffi', 'koffi', from === 'ffi'],
        ['node', 'node:fs', !isPure(room)],
        ['node-deep', 'node:fs/promises', !isPure(room)],
      ] as const) {
        const file = `src/${from}/${name}.ts`;
        write(file, `import { x } from '${module}';\nx();\n`);
        if (!allowed) forbidden.push(file);
      }
    }
    write('test/unit/x.test.ts', `import { x } from '../../src/wire/x.ts';\nx();\n`);
    assert.deepEqual(lint('style/noRestrictedImports'), [...forbidden, 'test/unit/x.test.ts'].sort());
  });

  test('a cycle fails', () => {
    write('src/wire/a.ts', `import { b } from './b.ts';\nexport const a = () => b();\n`);
    write('src/wire/b.ts', `import { a } from './a.ts';\nexport const b = () => a();\n`);
    assert.deepEqual(lint('suspicious/noImportCycles'), ['src/wire/a.ts', 'src/wire/b.ts']);
  });

  test('a clock in a pure room and the environment below cli fail', () => {
    write('src/routing/clock.ts', 'export const now = () => Date.now();\n');
    write('src/socket/clock.ts', 'export const now = () => Date.now();\n');
    assert.deepEqual(lint('style/noRestrictedGlobals'), ['src/routing/clock.ts']);
    write('src/proxy/env.ts', 'export const home = process.env.HOME;\n');
    write('src/cli/env.ts', 'export const home = process.env.HOME;\n');
    assert.deepEqual(lint('style/noProcessEnv'), ['src/proxy/env.ts']);
  });
});

test('the walls name every room', () => {
  assert.deepEqual(Object.keys(MAY_IMPORT).sort(), [...ROOMS].sort());
});

function packageRoot(directory: string): string {
  return readdirSync(directory).includes('package.json') ? directory : packageRoot(dirname(directory));
}

function sourceFiles(): string[] {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.ts')).sort();
}

function readSources(): Source[] {
  return sourceFiles().flatMap((file) => {
    const room = roomOf(file);
    const text = readFileSync(join(src, file), 'utf8');
    const imports = [...text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\s*\(\s*)(['"])([^'"\n]+)\1/g)].map(
      (m) => m[2]!,
    );
    return room === undefined ? [] : [{ file, room, text, imports }];
  });
}

/** Lines without what is only a comment. */
function codeLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^\s*(\/\/|\*|\/\*)/.test(line))
    .map((line) => line.replace(/\s\/\/ .*$/, ''));
}

/** The files of one cycle, or undefined. Depth first; type imports count, for they bind as readers see it. */
function findCycle(sources: readonly Source[]): string[] | undefined {
  const targets = new Map(
    sources.map(({ file, imports }) => [
      file,
      imports.filter((name) => name.startsWith('.')).map((name) => normalize(join(dirname(file), name))),
    ]),
  );
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const target of targets.get(file) ?? []) {
      const cycle = visit(target, [...trail, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of targets.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
